"""Where a patch is cut, and the cutting: whole samples copied out of mapped arrays, edges extended where a case is smaller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["choose", "cut"]


def choose(
    shape: Sequence[int],
    patch: Sequence[int],
    rng: np.random.Generator,
    truth: npt.NDArray[np.uint8] | None = None,
    foreground: float = 0.0,
) -> tuple[int, ...]:
    """Return the first sample of a patch along each axis, negative where the case is smaller and the patch lies around it.

    Parameters
    ----------
    shape, patch
        Spatial samples of the case and of the patch.
    rng
        Decides.
    truth
        Class indices of the case.
    foreground
        Chance that the patch is laid around a sample of a class.
    """
    start = [int(rng.integers(0, n - p + 1)) if n > p else (n - p) // 2 for n, p in zip(shape, patch, strict=True)]
    if truth is None or rng.random() >= foreground:
        return tuple(start)
    # A few slabs are looked at instead of the whole case, so that little of the map is read.
    for _ in range(8):
        slab = int(rng.integers(0, shape[0]))
        places = np.flatnonzero(np.asarray(truth[slab]))
        if places.size:
            rest = np.unravel_index(int(places[int(rng.integers(places.size))]), shape[1:])
            where = (slab, *(int(r) for r in rest))
            return tuple(
                min(max(w - int(rng.integers(0, p)), 0), n - p) if n > p else (n - p) // 2
                for w, n, p in zip(where, shape, patch, strict=True)
            )
    return tuple(start)


def cut(array: npt.NDArray[Any], start: Sequence[int], patch: Sequence[int], out: npt.NDArray[Any]) -> None:
    """Copy a patch into `out`; leading axes beyond the spatial ones are taken whole, edge samples are extended.

    Parameters
    ----------
    array
        The case, (..., *spatial).
    start, patch
        First sample and size along each spatial axis.
    out
        Shape (..., *patch); may have another dtype.
    """
    spatial = array.shape[array.ndim - len(patch) :]
    low = [max(-a, 0) for a in start]
    high = [max(a + p - n, 0) for a, p, n in zip(start, patch, spatial, strict=True)]
    source = tuple(slice(max(a, 0), min(a + p, n)) for a, p, n in zip(start, patch, spatial, strict=True))
    inner = tuple(slice(b, p - h) for b, h, p in zip(low, high, patch, strict=True))
    into: Any = (..., *inner)
    taken: Any = (..., *source)
    out[into] = array[taken]
    for axis, (before, after) in enumerate(zip(low, high, strict=True)):
        view = np.moveaxis(out, out.ndim - len(patch) + axis, 0)
        if before:
            view[:before] = view[before : before + 1]
        if after:
            view[len(view) - after :] = view[len(view) - after - 1 : len(view) - after]
