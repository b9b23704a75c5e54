"""The dtype policy, in one place.

Storage keeps the acquired type. Rank filters, crops and nearest-neighbour sampling keep it. Everything
else computes and returns float32, or float64 where the input is float64. Values are never rescaled:
going back to integers is an explicit step.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from isocenter.core.errors import ContentError

__all__ = ["FLOATS", "is_integral", "working_array", "working_dtype"]

FLOATS: tuple[np.dtype[Any], ...] = (np.dtype(np.float32), np.dtype(np.float64))


def working_dtype(dtype: Any) -> np.dtype[Any]:
    """Return the dtype that arithmetic on `dtype` is done in.

    Parameters
    ----------
    dtype
        Anything numpy takes for a dtype.

    Returns
    -------
    numpy.dtype
        float64 for float64 (and longer), float32 for every other real type (float16, integers, bool).

    Raises
    ------
    ContentError
        For complex, structured and object arrays: they hold no single real value per sample.
    """
    kind = np.dtype(dtype)
    if kind.kind == "f" and kind.itemsize >= 8:  # whatever the byte order
        return np.dtype(np.float64)
    if kind.kind in "fiub":
        return np.dtype(np.float32)
    raise ContentError(
        f"Voxels of type {kind} hold no single real value; expected integers or floats: take the magnitude or one channel first."
    )


def working_array(array: Any) -> np.ndarray[Any, Any]:
    """Return `array` in its working dtype, without a copy where it has it already."""
    data = np.asarray(array)
    return data.astype(working_dtype(data.dtype), copy=False)


def is_integral(dtype: Any) -> bool:
    """Return whether `dtype` stores whole numbers (integers or bool)."""
    return np.dtype(dtype).kind in "iub"
