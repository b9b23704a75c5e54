"""Colour: palettes and luminance-chrominance to RGB; grey values are never touched.

References
----------
DICOM PS3.3 C.7.6.3.1.2 (photometric interpretation), C.7.9 (palette colour lookup table).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import FormatError
from isocenter.io.dicom import values
from isocenter.io.dicom.elements import Dataset
from isocenter.io.dicom.palette import expand
from isocenter.io.dicom.words import clean

__all__ = ["RGB", "Palette", "read_palette", "to_rgb"]

RGB = ("red", "green", "blue")

#: First value mapped, and the table of shape (entries, 3).
Palette = tuple[int, npt.NDArray[Any]]


def read_palette(data: Dataset) -> Palette:
    """Read the palette of a PALETTE COLOR image.

    Raises
    ------
    FormatError
        If a table is missing or shorter than its descriptor says.
    """
    tables: list[npt.NDArray[Any]] = []
    first = 0
    for name in ("Red", "Green", "Blue"):
        descriptor = values.integers(data, f"{name}PaletteColorLookupTableDescriptor")
        if len(descriptor) != 3:
            raise FormatError(
                f"{clean(data.path)}: the {name.lower()} palette has no descriptor: expected three numbers; export the file again."
            )
        count, first, bits = descriptor[0] or 65536, descriptor[1], descriptor[2]
        raw = values.raw(data, f"{name}PaletteColorLookupTableData")
        if raw is None:
            segments = values.raw(data, f"Segmented{name}PaletteColorLookupTableData")
            if segments is not None:
                expanded = expand(segments, count, bits > 8, data.big, data.path)
                tables.append(expanded if bits > 8 else expanded.astype(np.uint8))
                continue
            raise FormatError(
                f"{clean(data.path)}: the {name.lower()} palette is missing: expected {count} entries; export the file again."
            )
        wide = len(raw) >= 2 * count
        if not wide and len(raw) < count:
            raise FormatError(
                f"{clean(data.path)}: the {name.lower()} palette has {len(raw)} bytes for {count} entries: expected one each."
            )
        table = np.frombuffer(raw, (">u2" if data.big else "<u2") if wide else np.uint8, count).astype(
            np.uint16 if wide else np.uint8
        )
        if wide and bits <= 8 and int(table.max(initial=0)) < 256:
            table = table.astype(np.uint8)
        tables.append(table)
    if len({t.size for t in tables}) != 1:
        raise FormatError(f"{clean(data.path)}: the three palettes differ in length: expected one; export the file again.")
    return first, np.stack([t.astype(np.result_type(*tables)) for t in tables], axis=1)


def to_rgb(array: npt.NDArray[Any], photometric: str, palette: Palette | None) -> npt.NDArray[Any]:
    """Return stored colour samples as RGB.

    Parameters
    ----------
    array
        Shape (..., rows, columns[, 3]).
    photometric
        What the samples are now.
    palette
        Of PALETTE COLOR images.
    """
    if palette is not None:
        first, table = palette
        result: npt.NDArray[Any] = table[np.clip(array.astype(np.int64) - first, 0, len(table) - 1)]
        return result
    if not photometric.startswith("YBR_FULL"):
        return array  # RGB already; decoders undo the transforms of JPEG 2000 themselves
    top = float(np.iinfo(array.dtype).max)
    half = (top + 1) / 2
    y, cb, cr = (array[..., k].astype(np.float32) for k in range(3))
    cb -= half
    cr -= half
    out = np.empty_like(array)
    for k, plane in enumerate((y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb)):
        out[..., k] = np.clip(np.rint(plane), 0, top)
    return out
