"""The report of a learning run: what was found, what it is worth, and what speaks against it."""

from __future__ import annotations

from typing import Any

import numpy as np

from isocenter.core.errors import InputError
from isocenter.jobs.learn_agreement import agreement_blocks, agreement_picture
from isocenter.jobs.learn_blocks import (
    case_blocks,
    case_counts,
    difference_rows,
    leakage_blocks,
    learn_page,
    score_number,
    subgroup_section,
    with_interval,
)
from isocenter.jobs.learn_deep import deep_section
from isocenter.jobs.learn_words import checklist, findings, methods, score_words
from isocenter.learn.evaluate.calibration import reliability
from isocenter.learn.evaluate.ranking import roc_curve
from isocenter.learn.study import NETWORK
from isocenter.view import curves
from isocenter.view.montage import montage
from isocenter.view.report import Figure, KeyNumber, Notice, Paragraph, Report, Section, Table

__all__ = ["learn_report", "worst_cases"]

_WORST = 10
_FIRST = {
    "classes": ("auc_roc", "macro_auc_roc", "accuracy", "sensitivity", "specificity", "ece"),
    "numbers": ("mae", "rmse", "mae_of_median", "r2", "bias"),
}


def worst_cases(found: Any) -> list[tuple[str, Any, Any, float]]:
    """Return the ten worst held-out predictions: (case, truth, predicted, loss), the worst first.

    Parameters
    ----------
    found
        The study. The loss is one less the probability of the true class, or the absolute error.
    """
    proof, table = found.proof, found.table
    rows = []
    for j, k in enumerate(proof.tested):
        case = found.cohort.samples[k].identifier
        if table.classes:
            truth = int(table.target[k])
            loss = 1.0 - float(proof.predicted[j, truth])
            rows.append((case, table.classes[truth], table.classes[int(proof.called[j])], loss))
        else:
            rows.append(
                (case, float(table.target[k]), float(proof.predicted[j]), abs(float(proof.predicted[j] - table.target[k])))
            )
    return sorted(rows, key=lambda row: (-row[3], row[0]))[:_WORST]


def learn_report(found: Any, package: str) -> Report:
    """Compose the report of a study.

    Parameters
    ----------
    found
        The study.
    package
        Name of the package's file.
    """
    names = [n for n in _FIRST["classes" if found.table.classes else "numbers"] if n in found.proof.scores]
    numbers = [score_number(_of_which(n, found.table.classes), found.proof.scores[n]) for n in names]
    if found.away is not None:
        s = found.away.scores[found.score_name]
        numbers.append(KeyNumber(f"{score_words(found.score_name)} at sites held out", s.value, "", f"n = {s.n}"))
    sections = [
        Section("Models", _models(found)),
        Section("Calibration" if found.table.classes else "Agreement", _calibration(found)),
        Section("Leakage scan", leakage_blocks(found)),
        *subgroup_section(found, found.score_name, score_words(found.score_name)),
        *deep_section(found),
        *_growth(found),
        Section("The worst held-out cases", _worst(found)),
        Section("Cases", _cases(found)),
        Section("Methods", (Paragraph(methods(found)), Paragraph(f"Model of all cases: {package}. Use it: isocenter run NEW --model {package}; "
                            f"prove it after an upgrade: isocenter model test {package}."))),
    ]  # fmt: skip
    return learn_page(
        found,
        "Learning from labels",
        lines=findings(found),
        numbers=numbers,
        notices=_notices(found),
        picture=_picture(found),
        sections=sections,
        checklist=checklist(found),
    )


def _of_which(name: str, classes: tuple[str, ...]) -> str:
    """Return what a score is called, with the class that it is about: of two classes either may be taken for the positive one."""
    one_sided = len(classes) == 2 and name in ("sensitivity", "specificity")
    return f"{score_words(name)} for '{classes[1]}'" if one_sided else score_words(name)


def _notices(found: Any) -> list[Notice]:
    notices = []
    floor = next(iter(found.proofs))
    best = [n for n, d in found.differences.items() if n not in (floor, NETWORK) and not d.better]
    if floor in found.differences and not found.differences[floor].better:
        text = f"The {found.primary} does not beat guessing beyond its interval: nothing was shown to be learned."
        notices.append(Notice(text, "problem"))
    elif best:
        text = f"The {found.primary} does not beat {', '.join(best)} beyond the interval: the simpler model would do."
        notices.append(Notice(text, "info"))
    if found.shortcut is not None and found.shortcut.share >= 0.5:
        notices.append(Notice(found.shortcut.sentence, "warning"))
    return notices


