"""Hostile inputs of our own, of every kind of the shared table: made when the tests run, with other values and places.

Each entry is what it is called, how it is made, and the exit codes of ``isocenter info`` that meet it: 3 refused, 0
accepted. Nothing of the shared corpus is needed.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from tests.hostile import made_files
from tests.io.dicom.samples import ct_slice, save

__all__ = ["MADE", "make"]

REFUSED, ACCEPTED, EITHER = frozenset({3}), frozenset({0}), frozenset({0, 3})
RAMP = np.add.outer(np.arange(48), np.arange(40)).astype(np.uint16) * 9
PATIENT = b"\x10\x00\x10\x00PN"
UNDEFINED = b"\xff\xff\xff\xff"
ITEM, ITEM_END, END = b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0" + bytes(4), b"\xfe\xff\xdd\xe0" + bytes(4)
Make = Callable[[], bytes]


def sound(**changes: Any) -> bytes:
    """Return a sound slice with some attributes changed; None removes one."""
    removed = [key for key, value in changes.items() if value is None]
    data = ct_slice(0.0, RAMP, **{key: value for key, value in changes.items() if value is not None})
    for key in removed:
        del data[key]
    buffer = io.BytesIO()
    with pydicom.config.disable_value_validation():
        data.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _over(word: bytes) -> bytes:
    """Return a sound file whose preamble begins with some word."""
    return word + sound()[len(word) :]


def _backwards(series: list[Any]) -> list[Any]:
    """Return a series numbered from its other end."""
    for k, one in enumerate(series):
        one.InstanceNumber = 99 - k
    return series


def forced(keyword: str, text: str) -> bytes:
    """Return a slice whose attribute holds a text that no library would write."""
    data = ct_slice(0.0, RAMP)
    data.pop(keyword, None)
    tag = pydicom.tag.Tag(keyword)
    raw = text.encode("latin-1")
    raw += b" " * (len(raw) % 2)
    vr = pydicom.datadict.dictionary_VR(tag).encode()
    element = struct.pack("<HH", tag.group, tag.element) + vr + struct.pack("<H", len(raw)) + raw
    buffer = io.BytesIO()
    with pydicom.config.disable_value_validation():
        data.save_as(buffer, enforce_file_format=True)
    whole = buffer.getvalue()
    later = sorted(e.tag for e in data if e.tag > tag)[0]
    place = whole.index(struct.pack("<HH", later.group, later.element) + data[later].VR.encode()[:2])
    return whole[:place] + element + whole[place:]


def beside(element: bytes) -> bytes:
    """Return a slice with bytes put in front of the patient's name."""
    data = sound()
    place = data.index(PATIENT)
    return data[:place] + element + data[place:]


def nested(depth: int, closed: bool = True) -> bytes:
    opening = (b"\x08\x00\x40\x11SQ\0\0" + UNDEFINED + ITEM + UNDEFINED) * depth
    return beside(opening + (ITEM_END + END) * (depth if closed else 0))


def packed(uid: Any, change: Callable[[bytes], bytes], **changes: Any) -> bytes:
    """Return a compressed slice whose one frame is changed."""
    data = ct_slice(0.0, RAMP)
    data.compress(uid, encapsulate_ext=False)
    (frame,) = pydicom.encaps.generate_frames(data.PixelData, number_of_frames=1)
    bent = change(frame)
    data.PixelData = pydicom.encaps.encapsulate([bent]) if bent else b"\xfe\xff\x00\xe0\0\0\0\0"
    data["PixelData"].is_undefined_length = True
    for key, value in changes.items():
        setattr(data, key, value)
    buffer = io.BytesIO()
    with pydicom.config.disable_value_validation():
        data.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def at(place: int, new: bytes) -> Callable[[bytes], bytes]:
    return lambda frame: frame[:place] + new + frame[place + len(new) :]


