"""Numbers in standard units, as every learner of numbers gets them: settings then mean the same for years and for millilitres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError

__all__ = ["Standard", "require_spread", "standard_of"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Standard:
    """How numbers are brought to mean 0 and spread 1, and back.

    Attributes
    ----------
    centre, scale
        Mean and standard deviation, of the logarithms where there are any.
    logarithm
        Whether logarithms are taken first.
    """

    centre: float
    scale: float
    logarithm: bool

    def into(self, numbers: npt.ArrayLike) -> FloatArray:
        """Return numbers in standard units."""
        y = np.asarray(numbers, np.float64)
        return np.asarray(((np.log(y) if self.logarithm else y) - self.centre) / self.scale)

    def back(self, values: npt.ArrayLike) -> FloatArray:
        """Return values of standard units in those of the numbers."""
        out = np.asarray(values, np.float64) * self.scale + self.centre
        return np.exp(out) if self.logarithm else out


def standard_of(numbers: npt.ArrayLike) -> Standard:
    """Return the standard units of the numbers of a training part; logarithms where they are positive and skewed.

    Parameters
    ----------
    numbers
        Shape (n,), in any unit.
    """
    y = np.asarray(numbers, np.float64)
    logarithm = _skewed(y)
    wanted = np.log(y) if logarithm else y
    return Standard(float(np.mean(wanted)), max(float(np.std(wanted)), 1e-12), logarithm)


def require_spread(numbers: npt.ArrayLike, where: str) -> None:
    """Raise ContentError where all numbers are the same.

    Parameters
    ----------
    numbers
        Shape (n,).
    where
        Whose they are, for the message.
    """
    y: npt.NDArray[Any] = np.asarray(numbers, np.float64)
    if np.unique(y).size < 2:
        raise ContentError(f"All {y.size} labels of {where} are the number {y.flat[0]:g}: expected two or more to tell apart.")


def _skewed(y: FloatArray) -> bool:
    """Return whether positive numbers have so long an upper tail that the logarithm is the better scale (skewness above 1)."""
    spread = float(y.std())
    return bool(y.min() > 0 and spread > 0 and float(((y - y.mean()) ** 3).mean()) / spread**3 > 1.0)
