"""The tables of a learning run: scores, held-out predictions, comparisons, parts, findings."""

from __future__ import annotations

from typing import Any

from isocenter.jobs.learn_agreement import agreement_tables
from isocenter.jobs.learn_deep import deep_rows
from isocenter.jobs.learn_report import worst_cases
from isocenter.jobs.learn_results import Made
from isocenter.jobs.learn_rows import comparisons, curve_tables, scores_table, splits_and_findings, subgroup_tables

__all__ = ["tables_of"]


def tables_of(found: Any) -> list[Made]:
    """Return every table of a study.

    Parameters
    ----------
    found
        The study.
    """
    proofs = list(found.proofs.items())
    if found.away is not None:
        proofs.append((f"{found.primary}, sites held out", found.away))
    worst = ("worst_cases.csv", "the ten worst held-out predictions", ("case", "truth", "predicted", "loss"), worst_cases(found))
    return [
        scores_table(proofs),
        _predictions(found),
        *agreement_tables(found),
        comparisons(found, further=deep_rows(found)),
        *splits_and_findings(found),
        worst,
        *subgroup_tables(found),
        *curve_tables(found),
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
