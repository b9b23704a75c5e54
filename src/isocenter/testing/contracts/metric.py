"""What a metric promises: bounds, an answer for empty sets, and that a miss never scores better than a hit."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from isocenter.core.families import Metric
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.core.results import Score, Scores
from isocenter.testing.contracts.base import check, expect
from isocenter.testing.contracts.inputs import grid, inputs_for, richest
from isocenter.testing.contracts.running import attempt, run


def _on_labels(operation: Metric) -> bool:
    return operation.compares == "labels"


def _box(operation: Metric, shift: int = 0, *, shrink: int = 0, empty: bool = False) -> LabelMap:
    dims = tuple(d for d in richest(operation) if d in "zyx")
    shape = (14, 16, 18)[3 - len(dims) :]
    array = np.zeros(shape, np.uint8)
    if not empty:
        array[tuple(slice(4 + shrink, 9 - shrink) for _ in shape[:-1]) + (slice(4 + shift + shrink, 9 + shift - shrink),)] = 1
    segments = (Segment(1, operation.label if isinstance(operation.label, str) else "lesion"),)
    return LabelMap(array, dims, grid(shape), segments)


def better(operation: Metric, name: str) -> int:
    """Return 1 where larger scores are better, -1 where smaller ones are.

    An operation may say so in ``higher_is_better``, a mapping of score name to bool; else a perfect prediction is
    compared with one that misses.
    """
    said = getattr(operation, "higher_is_better", {})
    if name in said:
        return 1 if said[name] else -1
    truth = _box(operation)
    hit, miss = run(operation, (truth, truth)), run(operation, (_box(operation, empty=True), truth))
    return 1 if float(hit[name]) >= float(miss[name]) else -1


@check("Metric")
def scores_with_units(operation: Metric) -> None:
    """Scores come out, each with a unit."""
    result = run(operation, inputs_for(operation))
    expect(isinstance(result, Scores) and len(result), f"{type(result).__name__} without a score came out")
    for name, score in result.items():
        expect(isinstance(score, Score) and score.unit, f"score '{name}' has no unit ('1' for a plain number)")


@check("Metric", when=_on_labels)
def within_bounds(operation: Metric) -> None:
    """Scores lie within their declared ``bounds``; without any, within those that a hit and a miss span."""
    truth = _box(operation)
    bounds = getattr(operation, "bounds", {})
    cases = [_box(operation, s) for s in (0, 1, 3, 7, -4)] + [
        _box(operation, shrink=1),
        _box(operation, shrink=2),
        _box(operation, empty=True),
    ]
    perfect, missed = run(operation, (truth, truth)), run(operation, (_box(operation, empty=True), truth))
    for case in cases:
        for name, score in run(operation, (case, truth)).items():
            low, high = bounds.get(name) or sorted((float(perfect[name]), float(missed[name])))
            low, high = -np.inf if low is None else low, np.inf if high is None else high
            expect(
                low - 1e-9 <= float(score) <= high + 1e-9,
                f"'{name}' is {float(score):.6g}, outside its bounds {low:.6g} to {high:.6g}",
            )


@check("Metric", when=_on_labels)
def miss_never_better_than_hit(operation: Metric) -> None:
    """The worse the overlap, the worse the score; an object missed altogether scores worst of all."""
    truth = _box(operation)
    ranked = [_box(operation, s) for s in (0, 1, 2, 4)]
    results = [run(operation, (p, truth)) for p in ranked]
    missed = [run(operation, (_box(operation, empty=True), truth)), run(operation, (truth, _box(operation, empty=True)))]
    for name in results[0]:
        sign = better(operation, name)
        row = [sign * float(r[name]) for r in results]
        expect(
            all(a >= b - 1e-9 for a, b in pairwise(row)),
            f"'{name}' improves as the prediction moves away: {[float(r[name]) for r in results]}",
        )
        for what, result in zip(("a miss", "a false alarm"), missed, strict=True):
            score = sign * float(result[name])
            expect(np.isfinite(score), f"'{name}' of {what} is {score}: expected its worst finite value")
            expect(
                score <= min(row) + 1e-9,
                f"'{name}' of {what} is {float(result[name]):.6g}, better than {float(results[-1][name]):.6g} of a hit",
            )
            expect(score < max(row), f"'{name}' of {what} is as good as a perfect prediction")


@check("Metric", when=_on_labels)
def empty_sets_defined(operation: Metric) -> None:
    """Nothing found where there is nothing is perfect, with a finite score."""
    empty, truth = _box(operation, empty=True), _box(operation)
    nothing, perfect = run(operation, (empty, empty)), run(operation, (truth, truth))
    for name, score in nothing.items():
        expect(np.isfinite(float(score)), f"'{name}' of two empty masks is {float(score)}")
        expect(
            np.isclose(float(score), float(perfect[name])),
            f"'{name}' of two empty masks is {float(score):.6g}, of a perfect prediction {float(perfect[name]):.6g}",
        )


@check("Metric")
def symmetric_where_declared(operation: Metric) -> None:
    """Scores named in ``symmetric`` do not depend on which is the prediction, and the others do somewhere."""
    names = getattr(operation, "symmetric", ())
    pairs = [inputs_for(operation)[:2]]
    if _on_labels(operation):
        pairs += [(_box(operation, 2), _box(operation)), (_box(operation, shrink=1), _box(operation))]
    for one, two in pairs:
        first, second = run(operation, (one, two)), run(operation, (two, one))
        expect(set(names) <= set(first), f"symmetric names {sorted(set(names) - set(first))}, which are no scores")
        for name in names:
            close = np.isclose(float(first[name]), float(second[name]), rtol=1e-9, atol=1e-12)
            expect(
                close,
                f"'{name}' is declared symmetric but is {float(first[name]):.9g} one way and {float(second[name]):.9g} the other",
            )


@check("Metric")
def perfect_on_itself(operation: Metric) -> None:
    """A prediction that equals the truth scores no worse than any other."""
    _, truth = inputs_for(operation)[:2]
    perfect = run(operation, (truth, truth))
    other = run(operation, inputs_for(operation))
    said = getattr(operation, "higher_is_better", {})
    for name in perfect:
        if not _on_labels(operation) and name not in said:
            continue
        sign = better(operation, name) if _on_labels(operation) else (1 if said[name] else -1)
        expect(
            sign * float(perfect[name]) >= sign * float(other[name]) - 1e-9,
            f"'{name}' is {float(perfect[name]):.6g} for the truth itself, {float(other[name]):.6g} for another prediction",
        )


@check("Metric")
def other_grid_refused(operation: Metric) -> None:
    """A prediction on another grid than the truth is refused in one sentence."""
    prediction, truth = inputs_for(operation)[:2]
    moved: Any = truth.replace(geometry=truth.geometry.crop((1,) * truth.geometry.ndim, truth.geometry.shape))
    expect(
        attempt(operation, (prediction, moved)) is None, "it compared a prediction and a truth whose grids lie one sample apart"
    )
    if _on_labels(operation):
        image = Image(np.asarray(truth.array, dtype=np.float32), truth.dims, truth.geometry)
        expect(attempt(operation, (image, truth)) is None, "it compared an image with a label map")
