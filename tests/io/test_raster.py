"""PNG, JPEG, TIFF, BMP and WebP against Pillow and tifffile; 16 bits kept, sizes in mm only where they are stated."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from isocenter.core.errors import BudgetError, FormatError, InputError, UnsupportedError, WriteError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.io import bitmap, jpeg, png, seam, tiff
from isocenter.io.budget import Budget

RNG = np.random.default_rng(5)
PIXELS = Geometry.pixels((7, 9))


def read(module: Any, path: Path) -> Any:
    return module.inspect(path, Budget())[0].load()


def said(module: Any, path: Path) -> str:
    return " ".join(p.sentence() for p in module.inspect(path, Budget())[0].problems)


# -- PNG --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [0, 2, 3, 4])
def test_png_round_trip_and_pillow(dtype: Any, channels: int, tmp_path: Path) -> None:
    shape = (channels, 7, 9) if channels else (7, 9)
    array = RNG.integers(0, np.iinfo(dtype).max, shape, dtype)
    image = Image(array, ("c", "y", "x")[3 - len(shape) :], PIXELS)
    png.write(image, tmp_path / "a.png")
    again = read(png, tmp_path / "a.png")
    np.testing.assert_array_equal(again.array, array)
    assert again.dtype == array.dtype
    assert again.dims == image.dims
    if dtype is np.uint8 or not channels:
        with Pillow.open(tmp_path / "a.png") as theirs:
            expected = np.asarray(theirs)
        np.testing.assert_array_equal(np.moveaxis(array, 0, -1) if channels else array, expected)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "P", "I;16"])
@pytest.mark.parametrize("interlace", [False, True])
def test_png_of_pillow(mode: str, interlace: bool, tmp_path: Path) -> None:
    source = Pillow.fromarray(RNG.integers(0, 255, (20, 30, 4), np.uint8), "RGBA")
    picture = Pillow.fromarray(RNG.integers(0, 65535, (20, 30), np.uint16)) if mode == "I;16" else source.convert(mode)
    picture = source.convert("RGB").convert("P") if mode == "P" else picture  # without transparency
    picture.save(tmp_path / "a.png", interlace=interlace)
    expected = np.asarray(picture.convert("RGB") if mode == "P" else picture)
    found = read(png, tmp_path / "a.png")
    shown = np.moveaxis(found.array, 0, -1) if "c" in found.dims else found.array
    np.testing.assert_array_equal(shown, expected)
    assert found.geometry.unit == "px"


def test_png_rows_of_every_filter(tmp_path: Path) -> None:
    """Colour of 16 bits is decoded here: each filter gives the bytes that its definition gives."""
    width, height = 5, 5
    array = RNG.integers(0, 65535, (height, width, 3), np.uint16)
    raw = array.astype(">u2").tobytes()
    rows = [np.frombuffer(raw[y * 30 : y * 30 + 30], np.uint8).astype(int) for y in range(height)]
    data = b""
    for y, row in enumerate(rows):
        up = rows[y - 1] if y else np.zeros(30, int)
        left = np.concatenate([np.zeros(6, int), row[:-6]])
        corner = np.concatenate([np.zeros(6, int), up[:-6]])
        p = left + up - corner
        near = np.stack([np.abs(p - left), np.abs(p - up), np.abs(p - corner)])
        guess = np.stack([left, up, corner])[near.argmin(axis=0), np.arange(30)]
        data += bytes([y]) + ((row - [0, left, up, (left + up) // 2, guess][y]) & 255).astype(np.uint8).tobytes()

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0))
    (tmp_path / "a.png").write_bytes(png.SIGNATURE + head + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b""))
    np.testing.assert_array_equal(np.moveaxis(read(png, tmp_path / "a.png").array, 0, -1), array)
    wrong = data[:31] + b"\x09" + data[32:]
    (tmp_path / "b.png").write_bytes(png.SIGNATURE + head + chunk(b"IDAT", zlib.compress(wrong)) + chunk(b"IEND", b""))
    with pytest.raises(FormatError, match="row 1 names filter 9"):
        png.inspect(tmp_path / "b.png", Budget())
    for short in (zlib.compress(data[:-1]), zlib.compress(data + b"x"), zlib.compress(data)[:-3]):
        (tmp_path / "c.png").write_bytes(png.SIGNATURE + head + chunk(b"IDAT", short) + chunk(b"IEND", b""))
        with pytest.raises(FormatError, match=r"c\.png"):
            png.inspect(tmp_path / "c.png", Budget())


def test_png_keeps_what_it_has_no_field_for(tmp_path: Path) -> None:
    grid = Geometry.regular((7, 9), (0.143, 0.143), (1, 2, 3))
    image = Image(RNG.integers(0, 4000, (7, 9), np.uint16), ("y", "x"), grid, modality="DX", quantity="a.u.")
    png.write(image, tmp_path / "a.png")
    assert read(png, tmp_path / "a.png").digest == image.digest
    table = (Segment(1, "left lung"), Segment(3, "tumour"))
    labels = LabelMap(RNG.choice([0, 1, 3], (7, 9)).astype(np.uint8), ("y", "x"), grid, table)
    png.write(labels, tmp_path / "b.png")
    again = read(png, tmp_path / "b.png")
    assert isinstance(again, LabelMap)
    assert again.digest == labels.digest


def test_dots_per_inch_are_no_pixel_size(tmp_path: Path) -> None:
    picture = Pillow.fromarray(np.zeros((5, 5), np.uint8))
    picture.save(tmp_path / "a.png", dpi=(300, 300))
    picture.save(tmp_path / "a.tif", dpi=(300, 300))
    picture.save(tmp_path / "a.jpg", dpi=(300, 300))
    for module, name in ((png, "a.png"), (tiff, "a.tif"), (jpeg, "a.jpg")):
        assert read(module, tmp_path / name).geometry.unit == "px"


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_png_of_few_bits_keeps_the_stored_values(bits: int, tmp_path: Path) -> None:
    values = np.arange(8, dtype=np.uint8).reshape(2, 4) % 2**bits
    packed = b"".join(
        b"\0" + int("".join(f"{v:0{bits}b}" for v in row).ljust(-(-4 * bits // 8) * 8, "0"), 2).to_bytes(-(-4 * bits // 8), "big")
        for row in values
    )

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 2, bits, 0, 0, 0, 0))
    (tmp_path / "a.png").write_bytes(png.SIGNATURE + head + chunk(b"IDAT", zlib.compress(packed)) + chunk(b"IEND", b""))
    np.testing.assert_array_equal(read(png, tmp_path / "a.png").array, values)


def test_png_bombs_are_refused_before_they_are_inflated(tmp_path: Path) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    body = zlib.compress(bytes(15000 * 15001))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 15000, 15000, 8, 0, 0, 0, 0))
    (tmp_path / "a.png").write_bytes(png.SIGNATURE + head + chunk(b"IDAT", body) + chunk(b"IEND", b""))
    with pytest.raises(BudgetError, match="decompression bomb"):
        png.inspect(tmp_path / "a.png", Budget())


@pytest.mark.parametrize(
    ("dtype", "dims", "shape"),
    [
        (np.float32, ("y", "x"), (7, 9)),
        (np.int16, ("y", "x"), (7, 9)),
        (np.uint8, ("t", "y", "x"), (2, 7, 9)),
        (np.uint8, ("c", "y", "x"), (5, 7, 9)),
    ],
)
def test_png_refuses_what_it_would_change(dtype: Any, dims: tuple[str, ...], shape: tuple[int, ...], tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="expected"):
        png.write(Image(np.zeros(shape, dtype), dims, PIXELS), tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


# -- JPEG, BMP, WebP --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "name", "options"), [(jpeg, "a.jpg", {}), (bitmap, "a.bmp", {}), (bitmap, "a.webp", {"lossless": True})]
)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_pictures_of_pillow(module: Any, name: str, options: dict[str, Any], mode: str, tmp_path: Path) -> None:
    Pillow.fromarray(RNG.integers(0, 255, (20, 30, 3), np.uint8)).convert(mode).save(tmp_path / name, **options)
    with Pillow.open(tmp_path / name) as theirs:
        expected = np.asarray(theirs)
    found = read(module, tmp_path / name)
    np.testing.assert_array_equal(np.moveaxis(found.array, 0, -1) if "c" in found.dims else found.array, expected)


@pytest.mark.parametrize("turn", range(1, 9))
def test_jpeg_is_turned_as_its_exif_says(turn: int, tmp_path: Path) -> None:
    from PIL import ImageOps

    picture = Pillow.fromarray(RNG.integers(0, 255, (16, 24), np.uint8))
    exif = Pillow.Exif()
    exif[0x0112] = turn
    picture.save(tmp_path / "a.jpg", exif=exif, quality=95)
    with Pillow.open(tmp_path / "a.jpg") as theirs:
        expected = np.asarray(ImageOps.exif_transpose(theirs))
    item = jpeg.inspect(tmp_path / "a.jpg", Budget())[0]
    np.testing.assert_array_equal(item.load().array, expected)
    assert item.spec.geometry == item.load().geometry
    assert ("turned upright" in said(jpeg, tmp_path / "a.jpg")) == (turn > 1)


@pytest.mark.parametrize(("module", "name"), [(jpeg, "a.jpg"), (bitmap, "a.bmp"), (bitmap, "a.webp")])
def test_cut_pictures_are_refused(module: Any, name: str, tmp_path: Path) -> None:
    Pillow.fromarray(RNG.integers(0, 255, (40, 40, 3), np.uint8)).save(tmp_path / name)
    data = (tmp_path / name).read_bytes()
    for keep in range(40, len(data) - 64, max(1, len(data) // 25)):
        (tmp_path / name).write_bytes(data[:keep])
        with pytest.raises(InputError):
            module.inspect(tmp_path / name, Budget())


# -- TIFF -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"])
@pytest.mark.parametrize(
    ("shape", "dims"),
    [
        ((7, 9), ("y", "x")),
        ((3, 7, 9), ("c", "y", "x")),
        ((4, 7, 9), ("z", "y", "x")),
        ((2, 3, 4, 7, 9), ("t", "c", "z", "y", "x")),
        ((2, 7, 9), ("t", "y", "x")),
    ],
)
def test_tiff_round_trip_and_tifffile(dtype: str, shape: tuple[int, ...], dims: tuple[str, ...], tmp_path: Path) -> None:
    array = (RNG.random(shape) * 100).astype(dtype)
    spatial = tuple(n for n, d in zip(shape, dims, strict=True) if d in "zyx")
    image = Image(array, dims, Geometry.regular(spatial, 0.25, (1, 2, 3)), modality="SM")
    tiff.write(image, tmp_path / "a.tif")
    assert read(tiff, tmp_path / "a.tif").digest == image.digest
    theirs = tifffile.imread(tmp_path / "a.tif")
    if dims[0] == "c" and dtype[0] == "u":
        theirs = np.moveaxis(theirs, -1, 0)
    np.testing.assert_array_equal(
        theirs.ravel() if dtype[0] != "u" or "c" not in dims[1:] else read(tiff, tmp_path / "a.tif").array.ravel(), array.ravel()
    )


def test_tiff_is_written_the_same_every_time(tmp_path: Path) -> None:
    image = Image(RNG.random((4, 7, 9)), ("z", "y", "x"), Geometry.regular((4, 7, 9)))
    tiff.write(image, tmp_path / "a.tif")
    tiff.write(image, tmp_path / "b.tif")
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "packbits"])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_tiff_of_tifffile(compression: str | None, dtype: str, tile: Any, tmp_path: Path) -> None:
    array = RNG.integers(0, 200, (40, 50), dtype=dtype)
    tifffile.imwrite(tmp_path / "a.tif", array, compression=compression, tile=tile, photometric="minisblack")
    np.testing.assert_array_equal(read(tiff, tmp_path / "a.tif").array, array)


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_tiff_colour(planar: str, tmp_path: Path) -> None:
    array = RNG.integers(0, 255, (20, 30, 3), np.uint8)
    stored = array if planar == "contig" else np.moveaxis(array, -1, 0)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar)
    found = read(tiff, tmp_path / "a.tif")
    assert found.dims == ("c", "y", "x")
    assert found.channels == ("red", "green", "blue")
    np.testing.assert_array_equal(np.moveaxis(found.array, 0, -1), array)


def test_tiff_with_a_palette(tmp_path: Path) -> None:
    picture = Pillow.fromarray(RNG.integers(0, 255, (20, 30, 3), np.uint8)).convert("P", palette=Pillow.Palette.ADAPTIVE)
    picture.save(tmp_path / "a.tif")
    found = read(tiff, tmp_path / "a.tif")
    np.testing.assert_array_equal(np.moveaxis(found.array, 0, -1), np.asarray(picture.convert("RGB")))


def test_imagej_states_micrometres(tmp_path: Path) -> None:
    array = RNG.integers(0, 255, (2, 3, 20, 30), np.uint8)
    metadata = {"unit": "um", "spacing": 2.0, "axes": "TZYX", "finterval": 0.5}
    tifffile.imwrite(tmp_path / "a.tif", array, imagej=True, resolution=(4.0, 2.0), metadata=metadata)
    found = read(tiff, tmp_path / "a.tif")
    assert found.dims == ("t", "z", "y", "x")
    np.testing.assert_allclose(found.geometry.spacing, (0.002, 0.0005, 0.00025))
    assert found.times == (0.0, 0.5)
    np.testing.assert_array_equal(found.array, array)


def test_ome_states_micrometres(tmp_path: Path) -> None:
    array = RNG.integers(0, 255, (3, 2, 20, 30), np.uint16)
    metadata = {"axes": "ZCYX", "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "\u00b5m", "PhysicalSizeY": 500, "PhysicalSizeYUnit": "nm",
                "PhysicalSizeZ": 0.002, "PhysicalSizeZUnit": "mm"}  # fmt: skip
    tifffile.imwrite(tmp_path / "a.ome.tif", array, metadata=metadata, photometric="minisblack")
    found = read(tiff, tmp_path / "a.ome.tif")
    assert found.dims == ("c", "z", "y", "x")
    np.testing.assert_allclose(found.geometry.spacing, (0.002, 0.0005, 0.0005))
    np.testing.assert_array_equal(found.array, array.swapaxes(0, 1))


def test_pages_of_different_sizes_are_said(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(np.ones((20, 30), np.uint8), metadata=None)
        writer.write(np.ones((10, 15), np.uint8), metadata=None)
    assert read(tiff, tmp_path / "a.tif").shape == (20, 30)
    assert "further pages differ" in said(tiff, tmp_path / "a.tif")


def test_missing_blocks_are_not_filled_with_zeros(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", RNG.integers(0, 255, (64, 64), np.uint8), rowsperstrip=16, metadata=None)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        tag = file.pages[0].tags["StripByteCounts"]
        place, offsets = tag.valueoffset, file.pages[0].tags["StripOffsets"]
        rows = file.pages[0].tags["RowsPerStrip"].valueoffset
    data = bytearray((tmp_path / "a.tif").read_bytes())
    for at, value in ((place, struct.pack("<H", 0)), (rows, struct.pack("<H", 4)), (offsets.valueoffset, b"\xff\xff\xff\x7f")):
        broken = bytearray(data)
        broken[at : at + len(value)] = value
        (tmp_path / "b.tif").write_bytes(broken)
        with pytest.raises(FormatError, match=r"b\.tif"):
            tiff.inspect(tmp_path / "b.tif", Budget())


def test_tiff_bombs_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((64, 64), np.uint8), compression="zlib", metadata=None)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        place, counts = file.pages[0].tags["StripOffsets"].valueoffset, file.pages[0].tags["StripByteCounts"].valueoffset
    bomb = zlib.compress(bytes(200 << 20))
    data = bytearray((tmp_path / "a.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        sizes = [file.pages[0].tags[t].dtype for t in ("StripOffsets", "StripByteCounts")]
    for at, value, kind in ((place, len(data), sizes[0]), (counts, len(bomb), sizes[1])):
        packed = struct.pack("<I", value) if kind == 4 else struct.pack("<H", min(value, 65535))
        data[at : at + len(packed)] = packed
    (tmp_path / "b.tif").write_bytes(bytes(data) + bomb)
    with pytest.raises(FormatError, match=r"b\.tif"):
        tiff.inspect(tmp_path / "b.tif", Budget())


@pytest.mark.parametrize(("module", "name"), [(png, "a.png"), (tiff, "a.tif")])
def test_a_fault_at_any_step_leaves_nothing(module: Any, name: str, tmp_path: Path) -> None:
    image = Image(RNG.integers(0, 255, (64, 64), np.uint8), ("y", "x"), Geometry.pixels((64, 64)))
    with seam.counting() as taken:
        module.write(image, tmp_path / name)
    (tmp_path / name).unlink()
    for nth in range(1, len(taken)):
        with seam.failing(nth), pytest.raises(WriteError, match="could not be written"):
            module.write(image, tmp_path / name)
        assert list(tmp_path.iterdir()) == []


def test_a_picture_over_the_budget(tmp_path: Path) -> None:
    Pillow.fromarray(np.zeros((100, 100), np.uint8)).save(tmp_path / "a.png")
    Pillow.fromarray(np.zeros((100, 100), np.uint8)).save(tmp_path / "a.jpg")
    Pillow.fromarray(np.zeros((100, 100), np.uint8)).save(tmp_path / "a.tif")
    for module, name in ((png, "a.png"), (jpeg, "a.jpg"), (tiff, "a.tif")):
        with pytest.raises(BudgetError, match="expected at most"):
            module.inspect(tmp_path / name, Budget(max_pixels=9999))
        assert module.inspect(tmp_path / name, Budget(max_pixels=10_000))


def test_an_opaque_alpha_channel_is_dropped_unless_it_is_ours(tmp_path: Path) -> None:
    array = np.full((20, 30, 4), 255, np.uint8)
    array[..., 0] = 7
    Pillow.fromarray(array, "RGBA").save(tmp_path / "a.png")
    item = png.inspect(tmp_path / "a.png", Budget())[0]
    assert item.load().channels == ("red", "green", "blue")
    assert item.spec.samples == item.load().array.size
    image = Image(np.moveaxis(array, -1, 0), ("c", "y", "x"), Geometry.pixels((20, 30)))
    png.write(image, tmp_path / "b.png")
    assert read(png, tmp_path / "b.png").digest == image.digest
