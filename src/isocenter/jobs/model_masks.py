"""Tables and report of the external validation of a segmenter."""

from __future__ import annotations

from pathlib import Path

from isocenter.core.results import Score
from isocenter.io import table
from isocenter.jobs.learn_blocks import subgroup_section
from isocenter.jobs.learn_masks_report import outlines
from isocenter.jobs.learn_masks_words import mask_words
from isocenter.jobs.model_validation import beside_training, validation_page, write_scores
from isocenter.jobs.predicted_masks import write_predicted
from isocenter.learn.masks.judge import FIRST
from isocenter.learn.package.model import Package
from isocenter.learn.package.validate_masks import MaskValidation
from isocenter.view.report import Figure, KeyNumber, Report, Section

__all__ = ["mask_validation_report", "write_mask_tables"]

_KEY = ("dice", "hausdorff_95", "assd", "surface_dice", "lesion_sensitivity", "lesion_precision")
_WORST = 10


def write_mask_tables(root: Path, found: MaskValidation) -> None:
    """Write scores beside those of the training, scores and predicted outlines of every case, and who was set aside.

    Parameters
    ----------
    root
        Folder of the results.
    found
        What the validation gave.
    """
    folder = write_scores(root, found)
    files = write_predicted(root, ((c.identifier, c.predicted) for c in found.cases))
    cells = [
        [c.identifier, name, *(scores[n].value for n in FIRST), " ".join(c.warnings), files[c.identifier]]
        for c in found.cases
        for name, scores in c.rows.items()
    ]
    table.write_rows(["case", "class", *FIRST, "unlike_training", "predicted"], cells, folder / "cases.csv")


def mask_validation_report(package: Package, found: MaskValidation) -> Report:
    """Return the report of a validation.

    Parameters
    ----------
    package, found
        The model, and what its validation gave.
    """
    caption = "On this cohort, means with intervals over patients, beside what was proved in training"
    sections = [
        Section("Scores", (beside_training(found, mask_words, _shown, caption),)),
        *subgroup_section(found, "dice", mask_words("dice")),
        Section("The worst cases", _worst(found)),
    ]
    numbers = [_number(n, found.scores[n]) for n in _KEY]
    return validation_page(package, found, mask_words, numbers, sections, "cases.csv")


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
