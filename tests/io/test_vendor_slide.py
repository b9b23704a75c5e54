"""Slides by OpenSlide: the same regions as by the reader of TIFF, and no index that leads out of its folder."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from isocenter.core.errors import BudgetError
from isocenter.io.door import inspect

pytest.importorskip("openslide", reason="whole slides are an extra")
pytest.importorskip("imagecodecs", reason="imagecodecs packs these tiles")


def slide(path: Path) -> np.ndarray[Any, Any]:
    """Write a pyramidal TIFF and return its finest level."""
    y, x = np.mgrid[:600, :800]
    full = np.stack([y / 3, x / 4, 0 * x + 90], -1).astype(np.uint8)
    with tifffile.TiffWriter(path) as writer:
        for k, level in enumerate((full, full[::2, ::2], full[::4, ::4])):
            writer.write(
                level, tile=(128, 128), photometric="rgb", compression="zlib", subfiletype=1 if k else 0, metadata=None,
                resolution=(20000, 20000), resolutionunit="CENTIMETER",
            )  # fmt: skip
    return full


def test_regions_are_those_of_the_tiff(tmp_path: Path) -> None:
    full = slide(tmp_path / "a.tif")
    shutil.copy(tmp_path / "a.tif", tmp_path / "b.svslide")
    (item,) = inspect(tmp_path / "b.svslide").items
    assert item.kind == "pyramid" and item.format == "vendor-slide" and item.attributes["levels"] == 3
    assert item.attributes["micrometres_per_pixel"] == pytest.approx(0.5)
    value, other = item.load(), inspect(tmp_path / "a.tif").items[0].load()
    assert [v.geometry for v in value.levels] == [v.geometry for v in other.levels]
    for level in range(3):
        bounds = ((40, 333), (200, 500))
        found, expected = (np.asarray(p.region(bounds, level=level).array) for p in (value, other))
        assert np.array_equal(found, expected)
    assert np.array_equal(np.moveaxis(np.asarray(value.region(((5, 9), (7, 13)), level=0).array), 0, -1), full[5:9, 7:13])
    with pytest.raises(BudgetError):
        from isocenter.io.budget import Budget
        from isocenter.io.vendor_slide import _Reader

        reader = value.levels[0].read
        assert isinstance(reader, _Reader)
        limit = Budget().max_voxels
        reader(((0, limit), (0, 2)))


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.ndpi", b"II*\0" + b"\xff" * 300), ("a.scn", b"no slide at all"), ("a.mrxs", b"\0" * 5000), ("a.bif", b"\0" * 5000)],
)
def test_what_is_no_slide_is_refused_with_a_sentence(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    inventory = inspect(tmp_path / name)
    assert not inventory.items and name in inventory.refusals[0].reason


def test_an_index_that_leads_outside_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mrxs").write_bytes(b"\xff\xd8\xff")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "Slidedat.ini").write_text(
        "[GENERAL]\nSLIDE_ID = 1\n[DATAFILE]\nFILE_COUNT = 1\nFILE_0 = ../../etc/passwd\n"
    )
    assert "outside" in inspect(tmp_path / "a.mrxs").refusals[0].reason


def test_a_missing_package_is_named_with_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slide(tmp_path / "a.svslide")
    monkeypatch.setitem(sys.modules, "openslide", None)
    assert 'pip install "isocenter[wsi]"' in inspect(tmp_path / "a.svslide").refusals[0].reason
