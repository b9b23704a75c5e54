"""Tables and report of the external validation of a model of places."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from isocenter._version import __version__
from isocenter.core.results import Score
from isocenter.io import atomic, table
from isocenter.jobs.learn_places_words import place_score_words, spread
from isocenter.learn.package.model import Package
from isocenter.learn.package.validate_places import PlacedCase, PlaceValidation
from isocenter.learn.places.model import judged_findings
from isocenter.learn.places.scores import landmark_errors
from isocenter.view.places import FOUND, TRUE, Marks, marked
from isocenter.view.report import Figure, Footer, KeyNumber, Notice, Report, Section, Table

__all__ = ["place_validation_report", "write_place_tables"]

_WORST = 10
_KEY = (
    "median_error",
    "percentile_95_error",
    "sensitivity_at_1",
    "average_precision",
    "sensitivity_called",
    "false_positives_called",
)


def write_place_tables(root: Path, found: PlaceValidation) -> None:
    """Write scores beside those of the training, every place, and who was set aside.

    Parameters
    ----------
    root
        Folder of the results.
    found
        What the validation gave.
    """
    folder = atomic.make_folder(root / "tables")
    rows = []
    for one in found.compared:
        inner = one.internal
        inside = (None, None, None) if inner is None else (inner.value, *(inner.interval or (None, None)))
        rows.append(
            [one.name, one.here.value, *(one.here.interval or (None, None)), one.here.n, one.here.unit, *inside, one.sentence]
        )
    columns = ["score", "value", "low", "high", "n", "unit", "training_value", "training_low", "training_high", "comparison"]
    table.write_rows(columns, rows, folder / "scores.csv")
    cells = []
    head: tuple[str, ...] = ()
    for case in found.cases:
        for what, places in (("true", case.truth), ("called", case.called)):
            head, made = places.rows()
            cells += [[case.identifier, what, *row[: len(_plain(head))]] for row in made]
    table.write_rows(["case", "what", *_plain(head)], cells, folder / "places.csv")
    warned = [[c.identifier, text] for c in found.cases for text in c.warnings]
    table.write_rows(["case", "unlike_training"], warned, folder / "unlike_training.csv")
    table.write_rows(["case", "reason"], [list(pair) for pair in found.aside], folder / "set_aside.csv")


def _plain(head: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(h for h in head if h not in ("probability", "spread_mm"))


def _loss(case: PlacedCase, names: tuple[str, ...]) -> tuple[float, str]:
    """Return how bad a case is, and what happened in it."""
    if case.truth.kind == "points":
        errors = landmark_errors([case.found], [case.truth], names)[0]
        if not np.isfinite(errors).any():
            return 0.0, "no landmark in the truth"
        k = int(np.nanargmax(errors))
        return float(errors[k]), f"{names[k]} {errors[k]:.3g} {case.truth.geometry.unit} off"
    hits = judged_findings(case.called, case.truth, "").hits > 0
    missed, false = int((~hits.any(axis=0)).sum()), int((~hits.any(axis=1)).sum())
    return missed + 0.5 * false, f"{len(case.truth) - missed} of {len(case.truth)} objects called, {false} false alarms"


def place_validation_report(package: Package, found: PlaceValidation) -> Report:
    """Return the report of a validation, its worst ten cases in pictures.

    Parameters
    ----------
    package, found
        The model, and what its validation gave.
    """
    name = package.manifest["name"]
    unlike = [c for c in found.cases if c.warnings]
    worse = [c for c in found.compared if c.sentence.startswith("differs")]
    notices = []
    if worse:
        shown = ", ".join(place_score_words(c.name) for c in worse)
        notices.append(Notice(f"Here it does not do as in its training: {shown}.", "warning"))
    if unlike:
        notices.append(Notice(f"{len(unlike)} of {len(found.cases)} cases are unlike those of its training.", "warning"))
    if found.aside:
        notices.append(Notice(f"{len(found.aside)} cases could not be judged; the reasons stand below.", "warning"))
    rows = tuple((place_score_words(c.name), spread(c.here), _shown(c.internal), c.sentence) for c in found.compared)
    numbers = tuple(
        KeyNumber(
            place_score_words(n),
            float(f"{found.scores[n].value:.3g}"),
            "" if found.scores[n].unit == "1" else found.scores[n].unit,
        )
        for n in _KEY
        if n in found.scores
    )
    sections = [
        Section("Scores", (Table(("Score", "Here", "In training", "Together"), rows, "Beside what was proved in training"),)),
        Section("The worst cases", _worst(package, found)),
    ]
    if unlike:
        texts = tuple((c.identifier, text) for c in unlike[:20] for text in c.warnings)
        sections.append(
            Section("Unlike the training", (Table(("Case", "In which way"), texts, "All stand in tables/unlike_training.csv"),))
        )
    if found.aside:
        sections.append(Section("Set aside", (Table(("Case", "Reason"), found.aside),)))
    return Report(
        title=f"External validation of {name}",
        pseudonym=f"{len(found.cases)} cases",
        summary=(
            f"Model '{name}' ({package.digest[:19]}\u2026) on {len(found.cases)} cases that are none of the "
            f"{package.manifest['training']['cases']} it was made from.",
        ),
        numbers=numbers,
        notices=tuple(notices),
        sections=tuple(sections),
        footer=Footer((f"isocenter {__version__}", f"Package {package.digest}")),
    )


def _shown(score: Score | None) -> str:
    return "\u2013" if score is None else spread(score)


def _worst(package: Package, found: PlaceValidation) -> tuple[Figure, ...]:
    losses = [_loss(c, package.classes) for c in found.cases]
    order = sorted(range(len(losses)), key=lambda k: (-losses[k][0], found.cases[k].identifier))[:_WORST]
    figures = []
    for k in order:
        case, text = found.cases[k], losses[k][1]
        boxes = case.truth.kind == "boxes"
        words = (
            tuple(f"{s:.2f}" for s in case.called.scores)
            if boxes and case.called.scores is not None
            else ("",) * len(case.called)
        )
        marks = [
            Marks(case.truth.samples, ("",) * len(case.truth) if boxes else case.truth.names, "true", TRUE),
            Marks(case.called.samples, words, "found", FOUND),
        ]
        figures.append(Figure(marked(case.image, marks, case.identifier), f"{case.identifier}: {text}"))
    return tuple(figures)