def after(marker: bytes, skip: int, new: bytes) -> Callable[[bytes], bytes]:
    def change(frame: bytes) -> bytes:
        place = frame.index(marker) + len(marker) + skip
        return frame[:place] + new + frame[place + len(new) :]

    return change


def swapped(old: bytes, new: bytes, count: int = 1) -> Make:
    return lambda: sound().replace(old, new, count)


def deflated(mebibytes: int) -> bytes:
    """Return a deflated dataset that inflates to zeros without end."""
    data = sound().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99")
    start = data.index(b"\x08\x00")
    meta = bytearray(data[:start])
    place = meta.index(b"\x02\x00\x10\x00UI") + 6
    meta[place : place + 2] = struct.pack("<H", 22)
    meta[140:144] = struct.pack("<I", struct.unpack_from("<I", meta, 140)[0] + 2)
    packer = zlib.compressobj(9, wbits=-15)
    body = packer.compress(data[start:-16]) + b"".join(packer.compress(bytes(1 << 20)) for _ in range(mebibytes))
    return bytes(meta) + body + packer.flush()


def rle(segments: list[bytes], count: int | None = None, first: int = 64) -> bytes:
    offsets, place = [], first
    for segment in segments:
        offsets.append(place)
        place += len(segment)
    header = struct.pack("<16I", len(segments) if count is None else count, *offsets, *[0] * (15 - len(offsets)))
    return header + b"".join(segments)


def _cut(part: float) -> Make:
    return lambda: sound()[: int(len(sound()) * part)]


