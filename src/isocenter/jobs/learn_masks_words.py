"""What a study of masks says in words: findings, a methods paragraph, a table for a paper, and the checklists of the field."""

from __future__ import annotations

from typing import Any

from isocenter._version import __version__
from isocenter.jobs.learn_blocks import with_interval
from isocenter.jobs.learn_start import start_methods
from isocenter.jobs.learn_words import cohort_answers, fill_checklist, latex_table, spread_words
from isocenter.learn.masks.judge import FIRST

__all__ = ["MODELS", "NAMES", "mask_checklist", "mask_findings", "mask_latex", "mask_methods", "mask_words"]

#: Model -> what it is, in words.
MODELS = {
    "atlas": "mean mask of the training cases, whatever the image shows",
    "pixels": "forest that classifies each sample by brightness, surroundings and place",
    "network": "U-Net planned from the training cases and the budget",
}
#: Model -> what it is called in a sentence.
NAMES = {"atlas": "mean mask", "pixels": "sample classifier", "network": "network"}
_TITLES = {
    "dice": "Dice",
    "jaccard": "IoU",
    "hausdorff_95": "HD95",
    "assd": "ASSD",
    "surface_dice": "surface Dice",
    "volume_difference": "volume error",
    "relative_volume_difference": "relative volume error",
    "lesion_sensitivity": "sensitivity by object",
    "lesion_precision": "precision by object",
}


def mask_words(name: str) -> str:
    """Return a score's name as a reader knows it; ``dice of liver`` is that of one class."""
    score, of, which = name.partition(" of ")
    return _TITLES.get(score, score.replace("_", " ")) + of + which


def mask_findings(found: Any) -> tuple[str, ...]:
    """Return what a study found, the most important first.

    Parameters
    ----------
    found
        The study.
    """
    cohort = found.cohort
    patients = len(set(cohort.groups.tolist()))
    names = ", ".join(s.name for s in found.segments)
    scores = found.proof.scores
    lines = [
        f"{len(cohort)} cases of {patients} patients; Dice of the {NAMES[found.primary]} for {names} on cases that it never saw: "
        f"{spread_words(scores['dice'])}; HD95 {spread_words(scores['hausdorff_95'], 1)}."
    ]
    lines += [d.sentence(f"The {NAMES[found.primary]}", f"the {NAMES[name]}") for name, d in found.differences.items()]
    if found.away is not None:
        lines.append(
            f"At sites that it was not trained on, the {NAMES[found.away.name]} reaches a Dice of {spread_words(found.away.scores['dice'])}."
        )
    lines += list(found.size.sentences)
    if found.aside:
        lines.append(f"{len(found.aside)} cases were set aside; the scores say nothing of them.")
    return tuple(lines)


def mask_methods(found: Any) -> str:
    """Return a methods paragraph for a paper.

    Parameters
    ----------
    found
        The study.
    """
    cohort, folds = found.cohort, len(found.splits.folds)
    patients = len(set(cohort.groups.tolist()))
    names = ", ".join(s.name for s in found.segments)
    others = " and ".join(f"the {NAMES[n]} ({MODELS[n]})" for n in found.proofs if n != found.primary)
    chosen = any(fold.validation for fold in found.splits.folds)
    text = (
        f"{len(cohort)} cases of {patients} patients were used to learn to outline {names}. Patients were divided into {folds} folds, "
        f"stratified by the labelled share of the image and by site as far as whole patients allow (seed {found.splits.seed}); no patient "
        "stood in two parts. Before training, the cohort was scanned for duplicates and shared patients. The "
        f"{NAMES[found.primary]} ({MODELS[found.primary]}) was named as the model to report before any score was seen; {others} "
        "were proved in the same folds. "
    )
    if chosen:
        text += (
            "Thresholds and the epoch were chosen on about a sixth of the training patients of each fold, set aside for that. "
        )
    if found.primary == "network":
        text += f"The network of all cases: {found.final.plan.describe()} The budget was {found.minutes:g} minutes on a nominal machine "
        text += f"of 60 GFLOP/s for all trainings, {found.seconds:.0f} s each.{start_methods(found)} "
    text += (
        "Each case was scored by itself, and the mean over cases is given; a class that was missed, or found where there is none, counts "
        "with a Dice of 0 and the diagonal of the image as distance. Sensitivity and precision by object pool the connected parts of all "
        "cases; a part counts as found from an overlap (IoU) of 0.1 on. Intervals are bootstrap percentile intervals over patients (2,000 "
        f"resamples), widened by the factor {(1 + folds / (folds - 1)) ** 0.5:.2f} for the overlap of training sets (Nadeau and Bengio, 2003)."
    )
    if found.away is not None:
        text += f" The {NAMES[found.away.name]} was also tested on each of {len(found.site_splits.folds)} sites after training on the others."
    return text + f" Software: isocenter {__version__}."


def mask_latex(found: Any) -> str:
    """Return the scores of all models as a LaTeX table.

    Parameters
    ----------
    found
        The study.
    """
    names = [n for n in FIRST if n in ("dice", "jaccard", "hausdorff_95", "assd", "surface_dice", "relative_volume_difference")]
    rows = [(model, *(with_interval(proof.scores[n]) for n in names)) for model, proof in found.proofs.items()]
    units = {n: next(iter(found.proofs.values())).scores[n].unit for n in names}
    return latex_table([mask_words(n) + ("" if units[n] == "1" else f" [{units[n]}]") for n in names], rows)


def mask_checklist(found: Any) -> tuple[tuple[str, str, str], ...]:
    """Return what the run knows of the field's checklists: (item, where it stands, what the run says or that it is open).

    Parameters
    ----------
    found
        The study.
    """
    cohort = found.cohort
    answers = cohort_answers(len(cohort), cohort.groups.tolist(), cohort.sites.tolist(), found)
    shown = [(s.name, sum(s.value in mask.present for mask in found.cases.masks)) for s in found.segments]
    answers["outcome"] = "; ".join(f"{name}: in {count} of {len(cohort)} masks" for name, count in shown)
    answers["size"] = found.size.sentences[0]
    answers["missing"] = "cases without a readable image and a mask on its grid are set aside"
    answers["model"] = f"{found.primary}: {MODELS[found.primary]}"
    answers["baselines"] = ", ".join(n for n in found.proofs if n != found.primary)
    answers["calibration"] = "not applicable: outlines, no probabilities"
    return fill_checklist(answers)
