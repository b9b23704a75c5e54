"""Does a map lie where the finding is: pointing game and the share of attribution inside its mask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.core.results import Score, Scores
from isocenter.kernels.bootstrap import mean_interval, proportion_interval

__all__ = ["localisation", "overlap_at_area", "points_inside", "share_inside"]

BoolArray = npt.NDArray[np.bool_]


def points_inside(values: npt.ArrayLike, mask: BoolArray, spacing: Sequence[float], tolerance: float = 0.0) -> bool:
    """Return whether the largest value lies in a mask, or within a tolerance of it.

    Parameters
    ----------
    values
        The map.
    mask
        Of its shape, not empty.
    spacing
        mm per sample, in array order.
    tolerance
        mm.

    Notes
    -----
    A map whose largest value stands in several places hits only if all of them lie inside: one that is the same everywhere
    points nowhere.
    """
    data = np.asarray(values, np.float64)
    if not np.isfinite(data).all() or data.max() <= 0.0:
        return False
    near = mask if tolerance <= 0 else ndimage.distance_transform_edt(~mask, sampling=spacing) <= tolerance
    return bool(np.asarray(near)[data == data.max()].all())


def share_inside(values: npt.ArrayLike, mask: BoolArray) -> float:
    """Return the share of the positive attribution that lies in a mask; 0 where there is none at all."""
    positive = np.maximum(np.asarray(values, np.float64), 0.0)
    total = float(positive.sum())
    return float(positive[mask].sum()) / total if total > 0 else 0.0


def overlap_at_area(values: npt.ArrayLike, mask: BoolArray) -> float:
    """Return which share of a mask is covered by as many of the largest values as it has samples (its Dice coefficient).

    Parameters
    ----------
    values
        The map; what is not positive is never among the largest.
    mask
        Of its shape, not empty.

    Notes
    -----
    Where equal values stand at the last place, each counts by the share of them that fits, so that their order is of no matter.
    """
    data = np.where(np.isfinite(values), values, 0.0).astype(np.float64).ravel()
    inside, count = mask.ravel(), int(mask.sum())
    last = np.partition(data, data.size - count)[data.size - count]
    if last <= 0.0:
        return float((inside & (data > 0.0)).sum()) / count
    above, level = data > last, data == last
    share = (count - int(above.sum())) / int(level.sum())
    return (float((inside & above).sum()) + share * float((inside & level).sum())) / count


def localisation(
    maps: Sequence[Image],
    masks: Sequence[LabelMap],
    *,
    groups: npt.ArrayLike | None = None,
    label: int | None = None,
    tolerance: float = 0.0,
    draws: int = 2000,
    seed: int = 0,
) -> Scores:
    """Return how well maps find the regions that a reader marked.

    Parameters
    ----------
    maps
        Attributions on the images' own grids.
    masks
        On the same grids. A case whose mask is empty has nothing to find and is left out; `n` counts the others.
    groups
        Patient of each case; each its own when None.
    label
        Value in the masks; None takes all that is not background.
    tolerance
        mm (px without a pixel size) by which the largest value may miss.
    draws, seed
        Bootstrap resamples of patients, and their choice.

    Returns
    -------
    Scores
        ``pointing_game`` (Wilson's interval, over patients), ``share_inside``, ``area_share`` (the share of the image that is
        marked: what a map without any idea has inside), ``enrichment`` (the ratio of both), ``overlap_at_area`` (of the mask with as many of
        the largest values as it has samples).

    Raises
    ------
    GridMismatchError
        If a mask is not on the grid of its map.
    ContentError
        If every mask is empty.

    References
    ----------
    Zhang et al. Top-down neural attention by excitation backprop. IJCV 126 (2018) 1084-1102 (the pointing game).
    """
    if len(maps) != len(masks):
        raise ParameterError(f"{len(maps)} maps with {len(masks)} masks: expected one for each.")
    unit = np.arange(len(maps)) if groups is None else np.asarray(groups).ravel()
    if unit.size != len(maps):
        raise ParameterError(f"{len(maps)} maps with {unit.size} patients: expected one for each.")
    rows, kept = [], []
    for k, (image, mask) in enumerate(zip(maps, masks, strict=True)):
        image.geometry.require_match(mask.geometry, (f"map {k + 1}", "its mask"))
        inside = np.asarray(mask.array) != 0 if label is None else np.asarray(mask.array) == label
        if not inside.any():
            continue
        hit = points_inside(image.array, inside, image.geometry.spacing, tolerance)
        share, area = share_inside(image.array, inside), float(inside.mean())
        rows.append((float(hit), share, area, share / area, overlap_at_area(image.array, inside)))
        kept.append(unit[k])
    if not rows:
        raise ContentError(f"All {len(maps)} masks are empty: expected at least one with something to find.")
    table = np.array(rows)
    patients = np.unique(kept).size
    hits = float(table[:, 0].mean())
    pointing = proportion_interval(hits * patients, patients)
    names = ("share_inside", "area_share", "enrichment", "overlap_at_area")
    found = {"pointing_game": Score(hits, "1", pointing, len(rows))}
    for name, column in zip(names, table[:, 1:].T, strict=True):
        found[name] = Score(float(column.mean()), "1", mean_interval(column, kept, draws, seed), len(rows))
    return Scores(found)
