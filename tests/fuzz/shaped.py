"""Mutations that keep the outer shape sound, so that what lies deeper is reached: check sums, lengths and containers fit.

A byte changed at random in a PNG or a gzip is caught by its check sum at once; here the sum is made to fit again, the
container is closed around the changed content, and a DICOM attribute is replaced by another value of its kind.
"""

from __future__ import annotations

import gzip
import io
import warnings
import zipfile
import zlib
from typing import Any

import numpy as np
import pydicom
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset

__all__ = ["shaped"]

#: Value representation -> values that some scanner, converter or attacker has written.
VALUES: dict[str, tuple[Any, ...]] = {
    "US": (0, 1, 2, 3, 7, 8, 12, 16, 17, 32, 65535, 4096, [1, 2]), "SS": (0, -1, 32767, -32768), "UL": (0, 1, 4294967295), "SL": (0, -1, 2147483647),
    "FL": (0.0, -1.0, float("nan"), float("inf"), 1e38), "FD": (0.0, -1.0, float("nan"), float("inf"), 1e308),
    "DS": ("0", "-1", "1e308", "1e-320", "", "nan", "1\\2", "1\\0\\0\\0\\1\\0", "0\\0\\0", "abc", "1,5", "1\\1\\1", "100\\-100\\5"),
    "IS": ("0", "-1", "2147483647", "", "1.5", "abc", "3\\4", "99999999999"), "CS": ("", "A", "ORIGINAL\\PRIMARY\\MOSAIC", "RGB", "YBR_FULL_422", "PALETTE COLOR", "FRACTIONAL", "POINT", "x" * 80),
    "UI": ("", "1.2", "..", "1.2.840.10008.1.2.4.50", "1.2.840.10008.5.1.4.1.1.2", "1." * 40), "LO": ("", "\x1b[2J", "=1+1", "x" * 300), "PN": ("", "a^b=c", "<script>"),
    "DA": ("", "20240230", "x"), "TM": ("", "250000", "x", "1"), "DT": ("", "2024", "x"), "SH": ("", "x"), "LT": ("", "x"), "ST": ("",), "AS": ("", "001Y"), "AT": (0x00280010,),
    "OW": (b"", b"\0\0", b"\xff" * 64), "OB": (b"", b"\0\0", b"\xff" * 64),
}  # fmt: skip


def shaped(name: str, data: bytes, rng: np.random.Generator) -> bytes:
    """Return a mutation whose outer shape is sound."""
    if name.endswith(".dcm"):
        return _attributes(data, rng)
    if name.endswith(".gz"):
        return gzip.compress(_few(gzip.decompress(data), rng), 1, mtime=0)
    if name.endswith(".zip"):
        return _members(data, rng)
    if name.endswith(".png"):
        return _chunks(_few(data, rng, 8))
    if name.endswith(".yaml"):
        return _lines(data, rng)
    return _few(data, rng)


def _few(data: bytes, rng: np.random.Generator, first: int = 0) -> bytes:
    """Overwrite one to three bytes, mostly in the header, and mostly with small or extreme numbers."""
    raw = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        top = min(len(raw), 600) if rng.random() < 0.8 else len(raw)
        at = int(rng.integers(first, max(first + 1, top)))
        if at < len(raw):
            raw[at] = int(rng.choice([0, 1, 2, 3, 255, 127, 128, 45, 48, 57, int(rng.integers(0, 256)), raw[at] ^ 1]))
    return bytes(raw)


def _chunks(data: bytes) -> bytes:
    """Make the check sums of PNG chunks fit."""
    raw, at = bytearray(data), 8
    while at + 12 <= len(raw):
        length = int.from_bytes(raw[at : at + 4], "big")
        end = at + 8 + length
        if end + 4 > len(raw):
            break
        raw[end : end + 4] = zlib.crc32(raw[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(raw)


def _members(data: bytes, rng: np.random.Generator) -> bytes:
    buffer = io.BytesIO()
    with (
        warnings.catch_warnings(),
        zipfile.ZipFile(io.BytesIO(data)) as sound,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made,
    ):
        warnings.simplefilter("ignore")  # of a name that is there already
        for entry in sound.infolist():
            name = str(rng.choice([entry.filename] * 6 + ["../x.nii", "/x.nii", "a\\b.nii", "x/", "x\0y.nii", "." * 300]))
            made.writestr(zipfile.ZipInfo(name), _few(sound.read(entry), rng))
    return buffer.getvalue()


def _lines(data: bytes, rng: np.random.Generator) -> bytes:
    """Swap, drop, double or indent lines, or replace one word."""
    lines = data.split(b"\n")
    for _ in range(int(rng.integers(1, 4))):
        at, other, kind = int(rng.integers(0, len(lines))), int(rng.integers(0, len(lines))), int(rng.integers(0, 6))
        if kind == 0:
            lines[at], lines[other] = lines[other], lines[at]
        elif kind == 1 and len(lines) > 1:
            del lines[at]
        elif kind == 2:
            lines.insert(at, lines[other])
        elif kind == 3:
            lines[at] = b"  " + lines[at]
        else:
            words = lines[at].split(b" ")
            words[int(rng.integers(0, len(words)))] = bytes(
                rng.choice(
                    [
                        b"1e999",
                        b"-1",
                        b"null",
                        b"[]",
                        b"{}",
                        b"image",
                        b".nan",
                        b"true",
                        b"denoise.median",
                        b'""',
                        b"x" * 40,
                        b"0",
                        b"1_000",
                    ]
                )
            )
            lines[at] = b" ".join(words)
    return b"\n".join(lines)


def _attributes(data: bytes, rng: np.random.Generator) -> bytes:
    """Give one or two attributes, however deep, another value; or remove or move them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sound = pydicom.dcmread(io.BytesIO(data))
        buffer = io.BytesIO()
        try:
            for _ in range(int(rng.integers(1, 3))):
                owners = _owners(sound)
                owner = owners[int(rng.integers(0, len(owners)))] if rng.random() < 0.6 else sound
                tags = list(owner.keys())
                if tags:
                    _change(owner, tags[int(rng.integers(0, len(tags)))], owners, rng)
            sound.save_as(buffer)
        except Exception:  # noqa: BLE001 - what the writer refuses is bent as bytes instead
            return data[:128] + _few(data[128:], rng)
    return buffer.getvalue()


def _change(owner: Dataset, tag: Any, owners: list[Dataset], rng: np.random.Generator) -> None:
    element = owner[tag]
    kind = int(rng.integers(0, 8))
    if kind == 0:
        del owner[tag]
    elif element.VR == "SQ":
        if kind < 3:
            element.value = []
        elif kind < 5 and len(element.value):
            element.value = [*element.value, *element.value]
        elif len(element.value):
            element.value = element.value[:-1]
    elif kind == 1:
        other = owners[int(rng.integers(0, len(owners)))]
        other[tag] = element
    elif isinstance(element.value, bytes) and kind < 5:
        element.value = _few(element.value, rng)
    else:
        choices = VALUES.get(element.VR, ("",))
        value = choices[int(rng.integers(0, len(choices)))]
        if isinstance(value, str):  # as bytes: pydicom would not take most of these
            text = value.encode("latin-1") + b" " * (len(value) % 2)
            owner[tag] = RawDataElement(element.tag, element.VR, len(text), text, 0, False, True)
        else:
            owner[tag] = DataElement(element.tag, element.VR, value, validation_mode=0)


def _owners(data: Dataset) -> list[Dataset]:
    found = [data]
    for element in data:
        if element.VR == "SQ":
            for item in element.value:
                found += _owners(item)
    return found
