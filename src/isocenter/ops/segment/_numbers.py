"""Label numbers without gaps."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["renumbered"]


def renumbered(labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return labels without gaps, in the same order and of the same type."""
    present = np.bincount(labels.ravel(), minlength=1) > 0
    present[0] = False
    return np.where(present, np.cumsum(present), 0).astype(labels.dtype)[labels]
