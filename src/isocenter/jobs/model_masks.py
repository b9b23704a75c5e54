"""Tables and report of the external validation of a segmenter."""

from __future__ import annotations

from pathlib import Path

from isocenter._version import __version__
from isocenter.core.results import Score
from isocenter.io import atomic, table
from isocenter.jobs.learn_masks_report import outlines
from isocenter.jobs.learn_masks_words import mask_words
from isocenter.learn.masks.judge import FIRST
from isocenter.learn.package.model import Package
from isocenter.learn.package.validate_masks import MaskValidation
from isocenter.view.report import Figure, Footer, KeyNumber, Notice, Report, Section, Table

__all__ = ["mask_validation_report", "write_mask_tables"]

_KEY = ("dice", "hausdorff_95", "assd", "surface_dice", "lesion_sensitivity", "lesion_precision")
_WORST = 10


def write_mask_tables(root: Path, package: Package, found: MaskValidation) -> None:
    """Write scores beside those of the training, scores of every case, and who was set aside.

    Parameters
    ----------
    root
        Folder of the results.
    package, found
        The model, and what its validation gave.
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
    cells = [
        [c.identifier, name, *(scores[n].value for n in FIRST), " ".join(c.warnings)]
        for c in found.cases
        for name, scores in c.rows.items()
    ]
    table.write_rows(["case", "class", *FIRST, "unlike_training"], cells, folder / "cases.csv")
    table.write_rows(["case", "reason"], [list(pair) for pair in found.aside], folder / "set_aside.csv")


def mask_validation_report(package: Package, found: MaskValidation) -> Report:
    """Return the report of a validation.

    Parameters
    ----------
    package, found
        The model, and what its validation gave.
    """
    name = package.manifest["name"]
    unlike = [c for c in found.cases if c.warnings]
    differs = [c for c in found.compared if c.sentence.startswith("differs")]
    notices = []
    if differs:
        shown = ", ".join(mask_words(c.name) for c in differs)
        notices.append(Notice(f"Here it does not do as in its training: {shown}.", "warning"))
    if unlike:
        notices.append(Notice(f"{len(unlike)} of {len(found.cases)} cases are unlike those of its training.", "warning"))
    if found.aside:
        notices.append(Notice(f"{len(found.aside)} cases could not be judged; the reasons stand below.", "warning"))
    numbers = [_number(n, found.scores[n]) for n in _KEY]
    rows = tuple(
        (mask_words(c.name), _shown(c.here), "\u2013" if c.internal is None else _shown(c.internal), c.sentence)
        for c in found.compared
    )
    caption = "On this cohort, means with intervals over patients, beside what was proved in training"
    sections = [
        Section("Scores", (Table(("Score", "Here", "In training", "Together"), rows, caption),)),
        Section("The worst cases", _worst(found)),
    ]
    if unlike:
        ways = tuple((c.identifier, text) for c in unlike[:20] for text in c.warnings)
        words = "All stand in tables/cases.csv"
        sections.append(Section("Unlike the training", (Table(("Case", "In which way"), ways, words),)))
    if found.aside:
        sections.append(Section("Set aside", (Table(("Case", "Reason"), found.aside),)))
    return Report(
        title=f"External validation of {name}",
        pseudonym=f"{len(found.cases)} cases",
        summary=(
            f"Model '{name}' ({package.digest[:19]}\u2026) on {len(found.cases)} cases that are none of the "
            f"{package.manifest['training']['cases']} it was made from.",
        ),
        numbers=tuple(numbers),
        notices=tuple(notices),
        sections=tuple(sections),
        footer=Footer((f"isocenter {__version__}", f"Package {package.digest}")),
    )


def _number(name: str, score: Score) -> KeyNumber:
    between = "" if score.interval is None else f"95 % interval {score.interval[0]:.3g} to {score.interval[1]:.3g}, "
    unit = "" if score.unit == "1" else score.unit
    return KeyNumber(mask_words(name), float(f"{score.value:.3g}"), unit, f"{between}n = {score.n}")


def _shown(score: Score) -> str:
    between = "" if score.interval is None else f" ({score.interval[0]:.3g} to {score.interval[1]:.3g})"
    return f"{score.value:.3g}{'' if score.unit == '1' else ' ' + score.unit}{between}"


def _worst(found: MaskValidation) -> tuple[Figure, ...]:
    figures = []
    for case in sorted(found.cases, key=lambda c: (c.dice, c.identifier))[:_WORST]:
        words = f"{case.identifier}: Dice {case.dice:.3f}"
        figures.append(Figure(outlines(case.image, case.truth, case.predicted, words), f"{words}; true and predicted."))
    return tuple(figures)
