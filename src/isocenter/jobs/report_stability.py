"""The stability of radiomics in the report of a case, where the study asks for it: ``report: {stability: 10}``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from isocenter.core.errors import ContentError, IsocenterError
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack
from isocenter.jobs.stability import few_regions, stability_of, stability_sections
from isocenter.ops.features.radiomics import Radiomics
from isocenter.pipeline.run import Outcome
from isocenter.view.report import Paragraph, Section

__all__ = ["case_stability"]

#: Standard deviation in mm of a redrawn contour.
_CONTOUR = 1.0


def case_stability(hints: Mapping[str, Any], outcome: Outcome) -> list[Section]:
    """Return how stable each feature of every radiomics step of a case is, nothing where the study does not ask.

    Parameters
    ----------
    hints
        The study's ``report``; ``stability`` says how often each region is measured again, 2 or more.
    outcome
        What came out.
    """
    count = int(hints.get("stability", 0))
    if not count or outcome.plan is None:
        return []
    found: list[Section] = []
    for step in outcome.plan.steps:
        if not isinstance(step.operation, Radiomics):
            continue
        image, labels = (outcome.study.slots.get(name or "") for name in step.inputs[:2])
        if not isinstance(image, Image) or not isinstance(labels, LabelMap | MaskStack):
            continue
        try:
            if "t" in image.dims or "c" in image.dims or not image.geometry.is_orthogonal:
                raise ContentError(f"Stability of '{step.to}' is of one image on a straight grid: it was not measured.")
            result = stability_of(image, labels, step.operation, perturbations=count, contour=_CONTOUR, seed=outcome.seed)
        except IsocenterError as error:  # a region too small to turn, for instance: the report says so and goes on
            found.append(Section(f"Stability of {step.to}", (Paragraph(str(error)),)))
            continue
        table, method = stability_sections(result, _CONTOUR)
        words = ", ".join(f"{number} {name}" for name, number in result.counts.items() if number)
        notes = [Paragraph(f"{words}, of {len(result.rows)} features.")]
        notes += [Paragraph(text) for text in (few_regions(result),) if text]
        notes += [Paragraph(f"{name} was left out: {reason}") for name, reason in result.set_aside]
        found.append(replace(table, title=f"Stability of {step.to}", blocks=(*notes, *table.blocks, *method.blocks)))
    return found
