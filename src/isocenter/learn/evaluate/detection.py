"""Scores of a detector: which finding was hit, FROC, average precision, with intervals over images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.results import Score, Scores
from isocenter.kernels.bootstrap import group_weights, percentile_interval, proportion_interval

__all__ = [
    "RATES",
    "Froc",
    "ImageFindings",
    "box_iou",
    "evaluate_detection",
    "findings_of",
    "froc",
    "matches_by_distance",
    "weighted_cpm",
]

#: False positives an image at which sensitivity is given; the mean over them is the competition performance metric.
RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ImageFindings:
    """What was found in one image, and what there was.

    Attributes
    ----------
    scores
        Confidence of each candidate, shape (candidates,).
    hits
        Which finding a candidate may count for, as a table of quality (an overlap, or a closeness; 0 for no hit), shape
        (candidates, findings).
    group
        The patient.
    """

    scores: FloatArray
    hits: FloatArray
    group: str

    def __post_init__(self) -> None:
        scores = np.asarray(self.scores, np.float64).ravel()
        hits = np.asarray(self.hits, np.float64)
        if hits.ndim != 2 or len(hits) != scores.size:
            raise ContentError(f"A table of hits of shape {hits.shape} for {scores.size} candidates: expected one row for each.")
        if not np.isfinite(scores).all() or not np.isfinite(hits).all():
            raise ContentError("Candidates with a confidence or an overlap that is not finite.")
        object.__setattr__(self, "scores", scores)
        object.__setattr__(self, "hits", hits)


def box_iou(first: npt.ArrayLike, second: npt.ArrayLike) -> FloatArray:
    """Return the overlap of every pair of boxes: intersection over union.

    Parameters
    ----------
    first, second
        Lower then upper corner, shape (n, 2 d) and (m, 2 d), in mm.
    """
    a, b = np.atleast_2d(np.asarray(first, np.float64)), np.atleast_2d(np.asarray(second, np.float64))
    d = max(a.shape[1], b.shape[1]) // 2
    a, b = a.reshape(-1, 2 * d), b.reshape(-1, 2 * d)
    low = np.maximum(a[:, None, :d], b[None, :, :d])
    high = np.minimum(a[:, None, d:], b[None, :, d:])
    inner = np.prod(np.maximum(high - low, 0.0), axis=2)
    size_a, size_b = np.prod(a[:, d:] - a[:, :d], axis=1), np.prod(b[:, d:] - b[:, :d], axis=1)
    union = size_a[:, None] + size_b[None] - inner
    return np.asarray(np.divide(inner, union, out=np.zeros_like(inner), where=union > 0))


def matches_by_distance(candidates: npt.ArrayLike, findings: npt.ArrayLike, radii: npt.ArrayLike) -> FloatArray:
    """Return how close each candidate point lies to each finding: 1 at its centre, 0 from its radius on.

    Parameters
    ----------
    candidates, findings
        Points in mm, shape (n, d) and (m, d).
    radii
        Of each finding in mm, shape (m,): a candidate inside it hits.
    """
    c, f = np.asarray(candidates, np.float64), np.asarray(findings, np.float64)
    if not c.size or not f.size:
        return np.zeros((len(c), len(f)))
    distance = np.linalg.norm(c[:, None] - f[None], axis=2)
    return np.asarray(np.clip(1.0 - distance / np.asarray(radii, np.float64)[None], 0.0, 1.0))


def findings_of(boxes: npt.ArrayLike, scores: npt.ArrayLike, truth: npt.ArrayLike, group: str) -> ImageFindings:
    """Return what candidate boxes hit: a true box that holds the candidate's middle and overlaps it by a tenth or more (IoU).

    Parameters
    ----------
    boxes, truth
        Lower then upper corner, shape (n, 2 d) and (m, 2 d), in mm.
    scores
        Confidence of each candidate.
    group
        The patient.
    """
    a, b = np.asarray(boxes, np.float64), np.asarray(truth, np.float64)
    if not len(a) or not len(b):
        return ImageFindings(np.asarray(scores, np.float64), np.zeros((len(a), len(b))), group)
    d = a.shape[1] // 2
    middle = (a[:, :d] + a[:, d:]) / 2.0
    within = ((middle[:, None] >= b[None, :, :d]) & (middle[:, None] <= b[None, :, d:])).all(axis=2)
    overlap = box_iou(a, b)
    return ImageFindings(np.asarray(scores, np.float64), np.where(within & (overlap >= 0.1), overlap, 0.0), group)


def _assigned(image: ImageFindings) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Return the candidates by falling confidence and which of them is a hit: each finding counts once, for the surest one.

    A second candidate on a finding that is found already is neither a hit nor a false alarm when it overlaps it: FROC's custom,
    which `evaluate_detection` states.
    """
    order = np.argsort(-image.scores, kind="stable")
    taken = np.zeros(image.hits.shape[1], bool)
    scores, hit = [], []
    for k in order:
        row = image.hits[k]
        free = np.where(taken, 0.0, row)
        if free.size and free.max() > 0:
            taken[int(free.argmax())] = True
            scores.append(image.scores[k])
            hit.append(True)
        elif not (row > 0).any():
            scores.append(image.scores[k])
            hit.append(False)
    return np.asarray(scores, np.float64), np.asarray(hit, bool)


