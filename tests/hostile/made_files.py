"""Hostile NIfTI, NRRD, MetaImage, pictures and archives of our own, made when the tests run."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image as Pillow

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.io import door

__all__ = ["FILES"]

Make = Callable[[], bytes]
SHAPE = (4, 6, 5)


@cache
def volume(name: str) -> bytes:
    """Return a sound volume in the format of that name."""
    value = Image(
        np.arange(120, dtype=np.int16).reshape(SHAPE), ("z", "y", "x"), Geometry.regular(SHAPE, (3.0, 1.0, 2.0)), modality="MR"
    )
    with TemporaryDirectory() as folder:
        door.write(value, Path(folder) / name)
        return (Path(folder) / name).read_bytes()


def nii(*changes: tuple[int, str, object], extra: bytes = b"") -> Make:
    """Return a maker of a NIfTI file with fields of its header changed: offset, code, value."""

    def make() -> bytes:
        data = bytearray(volume("a.nii"))
        for place, code, value in changes:
            struct.pack_into("<" + code, data, place, *(value if isinstance(value, tuple) else (value,)))
        return bytes(data) + extra

    return make


def _unplaced(*spacing: float) -> Make:
    return nii((252, "hh", (0, 0)), (80, "fff", spacing))


def _extension(size: int) -> Make:
    return lambda: volume("a.nii")[:348] + b"\1\0\0\0" + struct.pack("<ii", size, 6) + bytes(16) + volume("a.nii")[352:]


DIM, TYPE, BITS, OFFSET, SLOPE, SROW = 40, 70, 72, 108, 112, 280
NAN, INF = float("nan"), float("inf")
NIFTI: dict[str, tuple[Make, int]] = {
    "control.nii": (lambda: volume("a.nii"), 0),
    "control.nii.gz": (lambda: gzip.compress(volume("a.nii"), mtime=0), 0),
    "empty.nii": (lambda: b"", 3),
    "header.nii": (lambda: volume("a.nii")[:352], 3),
    "cut.nii": (lambda: volume("a.nii")[:-9], 3),
    "cut.nii.gz": (lambda: gzip.compress(volume("a.nii"), mtime=0)[:-20], 3),
    "sum.nii.gz": (lambda: gzip.compress(volume("a.nii"), mtime=0)[:-8] + bytes(8), 3),
    "huge.nii": (nii((DIM, "8h", (7, *[32000] * 7))), 3),
    "huge.nii.gz": (lambda: gzip.compress(nii((DIM, "8h", (5, *[30000] * 5, 1, 1)))(), mtime=0), 3),
    **{f"dim0_{n}.nii": (nii((DIM, "h", n)), 3) for n in (0, 9, -3, 32767)},
    **{f"extent_{n}.nii": (nii((DIM + 4, "h", n)), 3) for n in (0, -6)},
    **{f"type_{n}.nii": (nii((TYPE, "h", n)), 3) for n in (0, 3, 5000, -1)},
    "bits.nii": (nii((BITS, "h", 64)), 3),
    **{f"offset_{k}.nii": (nii((OFFSET, "f", v)), 3) for k, v in enumerate((NAN, INF, 1e20, -352.0, 0.0, 100.0))},
    **{f"slope_{k}.nii": (nii((SLOPE, "ff", v)), 3) for k, v in enumerate(((NAN, 0.0), (INF, 0.0), (1.0, NAN)))},
    "srow_nan.nii": (nii((SROW + 4, "f", NAN)), 3),
    "srow_zero.nii": (nii((252, "hh", (0, 1)), (SROW, "12f", (0.0,) * 12)), 3),
    "srow_flat.nii": (nii((252, "hh", (0, 1)), (SROW, "12f", (1.0, 2.0, 0.0, 0.0, 2.0, 4.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0))), 3),
    "spacing_zero.nii": (_unplaced(0.0, 1.0, 1.0), 3),
    "spacing_nan.nii": (_unplaced(NAN, 1.0, 1.0), 3),
    "unplaced.nii": (_unplaced(1.0, 1.0, 1.0), 0),
    "magic.nii": (nii((344, "4s", b"n+9\0")), 3),
    "size.nii": (nii((0, "i", 347)), 3),
    **{f"extension_{k}.nii": (_extension(n), 3) for k, n in enumerate((0, -16, 1 << 30))},
    "bomb.nii.gz": (lambda: gzip.compress(volume("a.nii") + bytes(400 << 20), 9, mtime=0), -1),
}  # fmt: skip


def text(*lines: str, data: bytes = b"") -> Make:
    return lambda: "\n".join(lines).encode() + b"\n" + data


def mha(dims: str, file: str, *more: str) -> Make:
    return text(
        "ObjectType = Image",
        "NDims = 3",
        f"DimSize = {dims}",
        "ElementType = MET_SHORT",
        *more,
        f"ElementDataFile = {file}",
        data=bytes(240),
    )


def nrrd(sizes: str, *more: str, data: bytes = bytes(240)) -> Make:
    head = ("NRRD0004", "type: short", "dimension: 3", f"sizes: {sizes}", "endian: little")
    return text(*head, *(more or ("encoding: raw",)), "", data=data)


OTHER: dict[str, tuple[Make, int]] = {
    **{f"m{k}.mhd": (mha("5 6 4", where), 3) for k, where in enumerate(("/etc/hostname", "../../etc/hostname", "LIST\n/etc/passwd", "a%09d.raw 1 999999999 1", "/dev/zero"))},
    "dims.mha": (mha("900000 900000 900000", "LOCAL"), 3),
    "negative.mha": (mha("5 -6 4", "LOCAL"), 3),
    "short.mha": (mha("5 6 40", "LOCAL"), 3),
    "packed.mha": (mha("5 6 4", "LOCAL", "CompressedData = True"), 3),
    **{f"n{k}.nhdr": (nrrd("5 6 4", f"data file: {where}", "encoding: raw"), 3) for k, where in enumerate(("/etc/hostname", "../secret", "x%d.raw 1 999999999 1 2", "LIST"))},
    "sizes.nrrd": (nrrd("900000 900000 900000"), 3),
    "many.nrrd": (nrrd("5 6 4 1"), 3),
    "bomb.nrrd": (nrrd("5 6 4", "encoding: gzip", data=gzip.compress(bytes(300 << 20), 9)), 3),
    "laughs.gii": (lambda: b'<!DOCTYPE a [<!ENTITY a "x">' + b"".join(b'<!ENTITY a%d "&a%d;&a%d;">' % (k, k - 1, k - 1) for k in range(1, 40)) + b"]><GIFTI>&a39;</GIFTI>", 3),
    "entity.gii": (lambda: b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><GIFTI>&x;</GIFTI>', 3),
}  # fmt: skip


def chunk(kind: bytes, body: bytes, crc: int = 0) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body) ^ crc)


def png(width: int, height: int, rows: bytes, *more: bytes, crc: int = 0, kind: int = 0) -> Make:
    head = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    return lambda: (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + b"".join(more)
        + chunk(b"IDAT", zlib.compress(rows, 9), crc)
        + chunk(b"IEND", b"")
    )


@cache
def picture(format: str) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(np.arange(99, dtype=np.uint8).reshape(11, 9)).save(buffer, format)
    return buffer.getvalue()


def tiff(rows: list[tuple[int, int, int, int]], follow: int = 0, data: bytes = bytes(64)) -> Make:
    """Return a maker of a TIFF file of one directory: tag, type, count, value."""
    directory = struct.pack("<H", len(rows)) + b"".join(struct.pack("<HHII", *row) for row in rows) + struct.pack("<I", follow)
    return lambda: b"II*\0" + struct.pack("<I", 8) + directory + data


def grey(width: int = 8, height: int = 8, place: int = 130, count: int = 64, packing: int = 1) -> list[tuple[int, int, int, int]]:
    return [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 8),
        (259, 3, 1, packing),
        (262, 3, 1, 1),
        (273, 4, 1, place),
        (277, 3, 1, 1),
        (279, 4, 1, count),
    ]


def _jpeg(width: int, height: int) -> Make:
    def make() -> bytes:
        data = bytearray(picture("JPEG"))
        struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, height, width)
        return bytes(data)

    return make


RASTER: dict[str, tuple[Make, int]] = {
    "control.png": (png(4, 3, b"\0abcd" * 3), 0),
    "control.jpg": (lambda: picture("JPEG"), 0),
    "control.tif": (tiff(grey(place=110)), 0),
    "bomb.png": (png(30_000, 20_000, bytes(30_001 * 400)), 3),
    "dims.png": (png(0x7FFFFFFF, 0x7FFFFFFF, b"\0"), 3),
    "none.png": (png(0, 3, b"\0"), 3),
    "few.png": (png(4, 30, b"\0abcd" * 3), 3),
    "many.png": (png(4, 3, b"\0abcd" * 300), 3),
    "cut.png": (lambda: png(4, 3, b"\0abcd" * 3)()[:-15], 3),
    "sum.png": (png(4, 3, b"\0abcd" * 3, crc=1), 3),
    "kind.png": (png(4, 3, b"\0abcd" * 3, kind=5), 3),
    "text.png": (png(4, 3, b"\0abcd" * 3, chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(100 << 20), 9))), -1),
    "dims.jpg": (_jpeg(65000, 65000), 3),
    "cut.jpg": (lambda: picture("JPEG")[:200], 3),
    "cut.bmp": (lambda: picture("BMP")[:-40], 3),
    "cut.webp": (lambda: picture("WEBP")[: len(picture("WEBP")) // 2], 3),
    "loop.tif": (tiff(grey(place=110), follow=8), -1),
    "dims.tif": (tiff(grey(0xFFFFFFFF, 0xFFFFFFFF)), 3),
    "outside.tif": (tiff(grey(place=1 << 30)), 3),
    "long.tif": (tiff(grey(count=0xFFFFFFF0)), 3),
    "tags.tif": (tiff([(256, 4, 1 << 30, 8), *grey()[1:]]), 3),
    "deflate.tif": (tiff(grey(packing=8, place=110)), 3),
    "inflates.tif": (tiff(grey(place=110, count=400_000, packing=8), data=zlib.compress(bytes(380 << 20), 9) + bytes(64)), -1),
    "script.svg": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>fetch("/x")</script></svg>', 3),
    "program.png": (lambda: b"\x7fELF" + bytes(200), 3),
    "program.jpg": (lambda: b"MZ\x90\0" + bytes(200), 3),
}  # fmt: skip


def zipped(*entries: tuple[str, bytes], mode: int = 0, bend: Callable[[bytes], bytes] = bytes) -> Make:
    def make() -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in entries:
                info = zipfile.ZipInfo(name)
                info.external_attr = mode << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, data)
        return bend(buffer.getvalue())

    return make


def tarred(*entries: tuple[str, bytes, str], bend: Callable[[bytes], bytes] = bytes) -> Make:
    """Return a maker of a tar archive: name, content (or target of a link), kind."""

    def make() -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for name, data, kind in entries:
                info = tarfile.TarInfo(name)
                info.type = kind.encode()
                info.linkname = data.decode() if kind in "12" else ""
                info.size = len(data) if kind == "0" else 0
                archive.addfile(info, io.BytesIO(data) if kind == "0" else None)
        return bend(buffer.getvalue())

    return make


SOUND = picture("PNG")
BACK = "x\\" + "..\\..\\out.png"
ARCHIVES: dict[str, tuple[Make, int]] = {
    "control.zip": (zipped(("a/b.png", SOUND)), 0),
    "control.tar": (tarred(("a/b.png", SOUND, "0")), 0),
    **{f"out{k}.zip": (zipped((name, SOUND)), 3) for k, name in enumerate(("../out.png", "a/../../out.png", "/tmp/hostile-canary/out.png", BACK, "C:/out.png"))},
    "link.zip": (zipped(("a", b"/tmp"), mode=0o120777), 3),
    "bomb.zip": (zipped(("a.nii", bytes(500 << 20))), 3),
    "nested.zip": (lambda: zipped(("b.zip", zipped(("c.zip", zipped(("d.png", SOUND))()))()))(), 3),
    "cut.zip": (zipped(("a.png", SOUND), bend=lambda d: d[:-30]), 3),
    "sum.zip": (zipped(("a.png", SOUND), bend=lambda d: d.replace(struct.pack("<I", zlib.crc32(SOUND)), b"\1\2\3\4")), 3),
    "many.zip": (zipped(*[(f"{k}", b"") for k in range(60_000)]), 3),
    "twice.zip": (zipped(("a.png", SOUND), ("A.PNG", picture("PNG"))), -1),
    **{f"out{k}.tar": (tarred((name, SOUND, "0")), 3) for k, name in enumerate(("../out.png", "/tmp/hostile-canary/out.png", "a/../../x/out.png"))},
    "link.tar": (tarred(("a", b"/tmp", "2"), ("a/hostile-out.png", SOUND, "0")), 3),
    "hard.tar": (tarred(("a.png", b"/etc/hostname", "1")), 3),
    "device.tar": (tarred(("null", b"", "3"), ("pipe", b"", "6")), 3),
    "size.tar": (tarred(("a.png", SOUND, "0"), bend=lambda d: d[:124] + b"77777777777\0" + d[136:]), 3),
}  # fmt: skip

#: Folder and name -> how it is made, and the exit code: 3 refused, 0 accepted, -1 either.
FILES: dict[str, tuple[Make, int]] = {
    f"{folder}/{name}": row
    for folder, rows in (("nifti", NIFTI), ("other", OTHER), ("raster", RASTER), ("archive", ARCHIVES))
    for name, row in rows.items()
}
