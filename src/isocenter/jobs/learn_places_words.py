"""What a learning run of boxes or points says in words: findings, methods, a table for a paper, and checklists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isocenter._version import __version__
from isocenter.jobs.learn_start import start_methods
from isocenter.jobs.learn_words import cohort_answers, fill_checklist, latex_table
from isocenter.learn.train.scale import steps
from isocenter.learn.train.settings import OPTIMIZERS

__all__ = ["first_scores", "place_score_words", "places_checklist", "places_findings", "places_latex", "places_methods", "spread"]

_FIRST = {
    "landmarks": ("median_error", "mean_error_of_found", "percentile_95_error", "mean_error_in_samples", "within_4"),
    "detection": (
        "sensitivity_at_1", "cpm", "average_precision", "sensitivity_called", "false_positives_called", "overlap_of_hits",
    ),
}  # fmt: skip
_TITLES = {
    "cpm": "mean sensitivity from 1/8 to 8 false positives an image",
    "mean_error_of_found": "mean error",
    "percentile_95_error": "95th percentile of the error",
    "sensitivity_called": "sensitivity at the operating point",
    "false_positives_called": "false positives an image at the operating point",
    "overlap_of_hits": "overlap (IoU) of hits",
}
_MODELS = {
    "mean place": "every landmark at its mean place of the training fold, relative to the image",
    "template match": "the mean surroundings of every landmark in the training fold, matched by normalised correlation within three standard "
    "deviations of its mean place",
    "landmark net": "a U-Net that gives one heat map a landmark, whose centre of mass is the position",
    "blob detector": "maxima of the Laplacian of Gaussian at the 10th, 50th and 90th percentile of the objects' sizes in the training fold, bright or "
    "dark by which finds more there, scored by the response",
    "detection net": "a one-stage detector without anchors on a feature pyramid",
}


def first_scores(found: Any) -> list[str]:
    """Return the names of the scores that stand first."""
    return [n for n in _FIRST[found.cohort.task] if n in found.proof.scores]


def place_score_words(name: str) -> str:
    """Return a score's name as a reader knows it."""
    if name.startswith("sensitivity_at_"):
        return f"sensitivity at {name.removeprefix('sensitivity_at_')} false positives an image"
    if name.startswith("within_"):
        return f"share within {name.removeprefix('within_')}"
    return _TITLES.get(name, name.replace("_", " "))


def spread(score: Any, digits: int = 3) -> str:
    """Return a score with its interval."""
    unit = "" if score.unit == "1" else f" {score.unit}"
    if score.interval is None:
        return f"{score.value:.{digits}g}{unit}"
    return f"{score.value:.{digits}g}{unit} ({score.interval[0]:.{digits}g} to {score.interval[1]:.{digits}g})"


def places_findings(found: Any) -> tuple[str, ...]:
    """Return what a study of places found, the most important first.

    Parameters
    ----------
    found
        The study.
    """
    name, cohort = found.score_name, found.cohort
    patients, score = len(set(cohort.groups.tolist())), found.proof.scores[found.score_name]
    what = f"{score.n} landmarks" if cohort.task == "landmarks" else f"{score.n} objects"
    lines = [
        f"{len(cohort)} cases of {patients} patients with {what}; {place_score_words(name)} of the {found.primary} on cases that it never "
        f"saw: {spread(score)} (95 % interval)."
    ]
    lines += [d.sentence(f"The {found.primary}", f"the {other}") for other, d in found.differences.items()]
    if cohort.task == "detection":
        lines.append(_called(found))
    if found.away is not None:
        who, proof = found.away
        lines.append(f"At sites that it was not trained on the {who} reached {spread(proof.scores[name])}.")
    lines += [note for note in found.notes if note.startswith("Sites were held out")]
    if patients < 100:
        lines.append(
            f"{patients} patients are few: the interval above is what they can show, and cases of other sites or devices may do worse."
        )
    if found.aside:
        lines.append(f"{len(found.aside)} cases were set aside; the scores say nothing of them.")
    return tuple(lines)


def _called(found: Any) -> str:
    scores = found.proof.scores
    return (
        f"At the operating point chosen inside the folds {spread(scores['sensitivity_called'])} of the objects were called, with "
        f"{spread(scores['false_positives_called'])} false alarms an image."
    )


