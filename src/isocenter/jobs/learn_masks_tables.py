"""The tables of a study of masks: scores, every case, comparisons, parts, findings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isocenter.jobs.learn_results import Made
from isocenter.jobs.learn_rows import comparisons, curve_tables, scores_table, splits_and_findings, subgroup_tables
from isocenter.learn.masks.judge import FIRST

__all__ = ["mask_tables", "worst_masks"]

_WORST = 10


def worst_masks(found: Any) -> list[int]:
    """Return positions in the primary's proof of the ten worst held-out cases, the least mean Dice first.

    Parameters
    ----------
    found
        The study.
    """
    proof, samples = found.proof, found.cohort.samples
    order = sorted(range(len(proof.rows)), key=lambda j: (proof.dice[j], samples[int(proof.tested[j])].identifier))
    return order[:_WORST]


def mask_tables(found: Any, files: Mapping[str, str]) -> list[Made]:
    """Return every table of a study.

    Parameters
    ----------
    found
        The study.
    files
        Case -> file of the outline that the primary model predicted.
    """
    proofs = list(found.proofs.items())
    if found.away is not None:
        proofs.append((f"{found.away.name}, sites held out", found.away))
    samples, proof = found.cohort.samples, found.proof
    worst = [(samples[int(proof.tested[j])].identifier, float(proof.dice[j])) for j in worst_masks(found)]
    return [
        scores_table(proofs),
        (
            "cases.csv",
            "scores of every held-out case",
            ("case", "patient", "site", "fold", "model", "class", *FIRST, "predicted"),
            [row for model, one in proofs for row in _cases(found, model, one, files if one is proof else {})],
        ),
        comparisons(found),
        *splits_and_findings(found),
        ("worst_cases.csv", "the ten worst held-out cases", ("case", "dice"), worst),
        *subgroup_tables(found),
        *curve_tables(found),
    ]


def _cases(found: Any, model: str, proof: Any, files: Mapping[str, str]) -> list[tuple[Any, ...]]:
    samples = found.cohort.samples
    return [
        (
            samples[int(k)].identifier,
            samples[int(k)].patient,
            samples[int(k)].site or "",
            int(proof.fold[j]) + 1,
            model,
            name,
            *(scores[n].value for n in FIRST),
            files.get(samples[int(k)].identifier, ""),
        )
        for j, k in enumerate(proof.tested)
        for name, scores in proof.rows[j].items()
    ]
