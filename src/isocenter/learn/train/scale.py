"""Samples as a network sees them where they are measurements: one scale for all images, so that what is dense or takes up more stays so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.learn.loading.augment import Augment
from isocenter.learn.train.preparation import normalised

__all__ = ["SCALES", "Scale", "common_quantity", "kept_values", "scaled", "steps"]

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Scale:
    """How values of a quantity are brought to about zero mean and unit deviation.

    Attributes
    ----------
    low, high
        Values beyond are cut off.
    middle, width
        What becomes 0, and what becomes 1 more.
    """

    low: float
    high: float
    middle: float
    width: float


#: By `Image.quantity`. HU: from air to dense bone (metal says no more than that it is there), the middle and deviation of a trunk with the
#: air around it. SUVbw: most of a body takes up less than 1, and what lies above 30 is a bladder.
SCALES: Mapping[str, Scale] = {"HU": Scale(-1024.0, 2000.0, -350.0, 500.0), "SUVbw": Scale(0.0, 30.0, 0.5, 1.5)}


def common_quantity(quantities: Iterable[str | None]) -> str | None:
    """Return the quantity that all images of a training measure and that has a scale here; None where each is normalised by itself.

    Parameters
    ----------
    quantities
        `Image.quantity` of each.
    """
    found = set(quantities)
    only = found.pop() if len(found) == 1 else None
    return only if only in SCALES else None


def steps(quantity: str | None) -> str:
    """Return what is done to samples, as an instruction."""
    if quantity is None:
        return "take from each channel its mean and divide by its standard deviation"
    scale = SCALES[quantity]
    return f"cut the values ({quantity}) at {scale.low:g} and {scale.high:g}, take {scale.middle:g} from them and divide by {scale.width:g}"


def scaled(data: FloatArray, quantity: str | None) -> FloatArray:
    """Return samples (channels, *spatial) on the scale of a quantity; without one each channel gets zero mean and unit deviation.

    Parameters
    ----------
    data
        Finite values.
    quantity
        As of `common_quantity`.
    """
    known: list[Mapping[str, Any]] = [{}] * len(data)
    if quantity is None:
        return normalised(data, "zscore", known)
    scale = SCALES[quantity]
    own = {"low": scale.low, "high": scale.high, "mean": scale.middle, "std": scale.width}
    return normalised(data, "ct", [own] * len(data))


def kept_values(augment: Augment, quantity: str | None) -> Augment:
    """Return an augmentation that leaves values alone where they are measurements, as they are the same on every scanner.

    Parameters
    ----------
    augment
        What is usual.
    quantity
        As of `common_quantity`.
    """
    return augment if quantity is None else replace(augment, gain=0.0, offset=0.0, gamma=0.0)
