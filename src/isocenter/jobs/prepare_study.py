"""The pipeline that prepares one input: measures, the proposed chain, the same measures again."""

from __future__ import annotations

from typing import Any

from isocenter.core.image import Image
from isocenter.core.signal import Signal
from isocenter.jobs.prepare_measures import Measures, calibrated
from isocenter.jobs.prepare_rules import Proposal
from isocenter.jobs.words import describe_modality
from isocenter.pipeline import yaml

__all__ = ["PREPARED", "signal_study", "study_of"]

#: Slot of the prepared image.
PREPARED = "prepared"

_MEASURES = (
    ("evaluate.noise", "noise"),
    ("evaluate.contrast", "contrast"),
    ("evaluate.sharpness", "sharpness"),
    ("evaluate.bias", "bias"),
    ("evaluate.artifacts", "artifacts"),
)


def study_of(image: Image, measures: Measures, proposal: Proposal) -> str:
    """Return the pipeline of a proposal as YAML, which ``isocenter run --study`` takes."""
    wanted = [pair for pair in _MEASURES if _fits(pair[1], measures)]
    steps: list[dict[str, Any]] = [{"op": op, "from": "image", "to": f"{name}_before"} for op, name in wanted]
    last = "image"
    for k, step in enumerate(proposal.steps):
        slot = PREPARED if k == len(proposal.steps) - 1 else f"after_{step.op.rpartition('.')[2]}"
        row: dict[str, Any] = {"op": step.op, "from": last, "to": slot}
        if step.parameters:
            row["with"] = dict(step.parameters)
        steps.append(row)
        last = slot
    if proposal.steps:
        steps += [{"op": op, "from": PREPARED, "to": f"{name}_after"} for op, name in wanted]
    return yaml.dump(_document(describe_modality(image.modality), proposal, steps, _meaning(image)))


def _fits(name: str, measures: Measures) -> bool:
    if measures.holes:
        return name == "noise"
    if name == "artifacts":
        return bool(measures.artifacts)
    return {"bias": measures.bias, "sharpness": measures.sharpness}.get(name, 0.0) is not None


def _meaning(image: Image) -> str:
    if calibrated(image.quantity):
        return f"Values are {image.quantity}: measure the image as read; the prepared one is for looking at and for segmentation."
    return "The prepared image is for looking at and for segmentation; features are measured on the image as read unless a study says otherwise."


def _document(what: str, proposal: Proposal, steps: list[dict[str, Any]], meaning: str) -> dict[str, Any]:
    taken = [step.sentence for step in proposal.steps]
    left = [one.sentence for one in proposal.considered]
    return {
        "name": "prepare",
        "title": f"Prepared: {what}",
        "description": f"Measures, the steps they ask for, and the same measures again. {meaning}",
        "report": {"compare": ["image", PREPARED], "reasons": taken, "considered": left, "notes": [meaning]},
        "steps": steps,
    }


def signal_study(signal: Signal, proposal: Proposal) -> str:
    """Return the pipeline of a proposal for a signal as YAML."""
    steps = []
    last = "signal"
    for k, step in enumerate(proposal.steps):
        slot = PREPARED if k == len(proposal.steps) - 1 else f"after_{step.op.rpartition('.')[2]}"
        steps.append({"op": step.op, "from": last, "to": slot, **({"with": dict(step.parameters)} if step.parameters else {})})
        last = slot
    what = f"signal of {len(signal.channels)} channels"
    document = _document(what, proposal, steps, "The signal as read stays beside the prepared one.")
    document["report"]["compare"] = ["signal", PREPARED]
    document["inputs"] = {"signal": {"kind": "signal"}}
    return yaml.dump(document)
