"""The files of an explanation: maps as NIfTI and DICOM, pictures, tables; and what each says in words for the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, GridMismatchError, InputError
from isocenter.core.image import Image
from isocenter.io import atomic, door, table
from isocenter.jobs.explain_truth import Judged, outline
from isocenter.jobs.outputs import Outputs
from isocenter.learn.explain.company import Company
from isocenter.learn.explain.package_case import Explained
from isocenter.learn.explain.permutation import Importance
from isocenter.learn.explain.sanity import SanityCheck
from isocenter.learn.explain.table_case import ExplainedRows, sentence_of_shares
from isocenter.learn.package.model import Package
from isocenter.view.attribution import attribution_picture
from isocenter.view.bars import feature_bars
from isocenter.view.report import Figure, KeyNumber, Section

__all__ = ["Piece", "map_piece", "nearest_piece", "shares_piece", "worth_piece", "write_map"]

METHODS = {
    "grad_cam": "Grad-CAM",
    "grad_cam_plus_plus": "Grad-CAM++",
    "integrated_gradients": "Integrated gradients",
    "occlusion": "Occlusion",
    "shap": "Shapley values",
}
_SCORES = {
    "pointing_game": "largest value lies in the mask",
    "share_inside": "share of the positive attribution in the mask",
    "area_share": "share of the image that is marked (what a map without any idea has inside)",
    "overlap_at_area": "overlap of the mask with as many of the largest values (Dice)",
}


@dataclass(frozen=True)
class Piece:
    """One part of an explanation, for the screen, the report and programs.

    Attributes
    ----------
    lines
        What was found.
    warnings
        What speaks against it.
    numbers, figure, sections
        For the report.
    facts
        Plain values for JSON.
    """

    lines: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    numbers: tuple[KeyNumber, ...] = ()
    figure: Figure | None = None
    sections: tuple[Section, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def write_map(outputs: Outputs, found: Image, image: Image, identity: Mapping[str, Any], name: str, description: str) -> None:
    """Write a map as NIfTI, and beside a DICOM source as a DICOM parametric map that refers to it.

    Parameters
    ----------
    outputs
        Where to; what could not be written is noted there.
    found
        On the grid of the image.
    image
        What was explained.
    identity
        Of its DICOM series; empty where it came from another format.
    name
        Of the files.
    description
        For archives.
    """
    path = outputs.path(f"maps/{name}.nii.gz", "", "attribution")
    try:
        door.write(found, path)
    except InputError as error:
        outputs.drop(path, f"The map was not written as NIfTI: {error}")
    if not identity:
        return
    from isocenter.io.dicom.write_parametric_map import write_parametric_map

    path = outputs.path(f"dicom/{name}.dcm", "", "DICOM parametric map")
    try:
        write_parametric_map(found, identity, path, grid=image.geometry, description=description)
    except (ContentError, GridMismatchError) as error:
        outputs.drop(path, f"No DICOM parametric map: {error}")


def map_piece(
    package: Package,
    found: Explained,
    image: Image,
    identity: Mapping[str, Any],
    truth: Judged | None,
    outputs: Outputs,
    notes: Sequence[str],
) -> Piece:
    """Write a map with its picture and its table, and return what it says."""
    title = f"{METHODS[found.method]}: {found.target}"
    write_map(outputs, found.map, image, identity, "attribution", title)
    warnings = list(found.warnings)
    scores = None if truth is None else truth.scores
    png = attribution_picture(image, found.map, outline(found, image, None if truth is None else truth.mask), title=title)
    atomic.write_bytes(outputs.path("explanation.png", "", "picture"), png)
    said = "" if found.probability is None else f", probability {found.probability:.3g}"
    unit = "" if package.manifest["unit"] == "1" else str(package.manifest["unit"])
    said += "" if found.value is None else f", {found.value:.4g} {unit}".rstrip()
    lines = [f"{METHODS[found.method]} of '{found.target}'{said}: {found.meaning}."]
    numbers = (
        [] if found.probability is None else [KeyNumber("probability", float(f"{found.probability:.3g}"), note=found.target)]
    )
    if found.value is not None:
        numbers.append(KeyNumber("predicted", float(f"{found.value:.4g}"), unit))
    rows: list[tuple[str, Any, str]] = [] if found.value is None else [("predicted", found.value, "that the package gives")]
    if found.probability is not None:
        rows.append(
            (
                "probability",
                found.probability,
                "that the package gives the class" if found.found is None else "that the candidate is an object",
            )
        )
    checked_rows, line, numbers_of = _checked(found.sanity, "map")
    rows += checked_rows
    numbers += numbers_of
    lines += [line] if line and line not in warnings else []
    for name, words in _SCORES.items():
        if scores is not None and name in scores:
            rows.append((name, float(scores[name]), words))
    if truth is not None and scores is not None:
        hit = "lies" if float(scores["pointing_game"]) else "does not lie"
        lines.append(
            f"The largest value {hit} in {truth.words}; {100 * float(scores['share_inside']):.0f} % of the positive attribution is inside, where "
            f"{100 * float(scores['area_share']):.1f} % of the image is marked; overlap at the mask's area "
            f"{float(scores['overlap_at_area']):.2f}."
        )
        numbers += [KeyNumber(n.replace("_", " "), float(f"{float(scores[n]):.3g}")) for n in ("share_inside", "overlap_at_area")]
    table.write_rows(["name", "value", "meaning"], [list(r) for r in rows], outputs.path("tables/explanation.csv", "", "table"))
    facts = {"target": found.target, **{name: float(value) for name, value, _ in rows}}
    caption = f"Image and map ({found.meaning})."
    return Piece(tuple(lines), (*notes, *warnings), tuple(numbers), Figure(png, caption, title), (), facts)


def _checked(sanity: SanityCheck | None, what: str) -> tuple[list[tuple[str, Any, str]], str, list[KeyNumber]]:
    """Return rows, a sentence and a key number of a sanity check."""
    if sanity is None:
        return [], "", []
    shares = what == "shares"
    kind = "rank correlation, below 0 counted as 0," if shares else "absolute rank correlation"
    words = f"mean {kind} of the {what} with those of {len(sanity.draws)} random models"
    depends = "they depend on what was learnt" if shares else "it depends on what was learnt"
    rows = [
        ("sanity_correlation", sanity.value, words),
        ("sanity_bound", sanity.bound, "largest one that passes"),
        ("sanity_passed", float(sanity.passed), f"1: {depends}"),
    ]
    sentence = sentence_of_shares(sanity) if shares else sanity.sentence
    sentence = f"Sanity check passed: {sentence}" if sanity.passed else sentence
    number = KeyNumber(
        "sanity: correlation with random", float(f"{sanity.value:.2g}"), note="passed" if sanity.passed else "FAILED"
    )
    return rows, sentence, [number]


def shares_piece(
    package: Package, found: ExplainedRows, cases: Sequence[str], rows: npt.ArrayLike, outputs: Outputs, notes: Sequence[str]
) -> Piece:
    """Write the shares of every case with a picture of the first, or of the mean sizes, and return what they say."""
    values = found.shares.values
    said = found.shares.base + values.sum(axis=1)
    of_images = package.model.source == "image"
    given = None if of_images else np.asarray(rows)[:, [package.model.names.index(n) for n in found.names]]
    lines_of: list[list[Any]] = []
    for k, case in enumerate(cases):
        for j, name in enumerate(found.names):
            value = None if given is None or not np.isfinite(given[k, j]) else float(given[k, j])
            lines_of.append(
                [case, name, value, float(values[k, j]), float(found.shares.error[k, j]), found.shares.base, float(said[k])]
            )
    head = ["case", "feature", "value", "share", "standard_error", "base", "prediction"]
    table.write_rows(head, lines_of, outputs.path("tables/shap.csv", "", "table"))
    single = len(cases) == 1
    size = values[0] if single else np.abs(values).mean(axis=0)
    order = np.argsort(-np.abs(size), kind="stable")
    bars = [
        (found.names[j] if given is None or not single else f"{found.names[j]} = {given[0, j]:.4g}", float(size[j]), None, None)
        for j in order
    ]
    what = f"probability of '{found.target}'" if package.classes else f"number ({found.target})"
    across = f"share of the {what}" if single else f"mean size of the share of the {what}"
    title = f"Shapley values of {cases[0]}" if single else f"Shapley values, mean size over {len(cases)} cases"
    png = feature_bars(bars, title, across, signed=single)
    atomic.write_bytes(outputs.path("explanation.png", "", "picture"), png)
    strongest = ", ".join(
        f"{found.names[j]} ({size[j]:+.3g})" if single else f"{found.names[j]} ({size[j]:.3g})" for j in order[:3]
    )
    lines = [
        f"Shapley values of {len(cases)} {'case' if single else 'cases'} for the {what}: the mean of the background is "
        f"{found.shares.base:.3g} ({found.background}); strongest: {strongest}."
    ]
    checked, line, numbers = _checked(found.sanity, "shares")
    lines += [line] if line and found.sanity is not None and found.sanity.passed else []
    if single:
        numbers = [
            KeyNumber(what, float(f"{said[0]:.3g}")),
            KeyNumber("of the background", float(f"{found.shares.base:.3g}")),
            *numbers,
        ]
    if checked:
        table.write_rows(
            ["name", "value", "meaning"], [list(r) for r in checked], outputs.path("tables/explanation.csv", "", "table")
        )
    figure = Figure(png, f"{title}: they add up to what the model says beyond the mean of the background.", title)
    facts = {"target": found.target, "base": found.shares.base, **{n: float(v) for n, v, _ in checked}}
    return Piece(tuple(lines), (*notes, *found.warnings), tuple(numbers), figure, (), facts)


def worth_piece(found: Sequence[Importance], left_out: int, reason: str, outputs: Outputs) -> Piece:
    """Write what features are worth with a picture, and return what it says."""
    if not found:
        return Piece((), (reason,))
    rows = [[one.name, one.score.value, *(one.score.interval or (None, None)), one.score.n, int(one.shown)] for one in found]
    table.write_rows(
        ["feature", "rise_of_loss", "low", "high", "n", "shown"], rows, outputs.path("tables/importance.csv", "", "table")
    )
    bars = [(one.name, one.score.value, *(one.score.interval or (None, None))) for one in found]
    png = feature_bars(
        bars, "Permutation importance, new cases", "rise of the loss when the feature is another patient's", signed=False
    )
    atomic.write_bytes(outputs.path("importance.png", "", "picture"), png)
    shown = [one.name for one in found if one.shown]
    words = f"worth something beyond chance: {', '.join(shown[:5])}" if shown else "no feature is shown to be worth anything"
    lines = [f"Permutation importance on {found[0].score.n} cases that the model was not made from: {words}."]
    warnings = (
        [f"{left_out} cases of the cohort are those the model was made from; they were left out of the importance."]
        if left_out
        else []
    )
    section = Section("What the features are worth", (Figure(png, "Intervals over patients; one that reaches 0 shows nothing."),))
    return Piece(
        tuple(lines), tuple(warnings), (), None, (section,), {"importance": {one.name: one.score.value for one in found}}
    )


def nearest_piece(found: Sequence[Company], outputs: Outputs) -> Piece:
    """Write the nearest cases and return what they say."""
    rows = [
        [one.found.case, rank, near.case, near.label, near.distance, int(one.of_training)]
        for one in found
        for rank, near in enumerate(one.found.neighbours, start=1)
    ]
    head = ["case", "rank", "nearest", "label", "distance", "of_training"]
    table.write_rows(head, rows, outputs.path("tables/nearest.csv", "", "table"))
    lines = [
        one.found.sentence if one.of_training else one.found.sentence.replace("training cases", "cases of the cohort")
        for one in found
    ]
    warnings = dict.fromkeys(text for one in found for text in one.warnings)
    facts = {"nearest": {one.found.case: [n.case for n in one.found.neighbours] for one in found}}
    return Piece(tuple(lines), tuple(warnings), facts=facts)
