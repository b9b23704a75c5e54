"""The report of a study of masks: how well structures were outlined, what speaks against it, and the worst cases in pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from isocenter.core.labels import LabelMap, Segment
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
from isocenter.jobs.learn_masks_tables import worst_masks
from isocenter.jobs.learn_masks_words import MODELS, NAMES, mask_checklist, mask_findings, mask_methods, mask_words
from isocenter.learn.masks.judge import FIRST
from isocenter.view import curves
from isocenter.view.montage import montage
from isocenter.view.report import Figure, Notice, Paragraph, Report, Section, Table

__all__ = ["mask_report", "outlines"]

_KEY = ("dice", "jaccard", "hausdorff_95", "assd", "surface_dice", "lesion_sensitivity", "lesion_precision")
_TRUE, _PREDICTED = (64, 220, 96), (255, 72, 72)


def mask_report(found: Any, package: str) -> Report:
    """Compose the report of a study.

    Parameters
    ----------
    found
        The study.
    package
        Name of the package's file.
    """
    scores = found.proof.scores
    numbers = [score_number(mask_words(name), scores[name]) for name in _KEY]
    if found.away is not None:
        numbers.append(score_number(f"Dice at sites held out ({NAMES[found.away.name]})", found.away.scores["dice"]))
    sections = [
        Section("Models", _models(found)),
        Section("The worst held-out cases", _worst(found)),
        Section("Leakage scan", leakage_blocks(found)),
        *subgroup_section(found, "dice", "Dice"),
        *_growth(found),
        Section("Every held-out case", (_cases(found),)),
        Section("Cohort", _cohort(found)),
        Section("Methods", (Paragraph(mask_methods(found)), Paragraph(_use(found, package)))),
    ]  # fmt: skip
    return learn_page(
        found,
        "Learning to outline",
        lines=mask_findings(found),
        numbers=numbers,
        notices=_notices(found),
        picture=None,
        sections=sections,
        checklist=mask_checklist(found),
    )


def _notices(found: Any) -> list[Notice]:
    notices = []
    beaten = [name for name, d in found.differences.items() if not d.better]
    if "atlas" in beaten:
        text = (
            f"The {NAMES[found.primary]} does not beat the mean mask beyond its interval: it was not shown to look at the image."
        )
        notices.append(Notice(text, "problem"))
    elif beaten:
        text = f"The {NAMES[found.primary]} does not beat the {' and the '.join(NAMES[n] for n in beaten)} beyond the interval: the simpler model would do."
        notices.append(Notice(text, "warning"))
    if found.primary != "network":
        notices += [Notice(note, "info") for note in found.notes if note.startswith("No network was trained")]
    return notices


def _models(found: Any) -> tuple[Any, ...]:
    rows = []
    for model, proof in found.proofs.items():
        cells = [with_interval(proof.scores[n]) for n in _KEY]
        rows.append((NAMES[model] + (" (named beforehand)" if model == found.primary else ""), MODELS[model], *cells))
    units = [found.proof.scores[n].unit for n in _KEY]
    heads = [mask_words(n) + ("" if u == "1" else f" [{u}]") for n, u in zip(_KEY, units, strict=True)]
    every = tuple(
        (mask_words(n), s.value, s.unit, None if s.interval is None else f"{s.interval[0]:.4g} to {s.interval[1]:.4g}", s.n)
        for n, s in found.proof.scores.items()
    )
    blocks: list[Any] = [
        Table(("Model", "What it is", *heads), tuple(rows), "Held-out cases in the same folds; 95 % intervals over patients"),
        Table(("Against", "Difference in mean Dice", "95 % interval", "p", "n"), difference_rows(found.differences, NAMES.__getitem__), f"The {NAMES[found.primary]} less each baseline, paired by patient"),
        Table(("Score", "Value", "Unit", "95 % interval", "n"), every, f"All scores of the {NAMES[found.primary]}"),
    ]  # fmt: skip
    if found.away is not None:
        scores = found.away.scores
        away = tuple((mask_words(n), with_interval(scores[n]), scores[n].unit, scores[n].n) for n in _KEY)
        words = f"The {NAMES[found.away.name]} at sites that it was not trained on"
        blocks.append(Table(("Score", "Value", "Unit", "n"), away, words))
    return tuple(blocks)


def outlines(image: Any, truth: LabelMap, predicted: LabelMap, title: str) -> bytes:
    """Return a picture of an image with the true and the predicted outline of all classes together.

    Parameters
    ----------
    image
        What to show.
    truth, predicted
        Labels on its grid.
    title
        Above it.
    """
    layers = {}
    for name, labels, color in (("true", truth, _TRUE), ("predicted", predicted, _PREDICTED)):
        mask = (np.asarray(labels.array) > 0).astype(np.uint8)
        layers[name] = LabelMap(mask, labels.dims, image.geometry, (Segment(1, name, color=color),))
    return montage(image, layers, title=title)


def _worst(found: Any) -> tuple[Any, ...]:
    proof, cases = found.proof, found.cases
    blocks: list[Any] = []
    for j in worst_masks(found):
        k = int(proof.tested[j])
        words = f"{found.cohort.samples[k].identifier}: Dice {proof.dice[j]:.3f}"
        blocks.append(
            Figure(outlines(cases.images[k], cases.masks[k], proof.predicted[j], words), f"{words}; true and predicted.")
        )
    return tuple(blocks)


def _growth(found: Any) -> list[Section]:
    if len(found.curve) < 2:
        return []
    points = [(n, s["dice"].value, *(s["dice"].interval or (s["dice"].value, s["dice"].value))) for n, s in found.curve]
    words = "The sample classifier on growing shares of the training patients; the band is the 95 % interval."
    return [Section("Learning curve", (Figure(curves.learning(points, "Dice"), words),))]


def _cases(found: Any) -> Table:
    proof, samples = found.proof, found.cohort.samples
    rows = tuple(
        (samples[int(k)].identifier, name, int(proof.fold[j]) + 1, *(scores[n].value for n in FIRST))
        for j, k in enumerate(proof.tested)
        for name, scores in proof.rows[j].items()
    )
    return Table(("Case", "Class", "Fold", *(mask_words(n) for n in FIRST)), rows, f"Scores of the {NAMES[found.primary]}")


def _cohort(found: Any) -> tuple[Any, ...]:
    shown = [(f"masks that show {s.name}", sum(s.value in m.present for m in found.cases.masks)) for s in found.segments]
    return case_blocks(found, [*case_counts(found), *shown], (*found.notes, *found.size.sentences))


def _use(found: Any, package: str) -> str:
    return (
        f"Model of all cases: {package}. Use it: isocenter run NEW --model {package}; prove it after an upgrade: isocenter model test "
        f"{package}; judge it on another cohort: isocenter model validate {package} --on COHORT. It is one {NAMES[found.primary]} of all cases, "
        "made as those of the folds were; its scores are theirs, since no case is left to judge it by."
    )
