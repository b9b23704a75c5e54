"""Whole slides in DICOM: any region of any level is what was tiled, in its place on the slide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isocenter.core.errors import BudgetError
from isocenter.core.pyramid import Pyramid
from isocenter.io.budget import Budget
from isocenter.io.door import inspect, read
from tests.io.dicom.slides import EXPLICIT, JPEG, halved, level, picture


def pyramid(path: Path) -> Pyramid:
    inventory = inspect(path)
    assert not inventory.refusals, inventory.refusals
    (item,) = inventory.items
    assert item.kind == "pyramid" and item.spec.modality == "SM"
    value = item.load()
    assert isinstance(value, Pyramid)
    return value


@pytest.mark.parametrize(("syntax", "tolerance"), [(EXPLICIT, 0), (JPEG, 12)])
@pytest.mark.parametrize("sparse", [False, True])
def test_regions_of_every_level_are_those_of_the_picture(tmp_path: Path, syntax: str, tolerance: int, sparse: bool) -> None:
    fine = picture()
    levels = [fine, halved(fine), halved(halved(fine))]
    for k, array in enumerate(levels):
        level(tmp_path / f"{'cab'[k]}.dcm", array, syntax=syntax, leave_out=() if sparse else None, spacing=0.0005 * 2**k)
    value = pyramid(tmp_path)
    assert [v.geometry.shape for v in value.levels] == [a.shape[:2] for a in levels]
    assert value.mpp == pytest.approx([0.5, 1.0, 2.0], rel=0.02) and value.channels == ("red", "green", "blue")
    for bounds in (((0, 150), (0, 200)), ((60, 70), (60, 140)), ((149, 150), (199, 200)), ((3, 130), (64, 128))):
        found = np.moveaxis(np.asarray(value.region(bounds, level=0).array), 0, -1).astype(int)
        truth = fine[bounds[0][0] : bounds[0][1], bounds[1][0] : bounds[1][1]]
        assert found.shape == truth.shape and np.abs(found - truth).mean() <= tolerance / 4
        assert tolerance or np.array_equal(found, truth)
    half = np.moveaxis(np.asarray(value.region(((20, 140), (40, 160)), level=1).array), 0, -1)
    assert np.abs(half.astype(int) - levels[1][10:70, 20:80]).mean() <= tolerance / 4


def test_a_pixel_lies_where_the_slide_says(tmp_path: Path) -> None:
    level(tmp_path / "a.dcm", picture())
    level(tmp_path / "b.dcm", halved(picture()), spacing=0.001)
    value = pyramid(tmp_path)
    # Orientation 0 -1 0 -1 0 0: columns run along -y, rows along -x, from (20, 40) mm.
    assert value.geometry.to_world([[10.0, 4.0]])[0] == pytest.approx([20 - 10 * 0.0005, 40 - 4 * 0.0005, 0.0])
    assert value.levels[1].geometry.to_world([[0.0, 0.0]])[0] == pytest.approx([20 - 0.00025, 40 - 0.00025, 0.0])


def test_tiles_that_were_not_scanned_are_white_and_told(tmp_path: Path) -> None:
    level(tmp_path / "a.dcm", picture(), leave_out=((0, 0), (2, 3)))
    (item,) = inspect(tmp_path).items
    assert any("2 of 12 tiles" in p.text for p in item.problems)
    found = np.asarray(item.load().region(((0, 150), (0, 200)), level=0).array)
    assert (found[:, :64, :64] == 255).all() and (found[:, 128:, 192:] == 255).all()
    assert np.array_equal(np.moveaxis(found, 0, -1)[:64, 64:], picture()[:64, 64:])


def test_a_level_in_several_files_is_one(tmp_path: Path) -> None:
    for k, frames in enumerate((slice(0, 5), slice(5, 12))):
        more: Any = {"ConcatenationUID": "2.25.77", "InConcatenationNumber": k + 1, "ConcatenationFrameOffsetNumber": 5 * k}
        level(tmp_path / f"{k}.dcm", picture(), frames=frames, **more)
    found = pyramid(tmp_path).region(((0, 150), (0, 200)), level=0)
    assert np.array_equal(np.moveaxis(np.asarray(found.array), 0, -1), picture())
    (tmp_path / "0.dcm").unlink()
    (refusal,) = inspect(tmp_path).refusals
    assert "0 are before" in refusal.reason


def test_label_and_overview_are_left_out_and_a_thumbnail_is_a_level(tmp_path: Path) -> None:
    level(tmp_path / "a.dcm", picture())
    for name in ("LABEL", "OVERVIEW"):
        level(tmp_path / f"{name}.dcm", picture(64, 64), ImageType=["ORIGINAL", "PRIMARY", name, "NONE"])
    thumbnail = halved(halved(picture()))
    level(tmp_path / "t.dcm", thumbnail, ImageType=["ORIGINAL", "PRIMARY", "THUMBNAIL", "RESAMPLED"], spacing=0.002)
    (item,) = inspect(tmp_path).items
    assert item.attributes["levels"] == 2 and any("label or overview" in p.text for p in item.problems)


def test_read_gives_the_finest_level_or_says_that_it_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    level(tmp_path / "a.dcm", picture())
    assert np.array_equal(np.moveaxis(np.asarray(read(tmp_path / "a.dcm").array), 0, -1), picture())
    # One tile of a matrix of 10^12 pixels: sound, and nothing grows with it.
    level(tmp_path / "a.dcm", picture(64, 64), leave_out=(), TotalPixelMatrixRows=1_000_000, TotalPixelMatrixColumns=1_000_000)
    value = pyramid(tmp_path / "a.dcm")
    assert (np.asarray(value.region(((999_000, 999_100), (0, 100)), level=0).array) == 255).all()
    with pytest.raises(BudgetError):
        value.region(((0, 1_000_000), (0, 1_000_000)), level=0)
    with pytest.raises(BudgetError, match="region"):
        read(tmp_path / "a.dcm")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"TotalPixelMatrixRows": 1_000_000, "TotalPixelMatrixColumns": 1_000_000}, "12 tiles for a matrix"),
        ({"TotalPixelMatrixRows": 0}, "no size"),
        ({"NumberOfFrames": 2_000_000_000}, "tiles would take"),
        ({"NumberOfFrames": 24, "TotalPixelMatrixFocalPlanes": 2}, "cut short"),
        ({"ImageOrientationSlide": [1, 0, 0, 1, 0, 0]}, "right angles"),
        ({"Rows": 65535, "Columns": 65535}, "tile"),
    ],
)
def test_a_header_that_lies_is_refused(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    level(tmp_path / "a.dcm", picture(), **changes)
    inventory = inspect(tmp_path / "a.dcm", budget=Budget())
    assert not inventory.items and told in inventory.refusals[0].reason and "a.dcm" in inventory.refusals[0].reason


def test_levels_of_different_fields_and_second_planes_are_refused(tmp_path: Path) -> None:
    level(tmp_path / "a.dcm", picture())
    level(tmp_path / "b.dcm", picture(40, 160))
    assert "same field" in inspect(tmp_path).refusals[0].reason
    (tmp_path / "b.dcm").unlink()
    level(tmp_path / "c.dcm", picture())
    assert "focal planes" in inspect(tmp_path).refusals[0].reason


def test_a_broken_level_condemns_the_slide(tmp_path: Path) -> None:
    level(tmp_path / "a.dcm", picture())
    broken = level(tmp_path / "b.dcm", halved(picture()), spacing=0.001)
    broken.write_bytes(broken.read_bytes()[:-5000])
    inventory = inspect(tmp_path)
    assert not inventory.items and "b.dcm" in inventory.refusals[0].reason
