"""Nodule candidates in the lungs: blobs that prove compact when they are outlined."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.kernels.blobs import Blob, find_blobs
from isocenter.kernels.coarse import block_mean, factors_for
from isocenter.kernels.labels import bounding_box, components, opening

__all__ = ["Nodule", "find_nodules"]

Mask = npt.NDArray[np.bool_]

#: HU that the surroundings of the lung are given, so that its wall is no edge.
_LUNG = -850.0


@dataclass(frozen=True)
class Nodule:
    """One candidate: where its box lies in the volume, its outline in it, and how sure it looks (0 to 1)."""

    box: tuple[slice, ...]
    mask: Mask
    score: float
    center: tuple[float, float, float]
    diameter: float


def _sizes(smallest: float, largest: float) -> list[float]:
    """Return diameters from smallest to largest in steps of about a quarter."""
    count = max(2, 1 + math.ceil(math.log(largest / smallest) / math.log(1.3)))
    return [float(d) for d in np.geomspace(smallest, largest, count)]


def _candidates(
    hu: npt.NDArray[Any], within: Mask, spacing: Sequence[float], sizes: Sequence[float], contrast: float
) -> list[Blob]:
    """Return round blobs of lung density or more; each size on a grid that is no finer than it needs."""
    found: list[Blob] = []
    for low, high, step in ((0.0, 9.0, 1.2), (9.0, 20.0, 2.2), (20.0, 1e3, 4.0)):
        wanted = [d for d in sizes if low < d <= high]
        if not wanted:
            continue
        factors = factors_for(hu.shape, spacing, step)
        steps = [s * f for s, f in zip(spacing, factors, strict=True)]
        place = block_mean(within.view(np.uint8), factors) >= 0.5
        clipped = np.clip(block_mean(hu, factors), -1000.0, 100.0)
        volume = np.where(place, clipped, np.float32(_LUNG)).astype(np.float32)
        shift = [(s - t) / 2.0 for s, t in zip(steps, spacing, strict=True)]
        for blob in find_blobs(volume, steps, wanted, place, contrast):
            if blob.roundness >= 0.25:
                center = tuple(c + d for c, d in zip(blob.center, shift, strict=True))
                found.append(Blob((center[0], center[1], center[2]), blob.diameter, blob.strength, blob.roundness))
    return sorted(found, key=lambda b: (-b.strength * b.roundness, b.center, b.diameter))


def _outline(hu: npt.NDArray[Any], within: Mask, spacing: Sequence[float], blob: Blob, threshold: float) -> Nodule | None:
    """Return the outline of a blob if it is compact: what is dense around its centre, cut off from vessels."""
    reach = 0.9 * blob.diameter + max(spacing)
    middle = [c / s for c, s in zip(blob.center, spacing, strict=True)]
    box = tuple(
        slice(max(0, math.floor(m - reach / s)), min(n, math.ceil(m + reach / s) + 1))
        for m, s, n in zip(middle, spacing, hu.shape, strict=True)
    )
    part = np.asarray(hu[box], dtype=np.float32)
    axes = [(np.arange(b.start, b.stop) - m) * s for b, m, s in zip(box, middle, spacing, strict=True)]
    radius = np.sqrt(axes[0][:, None, None] ** 2 + axes[1][None, :, None] ** 2 + axes[2][None, None, :] ** 2)
    core = radius <= max(0.25 * blob.diameter, 0.6 * max(spacing))
    if not core.any():
        return None
    level = max(threshold, (float(np.median(part[core])) + _LUNG) / 2.0)
    dense = (part >= level) & within[box] & (radius <= reach)
    whole = dense
    if blob.diameter > 4.0 * max(spacing):  # thin vessels fall off where the grid can tell them from the nodule
        dense = opening(dense, 0.2 * blob.diameter, spacing)
    pieces, count = components(dense, 6)
    if not count:
        return None
    touched = np.bincount(pieces[core], minlength=count + 1)
    touched[0] = 0
    if not touched.any():
        return None
    mask = pieces == int(touched.argmax())
    return _judged(mask, whole, radius, axes, box, spacing, blob)


def _judged(
    mask: Mask, dense: Mask, radius: Any, axes: list[Any], box: tuple[slice, ...], spacing: Sequence[float], blob: Blob
) -> Nodule | None:
    """Return the outline as a nodule if its form is one."""
    voxel = float(np.prod(spacing))
    diameter = (6.0 * float(mask.sum()) * voxel / math.pi) ** (1.0 / 3.0)
    filled = float(mask[radius <= 0.4 * blob.diameter].mean()) if (radius <= 0.4 * blob.diameter).any() else 0.0
    shell = (radius > 0.65 * blob.diameter) & (radius <= 0.65 * blob.diameter + max(0.2 * blob.diameter, max(spacing)))
    around = float(dense[shell].mean()) if shell.any() else 1.0
    index = np.argwhere(mask)
    points = np.column_stack([axes[k][index[:, k]] for k in range(3)])
    # A sample has an extent of its own, which counts where a nodule spans two or three of them.
    spread = np.linalg.eigvalsh(np.cov(points.T, bias=True).reshape(3, 3) + np.diag([s**2 / 12.0 for s in spacing]))
    form = math.sqrt(max(float(spread[0]), 0.0) / float(spread[2]))
    # Fewer samples than these have no form to speak of: noise and slices of vessels would pass.
    if mask.sum() < 12 or filled < 0.6 or around > 0.35 or form < 0.45:
        return None
    score = min(1.0, form) * filled * (1.0 - around)
    middle = points.mean(axis=0)
    center = tuple(float(c + m) for c, m in zip(blob.center, middle, strict=True))
    return Nodule(box, mask, score, (center[0], center[1], center[2]), diameter)


def find_nodules(
    hu: npt.NDArray[Any],
    within: Mask,
    spacing: Sequence[float],
    smallest: float,
    largest: float,
    threshold: float,
    contrast: float,
) -> list[Nodule]:
    """Return nodule candidates, the surest first; none overlaps another.

    Parameters
    ----------
    hu
        Volume.
    within
        The lungs with their notches closed.
    spacing
        mm, array order.
    smallest, largest
        mm; diameters that are looked for.
    threshold
        HU; the outline never includes less.
    contrast
        HU that a ball must stand out by.

    References
    ----------
    Lindeberg, International Journal of Computer Vision 30 (1998) 79-116 (blobs over scales); Murphy et al., A
    large-scale evaluation of automatic pulmonary nodule detection in chest CT using local image features and
    k-nearest-neighbour classification, Medical Image Analysis 13 (2009) 757-770 (shape against vessels).
    """
    box = bounding_box(within, 2)
    if box is None:
        return []
    view, inside = hu[box], np.ascontiguousarray(within[box])
    kept: list[Nodule] = []
    for blob in _candidates(view, inside, spacing, _sizes(smallest, largest), contrast):
        if any(math.dist(blob.center, k.center) < 0.5 * max(k.diameter, blob.diameter) for k in kept):
            continue
        nodule = _outline(view, inside, spacing, blob, threshold)
        if nodule is None or not 0.7 * smallest <= nodule.diameter <= 1.3 * largest:
            continue
        if any(math.dist(nodule.center, k.center) < 0.5 * (k.diameter + nodule.diameter) for k in kept):
            continue
        kept.append(nodule)
    start = [b.start for b in box]
    order = sorted(kept, key=lambda n: (-round(n.score, 6), n.center))
    return [
        Nodule(
            tuple(slice(b.start + a, b.stop + a) for b, a in zip(n.box, start, strict=True)), n.mask, n.score,
            n.center, n.diameter,
        )
        for n in order
    ]  # fmt: skip
