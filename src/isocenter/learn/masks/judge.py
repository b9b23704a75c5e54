"""What an outline is worth: scores of one case for each class, and their means with intervals over patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.core.families import Metric
from isocenter.core.geometry import Geometry
from isocenter.core.labels import LabelMap, Segment
from isocenter.core.results import Score, Scores
from isocenter.kernels.bootstrap import group_weights, percentile_interval, proportion_interval, widened
from isocenter.ops.evaluate.dice import Dice
from isocenter.ops.evaluate.lesions import Lesions
from isocenter.ops.evaluate.overlap import Overlap
from isocenter.ops.evaluate.surface import Surface

__all__ = ["FIRST", "CaseScores", "case_scores", "dice_of", "mean_scores"]

#: Scores in the order in which they are shown; what the metrics give beyond these is left out.
FIRST = (
    "dice",
    "jaccard",
    "sensitivity",
    "precision",
    "hausdorff_95",
    "assd",
    "surface_dice",
    "volume_difference",
    "relative_volume_difference",
    "lesion_sensitivity",
    "lesion_precision",
)
#: Scores that pool lesions: a case counts with its lesions, not as one.
POOLED = ("lesion_sensitivity", "lesion_precision")
#: Class -> score -> what it is; a score's n is the lesions that it rests on, 1 for the others.
CaseScores = Mapping[str, Mapping[str, Score]]


def case_scores(prediction: LabelMap, truth: LabelMap, segments: Sequence[Segment], tolerance: float = 1.0) -> CaseScores:
    """Return the scores of one case, for each class.

    A class that is in neither agrees perfectly; a missed one, or one that is not there, scores worst: a Dice of 0 and the diagonal of
    the image as distance. Where the size of a pixel is not known, distances are in pixels.

    Parameters
    ----------
    prediction, truth
        On one grid, with the same values.
    segments
        The classes.
    tolerance
        mm (or pixels) up to which two outlines count as the same, for the surface Dice.
    """
    scale = truth.geometry.unit == "mm"
    found: dict[str, dict[str, Score]] = {}
    for segment in segments:
        pair = [_alone(labels, segment, scale) for labels in (prediction, truth)]
        metrics: list[Metric] = [Dice(), Overlap(), Surface(tolerance=tolerance), Lesions()]
        every: dict[str, Score] = {}
        for metric in metrics:
            for name, score in metric(*pair).items():
                every.setdefault(name, score)
        found[segment.name] = {name: _in_pixels(every[name], scale) for name in FIRST}
    return found


def _alone(labels: LabelMap, segment: Segment, scale: bool) -> LabelMap:
    """Return one class as a mask; where the grid has no mm, on one of pixels that distances are counted in."""
    mask = (np.asarray(labels.array) == segment.value).astype(np.uint8)
    grid = labels.geometry if scale else Geometry.regular(labels.geometry.shape)
    return LabelMap(mask, labels.dims, grid, (Segment(1, segment.name),))


def _in_pixels(score: Score, scale: bool) -> Score:
    return score if scale or not score.unit.startswith("mm") else Score(score.value, score.unit.replace("mm", "px"), n=score.n)


def dice_of(scores: CaseScores) -> float:
    """Return the mean Dice of a case over its classes."""
    return float(np.mean([of["dice"].value for of in scores.values()]))


@dataclass(frozen=True)
class _Column:
    values: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]
    unit: str
    bounds: tuple[float, float]


def mean_scores(
    rows: Sequence[CaseScores], groups: npt.ArrayLike, *, widen: float = 1.0, draws: int = 2000, seed: int = 0
) -> Scores:
    """Return the mean of each score with its 95 % interval over patients.

    With several classes the plain names are means over classes, and ``dice of NAME`` those of each. Sensitivity and precision by lesion
    pool the lesions of all cases.

    Parameters
    ----------
    rows
        Of each case.
    groups
        Patient of each case.
    widen
        Factor on the spread, above 1 for predictions of a cross-validation (see `kernels.bootstrap.widened`).
    draws, seed
        Bootstrap resamples of whole patients, and their choice.
    """
    classes = list(rows[0])
    columns: dict[str, list[_Column]] = {}
    for name in FIRST:
        each = [_column([row[c][name] for row in rows], name) for c in classes]
        columns[name] = each
        if len(classes) > 1:
            columns.update({f"{name} of {c}": [one] for c, one in zip(classes, each, strict=True)})
    resampled: dict[str, list[npt.NDArray[np.float64]]] = {name: [] for name in columns}
    several = np.unique(np.asarray(groups)).size > 1
    for weights in group_weights(groups, draws, seed) if several else ():
        for name, each in columns.items():
            resampled[name].append(_means(each, weights))
    found = {}
    for name, each in columns.items():
        value = float(_means(each, np.ones((1, len(rows))))[0])
        interval = percentile_interval(np.concatenate(resampled[name])) if several else None
        interval = _inside(widened(value, interval, widen), each[0].bounds)
        pooled = name.split(" of ")[0] in POOLED
        if pooled and interval is not None and interval[0] == interval[1]:
            # All or none were found in every resample: what so few patients cannot exclude is still not nothing.
            patients = np.unique(np.asarray(groups)).size
            interval = proportion_interval(value * patients, patients)
        n = int(sum(c.weights.sum() for c in each)) if pooled else len(rows)
        found[name] = Score(value, each[0].unit, interval, n)
    return Scores(found)


def _column(scores: Sequence[Score], name: str) -> _Column:
    values = np.array([s.value for s in scores])
    weights = np.array([float(s.n) for s in scores]) if name in POOLED else np.ones(len(scores))
    share = scores[0].unit == "1" and name != "relative_volume_difference"
    return _Column(values, weights, scores[0].unit, (0.0, 1.0) if share else (0.0, float("inf")))


def _means(columns: Sequence[_Column], weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the mean over classes of the weighted means over cases, one for each row of weights; NaN where nothing is weighed."""
    each = []
    for column in columns:
        total = weights @ column.weights
        with np.errstate(invalid="ignore", divide="ignore"):
            each.append((weights @ (column.values * column.weights)) / total)
    stacked = np.stack(each)
    known = np.isfinite(stacked)
    counted = known.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: npt.NDArray[np.float64] = np.where(known, stacked, 0.0).sum(axis=0) / counted
    return found


def _inside(interval: tuple[float, float] | None, bounds: tuple[float, float]) -> tuple[float, float] | None:
    return None if interval is None else (max(interval[0], bounds[0]), min(interval[1], bounds[1]))
