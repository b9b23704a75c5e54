"""Position, orientation and spacing of a plane, read from a dataset or from its functional groups.

References
----------
DICOM PS3.3 C.7.6.2.1.1 (image plane), C.7.6.16.2 (functional groups).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from isocenter.core.errors import FormatError, GeometryError
from isocenter.io.dicom import values
from isocenter.io.dicom.elements import Dataset
from isocenter.io.dicom.frame import Plane
from isocenter.io.dicom.words import clean

__all__ = ["has_plane", "orientation", "plane", "spacing_of"]

_LARGEST = 1e6  # mm: no position or spacing of a body is farther out


def _bad(path: Path, what: str, expected: str) -> GeometryError:
    return GeometryError(f"{clean(path)}: {what}: expected {expected}; correct the header or export the file again.")


def _numbers(data: Dataset, keyword: str, count: int) -> list[float]:
    try:
        return values.numbers(data, keyword, count) if values.has(data, keyword) else []
    except FormatError as error:
        raise GeometryError(str(error)) from None


def has_plane(data: Dataset) -> bool:
    """Return whether a dataset gives position and orientation at its top level."""
    return values.has(data, "ImagePositionPatient") and values.has(data, "ImageOrientationPatient")


def spacing_of(data: Dataset, keyword: str = "PixelSpacing") -> tuple[float, float] | None:
    """Return mm between rows and between columns, None where they are not given.

    Raises
    ------
    GeometryError
        If they are not two positive numbers.
    """
    found = _numbers(data, keyword, 2)
    if not found:
        return None
    if not all(1e-6 < v < _LARGEST for v in found):
        raise _bad(data.path, f"{keyword} is {found[0]:g}\\{found[1]:g} mm", "two positive values")
    return found[0], found[1]


def orientation(
    data: Dataset,
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Return the unit vectors of growing column and row index.

    Raises
    ------
    GeometryError
        If they are missing, not of unit length, or not at right angles.
    """
    found = _numbers(data, "ImageOrientationPatient", 6)
    if not found:
        raise _bad(data.path, "ImageOrientationPatient (0020,0037) is missing", "the direction of rows and columns")
    x, y = np.array(found[:3]), np.array(found[3:])
    lengths = float(np.linalg.norm(x)), float(np.linalg.norm(y))
    if any(abs(v - 1.0) > 5e-3 for v in lengths):
        raise _bad(
            data.path,
            f"ImageOrientationPatient (0020,0037) has vectors of length {lengths[0]:.4g} and {lengths[1]:.4g}",
            "unit vectors",
        )
    x, y = x / lengths[0], y / lengths[1]
    angle = float(np.degrees(np.arccos(np.clip(x @ y, -1.0, 1.0))))
    if abs(angle - 90.0) > 0.1:
        raise _bad(
            data.path, f"the rows and columns of ImageOrientationPatient (0020,0037) meet at {angle:.2f} degrees", "90 degrees"
        )
    return x, y


def plane(position: Dataset, orient: Dataset, measures: Dataset) -> Plane:
    """Read a plane from the datasets that hold its three parts (all one, in a single-frame file).

    Raises
    ------
    GeometryError
        If a part is missing or impossible.
    """
    spacing = spacing_of(measures)
    if spacing is None:
        raise _bad(measures.path, "PixelSpacing (0028,0030) is missing", "mm between rows and columns (none is assumed)")
    x, y = orientation(orient)
    place = _numbers(position, "ImagePositionPatient", 3)
    if not place:
        raise _bad(position.path, "ImagePositionPatient (0020,0032) is missing", "the position of the first sample")
    if any(abs(v) > _LARGEST for v in place):
        raise _bad(
            position.path,
            f"ImagePositionPatient (0020,0032) lies {max(abs(v) for v in place):g} mm out",
            "a place in the scanner",
        )
    return Plane(np.array(place), x, y, spacing)
