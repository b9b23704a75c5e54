"""The tables of a learning run: scores, held-out predictions, comparisons, parts, findings."""

from __future__ import annotations

from typing import Any

from isocenter.jobs.learn_deep import deep_rows
from isocenter.jobs.learn_report import worst_cases
from isocenter.jobs.learn_results import Made

__all__ = ["tables_of"]


def tables_of(found: Any) -> list[Made]:
    """Return every table of a study.

    Parameters
    ----------
    found
        The study.
    """
    head, leaks = found.leakage.to_table()
    made: list[Made] = [
        ("scores.csv", "scores with intervals", ("model", "score", "value", "low_95", "high_95", "unit", "n"), _scores(found)),
        _predictions(found),
        (
            "comparisons.csv",
            "differences between models",
            ("model", "against", "score", "difference", "low_95", "high_95", "p", "n", "method"),
            [
                (found.primary, name, d.name, d.difference, *(d.interval or (None, None)), d.p, d.n, d.method)
                for name, d in found.differences.items()
            ]
            + deep_rows(found),
        ),
        ("splits.csv", "who was in which part", ("fold", "part", "case", "patient"), _parts(found)),
        ("leakage.csv", "what the leakage scan found", head, leaks),
        ("set_aside.csv", "cases that were not used", ("case", "reason"), list(found.aside)),
        ("worst_cases.csv", "the ten worst held-out predictions", ("case", "truth", "predicted", "loss"), worst_cases(found)),
    ]
    subgroups = [
        (g.attribute, g.value, g.n, g.patients, name, s.value, *(s.interval or (None, None)), g.note)
        for g in found.subgroups
        for name, s in (g.scores or {}).items()
    ]
    if subgroups:
        columns = ("attribute", "value", "cases", "patients", "score", "value_of_score", "low_95", "high_95", "note")
        made.append(("subgroups.csv", "scores of each subgroup", columns, subgroups))
    curve = [(n, name, s.value, *(s.interval or (None, None))) for n, one in found.curve for name, s in one.items()]
    if curve:
        heads = ("cases", "score", "value", "low_95", "high_95")
        made.append(("learning_curve.csv", "scores by size of the training set", heads, curve))
    return made


def _scores(found: Any) -> list[tuple[Any, ...]]:
    groups = list(found.proofs.items())
    if found.away is not None:
        groups.append((f"{found.primary}, sites held out", found.away))
    return [
        (learner, name, s.value, *(s.interval or (None, None)), s.unit, s.n)
        for learner, proof in groups
        for name, s in proof.scores.items()
    ]


def _predictions(found: Any) -> Made:
    classes, proof, samples = found.table.classes, found.proof, found.cohort.samples
    rows: list[tuple[Any, ...]] = []
    for j, k in enumerate(proof.tested):
        truth = classes[int(found.table.target[k])] if classes else float(found.table.target[k])
        own = [classes[proof.called[j]], *map(float, proof.predicted[j])] if classes else [float(proof.predicted[j])]
        rows.append((samples[k].identifier, samples[k].patient, found.table.sites[k], int(proof.fold[j]) + 1, truth, *own))
    heads = ("called", *(f"probability of {c}" for c in classes)) if classes else ("predicted",)
    return "predictions.csv", "held-out predictions", ("case", "patient", "site", "fold", "truth", *heads), rows


def _parts(found: Any) -> list[tuple[Any, ...]]:
    samples = found.cohort.samples
    return [
        (k + 1, part, samples[i].identifier, samples[i].patient)
        for k, fold in enumerate(found.splits.folds)
        for part, indices in fold.parts.items()
        for i in indices
    ]
