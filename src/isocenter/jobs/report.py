"""Compose the report of a case from its results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from isocenter._version import __version__
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.core.points import Mesh
from isocenter.core.results import Features, Scores
from isocenter.core.study import Study
from isocenter.jobs.analyses import Analysis
from isocenter.jobs.findings import Findings, picture_labels
from isocenter.jobs.places import place_sections
from isocenter.jobs.predictions import prediction_sections
from isocenter.jobs.report_stability import case_stability
from isocenter.jobs.windows import window_of
from isocenter.jobs.words import listed
from isocenter.pipeline.run import Outcome
from isocenter.view import histogram, montage, scene
from isocenter.view.report import (
    Figure,
    Footer,
    KeyNumber,
    KeyValues,
    Lineage,
    LineageStep,
    Notice,
    Paragraph,
    Report,
    Section,
    Table,
)
from isocenter.view.tables import feature_table, score_table
from isocenter.view.windows import Window

__all__ = ["acquisition_section", "case_report", "identity_sections", "methods_section"]

_IDENTITY = (
    ("PatientName", "Patient"),
    ("PatientID", "Patient ID"),
    ("PatientBirthDate", "Born"),
    ("PatientSex", "Sex"),
    ("AccessionNumber", "Accession number"),
    ("StudyDate", "Study date"),
)


def case_report(
    analysis: Analysis,
    outcome: Outcome,
    findings: Findings,
    meshes: Mapping[str, Sequence[Mesh]],
    notes: Sequence[str],
    identity: Mapping[str, Any] | None,
) -> Report:
    """Return the report of a case.

    Parameters
    ----------
    analysis
        What was asked.
    outcome
        What came out.
    findings
        The numbers and flags of the first screen.
    meshes
        Surfaces per label slot, for the 3D picture.
    notes
        What could not be written, one sentence each.
    identity
        The person's identity where the user asked for it (``--identify``); None shows the pseudonym alone.
    """
    study = outcome.study
    image: Image = study[findings.image_slot]
    window = window_of(analysis.pipeline.report.get("window"), analysis.case.items, findings.image_slot, image)
    picture = _first_picture(study, image, findings, window)
    predicted = [*prediction_sections(study, analysis.pipeline), *place_sections(study, analysis.pipeline)]
    sections = [
        *identity_sections(identity),
        *predicted,
        acquisition_section(analysis, image),
        *_pictures(study.images, image, meshes, window),
    ]
    if not predicted or any(isinstance(value, Features | Scores) for value in study.slots.values()):
        sections += _measurements(study.slots, findings)
    sections += case_stability(analysis.pipeline.report, outcome)
    sections.append(methods_section(analysis, outcome))
    return Report(
        title=findings.title,
        pseudonym=analysis.case.pseudonym,
        summary=_summary(analysis, image, findings),
        numbers=_numbers(findings),
        notices=tuple(Notice(text, "warning") for text in (*findings.notes, *notes)),
        picture=picture,
        sections=tuple(sections),
        footer=Footer(
            (
                f"isocenter {__version__}. Study {analysis.pipeline.name}, specification {analysis.pipeline.digest[:23]}\u2026",
                "lineage.json ties every number to its pixels, mask, steps and versions; check with: isocenter verify",
            )
        ),
    )


def _first_picture(study: Study, image: Image, findings: Findings, window: Window | str | None) -> Figure:
    """Return the picture of the first screen: the image's planes with its labels, and PET over them where there is one."""
    labels = picture_labels(study, image, findings.label_slots)
    flat = image if "t" not in image.dims else image.at(t=0)
    flat_labels = {
        name: value.at(t=0) if isinstance(value, LabelMap) and "t" in value.dims else value for name, value in labels.items()
    }
    overlay = study.images.get("pet") if findings.image_slot != "pet" else None
    return Figure(
        montage.montage(flat, flat_labels or None, window=window, overlay=overlay),
        montage.caption(flat, flat_labels or None, window=window, overlay=overlay),
    )


def _summary(analysis: Analysis, image: Image, findings: Findings) -> tuple[str, ...]:
    grid = image.geometry
    size = " x ".join(str(n) for n in grid.shape)
    steps = " x ".join(f"{s:.3g}" for s in grid.spacing)
    unit = f"{steps} mm" if grid.unit == "mm" else "no pixel size"
    what = f"{image.modality or 'Image'} of {size} samples, {unit}"
    return (
        f"{what}. Study '{analysis.pipeline.name}' was chosen because {analysis.why}.",
        *[f"{number} {words}." for words, number in findings.counts],
    )


