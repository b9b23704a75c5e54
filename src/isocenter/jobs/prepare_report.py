"""The report of a preparation: before and after side by side, the measures of both, every step with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from isocenter._version import __version__
from isocenter.core.image import Image
from isocenter.core.results import Scores
from isocenter.core.study import Study
from isocenter.jobs.analyses import Analysis
from isocenter.jobs.findings import Findings
from isocenter.jobs.prepare_outputs import pair_of, picture_of
from isocenter.jobs.report import acquisition_section, identity_sections, methods_section
from isocenter.pipeline.run import Outcome
from isocenter.view import histogram
from isocenter.view.report import Figure, Footer, KeyNumber, Notice, Paragraph, Report, Section, Table

__all__ = ["measure_rows", "prepare_report"]

_MEANING = {
    "sigma": "noise, standard deviation",
    "sigma_dark": "noise in dark parts",
    "sigma_bright": "noise in bright parts",
    "contrast": "contrast: bright less dark part",
    "sharpness": "sharpness, 0 to 1",
    "bias": "unevenness of brightness",
    "stripes_rows": "stripes along rows, of the contrast",
    "stripes_columns": "stripes along columns, of the contrast",
    "rings": "rings, of the contrast",
    "ringing": "ringing beside borders, of the contrast",
    "clipped": "samples cut off at the top",
    "rim": "empty rim, samples",
}


def measure_rows(study: Study) -> list[tuple[str, float, float | None, str]]:
    """Return (measure, before, after, unit) of everything measured before, and after where there is an after."""
    rows: list[tuple[str, float, float | None, str]] = []
    for slot, value in study.slots.items():
        if not slot.endswith("_before") or not isinstance(value, Scores):
            continue
        after = study.slots.get(slot.removesuffix("_before") + "_after")
        for name, score in value.items():
            later = float(after[name]) if isinstance(after, Scores) and name in after else None
            rows.append((_MEANING.get(name, name), float(score), later, score.unit))
    first = {words: (one, two) for words, one, two, _ in rows}
    noise, contrast = first.get(_MEANING["sigma"]), first.get(_MEANING["contrast"])
    if noise and contrast and noise[0] > 0:
        later = contrast[1] / noise[1] if contrast[1] is not None and noise[1] else None
        rows.append(("contrast to noise", contrast[0] / noise[0], later, "1"))
    return rows


def prepare_report(
    analysis: Analysis, outcome: Outcome, findings: Findings, notes: Sequence[str], identity: Mapping[str, Any] | None
) -> Report:
    """Return the report of a preparation; parameters as of `isocenter.jobs.report.case_report`."""
    study, hints = outcome.study, analysis.pipeline.report
    before, after = pair_of(analysis.pipeline, study)
    rows = measure_rows(study)
    picture = picture_of(before, after)
    reasons, considered = tuple(hints.get("reasons", ())), tuple(hints.get("considered", ()))
    sections = [
        *identity_sections(identity),
        Section(
            "What was done, and why",
            _steps(reasons, "Nothing: the measures ask for no step, and the samples are those that were read."),
        ),
        Section("What was considered and not done", _steps(considered, "Nothing else.")),
        Section("Measures before and after", _measures(rows, after is not before)),
    ]
    if isinstance(before, Image):
        shown = (
            {"before": before, "after": after}
            if after is not before and after.quantity == before.quantity
            else {"as read": before}
        )
        sections.append(Section("How often each value occurs", (Figure(histogram.histogram(shown), "Histogram."),)))
        sections.append(acquisition_section(analysis, before))
    sections.append(methods_section(analysis, outcome))
    return Report(
        title=findings.title,
        pseudonym=analysis.case.pseudonym,
        summary=(_summary(reasons), *hints.get("notes", ())),
        numbers=_numbers(rows),
        notices=tuple(Notice(text, "warning") for text in (*findings.notes, *notes)),
        picture=None
        if picture is None
        else Figure(picture, "Before and after." if after is not before else "As read; nothing was done."),
        sections=tuple(sections),
        footer=Footer(
            (
                f"isocenter {__version__}. Specification {analysis.pipeline.digest[:23]}\u2026; prepare.yaml runs it again: isocenter run INPUT --study prepare.yaml",
                "lineage.json ties every file to its samples, steps and versions; check with: isocenter verify",
            )
        ),
    )


def _summary(reasons: tuple[str, ...]) -> str:
    if not reasons:
        return "No step was needed."
    names = ", then ".join(text.partition(":")[0] for text in reasons)
    return f"{len(reasons)} {'step' if len(reasons) == 1 else 'steps'}: {names}."


def _steps(sentences: tuple[str, ...], none: str) -> tuple[Any, ...]:
    if not sentences:
        return (Paragraph(none),)
    rows = []
    for text in sentences:
        name, _, rest = text.partition(": ")
        why, _, measured = rest.rpartition(" Measured: ")
        rows.append((name, measured.rstrip("."), why))
    return (Table(("operation", "measured", "reason"), tuple(rows)),)


def _measures(rows: list[tuple[str, float, float | None, str]], changed: bool) -> tuple[Any, ...]:
    if not rows:
        return (Paragraph("Nothing was measured."),)
    if not changed:
        return (Table(("measure", "value", "unit"), tuple((words, one, unit) for words, one, _, unit in rows)),)
    return (Table(("measure", "before", "after", "unit"), tuple(rows)),)


def _numbers(rows: list[tuple[str, float, float | None, str]]) -> tuple[KeyNumber, ...]:
    found = []
    for words in (_MEANING["sigma"], "contrast to noise", _MEANING["bias"]):
        row = next((r for r in rows if r[0] == words), None)
        if row is not None:
            unit = "" if row[3] == "1" else row[3]
            now = row[1] if row[2] is None else row[2]
            found.append(KeyNumber(words, float(f"{now:.3g}"), unit, "as read" if row[2] is None else f"before: {row[1]:.3g}"))
    return tuple(found)
