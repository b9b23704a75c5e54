"""Tables and report of the external validation of a model of places."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from isocenter.io import table
from isocenter.jobs.learn_blocks import subgroup_section
from isocenter.jobs.learn_places_words import place_score_words, spread
from isocenter.jobs.model_validation import beside_training, validation_page, write_scores
from isocenter.jobs.place_rows import case_columns, case_row, place_rows
from isocenter.jobs.places import beside_truth
from isocenter.learn.data.cohort import Cohort
from isocenter.learn.package.model import Package
from isocenter.learn.package.validate_places import PlacedCase, PlaceValidation
from isocenter.learn.places.model import judged_findings
from isocenter.learn.places.scores import landmark_errors
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
    whole = [[c.identifier, *case_row(c.truth, c.found, c.called, names)] for c in found.cases]
    table.write_rows(["case", *case_columns(found.cases[0].truth.kind)], whole, folder / "cases.csv")
    warned = [[c.identifier, text] for c in found.cases for text in c.warnings]
    table.write_rows(["case", "unlike_training"], warned, folder / "unlike_training.csv")


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
    losses = [_loss(c, package.classes) for c in found.cases]
    order = sorted(range(len(losses)), key=lambda k: (-losses[k][0], found.cases[k].identifier))[:_WORST]
    figures = []
    for k in order:
        case, text = found.cases[k], losses[k][1]
        picture = beside_truth(case.image, case.truth, case.called, case.identifier, "found")
        figures.append(Figure(picture, f"{case.identifier}: {text}"))
    return tuple(figures)