def _numbers(findings: Findings) -> tuple[KeyNumber, ...]:
    """Return the first numbers as large figures; all of them stand in the table below."""
    found: list[KeyNumber] = []
    for words, number in findings.counts:
        found.append(KeyNumber(words, number))
    for k, head in enumerate(findings.key_columns, start=1):
        for row in findings.key_rows[:3]:
            if k < len(row) and row[k] not in ("", "\u2013"):
                value, _, unit = row[k].partition(" ")
                found.append(KeyNumber(f"{row[0]}: {head}", float(value), unit))
    return tuple(found[:6])


def identity_sections(identity: Mapping[str, Any] | None) -> list[Section]:
    """Return who the person is, where the user asked for it."""
    if not identity:
        return []
    items = tuple((words, str(identity[key])) for key, words in _IDENTITY if identity.get(key))
    return [Section("Patient", (KeyValues(items),))] if items else []


def acquisition_section(analysis: Analysis, image: Image) -> Section:
    """Return what was read, in facts."""
    facts: list[tuple[str, Any]] = []
    for item in analysis.case.items:
        where = item.spec.geometry
        size = (
            ""
            if where is None
            else f"{' x '.join(str(n) for n in where.shape)}, {' x '.join(f'{s:.3g}' for s in where.spacing)} {where.unit}"
        )
        facts.append((item.name, f"{item.spec.modality or item.kind} ({item.format}) {size}".strip()))
        for key, value in sorted(item.attributes.items()):
            facts.append((f"{item.name}: {key.replace('_', ' ')}", listed(value)))
    facts.append(("values", image.quantity or "arbitrary units"))
    facts.append(("orientation (array axes run to)", image.geometry.orientation))
    return Section("What was read", (KeyValues(tuple(facts)),))


def _pictures(
    images: Mapping[str, Image], image: Image, meshes: Mapping[str, Sequence[Mesh]], window: Window | str | None
) -> list[Section]:
    blocks: list[Any] = []
    surfaces = [mesh for group in meshes.values() for mesh in group if len(mesh.faces)]
    if surfaces:
        blocks.append(
            Figure(scene.scene(surfaces), "Surfaces of the labels, seen from the front: the patient's right is on the left.")
        )
    shown = {"as read": image}
    for name, other in images.items():
        if (
            other is not image
            and other.geometry.shape == image.geometry.shape
            and other.quantity == image.quantity
            and len(shown) < 2
        ):
            shown[name.replace("_", " ")] = other
    blocks.append(Figure(histogram.histogram(shown), "How often each value occurs."))
    if image.geometry.ndim == 3 and "t" not in image.dims and "c" not in image.dims:
        blocks.append(Figure(montage.axial_grid(image, window=window), "Slices across the volume."))
    return [Section("Pictures", tuple(blocks))]


def _measurements(slots: Mapping[str, Any], findings: Findings) -> list[Section]:
    blocks: list[Any] = []
    if findings.key_rows:
        blocks.append(Table(("region", *findings.key_columns), findings.key_rows, "Key numbers of every region"))
    for name, value in slots.items():
        if isinstance(value, Features) and value.regions:
            few = value
            caption = f"{name.replace('_', ' ')} (tables/{name}.csv)"
            if len(value.regions) > 12:
                few = Features(value.columns, value.rows[:12], value.regions[:12], value.provenance)
                caption += f"; the first 12 of {len(value.regions)} regions"
            blocks.append(feature_table(few, caption=caption))
        elif isinstance(value, Scores):
            blocks.append(score_table(value, caption=name.replace("_", " ")))
    if not blocks:
        blocks.append(Paragraph("Nothing was measured: the study found no region and no mask came along."))
    return [Section("Measurements", tuple(blocks))]


def methods_section(analysis: Analysis, outcome: Outcome) -> Section:
    """Return every step in order, with versions, parameters and flags."""
    steps = []
    for step in outcome.steps:
        value = outcome.study[step.to]
        record = value.provenance.steps[-1]
        parameters = ", ".join(f"{k} = {v}" for k, v in sorted(record.parameters.items()))
        steps.append(LineageStep(f"{step.op} \u2192 {step.to}", record.version, parameters, tuple(record.notes)))
    sources = []
    for item in analysis.case.items:
        value = outcome.study.slots.get(item.name)
        if value is not None:
            sources.append(f"{item.name}: {item.format}, {value.digest[:23]}\u2026")
    return Section(
        "Methods and lineage",
        (
            Paragraph(analysis.pipeline.description or "Steps in order."),
            Lineage(tuple(sources), tuple(steps), "Every step, in order"),
        ),
    )
