"""Samples to stored integers: what a slice is written as, and the slope and intercept that give it back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError
from isocenter.io.dicom.common import decimal

__all__ = ["Stored", "stored", "stored_per_slice"]


@dataclass(frozen=True)
class Stored:
    """Stored values and how to get the samples back: sample = stored x slope + intercept.

    Slope and intercept are Decimal Strings, and the stored values were computed with exactly these.
    """

    array: npt.NDArray[Any]
    slope: str = "1"
    intercept: str = "0"

    @property
    def signed(self) -> bool:
        """Whether stored values may be negative."""
        return self.array.dtype.kind == "i"

    @property
    def bits(self) -> int:
        """Bits allocated for a sample."""
        return self.array.dtype.itemsize * 8


def stored(array: npt.NDArray[Any], modality: str) -> Stored:
    """Return samples as integers of 8 or 16 bits; exact where they are whole numbers within 16 bits.

    Parameters
    ----------
    array
        Real samples.
    modality
        CT is stored without sign above an intercept of -1024, as scanners do.

    Raises
    ------
    ContentError
        If a sample is not finite.
    """
    if array.dtype.kind not in "iubf":
        raise ContentError(f"Samples of type {array.dtype} cannot be written as DICOM: expected integers or floats.")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ContentError("Samples that are not finite cannot be written as DICOM: expected numbers; fill them first.")
    low, high = (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)
    whole = array.dtype.kind in "iub" or bool((array == np.rint(array)).all())
    if whole and modality == "CT" and low >= -1024 and high + 1024 <= 65535:
        return Stored((np.rint(array).astype(np.int64) + 1024).astype(np.uint16), "1", "-1024")
    if whole and array.dtype.itemsize == 1 and low >= 0:
        return Stored(np.asarray(array).astype(np.uint8))
    if whole and low >= 0 and high <= 65535:
        return Stored(np.rint(array).astype(np.uint16))
    if whole and low >= -32768 and high <= 32767:
        return Stored(np.rint(array).astype(np.int16))
    return _scaled(array, low, high, np.uint16, 65535.0)


def stored_per_slice(array: npt.NDArray[Any]) -> list[Stored]:
    """Return each slice with a slope of its own and intercept 0, as PET images are stored (PS3.3 C.8.9.4)."""
    if not np.isfinite(array).all() or float(array.min(initial=0.0)) < 0.0:
        raise ContentError("PET with negative or non-finite samples cannot be written: expected activities of 0 or more.")
    return [_scaled(plane, 0.0, float(plane.max(initial=0.0)), np.int16, 32767.0) for plane in array]


def _scaled(array: npt.NDArray[Any], low: float, high: float, dtype: Any, top: float) -> Stored:
    # A slope rounded up keeps the largest sample within range.
    slope = decimal((high - low) / top * (1.0 + 1e-9)) if high > low else "1"
    intercept = decimal(low)
    values = np.rint((array.astype(np.float64) - float(intercept)) / float(slope))
    return Stored(np.clip(values, 0, top).astype(dtype), slope, intercept)
