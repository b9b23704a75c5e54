"""What an image of a series shows, apart from where: image type, echo, b-value ...: what stacks differ by.

References
----------
DICOM PS3.3 C.8.3.1, C.8.13.5.9; conformance statements of Siemens (0019,100C), GE (0043,1039), Philips (2001,1003).
"""

from __future__ import annotations

import math
import struct
from typing import Any

from isocenter.core.errors import FormatError
from isocenter.io.dicom import values
from isocenter.io.dicom.elements import Dataset
from isocenter.io.dicom.words import clean

__all__ = ["b_value", "kind_of", "private_numbers"]

_SIEMENS_B, _GE_B, _PHILIPS_B = 0x0019100C, 0x00431039, 0x20011003
_NUMBERS = {"echo": "EchoTime", "inversion": "InversionTime", "echo number": "EchoNumbers"}
_TEXTS = {"kernel": "ConvolutionKernel", "component": "ComplexImageComponent", "phase encoding": "InPlanePhaseEncodingDirection"}


def private_numbers(data: Dataset, tag: int) -> list[float]:
    """Return numbers of a private element whose type may be unknown (text or floats), none where it holds none."""
    found = values.element(data, tag)
    if found is None or not 0 < found.length <= 1024 or found.items is not None:
        return []
    try:
        if found.vr not in ("UN", "OB", "LO", "SH", "LT"):
            return values.numbers(data, tag)
    except FormatError:
        return []
    raw = values.raw(data, tag) or b""
    try:
        return [float(part) for part in raw.decode("ascii").strip(" \0").split("\\")]
    except ValueError:
        pass
    if len(raw) in (4, 8):
        value = struct.unpack("<f" if len(raw) == 4 else "<d", raw)[0]
        return [value] if math.isfinite(value) else []
    return []


def b_value(data: Dataset) -> float | None:
    """Return the diffusion weighting in s/mm^2, None where it is not given."""
    for keyword in ("DiffusionBValue", _SIEMENS_B, _PHILIPS_B):
        found = private_numbers(data, keyword) if isinstance(keyword, int) else [values.lenient(data, keyword)]
        if found and found[0] is not None:
            return found[0]
    ge = private_numbers(data, _GE_B)
    return ge[0] % 100000 if ge and ge[0] >= 0 else None  # GE adds a multiple of 1e9 for multi-shell


def kind_of(data: Dataset, modality: str) -> tuple[tuple[str, Any], ...]:
    """Return what tells this image from others at the same place: pairs of a name and a value."""
    found: list[tuple[str, Any]] = []
    image_type = values.texts(data, "ImageType")
    if image_type:
        found.append(("image type", clean("/".join(image_type[:5]), 64)))
    for name, keyword in _NUMBERS.items():
        number = values.lenient(data, keyword)
        if number is not None:
            found.append((name, round(number, 4)))
    for name, keyword in _TEXTS.items():
        text = values.text(data, keyword)
        if text:
            found.append((name, clean(text, 32)))
    if modality == "MR":
        weighting = b_value(data)
        if weighting is not None:
            found.append(("b-value", weighting))
    return tuple(found)