@dataclass(frozen=True)
class Froc:
    """Free-response ROC curve.

    Attributes
    ----------
    false_positives
        A mean image has, rising.
    sensitivity
        Share of findings that were hit.
    threshold
        Confidence from which candidates count.
    """

    false_positives: FloatArray
    sensitivity: FloatArray
    threshold: FloatArray

    def at(self, false_positives: float) -> float:
        """Return the sensitivity at the last point with at most so many false positives an image."""
        inside = np.flatnonzero(self.false_positives <= false_positives + 1e-12)
        return float(self.sensitivity[inside[-1]]) if inside.size else 0.0


def froc(images: Sequence[ImageFindings], weights: npt.ArrayLike | None = None) -> Froc:
    """Return the FROC curve of a set of images.

    Parameters
    ----------
    images
        Those without findings belong to it: their candidates are false.
    weights
        How often each image counts, shape (images,).

    References
    ----------
    Bunch et al. A free-response approach to the measurement and characterization of radiographic-observer performance. 1978.
    """
    return _froc(
        images, [_assigned(i) for i in images], np.ones(len(images)) if weights is None else np.asarray(weights, np.float64)
    )


def _froc(images: Sequence[ImageFindings], found: Sequence[tuple[FloatArray, npt.NDArray[np.bool_]]], w: FloatArray) -> Froc:
    findings = float(sum(k * i.hits.shape[1] for k, i in zip(w, images, strict=True)))
    if not len(images) or findings <= 0:
        raise ContentError("A FROC curve without findings: expected one or more in all images together.")
    score = np.concatenate([f[0] for f in found])
    hit = np.concatenate([f[1] for f in found])
    weight = np.concatenate([np.full(f[0].size, k) for f, k in zip(found, w, strict=True)])
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.append(np.diff(score[order]) != 0, True)) if score.size else np.zeros(0, np.int64)
    hits = np.cumsum(weight[order] * hit[order])[last]
    false = np.cumsum(weight[order] * ~hit[order])[last]
    return Froc(
        np.append(0.0, false / w.sum()),
        np.append(0.0, hits / findings),
        np.append(np.inf, score[order][last] if score.size else []),
    )


def _average_precision(curve: Froc, images: float, findings: float) -> float:
    hits, false = curve.sensitivity * findings, curve.false_positives * images
    called = hits + false
    precision = np.divide(hits, called, out=np.ones_like(hits), where=called > 0)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(curve.sensitivity) * envelope[1:]).sum())


def evaluate_detection(
    images: Sequence[ImageFindings],
    *,
    at: Sequence[float] = RATES,
    draws: int = 1000,
    seed: int = 0,
) -> Scores:
    """Judge a detector.

    A finding counts once, for its surest candidate; a further candidate on it is neither a hit nor a false alarm; a finding
    without a candidate is missed, whatever the threshold.

    Parameters
    ----------
    images
        Findings of each image.
    at
        False positives an image for which the sensitivity is given.
    draws, seed
        Bootstrap resamples of whole patients, and their choice.

    Returns
    -------
    Scores
        sensitivity_at_K for each K, their mean (the competition performance metric) `cpm`, average_precision, and findings.
    """
    if not at:
        raise ParameterError("No false-positive rates to give the sensitivity at: expected one or more.")
    found = [_assigned(i) for i in images]
    counts = np.array([i.hits.shape[1] for i in images], np.float64)
    names = [f"sensitivity_at_{k:g}" for k in at]

    def compute(w: FloatArray) -> list[float]:
        if (w * counts).sum() <= 0:
            return [float("nan")] * (len(at) + 2)
        curve = _froc(images, found, w)
        values = [curve.at(k) for k in at]
        return [*values, float(np.mean(values)), _average_precision(curve, w.sum(), float((w * counts).sum()))]

    if not counts.sum():
        raise ContentError("A detector cannot be judged without findings: expected one or more in all images together.")
    whole = compute(np.ones(len(images)))
    table = _table(compute, [i.group for i in images], draws, seed)
    n, patients = int(counts.sum()), len({i.group for i, k in zip(images, counts, strict=True) if k})
    scores = {"findings": Score(float(n), "1", None, len(images))}
    for k, name in enumerate([*names, "cpm", "average_precision"]):
        interval = percentile_interval(table[:, k]) if len(table) else None
        if interval is not None and interval[1] - interval[0] < 1e-12:
            # Findings of one patient are found or missed together: the patients are what an all or none rests on.
            interval = proportion_interval(whole[k] * patients, patients)
        scores[name] = Score(whole[k], "1", interval, n)
    return Scores(scores)


def weighted_cpm(images: Sequence[ImageFindings], at: Sequence[float] = RATES) -> Callable[[FloatArray], FloatArray]:
    """Return a function from rows of image weights, shape (draws, images), to the mean sensitivity at the rates, shape (draws,)."""
    found = [_assigned(i) for i in images]
    counts = np.array([i.hits.shape[1] for i in images], np.float64)

    def compute(rows: FloatArray) -> FloatArray:
        values = np.full(len(rows), np.nan)
        for k, w in enumerate(rows):
            if (w * counts).sum() > 0:
                curve = _froc(images, found, w)
                values[k] = np.mean([curve.at(rate) for rate in at])
        return values

    return compute


def _table(compute: Callable[[FloatArray], list[float]], groups: Sequence[str], draws: int, seed: int) -> FloatArray:
    if len(set(groups)) < 2 or draws < 1:
        return np.zeros((0, 0))
    return np.array([compute(row) for block in group_weights(list(groups), draws, seed) for row in block])
