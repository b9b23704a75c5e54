"""``isocenter segment``, ``compare`` and ``evaluate`` as a user calls them: what they print, write and return."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import isocenter as iso
from isocenter.core.geometry import Geometry
from isocenter.testing.phantoms.chest_ct import chest_ct
from tests.cli.test_main import call


def ball(center: float = 10.0, shape: tuple[int, ...] = (20, 20, 20)) -> iso.LabelMap:
    """Return a ball of 6 mm."""
    z, y, x = np.indices(shape)
    mask = (z - 10.0) ** 2 + (y - 10.0) ** 2 + (x - center) ** 2 < 36.0
    return iso.LabelMap(mask.astype(np.uint8), ("z", "y", "x"), Geometry.regular(shape, 1.0))


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Two balls, 2 mm apart."""
    for name, center in (("first", 10.0), ("second", 12.0)):
        iso.write(ball(center), tmp_path / f"{name}.nii.gz")
    return tmp_path / "first.nii.gz", tmp_path / "second.nii.gz"


def test_segment_prints_its_flags_and_writes_a_picture(tmp_path: Path) -> None:
    phantom = chest_ct((40, 70, 70), (7.0, 5.0, 5.0))
    array = np.array(phantom.image.array)
    array[phantom.region("left lung")] = 20
    iso.write(phantom.image.with_array(array), tmp_path / "chest.nii.gz")
    done = call("segment", str(tmp_path / "chest.nii.gz"), "--with", "lungs", "-o", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert "Only the right lung was found" in done.stdout
    assert (tmp_path / "out/labels/lungs.png").is_file() and (tmp_path / "out/labels/lungs.nii.gz").is_file()
    again = call("segment", str(tmp_path / "chest.nii.gz"), "--with", "lungs", "-o", str(tmp_path / "out"), "--json")
    notes = json.loads(again.stdout)["cases"][0]["notes"]
    assert any("Only the right lung" in note for note in notes)
    assert call("verify", str(tmp_path / "out"), "--recompute").returncode == 0


def test_segment_with_a_name_that_is_none(tmp_path: Path) -> None:
    done = call("segment", "no/such/file", "--with", "lung", "-o", str(tmp_path / "out"))
    assert done.returncode == 2 and "No segmenter 'lung'" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_compare(pair: tuple[Path, Path], tmp_path: Path) -> None:
    done = call("compare", str(pair[0]), str(pair[1]), "-o", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    one, two = (np.asarray(iso.read_labels(p).array) > 0 for p in pair)
    assert f"dice: {2 * (one & two).sum() / (one.sum() + two.sum()):.4g}" in done.stdout
    agreement = np.asarray(iso.read_labels(tmp_path / "out/agreement.nii.gz").array)
    np.testing.assert_array_equal(agreement, np.where(one & two, 1, np.where(one, 2, np.where(two, 3, 0))))
    assert (tmp_path / "out/report.html").is_file() and (tmp_path / "out/agreement.png").is_file()


def test_compare_on_different_grids_is_one_sentence(pair: tuple[Path, Path], tmp_path: Path) -> None:
    iso.write(ball(shape=(20, 20, 21)), tmp_path / "other.nii.gz")
    done = call("compare", str(pair[0]), str(tmp_path / "other.nii.gz"), "-o", str(tmp_path / "out"))
    assert done.returncode != 0 and "grid" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_evaluate_lists_what_was_set_aside(tmp_path: Path) -> None:
    for folder, names in (("predictions", "ab"), ("truths", "abc")):
        (tmp_path / folder).mkdir()
        for name in names:
            iso.write(ball(11.0 if folder == "truths" and name == "b" else 10.0), tmp_path / folder / f"{name}.nii.gz")
    done = call("evaluate", str(tmp_path / "predictions"), str(tmp_path / "truths"), "-o", str(tmp_path / "out"))
    assert done.returncode in (0, 1) and "Traceback" not in done.stderr, done.stderr
    text = done.stdout + "".join(path.read_text() for path in (tmp_path / "out").rglob("*.csv"))
    assert "dice" in text.lower()
    assert "set aside c" in done.stdout and done.returncode == 1  # a truth without a prediction is no success
    assert (tmp_path / "out/report.html").is_file()


def test_evaluate_of_nothing_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = call("evaluate", str(tmp_path / "empty"), str(tmp_path / "empty"), "-o", str(tmp_path / "out"))
    assert done.returncode != 0 and done.stderr.strip() and "Traceback" not in done.stderr
