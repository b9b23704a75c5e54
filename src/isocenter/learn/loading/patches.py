"""Where a patch lies and how it is taken: copied where its samples lie as in the case, else one interpolation from the whole case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.learn.loading.augment import Placement
from isocenter.learn.loading.spatial import warp

__all__ = ["choose", "class_places", "cut", "take"]

Places = tuple[npt.NDArray[np.int64], ...]

#: About how many samples of each class are remembered: enough to lay patches around any part of it.
REMEMBERED = 5000


def class_places(truth: npt.NDArray[np.uint8]) -> Places:
    """Return flat indices of samples of each class but the background, evenly thinned where there are many."""
    flat = truth.reshape(-1)
    found = []
    for k in np.flatnonzero(np.bincount(flat)):
        if k > 0:
            places = np.flatnonzero(flat == k)
            found.append(places[:: max(places.size // REMEMBERED, 1)].astype(np.int64))
    return tuple(found)


def choose(
    shape: Sequence[int],
    patch: Sequence[int],
    rng: np.random.Generator,
    places: Places = (),
    foreground: float = 0.0,
) -> tuple[float, ...]:
    """Return the first sample of a patch along each axis, negative where the case is smaller and the patch lies around it.

    Parameters
    ----------
    shape, patch
        Spatial samples of the case and of the patch.
    rng
        Decides.
    places
        Samples of each class, as `class_places` gives them.
    foreground
        Chance that the patch is centred, as far as the edges allow, on a sample of a class; each class is as likely.
    """
    free = rng.random(len(shape))
    around: Sequence[float] | None = None
    if places and rng.random() < foreground:
        chosen = places[int(rng.integers(len(places)))]
        place = np.unravel_index(int(chosen[int(rng.integers(len(chosen)))]), tuple(shape))
        around = [float(w) - (p - 1) / 2.0 for w, p in zip(place, patch, strict=True)]
    start = []
    for k, (n, p) in enumerate(zip(shape, patch, strict=True)):
        # Half a sample of room at both ends: rounded to whole samples, each start is as likely.
        wanted = float(free[k]) * (n - p + 1) - 0.5 if around is None else around[k]
        start.append((n - p) / 2.0 if n <= p else min(max(wanted, 0.0), float(n - p)))
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


def take(
    image: npt.NDArray[np.float32],
    truth: npt.NDArray[np.uint8] | None,
    start: Sequence[float],
    placement: Placement,
    rng: np.random.Generator,
    out: npt.NDArray[np.float32],
    labels: npt.NDArray[np.uint8] | None,
) -> None:
    """Take a patch and its class indices out of a case.

    Parameters
    ----------
    image, truth
        The case, (channels, *spatial) and the spatial shape.
    start
        First sample along each axis, as `choose` gives it; rounded where samples are copied.
    placement
        How it is turned, scaled, mirrored and bent.
    rng
        Decides the bending field.
    out, labels
        Filled: (channels, *patch) and the patch's shape.
    """
    patch = out.shape[1:]
    pairs = [(image, out)] + ([(truth, labels)] if truth is not None and labels is not None else [])
    if placement.copied:
        corner = [int(np.floor(a + 0.5)) for a in start]
        for source, target in pairs:
            cut(source, corner, patch, target)
            if placement.mirror:
                axes = tuple(target.ndim - len(patch) + k for k in placement.mirror)
                target[...] = np.flip(target, axes).copy()
        return
    found, classes = warp(image, truth, placement.matrix(start, patch), patch, rng, bend=placement.bend)
    out[...] = found
    if labels is not None and classes is not None:
        labels[...] = classes