def places_methods(found: Any) -> str:
    """Return a methods paragraph for a paper.

    Parameters
    ----------
    found
        The study.
    """
    cohort, folds = found.cohort, len(found.splits.folds)
    patients = len(set(cohort.groups.tolist()))
    points = cohort.task == "landmarks"
    what = (
        f"{len(found.names)} landmarks ({', '.join(found.names[:12])})" if points else f"objects of {', '.join(found.names[:12])}"
    )
    others = "; ".join(f"{n}: {_MODELS[n]}" for n in found.proofs if n != found.primary)
    text = (
        f"{len(cohort)} cases of {patients} patients were used to find {what}. Patients were divided into {folds} folds, sites spread as "
        f"evenly as whole patients allow (seed {found.splits.seed}); no patient stood in two parts. Before training, the cohort was scanned "
        f"for duplicates and shared patients. The {found.primary} ({_MODELS[found.primary]}) was named as the model to report before any "
        f"score was seen; beside it stood, in the same folds, {others or 'no other'}. "
    )
    if points:
        text += "The error of a landmark is the distance to its true position; a landmark that the truth does not have counts nowhere. "
    else:
        text += (
            "A candidate hits an object of its class whose box holds the candidate's middle and overlaps it by a tenth or more (IoU); an object "
            "counts once, for its surest candidate. Probabilities of candidates were calibrated (logistic) and the operating point (most objects "
            "with at most one false alarm an image) was chosen inside each fold. "
        )
    if "network" in found.plan:
        settings, plan = found.plan["settings"], found.plan
        text += (
            f"The network was trained {'from random weights ' if found.start is None else ''}on images of {' x '.join(map(str, plan['size']))} samples at a spacing of "
            f"{' x '.join(f'{s:.3g}' for s in plan['spacing'])}, {settings['epochs']} epochs in batches of {plan['batch']} ({OPTIMIZERS[settings['optimizer']]}, cosine "
            f"schedule; images turned, scaled and {_changed(plan)} by chance, places moved along); a sixth of the patients of each training "
            f"fold chose the best epoch.{start_methods(found)} "
        )
    text += (
        "Scores are of held-out cases; intervals are bootstrap percentile intervals over patients, widened by the factor "
        f"{(1 + folds / (folds - 1)) ** 0.5:.2f} for the overlap of training sets (Nadeau and Bengio, 2003)."
    )
    if found.away is not None:
        text += (
            f" The {found.away[0]} was also tested on each of {len(found.site_splits.folds)} sites after training on the others."
        )
    return text + f" Software: isocenter {__version__}."


def _changed(plan: Mapping[str, Any]) -> str:
    """Return what is done to the values of training images, and how all are shown where they are measurements."""
    quantity = plan.get("quantity")
    return "changed in brightness" if quantity is None else f"made noisier (all shown on one scale: {steps(quantity)})"


def places_latex(found: Any) -> str:
    """Return the first scores of all models as a LaTeX table.

    Parameters
    ----------
    found
        The study.
    """
    names = first_scores(found)
    rows = [
        (finder, *(spread(proof.scores[n]).replace("%", r"\%") if n in proof.scores else "" for n in names))
        for finder, proof in found.proofs.items()
    ]
    return latex_table([place_score_words(n) for n in names], rows)


def places_checklist(found: Any) -> tuple[tuple[str, str, str], ...]:
    """Return what the run knows of the field's checklists.

    Parameters
    ----------
    found
        The study.
    """
    cohort = found.cohort
    answers = cohort_answers(len(cohort), cohort.groups.tolist(), cohort.sites.tolist(), found)
    counts = {n: sum(t.names.count(n) for t in found.truth) for n in found.names}
    answers["outcome"] = "; ".join(f"{name}: {count}" for name, count in list(counts.items())[:12])
    answers["size"] = places_findings(found)[0]
    answers["missing"] = (
        "a landmark without a row counts nowhere" if cohort.task == "landmarks" else "an image without rows has no object"
    )
    answers["model"] = f"{found.primary}: {_MODELS[found.primary]}"
    answers["baselines"] = ", ".join(n for n in found.proofs if n != found.primary) or "none beside the primary"
    answers["calibration"] = "logistic, inside the folds" if cohort.task == "detection" else "does not apply to positions"
    return fill_checklist(answers)
