"""The tables of a study of masks: scores, every case, comparisons, parts, findings."""

from __future__ import annotations

from typing import Any

from isocenter.jobs.learn_results import Made
from isocenter.learn.masks.judge import FIRST

__all__ = ["mask_tables", "score_rows", "worst_masks"]

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


def score_rows(model: str, scores: Any) -> list[tuple[Any, ...]]:
    """Return rows (model, score, value, low, high, unit, n) of the scores of one model."""
    return [(model, name, s.value, *(s.interval or (None, None)), s.unit, s.n) for name, s in scores.items()]


def mask_tables(found: Any) -> list[Made]:
    """Return every table of a study.

    Parameters
    ----------
    found
        The study.
    """
    head, leaks = found.leakage.to_table()
    proofs = list(found.proofs.items())
    if found.away is not None:
        proofs.append((f"{found.away.name}, sites held out", found.away))
    samples = found.cohort.samples
    worst = [samples[int(found.proof.tested[j])].identifier for j in worst_masks(found)]
    made: list[Made] = [
        (
            "scores.csv",
            "scores with intervals",
            ("model", "score", "value", "low_95", "high_95", "unit", "n"),
            [row for model, proof in proofs for row in score_rows(model, proof.scores)],
        ),
        (
            "cases.csv",
            "scores of every held-out case",
            ("case", "patient", "site", "fold", "model", "class", *FIRST),
            [row for model, proof in proofs for row in _cases(found, model, proof)],
        ),
        (
            "comparisons.csv",
            "differences between models",
            ("model", "against", "score", "difference", "low_95", "high_95", "p", "n", "method"),
            [
                (found.primary, name, d.name, d.difference, *(d.interval or (None, None)), d.p, d.n, d.method)
                for name, d in found.differences.items()
            ],
        ),
        ("splits.csv", "who was in which part", ("fold", "part", "case", "patient"), _parts(found)),
        ("leakage.csv", "what the leakage scan found", head, leaks),
        ("set_aside.csv", "cases that were not used", ("case", "reason"), list(found.aside)),
        (
            "worst_cases.csv",
            "the ten worst held-out cases",
            ("case", "dice"),
            list(zip(worst, (float(found.proof.dice[j]) for j in worst_masks(found)), strict=True)),
        ),
    ]
    return [*made, *_further(found)]


def _cases(found: Any, model: str, proof: Any) -> list[tuple[Any, ...]]:
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
        )
        for j, k in enumerate(proof.tested)
        for name, scores in proof.rows[j].items()
    ]


def _parts(found: Any) -> list[tuple[Any, ...]]:
    samples = found.cohort.samples
    return [
        (k + 1, part, samples[i].identifier, samples[i].patient)
        for k, fold in enumerate(found.splits.folds)
        for part, indices in fold.parts.items()
        for i in indices
    ]


def _further(found: Any) -> list[Made]:
    made: list[Made] = []
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
