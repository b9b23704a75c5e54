"""How much of what an image shows comes from its making: stripes, rings, ringing beside borders, clipping, empty rims.

Every strength is a fraction of the contrast, so that it does not depend on the unit of the samples.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.kernels.noise import robust_sigma
from isocenter.kernels.otsu import otsu
from isocenter.kernels.stripes import line_offsets, ring_image

__all__ = ["clipped_share", "contrast_of", "empty_rim", "ring_strength", "ringing_strength", "slices_of", "stripe_strength"]

Array = npt.NDArray[Any]

#: Slices that are looked at: artefacts of a device are in all of them.
_SLICES = 5


def slices_of(array: Array) -> list[Array]:
    """Return up to five planes of the last two axes, from the middle of what a volume holds."""
    planes = array.reshape(-1, *array.shape[-2:])
    count = len(planes)
    chosen = np.unique(np.linspace(count * 0.25, max(count * 0.75 - 1, count * 0.25), _SLICES).astype(int))
    return [planes[k].astype(np.float64) for k in chosen if k < count]


def contrast_of(array: Array) -> float:
    """Return the distance between the means of the dark and the bright part of an image (Otsu); 0 where it is even."""
    values = array[np.isfinite(array)]
    if not values.size or float(values.min()) == float(values.max()):
        return 0.0
    bright = values > otsu(values)
    if not bright.any() or bright.all():
        return 0.0
    return float(values[bright].mean(dtype=np.float64) - values[~bright].mean(dtype=np.float64))


def stripe_strength(array: Array, contrast: float) -> tuple[float, float]:
    """Return how strong stripes along the rows and along the columns are: spread of whole lines over the contrast.

    Parameters
    ----------
    array
        Planes are its last two axes.
    contrast
        As of `contrast_of`.
    """
    rows: list[float] = []
    columns: list[float] = []
    for plane in slices_of(array):
        sigma = robust_sigma(plane)
        for values, found in ((plane.T, rows), (plane, columns)):
            found.append(_spread(values, sigma))
    if contrast <= 0 or not rows:
        return 0.0, 0.0
    return float(np.median(rows)) / contrast, float(np.median(columns)) / contrast


def _spread(plane: Array, sigma: float) -> float:
    """Return the standard deviation of the offsets of columns beyond noise; 0 where thirds of the columns disagree on them."""
    height, width = plane.shape
    if height < 24 or width < 24:
        return 0.0
    parts = [line_offsets(part, 6)[6:-6] for part in np.array_split(plane, 3)]
    # A stripe runs through: an offset that is not seen in every third belongs to a thing.
    shared = np.median(np.stack(parts), axis=0)
    agree = min(_alike(a, b) for a, b in itertools.pairwise(parts))
    spread = 1.4826 * float(np.median(np.abs(shared - np.median(shared))))
    noise = 1.25 * sigma / np.sqrt(height / 3)
    return spread if agree > 0.5 and spread > noise else 0.0


def _alike(first: Array, second: Array) -> float:
    """Return the rank correlation of two profiles: a few lines at borders do not decide."""
    one, two = (np.argsort(np.argsort(v, kind="stable"), kind="stable").astype(np.float64) for v in (first, second))
    if not np.ptp(first) or not np.ptp(second):
        return 0.0
    return float(np.corrcoef(one, two)[0, 1])


def ring_strength(array: Array, contrast: float) -> float:
    """Return how strong rings around the middle of the planes are, as a fraction of the contrast."""
    found = []
    for plane in slices_of(array):
        step = max(1, min(plane.shape) // 256)
        small = plane[::step, ::step]
        if min(small.shape) < 48:
            return 0.0
        center = ((small.shape[0] - 1) / 2, (small.shape[1] - 1) / 2)
        half = small.shape[0] // 2
        upper, lower = (
            _profile(part, (center[0] - first, center[1])) for part, first in ((small[:half], 0), (small[half:], half))
        )
        count = min(len(upper), len(lower), min(small.shape) // 2 - 4)
        one, two = upper[6:count], lower[6:count]
        if _alike(one, two) < 0.5:
            found.append(0.0)  # a ring goes all the way round
            continue
        found.append(1.4826 * float(np.median(np.abs((one + two) / 2))))
    return float(np.median(found)) / contrast if found and contrast > 0 else 0.0


def _profile(plane: Array, center: tuple[float, float]) -> Array:
    """Return the height of rings by their radius in samples."""
    rings = ring_image(plane, center, 4)
    rows, columns = np.indices(plane.shape)
    radius = np.rint(np.hypot(rows - center[0], columns - center[1])).astype(int).ravel()
    counts = np.bincount(radius)
    return np.bincount(radius, rings.ravel()) / np.maximum(counts, 1)


def ringing_strength(array: Array, contrast: float) -> float:
    """Return how strongly samples alternate beside borders, beyond what they do elsewhere, over the contrast.

    A border whose k-space was cut off rings from sample to sample, two to six samples beside it; noise does so everywhere.
    """
    found = []
    for plane in slices_of(array):
        both = [_alternating(p, contrast) for p in (plane, plane.T) if min(p.shape) >= 32]
        found.append(max(both, default=0.0))
    return float(np.median(found)) / contrast if found and contrast > 0 else 0.0


def _alternating(plane: Array, contrast: float) -> float:
    """Return the root mean square of alternation beside borders along the last axis beyond that far from any border."""
    second = plane[:, 2:] - 2 * plane[:, 1:-1] + plane[:, :-2]
    change = second[:, :-3] - 3 * second[:, 1:-2] + 3 * second[:, 2:-1] - second[:, 3:]
    change = change / 32.0  # a fifth difference of samples that alternate is 32 times their height
    slope = np.abs(np.diff(plane, axis=1)) > 0.35 * contrast
    border = np.zeros(plane.shape, dtype=bool)
    border[:, 1:] |= slope
    border[:, :-1] |= slope
    first = 3  # the middle of a fifth difference lies between samples 2 and 3
    reach = np.zeros(plane.shape, dtype=bool)
    close = border.copy()
    for k in range(1, 9):
        for sign in (-k, k):
            moved = np.zeros_like(border)
            if sign > 0:
                moved[:, sign:] = border[:, :-sign]
            else:
                moved[:, :sign] = border[:, -sign:]
            if k <= 3:
                close |= moved
            else:
                reach |= moved
    usable = slice(first, first + change.shape[1])
    near = (reach & ~close)[:, usable][:, : change.shape[1]]
    away = ~(reach | close)[:, usable][:, : change.shape[1]]
    if int(near.sum()) < 50 or int(away.sum()) < 50:
        return 0.0
    beside, elsewhere = float(np.median(change[near] ** 2)), float(np.median(change[away] ** 2))
    return float(np.sqrt(max(beside - 2.0 * elsewhere, 0.0)))


def clipped_share(array: Array) -> float:
    """Return the fraction of samples that stand at the highest value although those just below are rare: cut-off signal."""
    values = array[np.isfinite(array)]
    if values.size < 64:
        return 0.0
    low, high = float(values.min()), float(values.max())
    if low == high:
        return 0.0
    at_top = int((values == high).sum())
    just_below = int(((values < high) & (values >= high - 0.02 * (high - low))).sum())
    return at_top / values.size if at_top > 3 * max(just_below, 1) and at_top > 8 else 0.0


def empty_rim(array: Array) -> int:
    """Return how many samples of one single value all around a picture are a rim without content (two axes only)."""
    if array.ndim != 2 or min(array.shape) < 8:
        return 0
    value = array[0, 0]
    depth = 0
    while depth < min(array.shape) // 2 - 1:
        inner = array[depth : array.shape[0] - depth, depth : array.shape[1] - depth]
        if not (
            (inner[0] == value).all()
            and (inner[-1] == value).all()
            and (inner[:, 0] == value).all()
            and (inner[:, -1] == value).all()
        ):
            break
        depth += 1
    return depth if depth < min(array.shape) // 2 - 1 else 0
