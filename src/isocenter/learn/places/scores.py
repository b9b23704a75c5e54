"""What held-out places are worth: errors of landmarks, hits of a detector, with intervals over patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from isocenter.core.results import Score, Scores
from isocenter.kernels.bootstrap import group_weights, mean_interval, percentile_interval, proportion_interval, widened
from isocenter.learn.evaluate.compare import Difference, compare_paired
from isocenter.learn.evaluate.detection import Froc, evaluate_detection, froc, weighted_cpm
from isocenter.learn.evaluate.landmarks import evaluate_landmarks, success_curve
from isocenter.learn.places.model import PlaceModel, judged_findings
from isocenter.learn.places.places import Places

__all__ = ["PlaceProof", "curve_of", "difference", "landmark_errors", "proof_of", "scored"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PlaceProof:
    """What a finder was worth on cases that it never saw.

    Attributes
    ----------
    tested
        Positions of the cases in the cohort.
    found
        Of each of them, with calibrated probabilities.
    called
        The same without the candidates below the fold's operating point.
    fold
        Of each of them.
    scores
        Over all.
    by_name
        Landmark, or class of objects -> its scores.
    """

    tested: tuple[int, ...]
    found: tuple[Places, ...]
    called: tuple[Places, ...]
    fold: npt.NDArray[np.int64]
    scores: Scores
    by_name: dict[str, Scores] = field(default_factory=dict)


def proof_of(
    tested: Sequence[int],
    found: Sequence[tuple[Places, PlaceModel]],
    fold: Sequence[int],
    truth: Sequence[Places],
    groups: npt.NDArray[np.str_],
    names: Sequence[str],
) -> PlaceProof:
    """Return the proof of held-out places.

    Parameters
    ----------
    tested, fold
        Cases in the cohort, and the fold of each.
    found
        Places of each, and the model that found them.
    truth, groups
        Of all cases of the cohort.
    names
        Landmarks, or classes.
    """
    every = [f for f, _ in found]
    called = tuple(m.called(f) for f, m in found)
    true = [truth[k] for k in tested]
    owner = groups[np.asarray(tested, np.int64)]
    folds = len(set(fold))
    widen = float(np.sqrt(1.0 + folds / (folds - 1.0))) if folds > 1 else 1.0
    whole = scored(every, called, true, owner, names, widen)
    apart: dict[str, Scores] = {}
    if len(names) > 1:
        for name in names:
            parts = [[_only(p, name) for p in rows] for rows in (every, called, true)]
            if any(len(t) for t in parts[2]):
                apart[name] = scored(parts[0], parts[1], parts[2], owner, [name], widen)
    return PlaceProof(tuple(tested), tuple(every), called, np.asarray(fold, np.int64), whole, apart)


def scored(
    found: Sequence[Places],
    called: Sequence[Places],
    truth: Sequence[Places],
    groups: npt.NDArray[np.str_],
    names: Sequence[str],
    widen: float = 1.0,
    draws: int = 1000,
) -> Scores:
    """Return the scores of places.

    Parameters
    ----------
    found, called, truth
        Of each case.
    groups
        Patient of each case.
    names
        Landmarks.
    widen
        Factor on the intervals, above 1 for predictions of a cross-validation (see `kernels.bootstrap.widened`).
    draws
        Of the bootstrap.
    """
    points = truth[0].kind == "points"
    scores = _landmarks(found, truth, groups, names, draws) if points else _objects(found, called, truth, groups, draws)
    return Scores({name: _wide(score, widen) for name, score in scores.items()})


def _landmarks(
    found: Sequence[Places], truth: Sequence[Places], groups: npt.NDArray[np.str_], names: Sequence[str], draws: int
) -> dict[str, Score]:
    unit = truth[0].geometry.unit
    true, predicted = np.stack([t.of(names) for t in truth]), np.stack([f.of(names) for f in found])
    scores = dict(evaluate_landmarks(true, predicted, groups, unit=unit, draws=draws))
    patients = np.unique(groups).size
    for name, score in scores.items():
        # All or none within a distance: nothing varies in a bootstrap, so the patients are counted instead.
        if score.unit == "1" and score.interval is not None and score.interval[0] == score.interval[1]:
            scores[name] = replace(score, interval=proportion_interval(score.value * patients, patients))
    away = landmark_errors(found, truth, names, samples=True)
    owner = np.repeat(groups, away.shape[1])[np.isfinite(away.ravel())]
    values = away.ravel()[np.isfinite(away.ravel())]
    scores["mean_error_in_samples"] = Score(float(values.mean()), "px", mean_interval(values, owner, draws), values.size)
    return scores


def _objects(
    found: Sequence[Places], called: Sequence[Places], truth: Sequence[Places], groups: npt.NDArray[np.str_], draws: int
) -> dict[str, Score]:
    images = [judged_findings(f, t, str(g)) for f, t, g in zip(found, truth, groups, strict=True)]
    scores = dict(evaluate_detection(images, draws=draws))
    at = [judged_findings(c, t, str(g)) for c, t, g in zip(called, truth, groups, strict=True)]
    hits = np.array([int((i.hits > 0).any(axis=0).sum()) for i in at], np.float64)
    false = np.array([int((~(i.hits > 0).any(axis=1)).sum()) for i in at], np.float64)
    objects = np.array([len(t) for t in truth], np.float64)
    scores["sensitivity_called"] = _pooled(hits, objects, groups, draws)
    between = mean_interval(false, groups, draws)
    if between is not None and not false.any():
        # None was seen: what so few patients cannot exclude is still not nothing (Poisson).
        between = (0.0, float(-np.log(0.025)) / np.unique(groups).size)
    scores["false_positives_called"] = Score(float(false.mean()), "1", between, false.size)
    overlap = np.array([float(i.hits[:, k].max()) for i in at for k in range(i.hits.shape[1]) if i.hits[:, k].any()])
    if overlap.size:
        scores["overlap_of_hits"] = Score(float(overlap.mean()), "1", None, overlap.size)
    return scores


def _pooled(hits: FloatArray, objects: FloatArray, groups: npt.NDArray[np.str_], draws: int) -> Score:
    """Return the share of all objects that were hit; its interval is that of the same share, not of the mean over images."""
    some = objects > 0
    hit, there, owner = hits[some], objects[some], groups[some]
    value, patients = float(hit.sum() / there.sum()), np.unique(owner).size
    interval = None
    if patients > 1:
        interval = percentile_interval(np.concatenate([(w @ hit) / (w @ there) for w in group_weights(owner, draws)]))
    if interval is not None and interval[1] - interval[0] < 1e-12:
        # All or none were hit in every patient: nothing varies in a bootstrap, so the patients are counted instead.
        interval = proportion_interval(value * patients, patients)
    return Score(value, "1", interval, int(there.sum()))


def landmark_errors(found: Sequence[Places], truth: Sequence[Places], names: Sequence[str], samples: bool = False) -> FloatArray:
    """Return how far each landmark lies off in mm, or in samples of its image, NaN where the truth has none, shape (cases, names)."""
    if not samples:
        return np.stack([np.linalg.norm(f.of(names) - t.of(names), axis=1) for f, t in zip(found, truth, strict=True)])
    rows = np.full((len(truth), len(names)), np.nan)
    for k, (f, t) in enumerate(zip(found, truth, strict=True)):
        for j, name in enumerate(names):
            if name in t.names and name in f.names:
                rows[k, j] = np.linalg.norm(f.samples[f.names.index(name)] - t.samples[t.names.index(name)])
    return rows


def difference(
    first: PlaceProof, second: PlaceProof, truth: Sequence[Places], groups: npt.NDArray[np.str_], names: Sequence[str]
) -> Difference:
    """Return how much better the first is: mean error less than the second's, or mean sensitivity over the rates of FROC more."""
    true = [truth[k] for k in first.tested]
    owner = groups[np.asarray(first.tested, np.int64)]
    folds = np.unique(first.fold).size
    widen = float(np.sqrt(1.0 + folds / (folds - 1.0))) if folds > 1 else 1.0
    if true[0].kind == "points":
        rows = [landmark_errors(p.found, true, names) for p in (first, second)]
        error = np.stack([np.array([np.nanmean(r) if np.isfinite(r).any() else 0.0 for r in row]) for row in rows])
        name = "mean error (reduction)"
        return compare_paired(name, lambda w, k: -(w @ error[k]) / w.sum(axis=1), owner, widen=widen)
    judge = [weighted_cpm([judged_findings(f, t, "") for f, t in zip(p.found, true, strict=True)]) for p in (first, second)]
    return compare_paired("mean sensitivity", lambda w, k: judge[k](w), owner, draws=500, widen=widen, most=1.0)


def curve_of(
    proof: PlaceProof, truth: Sequence[Places], names: Sequence[str], reach: float
) -> Froc | tuple[FloatArray, FloatArray]:
    """Return the FROC curve of a detector; of landmarks distances in mm up to a reach, and the share of them within each."""
    true = [truth[k] for k in proof.tested]
    if true[0].kind == "boxes":
        return froc([judged_findings(f, t, "") for f, t in zip(proof.found, true, strict=True)])
    distances = np.linspace(0.0, reach, 121)
    return distances, success_curve(
        np.stack([t.of(names) for t in true]), np.stack([f.of(names) for f in proof.found]), distances
    )


def _only(places: Places, name: str) -> Places:
    return places.take([k for k, n in enumerate(places.names) if n == name])


def _wide(score: Score, factor: float) -> Score:
    """Return a score with its interval widened, still within what the score can be."""
    wide = widened(score.value, score.interval, factor)
    if wide is None:
        return score
    top = 1.0 if score.unit == "1" and score.value <= 1.0 and (score.interval or (0, 2))[1] <= 1.0 else np.inf
    return replace(score, interval=(max(wide[0], 0.0), float(min(wide[1], top))))
