"""What the tables of every learning run share, whatever its task: scores, comparisons, parts, findings, subgroups."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from isocenter.jobs.learn_results import Made

__all__ = [
    "comparisons",
    "curve_tables",
    "scores_table",
    "splits_and_findings",
    "subgroup_tables",
]

Row = tuple[Any, ...]


def scores_table(proofs: Iterable[tuple[str, Any]]) -> Made:
    """Return the table of all scores of the proofs, each under the name of its model."""
    rows: list[Row] = [
        (model, name, s.value, *(s.interval or (None, None)), s.unit, s.n)
        for model, proof in proofs
        for name, s in proof.scores.items()
    ]
    return "scores.csv", "scores with intervals", ("model", "score", "value", "low_95", "high_95", "unit", "n"), rows


def comparisons(found: Any, called: Callable[[str], str] = str, further: Iterable[Row] = ()) -> Made:
    """Return the table of what the primary is worth against each other model.

    Parameters
    ----------
    found
        The study.
    called
        What a model is called in the table.
    further
        Rows of other comparisons, behind those of the primary.
    """
    rows: list[Row] = [
        (called(found.primary), called(name), d.name, d.difference, *(d.interval or (None, None)), d.p, d.n, d.method)
        for name, d in found.differences.items()
    ]
    columns = ("model", "against", "score", "difference", "low_95", "high_95", "p", "n", "method")
    return "comparisons.csv", "differences between models", columns, [*rows, *further]


def splits_and_findings(found: Any) -> list[Made]:
    """Return the tables of who was in which part, what the leakage scan found, and which cases were not used."""
    samples = found.cohort.samples
    parts: list[Row] = [
        (k + 1, part, samples[i].identifier, samples[i].patient)
        for k, fold in enumerate(found.splits.folds)
        for part, indices in fold.parts.items()
        for i in indices
    ]
    head, leaks = found.leakage.to_table()
    return [
        ("splits.csv", "who was in which part", ("fold", "part", "case", "patient"), parts),
        ("leakage.csv", "what the leakage scan found", head, leaks),
        ("set_aside.csv", "cases that were not used", ("case", "reason"), list(found.aside)),
    ]


def subgroup_tables(found: Any) -> list[Made]:
    """Return the table of the scores of each subgroup; none where there are no subgroups."""
    rows: list[Row] = [
        (g.attribute, g.value, g.n, g.patients, name, s.value, *(s.interval or (None, None)), g.note)
        for g in found.subgroups
        for name, s in (g.scores or {}).items()
    ]
    columns = ("attribute", "value", "cases", "patients", "score", "value_of_score", "low_95", "high_95", "note")
    return [("subgroups.csv", "scores of each subgroup", columns, rows)] if rows else []


def curve_tables(found: Any) -> list[Made]:
    """Return the table of the scores by size of the training set; none where no curve was made."""
    rows: list[Row] = [(n, name, s.value, *(s.interval or (None, None))) for n, one in found.curve for name, s in one.items()]
    heads = ("cases", "score", "value", "low_95", "high_95")
    return [("learning_curve.csv", "scores by size of the training set", heads, rows)] if rows else []
