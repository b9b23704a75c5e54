"""Learning from tables of boxes or points: the study, its tables, its package, and where everything is written."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import astuple, fields, replace
from pathlib import Path
from typing import Any

from isocenter.jobs.learn_places_report import places_report, worst_places
from isocenter.jobs.learn_places_words import places_latex, places_methods
from isocenter.jobs.learn_results import Learned, Made, Results, write_results
from isocenter.jobs.learn_rows import comparisons, splits_and_findings, subgroup_tables
from isocenter.jobs.learn_start import start_of
from isocenter.jobs.place_rows import place_rows
from isocenter.learn.places.outcome import outcome_of
from isocenter.learn.places.places import Places

__all__ = ["DEFAULT_MINUTES", "learn_places", "places_package", "places_tables"]

#: For all networks of a run together, on the nominal machine.
DEFAULT_MINUTES = 10.0


def learn_places(cohort: Any, out: Path, options: Any, started: float, progress: Any) -> Learned:
    """Learn to find objects or landmarks; what `isocenter.jobs.learn.learn` does for a cohort of tables of places.

    Parameters
    ----------
    cohort
        For detection or landmarks.
    out
        Folder for the results.
    options
        What the user chose (`LearnOptions`).
    started
        When the run began, as `time.monotonic` tells it.
    progress
        Told what is done.
    """
    from isocenter.learn.study_places import FINDERS, PlaceOptions, study_places

    minutes, notes = _minutes(options.minutes)
    cohort = replace(cohort, notes=(*cohort.notes, *notes))
    start = start_of(options, cohort, FINDERS[cohort.task][-1])
    cohort = cohort if start is None else start.turned(cohort)
    chosen = PlaceOptions(options.folds, options.seed, minutes, options.primary, options.accept_leak, start)
    found = study_places(cohort, chosen, progress)
    if progress is not None:
        progress("writing", 0, 1)
    results = Results.of(
        found,
        options,
        tables=places_tables(found),
        latex=places_latex(found),
        methods=places_methods(found),
        package=places_package,
        report=places_report,
    )
    return write_results(results, out, started)


def _minutes(asked: float | None) -> tuple[float, tuple[str, ...]]:
    if asked is not None:
        return asked, ()
    if any(importlib.util.find_spec(name) is None for name in ("torch", "monai")):
        return 0.0, ('No network was trained, as none is installed: pip install "isocenter[deep]" adds one to the comparison.',)
    return DEFAULT_MINUTES, ()


def places_tables(found: Any) -> list[Made]:
    """Return every table of a study of places.

    Parameters
    ----------
    found
        The study.
    """
    worst = [(case, loss, text) for case, loss, text, _ in worst_places(found)]
    made: list[Made] = [
        (
            "scores.csv",
            "scores with intervals",
            ("model", "of", "score", "value", "low_95", "high_95", "unit", "n"),
            _scores(found),
        ),
        _cases(found),
        _predictions(found),
        comparisons(found),
        *splits_and_findings(found),
        ("worst_cases.csv", "the ten worst held-out cases", ("case", "loss", "what"), worst),
        *subgroup_tables(found),
    ]
    history = getattr(found.final.finder, "history", None)
    if history is not None:
        curves = history.columns()
        rows = [tuple(None if v != v else v for v in row) for row in zip(*curves.values(), strict=True)]  # NaN: not validated
        made.append(("training.csv", "curves of the training of the final model", tuple(curves), rows))
    return made


def _scores(found: Any) -> list[tuple[Any, ...]]:
    groups = list(found.proofs.items())
    if found.away is not None:
        groups.append((f"{found.away[0]}, sites held out", found.away[1]))
    return [
        (finder, of, name, s.value, *(s.interval or (None, None)), s.unit, s.n)
        for finder, proof in groups
        for of, scores in {"all": proof.scores, **proof.by_name}.items()
        for name, s in scores.items()
    ]


def _predictions(found: Any) -> Made:
    """Return every held-out place of the primary, and the true ones."""
    rows: list[tuple[Any, ...]] = []
    columns: tuple[str, ...] = ()
    for case, k, places in _tested(found):
        columns, made = place_rows(found.cohort, k, *places)
        rows += [(*case, *row) for row in made]
    return "predictions.csv", "held-out places beside the true ones", ("case", "patient", "fold", *columns), rows


def _cases(found: Any) -> Made:
    """Return what became of every held-out case."""
    became = [(case, outcome_of(*places, found.names)) for case, _, places in _tested(found)]
    head = ("case", "patient", "fold", *(f.name for f in fields(became[0][1])))
    return "cases.csv", "what became of every held-out case", head, [(*case, *astuple(one)) for case, one in became]


def _tested(found: Any) -> Iterator[tuple[tuple[str, str, int], int, tuple[Places, Places, Places]]]:
    """Return of every tested case who it is, its number, and what is there, found and called by the primary."""
    samples, proof = found.cohort.samples, found.proof
    for j, k in enumerate(proof.tested):
        case = (samples[k].identifier, samples[k].patient, int(proof.fold[j]) + 1)
        yield case, int(k), (found.truth[k], proof.found[j], proof.called[j])


def places_package(found: Any, path: Path) -> Path:
    """Write the model of a study of places as a package; its scores are those of the folds.

    Parameters
    ----------
    found
        The study.
    path
        The file.
    """
    from isocenter.jobs.learn_origin import accepted_leak, origin
    from isocenter.learn.package.fingerprint import case_digest, fingerprint_of, image_facts
    from isocenter.learn.package.reading import write_package

    images = [found.cohort.image(k) for k in range(len(found.cohort))]
    write_package(
        path,
        found.final,
        **origin(found, [case_digest(image) for image in images]),
        fingerprint=fingerprint_of([image_facts(image) for image in images]),
        plan=found.plan,
        unit=images[0].geometry.unit,
        limits=accepted_leak(found),
    )
    return path
