"""From stored values to quantities: rescale slope and intercept, or a modality lookup table.

Storage is kept where nothing but a whole number is added; everything else becomes float32.

References
----------
DICOM PS3.3 C.11.1 (modality LUT), C.7.6.16.2.9 (pixel value transformation).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import FormatError
from isocenter.io.dicom import values
from isocenter.io.dicom.elements import Dataset
from isocenter.io.dicom.layout import Layout
from isocenter.io.dicom.words import clean

__all__ = ["IDENTITY", "Rescale", "into", "read_rescale", "result_dtype"]


@dataclass(frozen=True, slots=True)
class Rescale:
    """value = stored x slope + intercept, or an entry of a table.

    Attributes
    ----------
    slope, intercept
        The line.
    unit
        Rescale type (``HU``, ``US`` ...), empty where not stated.
    table
        First stored value and the entries, or None.
    """

    slope: float = 1.0
    intercept: float = 0.0
    unit: str = ""
    table: tuple[int, tuple[int, ...]] | None = None

    @property
    def keeps_integers(self) -> bool:
        """Whether whole numbers stay whole."""
        return self.table is not None or (self.slope == 1.0 and self.intercept == int(self.intercept))


IDENTITY = Rescale()


def read_rescale(data: Dataset, layout: Layout) -> Rescale:
    """Read the modality transformation of a dataset or functional group.

    Raises
    ------
    FormatError
        If the slope is zero or values would overflow.
    """
    table = values.first_item(data, "ModalityLUTSequence")
    if table is not None and not values.has(data, "RescaleSlope"):
        return _table(table, layout)
    slope, intercept = values.number(data, "RescaleSlope"), values.number(data, "RescaleIntercept")
    if slope is None and intercept is None:
        return IDENTITY
    slope, intercept = 1.0 if slope is None else slope, intercept or 0.0
    if slope == 0.0:
        raise FormatError(
            f"{clean(data.path)}: RescaleSlope (0028,1053) is 0: expected another number; all values would be equal."
        )
    low, high = (abs(v) for v in layout.range) if not layout.floating else (1.0, 1.0)
    if abs(slope) * max(low, high) + abs(intercept) > 1e37:
        raise FormatError(
            f"{clean(data.path)}: RescaleSlope (0028,1053) is {slope:g} and RescaleIntercept {intercept:g}: expected values that float32 holds; "
            "correct the header."
        )
    return Rescale(slope, intercept, values.text(data, "RescaleType").upper())


def _table(data: Dataset, layout: Layout) -> Rescale:
    first, entries = lut(data, layout)
    return Rescale(unit=values.text(data, "ModalityLUTType").upper(), table=(first, entries))


def lut(data: Dataset, layout: Layout) -> tuple[int, tuple[int, ...]]:
    """Read a lookup table: the first value mapped, and its entries."""
    descriptor = values.integers(data, "LUTDescriptor")
    raw = values.raw(data, "LUTData")
    if len(descriptor) != 3 or raw is None:
        raise FormatError(
            f"{clean(data.path)}: a lookup table lacks its descriptor or data: expected both; export the file again."
        )
    count, first, bits = descriptor[0] or 65536, descriptor[1], descriptor[2]
    if layout.signed and first > 32767:
        first -= 65536
    size = 1 if len(raw) < 2 * count and bits <= 8 else 2
    if len(raw) < count * size:
        raise FormatError(
            f"{clean(data.path)}: a lookup table of {count} entries has {len(raw)} bytes: expected {count * size}; export the file again."
        )
    entries = np.frombuffer(raw, np.uint8 if size == 1 else (">u2" if data.big else "<u2"), count)
    return first, tuple(int(v) for v in entries)


def result_dtype(layout: Layout, rescales: Sequence[Rescale]) -> np.dtype[Any]:
    """Return the type that values of these frames are given in.

    The stored type where nothing changes, the smallest integers that hold every stored value plus a whole
    intercept, float32 for other rescaling (float64 of float64).
    """
    if layout.floating:
        return layout.dtype
    if all(r == IDENTITY or (r.slope == 1.0 and r.intercept == 0.0 and r.table is None) for r in rescales):
        return layout.dtype
    if not all(r.keeps_integers for r in rescales):
        return np.dtype(np.float32)
    low, high = layout.range
    if all(r.table is not None for r in rescales):
        low, high = 0, max(max(r.table[1]) for r in rescales if r.table is not None)
        return np.dtype(np.uint8) if high < 256 else np.dtype(np.uint16)
    offsets = [int(r.intercept) for r in rescales]
    for kind in (np.int8, np.int16, np.int32):
        info = np.iinfo(kind)
        # 16 stored bits are nearly always a 12-bit range in a wider cell: 16 are kept until a value does not fit.
        if layout.stored == 16 and kind is np.int16 and max(map(abs, offsets)) <= 32768:
            return np.dtype(kind)
        if info.min <= low + min(offsets) and high + max(offsets) <= info.max:
            return np.dtype(kind)
    return np.dtype(np.float32)


def into(out: npt.NDArray[Any], stored: npt.NDArray[Any], rescale: Rescale) -> bool:
    """Write the values of one frame into `out`; return False where an integer type cannot hold them.

    Parameters
    ----------
    out
        Array of the frame's shape, of the type that `result_dtype` chose.
    stored
        Stored samples.
    rescale
        Their transformation.
    """
    if rescale.table is not None:
        first, entries = rescale.table
        index = np.clip(stored.astype(np.int64) - first, 0, len(entries) - 1)
        out[...] = np.asarray(entries)[index]
        return True
    if rescale.slope == 1.0 and rescale.intercept == 0.0 and out.dtype == stored.dtype:
        out[...] = stored
        return True
    if out.dtype.kind == "i":
        offset = int(rescale.intercept)
        info = np.iinfo(out.dtype)
        tight = stored.dtype.itemsize >= out.dtype.itemsize and stored.size
        if tight and (int(stored.min()) + offset < info.min or int(stored.max()) + offset > info.max):
            return False
        if stored.dtype.itemsize == out.dtype.itemsize == 2:
            # Modular 16-bit arithmetic is exact here: the result was just shown to fit.
            np.add(stored.view(np.uint16), np.uint16(offset & 0xFFFF), out=out.view(np.uint16))
        else:
            np.add(stored, offset, out=out, dtype=np.int64, casting="unsafe")
        return True
    values_ = stored * np.float64(rescale.slope)
    values_ += rescale.intercept
    out[...] = values_
    return True