DICOM: dict[str, tuple[Make, frozenset[int]]] = {
    "control": (sound, ACCEPTED),
    "nothing": (lambda: b"", REFUSED),
    "zeros": (lambda: bytes(400), REFUSED),
    "only the magic": (lambda: bytes(128) + b"DICM", REFUSED),
    **{f"cut at {k} of 12": (_cut(k / 12), REFUSED) for k in range(1, 12)},
    "one byte short": (lambda: sound()[:-1], REFUSED),
    "more pixels": (lambda: sound(PixelData=RAMP.tobytes() * 2), ACCEPTED),
    "fewer pixels": (lambda: sound(PixelData=RAMP.tobytes()[:-40]), REFUSED),
    "length 2 GiB": (lambda: beside(b"\x09\x00\x10\x10UN\0\0" + struct.pack("<I", 1 << 31) + bytes(12)), REFUSED),
    "length of pixels 4 GiB": (lambda: sound().replace(b"OW\0\0" + struct.pack("<I", RAMP.nbytes), b"OW\0\0\xf0\xff\xff\xff"), REFUSED),
    "unknown without end": (lambda: beside(b"\x09\x00\x10\x10UN\0\0" + UNDEFINED + bytes(12)), REFUSED),
    "nested 40": (lambda: nested(40), ACCEPTED),
    "nested 3000": (lambda: nested(3000), REFUSED),
    "nested 60000": (lambda: nested(60_000), REFUSED),
    "nested and open": (lambda: nested(30, closed=False), REFUSED),
    "item beyond its sequence": (
        lambda: beside(b"\x08\x00\x40\x11SQ\0\0" + struct.pack("<I", 24) + ITEM + struct.pack("<I", 1 << 20) + bytes(16)), REFUSED,
    ),
    "big endian by name only": (swapped(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.2\0"), REFUSED),
    "implicit by name only": (swapped(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2\0\0\0"), EITHER),
    "unknown syntax": (swapped(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.9.9.9\0"), REFUSED),
    "columns twice": (lambda: forced("PixelSpacing", "1\\1").replace(b"\x28\x00\x10\x00US", b"\x28\x00\x11\x00US"), REFUSED),
    "pixels twice": (lambda: sound() + sound()[-12 - RAMP.nbytes :], EITHER),
    "noise behind": (lambda: sound() + np.random.default_rng(1).bytes(777), EITHER),
    "group length lies": (lambda: sound()[:140] + struct.pack("<I", 7) + sound()[144:], EITHER),
    "deflate bomb": (lambda: deflated(600), REFUSED),
    **{f"rows {r} columns {c}": (partial(sound, Rows=r, Columns=c), REFUSED) for r, c in ((60000, 50000), (0, 40), (48, 0), (65535, 1))},
    **{f"frames {n}": (partial(sound, NumberOfFrames=n), REFUSED) for n in (2**31 - 1, -5, 0, 99_999_999)},
    **{f"{key} {n}": (partial(sound, **{key: n}), REFUSED) for key, n in (
        ("BitsAllocated", 9), ("BitsAllocated", 0), ("BitsStored", 17), ("BitsStored", 0), ("HighBit", 3), ("SamplesPerPixel", 3), ("SamplesPerPixel", 0),
        ("PhotometricInterpretation", "MONOCHROME3"), ("PhotometricInterpretation", ""), ("RescaleSlope", "0"), ("RescaleSlope", "1e300"),
        ("PixelRepresentation", 7),
    )},
    **{f"{key} is {value!r}": (partial(forced, key, value), REFUSED) for key, value in (
        ("PixelSpacing", "0\\1"), ("PixelSpacing", "-1\\1"), ("PixelSpacing", "nan\\1"), ("PixelSpacing", "1e500\\1"), ("PixelSpacing", "one\\two"),
        ("PixelSpacing", "1"), ("ImageOrientationPatient", "1\\0\\0\\0.5\\0.5\\0"), ("ImageOrientationPatient", "0\\0\\0\\0\\0\\0"),
        ("ImageOrientationPatient", "1\\0\\0\\0\\1"), ("ImageOrientationPatient", "inf\\0\\0\\0\\1\\0"), ("ImagePositionPatient", "1\\2"),
        ("ImagePositionPatient", "nan\\0\\0"),
    )},
    "no spacing": (lambda: sound(PixelSpacing=None), REFUSED),
    "no orientation": (lambda: sound(ImageOrientationPatient=None), REFUSED),
    "window of no width": (lambda: sound(WindowCenter="40", WindowWidth="0"), ACCEPTED),
    "unknown characters": (lambda: forced("SpecificCharacterSet", "ISO_IR 999"), ACCEPTED),
    **{f"preamble {word!r}": (partial(_over, word), ACCEPTED) for word in (b"MZ\x90", b"\x7fELF", b"#!/bin/sh\n", b"<script>", b"%PDF-1.7", b"PK\3\4")},
    **{f"SOP UID {text!r}": (partial(forced, "SOPInstanceUID", text), ACCEPTED) for text in ("../../tmp/canary", "/etc/canary", "..\\..\\canary", "9" * 300)},
    **{f"name {text!r}": (partial(forced, "PatientID", text), ACCEPTED) for text in (
        "<img src=x onerror=y>", "=HYPERLINK()", "\x1b[2J\x1b]0;x\x07", "a\r\nb", "{{7*7}}", "'; DROP TABLE x", "A" * 5000, "../../x",
    )},
    "no fragment": (lambda: packed(RLELossless, lambda f: b""), REFUSED),
    "tiny fragment": (lambda: packed(JPEGLSLossless, lambda f: f[:2]), REFUSED),
    "RLE of no segment": (lambda: packed(RLELossless, at(0, bytes(4))), REFUSED),
    "RLE of 200 segments": (lambda: packed(RLELossless, at(0, struct.pack("<I", 200))), REFUSED),
    "RLE segment outside": (lambda: packed(RLELossless, at(8, struct.pack("<I", 1 << 30))), REFUSED),
    "RLE without end": (lambda: packed(RLELossless, lambda f: rle([b"\x81\0" * 50_000, b"\x81\0" * 50_000])), REFUSED),
    "RLE too short": (lambda: packed(RLELossless, lambda f: rle([b"\x81\0\0\0", b"\x81\0\0\0"])), REFUSED),
    "JPEG-LS of another size": (lambda: packed(JPEGLSLossless, after(b"\xff\xf7", 3, struct.pack(">HH", 60000, 60000))), REFUSED),
    "JPEG-LS cut": (lambda: packed(JPEGLSLossless, lambda f: f[: len(f) // 2]), REFUSED),
    "JPEG-LS of noise": (lambda: packed(JPEGLSLossless, lambda f: f[:40] + np.random.default_rng(2).bytes(300) + f[-2:]), REFUSED),
    "JPEG 2000 of another size": (lambda: packed(JPEG2000Lossless, after(b"\xff\x51", 4, struct.pack(">II", 1 << 31, 1 << 31))), REFUSED),
    "JPEG 2000 of tiny tiles": (lambda: packed(JPEG2000Lossless, after(b"\xff\x51", 20, struct.pack(">II", 0, 0))), REFUSED),
    "JPEG 2000 cut": (lambda: packed(JPEG2000Lossless, lambda f: f[: len(f) // 3]), REFUSED),
}  # fmt: skip


def _series(change: Callable[[list[Any]], Any]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        slices = [ct_slice(2.0 * k, (RAMP + k).astype(np.uint16)) for k in range(7)]
        for k, one in enumerate(slices):
            one.InstanceNumber = k + 1
        return save(change(slices) or slices, folder)

    return write


def _set(index: int, **values: Any) -> Callable[[list[Any]], None]:
    def change(slices: list[Any]) -> None:
        for key, value in values.items():
            setattr(slices[index], key, value)

    return change


def _smaller(slices: list[Any]) -> None:
    slices[3].Rows, slices[3].Columns = 24, 80


def _one_identity(slices: list[Any]) -> None:
    for one in slices:
        one.SOPInstanceUID = slices[0].SOPInstanceUID
        one.file_meta.MediaStorageSOPInstanceUID = slices[0].SOPInstanceUID


SERIES: dict[str, tuple[Callable[[Path], Path], frozenset[int]]] = {
    "control": (_series(lambda s: None), ACCEPTED),
    "numbered backwards": (
        _series(_backwards),
        ACCEPTED,
    ),
    "slices missing": (_series(lambda s: s[:2] + s[4:]), REFUSED),
    "two in one place": (_series(_set(4, ImagePositionPatient=[0, 0, 6.0])), REFUSED),
    "uneven": (_series(_set(3, ImagePositionPatient=[0, 0, 6.9])), REFUSED),
    "one turned": (_series(_set(2, ImageOrientationPatient=[0, 1, 0, -1, 0, 0])), REFUSED),
    "one smaller": (_series(_smaller), REFUSED),
    "one of another spacing": (_series(_set(5, PixelSpacing=[0.5, 0.5])), REFUSED),
    "one of another patient": (_series(_set(1, PatientID="somebody else")), REFUSED),
    "one of another place": (_series(_set(6, FrameOfReferenceUID="1.2.3.999")), REFUSED),
    "one identity for all": (_series(_one_identity), REFUSED),
    "one of another slope": (_series(_set(2, RescaleSlope="2")), ACCEPTED),
    "one cut": (_series(_set(3, PixelData=RAMP.tobytes()[:100])), REFUSED),
}

MADE: dict[str, tuple[Any, frozenset[int]]] = {
    **{f"dicom/{name}.dcm": row for name, row in DICOM.items()},
    **{f"series/{name}/": row for name, row in SERIES.items()},
    **{
        name: (makes, REFUSED if code == 3 else ACCEPTED if code == 0 else EITHER)
        for name, (makes, code) in made_files.FILES.items()
    },
}


def make(name: str, folder: Path) -> Path:
    """Make one input in a folder of its own and return its path."""
    made = MADE[name][0]
    if name.startswith("series/"):
        path: Path = made(folder / "series")
        return path
    path = folder / ("".join(c if c.isalnum() or c == "." else "_" for c in name.split("/")[1])[:60] + ".dcm")
    path = path if name.startswith("dicom/") else folder / name.split("/", 1)[1]
    path.write_bytes(made())
    return path
