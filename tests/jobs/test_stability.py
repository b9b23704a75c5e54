"""Stability: features that depend on size alone hold, those that depend on noise do not."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.io import door
from isocenter.jobs.stability import stability, verdict
from isocenter.kernels.perturb import noisy, redrawn


def write_balls(folder: Path) -> tuple[Path, Path]:
    """Write an image with balls of five sizes and brightnesses, and their labels."""
    rng = np.random.default_rng(3)
    shape = (24, 40, 200)
    z, y, x = np.indices(shape)
    labels = np.zeros(shape, np.uint8)
    values = rng.normal(0, 8, shape)
    for k, radius in enumerate((5, 6, 7, 8, 9)):
        inside = (z - 12) ** 2 + (y - 20) ** 2 + (x - 20 - 40 * k) ** 2 <= radius**2
        labels[inside] = k + 1
        values[inside] += 40 + 25 * k
    grid = Geometry.regular(shape, (1.5, 1.0, 1.0))
    image = Image(values.round().astype(np.int16), ("z", "y", "x"), grid, modality="CT", quantity="HU")
    door.write(image, folder / "image.nii.gz")
    door.write(LabelMap(labels, ("z", "y", "x"), grid), folder / "labels.nii.gz")
    return folder / "image.nii.gz", folder / "labels.nii.gz"


def test_size_and_brightness_are_stable_and_noise_features_are_less(tmp_path: Path) -> None:
    image, labels = write_balls(tmp_path)
    result = stability(image, [labels], tmp_path / "stability.csv", perturbations=4, contour=0.5)
    assert result.regions == 5
    assert result.exit_code == 0
    rows = {row["tag"]: row for row in csv.DictReader((tmp_path / "stability.csv").read_text().splitlines())}
    assert float(rows["morph_volume"]["icc"]) > 0.95
    assert float(rows["stat_mean"]["icc"]) > 0.95
    assert rows["morph_volume"]["verdict"] == "excellent"
    assert float(rows["stat_skew"]["icc"]) < float(rows["stat_mean"]["icc"])
    assert sum(result.counts.values()) == len(rows)
    assert (tmp_path / "stability.html").is_file()


def test_the_same_seed_gives_the_same_table(tmp_path: Path) -> None:
    image, labels = write_balls(tmp_path)
    for name in ("a.csv", "b.csv"):
        stability(image, [labels], tmp_path / name, perturbations=2, seed=5)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_mistakes_are_told(tmp_path: Path) -> None:
    image, labels = write_balls(tmp_path)
    with pytest.raises(ParameterError, match="2 or more"):
        stability(image, [labels], tmp_path / "x.csv", perturbations=1)
    with pytest.raises(ContentError, match="No region"):
        stability(image, [tmp_path / "none.nii.gz"], tmp_path / "x.csv")
    assert not (tmp_path / "x.csv").exists()


def test_a_redrawn_contour_moves_by_what_was_asked() -> None:
    rng = np.random.default_rng(0)
    z, y, x = np.indices((40, 40, 40)) - 20
    mask = z**2 + y**2 + x**2 <= 12**2
    same = redrawn(mask, (1.0, 1.0, 1.0), 0.0, 4.0, rng)
    assert np.array_equal(same, mask)
    moved = redrawn(mask, (1.0, 1.0, 1.0), 1.5, 4.0, rng)
    shell = np.abs(np.sqrt(z**2 + y**2 + x**2) - 12.0)
    assert 0.5 < shell[moved != mask].mean() < 2.5
    assert shell[moved != mask].max() < 8.0
    assert abs(int(moved.sum()) - int(mask.sum())) < 0.35 * mask.sum()


def test_noise_has_the_level_asked_for() -> None:
    added = noisy(np.zeros((50, 50, 50)), 3.0, np.random.default_rng(1))
    assert abs(float(added.std()) - 3.0) < 0.05


@pytest.mark.parametrize(
    ("icc", "word"), [(0.95, "excellent"), (0.8, "good"), (0.6, "moderate"), (0.1, "poor"), (None, "unknown")]
)
def test_verdicts(icc: float | None, word: str) -> None:
    assert verdict(icc) == word
