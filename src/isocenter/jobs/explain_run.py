"""The explanation beside each prediction of a run: ``isocenter run --model PKG --explain``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isocenter.core import models
from isocenter.core.errors import IsocenterError, WriteError
from isocenter.core.image import Image
from isocenter.core.study import Study
from isocenter.io import atomic
from isocenter.jobs.outputs import Outputs
from isocenter.pipeline.model import Pipeline
from isocenter.view.report import Figure, Notice, Paragraph, Section

__all__ = ["write_explanations"]


def write_explanations(
    outputs: Outputs, study: Study, pipeline: Pipeline, image_slot: str, identity: Mapping[str, Any], seed: int
) -> tuple[Section, ...]:
    """Write the map of every model of a pipeline, and return what it says for the report.

    Parameters
    ----------
    outputs
        Where to.
    study
        The case after its pipeline.
    pipeline
        Its steps name the packages.
    image_slot, identity
        The image that was given, and the identity of its DICOM series (empty where it has none).
    seed
        Of the random weights of the check.
    """
    sections = []
    for step in pipeline.steps:
        if step.op not in ("classify.package", "segment.package", "detect.package"):
            continue
        try:
            sections.append(_one(outputs, study[image_slot], step, identity, seed))
        except WriteError:
            raise  # a disk that fails is no property of the case
        except IsocenterError as error:
            outputs.notes.append(f"No explanation of '{step.to}': {error}")
    return tuple(sections)


def _one(outputs: Outputs, image: Any, step: Any, identity: Mapping[str, Any], seed: int) -> Section:
    from isocenter.core.errors import ContentError
    from isocenter.jobs.explain_outputs import METHODS, write_map
    from isocenter.jobs.explain_truth import outline
    from isocenter.learn.explain.package_case import Asked, default_method, explain_image
    from isocenter.view.attribution import attribution_picture

    if not isinstance(image, Image):
        raise ContentError("The case is no image: expected one.")
    package = models.model(str(step.parameters["package"]), str(step.parameters["sha256"]))
    method = default_method(package, None)
    found = explain_image(package, image, method, Asked(seed=seed))
    title = f"{METHODS[method]}: {found.target}"
    write_map(outputs, found.map, image, identity, f"attribution-{step.to}", title)
    png = attribution_picture(image, found.map, outline(found, image), title=title)
    atomic.write_bytes(outputs.path(f"images/attribution-{step.to}.png", "", "picture"), png)
    words = [Paragraph(f"{found.meaning[0].upper()}{found.meaning[1:]}.")]
    told = [found.sanity.sentence] if found.sanity is not None and found.sanity.passed else []
    words += [Paragraph(text) for text in told]
    notices = [Notice(text.removeprefix("Warning: "), "warning") for text in found.warnings]
    return Section("Where the model looked", (Figure(png, title), *words, *notices))