def _picture(found: Any) -> Figure | None:
    table = found.table
    if len(table.classes) == 2:
        lines = []
        beside = [n for n in found.proofs if n not in (found.primary, NETWORK)][1:]
        if found.network is not None and found.primary != NETWORK:
            beside.insert(0, NETWORK)
        for name in (found.primary, *beside[:3]):
            one = found.proofs[name]
            rate, sensitivity, _ = roc_curve(table.target[one.tested] == 1, one.predicted[:, 1])
            lines.append((f"{name} ({float(one.scores['auc_roc']):.2f})", rate, sensitivity))
        return Figure(curves.roc(lines), f"ROC curves of held-out predictions; positive is '{table.classes[1]}'.")
    return None if table.classes else agreement_picture(found)


def _models(found: Any) -> tuple[Any, ...]:
    names = [n for n in _FIRST["classes" if found.table.classes else "numbers"] if n in found.proof.scores]
    rows = []
    for learner, proof in found.proofs.items():
        cells = [with_interval(proof.scores[n]) for n in names]
        rows.append((learner + (" (named beforehand)" if learner == found.primary else ""), *cells))
    words = "less each baseline" if found.table.classes else "against each baseline: by how much its mean absolute error is less"
    blocks: list[Any] = [
        Table(
            ("Model", *(score_words(n) for n in names)),
            tuple(rows),
            "Held-out predictions in the same folds; 95 % intervals over patients",
        ),
        Table(
            ("Against", "Difference", "95 % interval", "p", "n"),
            difference_rows(found.differences),
            f"The {found.primary} {words}, paired by patient",
        ),
    ]
    every = tuple(
        (score_words(n), s.value, None if s.interval is None else f"{s.interval[0]:.4g} to {s.interval[1]:.4g}", s.n)
        for n, s in found.proof.scores.items()
    )
    blocks.append(Table(("Score", "Value", "95 % interval", "n"), every, f"All scores of the {found.primary}"))
    if found.shortcut is not None:
        blocks.append(Paragraph(found.shortcut.sentence))
    return tuple(blocks)


def _calibration(found: Any) -> tuple[Any, ...]:
    table, proof = found.table, found.proof
    if not table.classes:
        return agreement_blocks(found)
    truth = table.target[proof.tested]
    if len(table.classes) == 2:
        happened, probability = truth == 1, proof.predicted[:, 1]
    else:
        happened, probability = truth == proof.called, proof.predicted[np.arange(truth.size), proof.called]
    rows = [r for r in reliability(happened, probability) if r.n]
    bins = [(r.predicted, r.observed, *(r.interval or (r.observed, r.observed)), r.n) for r in rows]
    cells = tuple((f"{r.low:.1f} to {r.high:.1f}", r.predicted, r.observed, r.n) for r in rows)
    return (
        Figure(curves.reliability(bins), "Predicted probability against the share observed, with 95 % intervals and cases."),
        Table(("Predicted", "Mean predicted", "Observed", "n"), cells, "Calibrated inside the folds, on cases held out there"),
    )


def _growth(found: Any) -> list[Section]:
    if len(found.curve) < 2:
        return []
    name = found.score_name
    points = [(n, s[name].value, *(s[name].interval or (s[name].value, s[name].value))) for n, s in found.curve]
    words = "Logistic regression on growing shares of the training patients; the band is the 95 % interval."
    return [Section("Learning curve", (Figure(curves.learning(points, score_words(name)), words),))]


def _worst(found: Any) -> tuple[Any, ...]:
    rows = worst_cases(found)
    blocks: list[Any] = [Table(("Case", "Truth", "Predicted", "Loss"), tuple(rows))]
    if found.cohort.features:
        return tuple(blocks)
    place = {s.identifier: k for k, s in enumerate(found.cohort.samples)}
    for case, truth, predicted, _ in rows:
        try:
            image = found.cohort.image(place[case])
        except InputError:
            continue  # it could be read when it was described; a picture is not worth failing for
        words = f"{case}: {truth}, predicted {predicted if isinstance(predicted, str) else format(predicted, '.3g')}"
        blocks.append(Figure(montage(image, title=words), words))
    return tuple(blocks)


def _cases(found: Any) -> tuple[Any, ...]:
    table = found.table
    classes = [(f"class {name}", int((table.target == k).sum())) for k, name in enumerate(table.classes)]
    notes = (*found.notes, *found.splits.notes, *found.size.sentences)
    return case_blocks(found, [*case_counts(found), *classes], notes)
