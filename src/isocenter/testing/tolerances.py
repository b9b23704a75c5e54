"""How close is the same: the tolerances of the tests, named and reasoned in one place."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.geometry import Geometry

__all__ = ["AFFINE_MM", "DICE", "FLOAT32", "FLOAT64", "SAMPLING", "SUV", "assert_close", "assert_same_grid", "relative_error"]

#: Largest distance in mm between corresponding samples of one grid read through different formats: DICOM and NIfTI write
#: positions with at most a few digits after the point, and float32 affines are good to 1e-4 mm at half a metre.
AFFINE_MM = 1e-3
#: Relative rounding of a chain of float32 operations, and of float64 ones.
FLOAT32 = 1e-5
FLOAT64 = 1e-12
#: SUV read from DICOM (a slope per slice) and from NIfTI (float32).
SUV = 1e-5
#: Overlap of one structure drawn as contours and as a mask.
DICE = 0.999
#: Relative difference of one smooth object filtered on two samplings.
SAMPLING = 0.03


def relative_error(actual: npt.ArrayLike, expected: npt.ArrayLike) -> float:
    """Return the largest difference, as a fraction of the range of what was expected.

    Infinite where the shapes differ, or where one is finite and the other is not.
    """
    one, two = np.asarray(actual, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    if one.shape != two.shape or not np.array_equal(np.isfinite(one), np.isfinite(two)):
        return float("inf")
    known = np.isfinite(two)
    if not known.any():
        return 0.0
    span = float(np.ptp(two[known])) or float(np.abs(two[known]).max()) or 1.0
    return float(np.abs(one[known] - two[known]).max()) / span


def assert_close(actual: Any, expected: Any, within: float = FLOAT32) -> None:
    """Raise AssertionError unless two arrays agree to `within` of the range of what was expected."""
    error = relative_error(actual, expected)
    if not error <= within:
        raise AssertionError(f"Values differ by {error:.3g} of their range: allowed are {within:.3g}.")


def assert_same_grid(actual: Geometry, expected: Geometry, mm: float = AFFINE_MM) -> None:
    """Raise AssertionError, saying by how many mm, unless two grids are the same."""
    match = actual.matches(expected, mm)
    if not match:
        raise AssertionError(f"{actual} is not {expected}: {match.reason}.")
