"""The report of a learning run of boxes or points: what was found, what it is worth, and the worst cases in pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from isocenter.core.errors import InputError
from isocenter.jobs.learn_blocks import case_blocks, case_counts, leakage_blocks, learn_page, score_number
from isocenter.jobs.learn_places_words import (
    first_scores,
    place_score_words,
    places_checklist,
    places_findings,
    places_methods,
    spread,
)
from isocenter.jobs.places import beside_truth
from isocenter.learn.evaluate.detection import Froc
from isocenter.learn.places.outcome import outcome_of
from isocenter.learn.places.scores import curve_of
from isocenter.view import curves
from isocenter.view.report import Figure, Notice, Paragraph, Report, Section, Table

__all__ = ["places_report", "worst_places"]

_WORST = 10


def worst_places(found: Any) -> list[tuple[str, float, str, int]]:
    """Return the ten worst held-out cases: (case, loss, what happened, its place among the tested), the worst first.

    Parameters
    ----------
    found
        The study. The loss is the largest error of a landmark; or missed objects, and half of the false alarms that were called.
    """
    proof, samples = found.proof, found.cohort.samples
    became = [outcome_of(found.truth[k], proof.found[j], proof.called[j], found.names) for j, k in enumerate(proof.tested)]
    order = sorted(range(len(became)), key=lambda j: (-became[j].loss, samples[proof.tested[j]].identifier))[:_WORST]
    return [(samples[proof.tested[j]].identifier, became[j].loss, str(became[j]), j) for j in order]


def places_report(found: Any, package: str) -> Report:
    """Compose the report of a study of places.

    Parameters
    ----------
    found
        The study.
    package
        Name of the package's file.
    """
    numbers = [score_number(place_score_words(name), found.proof.scores[name]) for name in first_scores(found)[:5]]
    use = f"Model of all cases: {package}. Use it: isocenter run NEW --model {package}; prove it after an upgrade: isocenter model test {package}."
    sections = [
        Section("Models", _models(found)),
        *([Section("Each apart", (_apart_by_name(found),))] if found.proof.by_name else []),
        Section("Leakage scan", leakage_blocks(found)),
        *_subgroups(found),
        Section("The worst held-out cases", _worst(found)),
        Section("Cases", _cases(found)),
        Section("Methods", (Paragraph(places_methods(found)), Paragraph(use))),
    ]
    return learn_page(
        found,
        "Learning to find objects" if found.cohort.task == "detection" else "Learning to find landmarks",
        lines=places_findings(found),
        numbers=numbers,
        notices=_notices(found),
        picture=_curves(found),
        sections=sections,
        checklist=places_checklist(found),
    )


def _notices(found: Any) -> list[Notice]:
    notices = []
    beaten = [n for n, d in found.differences.items() if not d.better]
    floor = next(iter(found.proofs))
    if floor in beaten:
        text = (
            f"The {found.primary} does not beat the {floor} beyond its interval: nothing more than that was shown to be learned."
        )
        notices.append(Notice(text, "problem"))
    elif beaten:
        text = f"The {found.primary} does not beat the {', '.join(beaten)} beyond the interval: the simpler model would do."
        notices.append(Notice(text, "info"))
    return notices


def _curves(found: Any) -> Figure:
    lines, unit = [], found.truth[0].geometry.unit
    # As far as the primary needs for nearly all: what a baseline does far off is no question.
    last = found.proof.scores["percentile_95_error"].value if found.cohort.task == "landmarks" else 0.0
    reach = max(4.0, 2.0 * last) if np.isfinite(last) else 4.0
    for name in (found.primary, *[n for n in found.proofs if n != found.primary]):
        curve = curve_of(found.proofs[name], found.truth, found.names, reach)
        lines.append((name, curve.false_positives, curve.sensitivity) if isinstance(curve, Froc) else (name, *curve))
    if found.cohort.task == "detection":
        return Figure(curves.froc(lines), "FROC curves of held-out images.")
    return Figure(curves.success(lines, unit), "Share of held-out landmarks within a distance of the truth.")


def _models(found: Any) -> tuple[Any, ...]:
    names = first_scores(found)
    groups = [(n + (" (named beforehand)" if n == found.primary else ""), p) for n, p in found.proofs.items()]
    if found.away is not None:
        groups.append((f"{found.away[0]}, sites held out", found.away[1]))
    rows = tuple((n, *(spread(p.scores[s]) if s in p.scores else "\u2013" for s in names)) for n, p in groups)
    blocks: list[Any] = [
        Table(("Model", *map(place_score_words, names)), rows, "Held-out cases in the same folds; 95 % intervals over patients")
    ]
    if found.differences:
        compared = tuple(
            (n, d.name, d.difference, None if d.interval is None else f"{d.interval[0]:+.3g} to {d.interval[1]:+.3g}", d.p, d.n)
            for n, d in found.differences.items()
        )
        columns = ("Against", "Score", "Difference", "95 % interval", "p", "n")
        blocks.append(Table(columns, compared, f"The {found.primary} less each baseline, paired by patient"))
    every = tuple((place_score_words(n), spread(s, 4), s.n) for n, s in found.proof.scores.items())
    blocks.append(Table(("Score", "Value (95 % interval)", "n"), every, f"All scores of the {found.primary}"))
    return tuple(blocks)


def _apart_by_name(found: Any) -> Table:
    names = first_scores(found)
    rows = tuple(
        (of, *(spread(scores[s]) if s in scores else "\u2013" for s in names)) for of, scores in found.proof.by_name.items()
    )
    return Table(
        ("Of", *map(place_score_words, names)), rows, f"The {found.primary}, each apart (tables/scores.csv has the others)"
    )


def _subgroups(found: Any) -> list[Section]:
    if not found.subgroups:
        return []
    name, rows = found.score_name, []
    for g in found.subgroups:
        score = None if g.scores is None or name not in g.scores else spread(g.scores[name])
        rows.append((g.attribute, g.value, g.n, g.patients, score, g.note))
    columns = ("Attribute", "Value", "Cases", "Patients", place_score_words(name), "Note")
    return [Section("Subgroups", (Table(columns, tuple(rows), "Scores of all subgroups are in tables/subgroups.csv"),))]


def _worst(found: Any) -> tuple[Any, ...]:
    rows = worst_places(found)
    blocks: list[Any] = [Table(("Case", "What happened", "Loss"), tuple((case, text, loss) for case, loss, text, _ in rows))]
    for case, _, text, j in rows:
        k = found.proof.tested[j]
        true, places = found.truth[k], found.proof.called[j]
        try:
            image = found.cohort.image(k)
        except InputError:
            continue  # it could be read before; a picture is not worth failing for
        legend = "found, with probability" if true.kind == "boxes" else "found"
        blocks.append(Figure(beside_truth(image, true, places, case, legend), f"{case}: {text}"))
    return tuple(blocks)


def _cases(found: Any) -> tuple[Any, ...]:
    shown = [("without any", sum(not len(t) for t in found.truth))]
    shown += [(name, sum(t.names.count(name) for t in found.truth)) for name in found.names]
    return case_blocks(found, [*case_counts(found), *shown], found.notes)
