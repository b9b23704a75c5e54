"""Bind: which slot of a study serves which input of a pipeline."""

from __future__ import annotations

from collections.abc import Mapping

from isocenter.core.operation import Spec
from isocenter.pipeline.ports import kind_class
from isocenter.pipeline.spec import Input, Pipeline

__all__ = ["bind", "fits"]

_NOUNS = {
    "image": ("Image",),
    "labels": ("LabelMap", "MaskStack"),
    "transform": ("Transform",),
    "raw": ("Raw",),
    "signal": ("Signal",),
    "features": ("Features",),
}


def fits(wanted: Input, spec: Spec) -> str:
    """Return why a slot cannot serve an input, empty where it can."""
    noun = kind_class(spec.kind)
    names = [] if noun is None else [base.__name__ for base in noun.__mro__]
    if not any(name in names for name in _NOUNS[wanted.kind]) or (wanted.kind == "image" and "LabelMap" in names):
        return f"is {spec.kind}, expected {' or '.join(_NOUNS[wanted.kind])}"
    for what, given, accepted in (
        ("modality", spec.modality, wanted.modality),
        ("quantity", spec.quantity, wanted.quantity),
        ("axes", "".join(spec.dims), wanted.dims),
    ):
        if accepted and given not in accepted:
            return f"has {what} {given or 'unknown'}, expected {' or '.join(accepted)}"
    return ""


def bind(pipeline: Pipeline, slots: Mapping[str, Spec], problems: list[str]) -> dict[str, str]:
    """Return input -> slot for the inputs that are named differently in the study, and note what is missing.

    Parameters
    ----------
    pipeline
        Its inputs are looked for by name first; an image that is not there under its name is taken from the only
        image of the study that fits and serves no other input.
    slots
        Slot -> spec of the study.
    problems
        One sentence is added for each input that nothing, or more than one thing, serves.
    """
    found: dict[str, str] = {}
    wanted = pipeline.slots
    for name, one in wanted.items():
        if name in slots:
            reason = fits(one, slots[name])
            if reason:
                problems.append(f"Input '{name}' of {pipeline.name} {reason}: choose another study or name another slot.")
            continue
        free = [s for s, spec in slots.items() if s not in wanted and s not in found.values() and not fits(one, spec)]
        if one.kind == "image" and len(free) == 1:
            found[name] = free[0]
        elif one.kind == "image" and free and not one.optional:
            problems.append(
                f"Input '{name}' of {pipeline.name} could be {' or '.join(free)}: expected one that fits; name the slot '{name}'."
            )
        elif not one.optional:
            what = " ".join([*one.modality, *one.quantity]) or one.kind
            held = ", ".join(f"{s} ({spec.modality or spec.kind})" for s, spec in slots.items()) or "nothing"
            problems.append(
                f"{pipeline.name} needs '{name}' ({what}), but the study has {held}: add it, or choose another study."
            )
    return found
