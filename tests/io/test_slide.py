"""Whole slides: levels and pixel sizes, every tile coding against tifffile, flat memory, and tiles that lead outside."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from benchmarks.slide_paging import write_slide
from isocenter.core.errors import BudgetError, FormatError
from isocenter.core.pyramid import Pyramid
from isocenter.io import door

RNG = np.random.default_rng(11)


def picture(height: int, width: int, channels: int = 3, dtype: Any = np.uint8) -> np.ndarray[Any, Any]:
    """Return a smooth picture (JPEG keeps it) of an odd size."""
    y, x = np.mgrid[:height, :width]
    planes = [np.sin(y / (30 + 7 * k)) * np.cos(x / (40 + 5 * k)) * 100 + 128 for k in range(channels)]
    return np.stack(planes, -1).astype(dtype)


def saved(path: Path, levels: list[np.ndarray[Any, Any]], *, sub: bool = False, **options: Any) -> Pyramid:
    """Write levels as pages (or as SubIFDs of the first) and return the pyramid that is read."""
    extra = {"tile": (128, 128), "photometric": "rgb" if levels[0].ndim == 3 else "minisblack", "metadata": None} | options
    description = extra.pop("description", None)
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for k, level in enumerate(levels):
            first = {"subifds": len(levels) - 1, "description": description} if not k and sub else {}
            first = first or ({"description": description} if not k else {})
            writer.write(level, subfiletype=1 if k else 0, **extra, **first)
    value = door.inspect(path).items[0].load()
    assert isinstance(value, Pyramid)
    return value


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "jpeg", "jpeg2000"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_tile_coding_gives_what_tifffile_gives(tmp_path: Path, compression: str | None, dtype: Any, channels: int) -> None:
    if compression == "jpeg" and dtype == np.uint16:
        pytest.skip("JPEG tiles have 8 bits")
    if compression == "jpeg2000" and dtype == np.uint16:
        pytest.skip("Aperio writes JPEG 2000 of 8 bits")
    pytest.importorskip("imagecodecs", reason="imagecodecs packs these tiles")
    full = picture(700, 531, channels, dtype)
    full = full[..., 0] if channels == 1 else full
    options: dict[str, Any] = {"compression": compression, "predictor": compression in ("zlib", "lzw")}
    if compression == "jpeg2000":
        options["compression"] = 33005
    pyramid = saved(tmp_path / "s.tif", [full, full[::4, ::4]], **options)
    assert len(pyramid.levels) == 2 and pyramid.dims == (("c", "y", "x") if channels == 3 else ("y", "x"))
    for level in (0, 1):
        expected = tifffile.imread(tmp_path / "s.tif", key=level)
        height, width = expected.shape[:2]
        for rows, columns in [((0, height), (0, width)), ((height // 3, height // 2), (width // 5, width // 5 + 1))]:
            found = np.asarray(pyramid.levels[level].read((rows, columns)))
            found = np.moveaxis(found, 0, -1) if channels == 3 else found
            assert np.abs(found.astype(int) - expected[slice(*rows), slice(*columns)]).max() <= (
                2 if compression == "jpeg" else 0
            )


def test_pixel_sizes_are_those_that_the_microscope_states(tmp_path: Path) -> None:
    full = picture(512, 768)
    levels = [full, full[::2, ::2], full[::8, ::8]]
    aperio = saved(tmp_path / "a.svs", levels, description="Aperio Image Library v1\n512x768|AppMag = 40|MPP = 0.2520")
    assert aperio.mpp == pytest.approx((0.252, 0.504, 2.016)) and aperio.modality == "SM"
    # A coarse pixel covers fine ones: its centre lies in the middle of theirs.
    assert aperio.levels[2].geometry.origin == pytest.approx((3.5 * 0.000252, 3.5 * 0.000252, 0.0))
    assert aperio.level_for(1.0) == 1
    part = aperio.region(((64, 128), (256, 512)), mpp=0.51)
    assert part.shape == (3, 32, 128) and np.array_equal(np.moveaxis(part.array, 0, -1), levels[1][32:64, 128:256])
    ome = '<OME><Image><Pixels DimensionOrder="XYCZT" SizeC="3" PhysicalSizeX="0.5" PhysicalSizeY="0.25" PhysicalSizeXUnit="µm"/></Image></OME>'
    stated = saved(tmp_path / "o.ome.tif", levels, sub=True, description=ome.encode())
    assert len(stated.levels) == 3 and stated.geometry.spacing == pytest.approx((0.00025, 0.0005))
    printed = saved(tmp_path / "p.tif", levels, resolution=(118, 118), resolutionunit="CENTIMETER")
    assert printed.geometry.unit == "px"
    scanned = saved(tmp_path / "m.tif", levels, resolution=(40000, 20000), resolutionunit="CENTIMETER")
    assert scanned.geometry.spacing == pytest.approx((0.0005, 0.00025))
    assert any("which no microscope confirms" in note for note in scanned.provenance.notes)


def test_channels_in_pages_of_their_own(tmp_path: Path) -> None:
    planes = RNG.integers(0, 60000, (3, 300, 400)).astype(np.uint16)
    path = tmp_path / "c.ome.tif"
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for plane in planes:
            writer.write(plane, tile=(128, 128), subifds=1, metadata=None)
            writer.write(plane[::2, ::2], tile=(128, 128), subfiletype=1, metadata=None)
    pyramid = door.inspect(path).items[0].load()
    assert pyramid.dims == ("c", "y", "x")
    assert np.array_equal(pyramid.region(((10, 140), (5, 399)), level=0).array, planes[:, 10:140, 5:399])
    assert np.array_equal(door.read(path).array, planes)


def test_label_and_overview_are_no_levels(tmp_path: Path) -> None:
    full = picture(512, 768)
    path = tmp_path / "a.svs"
    with tifffile.TiffWriter(path) as writer:
        writer.write(full, tile=(128, 128), photometric="rgb", metadata=None, description="Aperio\n|MPP = 0.5")
        writer.write(full[::4, ::4], photometric="rgb", metadata=None)  # a thumbnail in strips
        writer.write(full[::2, ::2], tile=(128, 128), photometric="rgb", metadata=None)
        writer.write(np.zeros((90, 300, 3), np.uint8), photometric="rgb", metadata=None, description="label 90x300")
    pyramid = door.inspect(path).items[0].load()
    assert [level.geometry.shape for level in pyramid.levels] == [(512, 768), (256, 384)]


def test_a_stack_of_tiled_pages_stays_a_stack(tmp_path: Path) -> None:
    stack = RNG.integers(0, 255, (4, 200, 300)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "z.tif", stack, tile=(64, 64), photometric="minisblack", metadata=None)
    (item,) = door.inspect(tmp_path / "z.tif").items
    assert item.kind == "image" and np.array_equal(item.load().array, stack)


# -- larger than memory -----------------------------------------------------------------------------------


def test_any_region_of_a_huge_slide_takes_little_memory(tmp_path: Path) -> None:
    """100,000 x 100,000 pixels are 30 GB; what is held is the region and one tile."""
    path = tmp_path / "huge.tif"
    tile = write_slide(path, 100_000)
    tracemalloc.start()
    pyramid = door.inspect(path).items[0].load()
    _, header_peak = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    assert pyramid.geometry.shape == (100_000, 100_000) and len(pyramid.levels) == 10
    for corner in ((0, 0), (99_000, 99_000), (31_337, 77_777)):
        part = pyramid.region(tuple((a, a + 1000) for a in corner), level=0)
        expected = tile[np.ix_(np.arange(corner[0], corner[0] + 1000) % 256, np.arange(corner[1], corner[1] + 1000) % 256)]
        assert np.array_equal(np.moveaxis(part.array, 0, -1), expected)
    overview = pyramid.region(((0, 100_000), (0, 100_000)), level=9)
    assert overview.shape == (3, 196, 196)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert header_peak < 16 << 20 and peak < 24 << 20
    with pytest.raises(BudgetError):
        door.read(path)
    with pytest.raises(BudgetError):
        pyramid.region(((0, 100_000), (0, 100_000)), level=0)


@pytest.mark.parametrize(("at", "value"), [("offset", 1 << 40), ("offset", 2**64 - 1), ("count", 0), ("count", 2**64 - 1)])
def test_one_tile_that_leads_outside_is_found_from_the_list(tmp_path: Path, at: str, value: int) -> None:
    path = tmp_path / "s.tif"
    places: dict[str, Any] = {}
    write_slide(path, 20_000, places=places)
    with path.open("r+b") as handle:
        handle.seek(places[at] + 8 * 4321)
        handle.write(value.to_bytes(8, "little"))
    (refusal,) = door.inspect(path).refusals
    assert "tile 4322 of 6241 is empty or ends outside" in refusal.reason


def test_damaged_tiles_are_refused(tmp_path: Path) -> None:
    full = picture(512, 512)
    for name in ("zlib", "jpeg", "lzw"):
        path = tmp_path / f"{name}.tif"
        pyramid = saved(path, [full, full[::2, ::2]], compression=name)
        with tifffile.TiffFile(path) as file:
            at, count = file.pages[0].dataoffsets[3], file.pages[0].databytecounts[3]
        with path.open("r+b") as handle:
            handle.seek(at)
            handle.write(b"\x01" * count)
        with pytest.raises(FormatError):
            pyramid.region(((0, 512), (0, 512)), level=0)


def test_a_tile_larger_than_its_page_says_is_refused(tmp_path: Path) -> None:
    full = picture(512, 512)
    path = tmp_path / "s.tif"
    pyramid = saved(path, [full, full[::2, ::2]], compression="zlib")
    import zlib

    bomb = zlib.compress(bytes(40_000_000), 9)
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        at = file.pages[0].dataoffsets[0]
    data[at : at + len(bomb)] = bomb
    path.write_bytes(data)
    tracemalloc.start()
    with pytest.raises(FormatError):
        pyramid.region(((0, 10), (0, 10)), level=0)
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()
