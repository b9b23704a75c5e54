"""Tables and report of the external validation of a model of places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any

from isocenter.io import table
from isocenter.jobs.learn_blocks import subgroup_section
from isocenter.jobs.learn_places_words import place_score_words, spread
from isocenter.jobs.model_validation import beside_training, validation_page, write_scores
from isocenter.jobs.place_rows import place_rows
from isocenter.jobs.places import beside_truth
from isocenter.learn.data.cohort import Cohort
from isocenter.learn.package.model import Package
from isocenter.learn.package.validate_places import PlaceValidation
from isocenter.learn.places.outcome import outcome_of
from isocenter.view.report import Figure, KeyNumber, Report, Section

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


def write_place_tables(root: Path, found: PlaceValidation, cohort: Cohort, names: Sequence[str]) -> None:
    """Write scores beside those of the training, every place in samples of the files and in mm, every case, and who was set aside.

    Parameters
    ----------
    root
        Folder of the results.
    found
        What the validation gave.
    cohort
        What it was judged on.
    names
        Of the landmarks.
    """
    folder = write_scores(root, found)
    numbers = {s.identifier: k for k, s in enumerate(cohort.samples)}
    cells: list[list[Any]] = []
    columns: tuple[str, ...] = ()
    for case in found.cases:
        columns, made = place_rows(cohort, numbers[case.identifier], case.truth, case.found, case.called)
        cells += [[case.identifier, *row] for row in made]
    table.write_rows(["case", *columns], cells, folder / "places.csv")
    became = [outcome_of(c.truth, c.found, c.called, names) for c in found.cases]
    whole = [[c.identifier, *astuple(one)] for c, one in zip(found.cases, became, strict=True)]
    table.write_rows(["case", *(f.name for f in fields(became[0]))], whole, folder / "cases.csv")
    warned = [[c.identifier, text] for c in found.cases for text in c.warnings]
    table.write_rows(["case", "unlike_training"], warned, folder / "unlike_training.csv")


def place_validation_report(package: Package, found: PlaceValidation) -> Report:
    """Return the report of a validation, its worst ten cases in pictures.

    Parameters
    ----------
    package, found
        The model, and what its validation gave.
    """
    numbers = tuple(
        KeyNumber(
            place_score_words(n),
            float(f"{found.scores[n].value:.3g}"),
            "" if found.scores[n].unit == "1" else found.scores[n].unit,
        )
        for n in _KEY
        if n in found.scores
    )
    first = "median_error" if "median_error" in found.scores else "sensitivity_at_1"
    sections = [
        Section("Scores", (beside_training(found, place_score_words, spread, "Beside what was proved in training"),)),
        *subgroup_section(found, first, place_score_words(first)),
        Section("The worst cases", _worst(package, found)),
    ]
    return validation_page(package, found, place_score_words, numbers, sections, "unlike_training.csv")


def _worst(package: Package, found: PlaceValidation) -> tuple[Figure, ...]:
    became = [outcome_of(c.truth, c.found, c.called, package.classes) for c in found.cases]
    order = sorted(range(len(became)), key=lambda k: (-became[k].loss, found.cases[k].identifier))[:_WORST]
    figures = []
    for k in order:
        case, text = found.cases[k], became[k]
        picture = beside_truth(case.image, case.truth, case.called, case.identifier, "found")
        figures.append(Figure(picture, f"{case.identifier}: {text}"))
    return tuple(figures)
