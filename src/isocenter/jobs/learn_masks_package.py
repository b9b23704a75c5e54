"""The segmenter that a learning run leaves behind: one model of all cases, made as it was proved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from isocenter.jobs.learn_masks_words import NAMES
from isocenter.jobs.learn_origin import accepted_leak, origin
from isocenter.learn.package.fingerprint import case_digest, fingerprint_of, image_facts
from isocenter.learn.package.pixels import PixelSegmenter
from isocenter.learn.package.reading import write_package

__all__ = ["package_of_masks"]


def package_of_masks(found: Any, path: Path) -> Path:
    """Write the model of a study of masks as a package.

    One model of all cases, not the networks of the folds together: each of those was planned on its own fold, and five of them would
    take five times as long on every new image. Its scores are those of the folds, since there is no case left to judge it by.

    Parameters
    ----------
    found
        The study.
    path
        The file.
    """
    cases = found.cases
    limits = [*found.size.sentences, *accepted_leak(found)]
    beaten = [name for name, d in found.differences.items() if not d.better]
    if beaten:
        limits.append(f"It was not shown to be better than the {' and the '.join(NAMES[n] for n in beaten)} of the same study.")
    write_package(
        path,
        _model(found),
        **origin(found, [case_digest(image) for image in cases.images]),
        fingerprint=fingerprint_of([image_facts(image) for image in cases.images]),
        plan=_plan(found),
        limits=limits,
    )
    return path


def _model(found: Any) -> Any:
    if found.primary != "network":
        return PixelSegmenter(found.final)
    from isocenter.learn.package.networks import NetworkSegmenter

    return NetworkSegmenter(found.final)


def _plan(found: Any) -> dict[str, Any]:
    if found.primary != "network":
        return {"learner": "pixels", "threshold": found.final.threshold}
    plan: dict[str, Any] = found.final.plan.to_dict()
    return plan
