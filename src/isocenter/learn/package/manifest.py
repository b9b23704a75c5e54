"""The manifest of a package: which model it is, what it takes and gives, and what it was made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from isocenter._version import __version__
from isocenter.learn.package import places

__all__ = ["FORMAT", "SEGMENTERS", "manifest_of"]

FORMAT = "isocenter model package 1"
#: Kinds of models that label images.
SEGMENTERS = ("segmenter", "pixels")


def manifest_of(
    name: str, description: Mapping[str, Any], model: Any, fingerprint: Mapping[str, Any], training: Mapping[str, Any],
    codes: Mapping[str, Sequence[str]], unit: str, intended_use: str, limits: Sequence[str],
) -> dict[str, Any]:  # fmt: skip
    """Return the manifest of a package.

    Parameters
    ----------
    name
        Of the model.
    description, model
        Plain values of the model, and the model.
    fingerprint
        Range of the training data.
    training
        What is known of how it was made, as plain values of `reading.Training`.
    codes
        Class -> coded concept.
    unit
        Of a number.
    intended_use, limits
        For the card.
    """
    kind = description["kind"]
    task = "segmentation" if kind in SEGMENTERS else "classification" if model.classes else "regression"
    task = "survival" if getattr(model, "baseline", None) is not None else places.KINDS.get(kind, task)
    classes = [{"name": c, "code": list(codes[c]) if c in codes else None} for c in model.classes]
    if kind in SEGMENTERS:
        classes = [s.to_dict() for s in model.trained.segments]
    if kind == "table":
        learners = sorted({m.fitted.recipe.learner for m in model.members})
        words = f"Learner {', '.join(learners)} on {len(model.names)} features, mean of {len(model.members)} fitted models."
    elif kind == "pixels":
        words = "Classifier of samples by brightness, surroundings and place; no network."
    elif kind in places.KINDS:
        words = places.words_of(model)
    else:
        network = model.trained.plan.network if kind == "segmenter" else model.network
        words = f"Network {network}, mean of {len(model.trained.networks)} trainings."
    inputs = {
        "source": description.get("source", "image"),
        "modality": fingerprint.get("modality", []),
        "axes": fingerprint.get("dims", []),
        "spacing": {k: v for k, v in fingerprint.get("spacing", {}).items() if k != "middle"},
        "unit": fingerprint.get("unit", []),
        "quantity": fingerprint.get("quantity", []),
        "features": list(model.names) if description.get("source") == "table" else [],
    }
    return {
        "format": FORMAT,
        "isocenter": __version__,
        "name": name,
        "task": task,
        "model": words,
        "classes": classes,
        "unit": unit,
        "threshold": getattr(model, "threshold", None)
        if (len(classes) == 2 and task == "classification") or task == "detection"
        else None,
        "inputs": inputs,
        "training": {
            **training,
            "sites": list(training["sites"]),
            "digests": sorted(training["digests"]),
            "ancestors": [dict(a) for a in training["ancestors"]],
        },
        "intended_use": intended_use,
        "limits": list(limits),
    }
