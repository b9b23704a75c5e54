"""Samples that are not numbers: found before a kernel spreads them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError

__all__ = ["require_finite", "three_axes"]


def require_finite(array: npt.NDArray[Any], who: str) -> None:
    """Raise `ContentError` if a sample is NaN or infinite: it would spread over its neighbours."""
    if array.dtype.kind != "f" or not array.size:
        return
    with np.errstate(over="ignore", invalid="ignore"):
        total = array.sum()
    if not np.isfinite(total) and not np.isfinite(array).all():  # a sum may overflow without a bad sample
        count = int((~np.isfinite(array)).sum())
        raise ContentError(
            f"{who} found {count} of {array.size} samples that are not finite, which would spread: "
            "expected numbers; crop or fill those samples first, or use denoise.median."
        )


def three_axes(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a view with leading axes of one sample up to three axes."""
    return array.reshape((1,) * (3 - array.ndim) + array.shape)
