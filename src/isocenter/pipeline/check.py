"""Checks of a pipeline document: every problem at once, each with its line, misspelt names with what they may mean."""

from __future__ import annotations

import re
from typing import Any

from isocenter.core.registry import Registry
from isocenter.core.study import SLOT_NAME
from isocenter.pipeline import check_steps
from isocenter.pipeline.checker import Checker, kind_of
from isocenter.pipeline.document import BAD, Document
from isocenter.pipeline.model import Input, Pipeline

__all__ = ["pipeline"]

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_TOP = ("name", "title", "description", "applies", "inputs", "report", "steps")
_FILES = ("input", "output", "in", "out", "path", "paths", "file", "files", "folder")
_APPLIES = ("modality", "dims", "body_part", "content", "quantity", "priority")
_INPUT = ("kind", "modality", "quantity", "dims", "optional", "title", "mpp", "tile", "halo", "within")
#: What a view of a whole slide may say -> lowest and highest value, in words.
_VIEW = {
    "mpp": (0.01, 1000.0, "micrometres per sample, 0.01 to 1000"),
    "tile": (64, 8192, "samples along a side of a tile, 64 to 8192"),
    "halo": (0, 1024, "samples around a tile, 0 to 1024"),
}
_KINDS = ("image", "labels", "transform", "raw", "signal", "features")
_REPORT = (
    "title", "columns", "figures", "notes", "references", "window", "image", "labels", "key", "meshes", "count", "compare",
    "reasons", "considered", "stability",
)  # fmt: skip
_DIMS = re.compile(r"t?c?z?y?x?")
_MOST_STEPS = 500


def pipeline(document: Document, problems: list[tuple[int, str]], registry: Registry | None = None) -> Pipeline | None:
    """Return the pipeline that a document holds and add every problem to `problems`; None where there is none."""
    check = Checker(document, problems, registry)

    def hint(key: str) -> str:
        return " A pipeline names no files: give them on the command line." if key.lower() in _FILES else ""

    top = check.mapping(document.value, (), "a pipeline", _TOP, hint)
    if not isinstance(document.value, dict):
        return None
    for key in ("name", "steps"):
        if key not in document.value:
            check.problem((), f"a pipeline without '{key}': expected 'name' and 'steps'")
    expected = "lower-case words joined by hyphens, such as ct-lung"
    inputs = _inputs(check, top.get("inputs"))
    return Pipeline(
        name=check.text(top["name"], ("name",), "'name'", _NAME, expected, 64) if "name" in top else "",
        steps=check_steps.steps(check, top["steps"], inputs, _MOST_STEPS) if "steps" in top else (),
        title=check.text(top["title"], ("title",), "'title'", most=200) if "title" in top else "",
        description=check.text(top["description"], ("description",), "'description'") if "description" in top else "",
        applies=_applies(check, top["applies"]) if "applies" in top else {},
        inputs=inputs,
        report=_report(check, top["report"]) if "report" in top else {},
        source=document.source,
    )


def _inputs(check: Checker, value: Any) -> dict[str, Input]:
    if value is None or value is BAD:
        return {}
    if not isinstance(value, dict):
        check.problem(("inputs",), f"'inputs' is {kind_of(value)}: expected slot names, each with what it must be")
        return {}
    found = {}
    for name, content in value.items():
        path = ("inputs", name)
        if not SLOT_NAME.fullmatch(name):
            check.problem(path, f"slot {name[:60]!r}: expected a lower-case letter, then letters, digits and '_'")
            continue
        held = check.mapping({} if content is None else content, path, f"input '{name}'", _INPUT)
        fields: dict[str, Any] = {}
        for key in ("modality", "quantity"):
            if key in held:
                fields[key] = check.texts(held[key], (*path, key), f"'{key}' of input '{name}'")
        if "dims" in held:
            fields["dims"] = check.texts(held["dims"], (*path, "dims"), f"'dims' of input '{name}'", _DIMS, "axes such as zyx")
        if "kind" in held:
            pattern = re.compile("|".join(_KINDS))
            fields["kind"] = (
                check.text(held["kind"], (*path, "kind"), f"'kind' of input '{name}'", pattern, "one of " + ", ".join(_KINDS))
                or "image"
            )
        if "optional" in held:
            fields["optional"] = check.flag(held["optional"], (*path, "optional"), f"'optional' of input '{name}'")
        if "title" in held:
            fields["title"] = check.text(held["title"], (*path, "title"), f"'title' of input '{name}'", most=200)
        fields |= _view(check, held, path, name)
        found[name] = Input(name, **fields)
    return found


def _view(check: Checker, held: dict[str, Any], path: tuple[Any, ...], name: str) -> dict[str, Any]:
    """Return how an input is cut out of a whole slide."""
    found: dict[str, Any] = {}
    for key, (low, high, words) in _VIEW.items():
        value = held.get(key)
        if value is None or value is BAD:
            continue
        kinds = int if key != "mpp" else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
            check.problem((*path, key), f"'{key}' of input '{name}' is {kind_of(value)}: expected {words}")
        else:
            found[key] = float(value) if key == "mpp" else value
    if "within" in held:
        found["within"] = check.text(
            held["within"], (*path, "within"), f"'within' of input '{name}'", SLOT_NAME, "the name of a slot"
        )
    if found and "mpp" not in found:
        check.problem(path, f"input '{name}' has {', '.join(found)} without 'mpp': expected micrometres per sample")
    return found


def _applies(check: Checker, value: Any) -> dict[str, Any]:
    held = check.mapping(value, ("applies",), "'applies'", _APPLIES)
    found: dict[str, Any] = {}
    for key, content in held.items():
        path = ("applies", key)
        if key == "priority":
            if isinstance(content, bool) or not isinstance(content, int):
                check.problem(path, f"'priority' is {kind_of(content)}: expected a whole number")
            else:
                found[key] = content
        elif key == "dims":
            found[key] = list(check.texts(content, path, "'dims'", _DIMS, "axes such as zyx"))
        else:
            found[key] = list(check.texts(content, path, f"'{key}'"))
    return found


def _report(check: Checker, value: Any) -> dict[str, Any]:
    held = check.mapping(value, ("report",), "'report'", _REPORT)
    found: dict[str, Any] = {}
    for key, content in held.items():
        path = ("report", key)
        if key == "title":
            found[key] = check.text(content, path, "'title'", most=200)
        elif key == "image":
            found[key] = check.text(content, path, "'image' of the report", SLOT_NAME, "the name of a slot")
        elif key == "window" and isinstance(content, list):
            numbers = [v for v in content if isinstance(v, int | float) and not isinstance(v, bool)]
            if len(content) != 2 or len(numbers) != 2 or not numbers[0] < numbers[1]:
                check.problem(path, "'window' of the report: expected its lowest and highest value, or the name of a window")
            found[key] = content
        elif key == "window":
            found[key] = check.text(content, path, "'window'", most=60)
        elif key == "stability":
            if not isinstance(content, int) or isinstance(content, bool) or not 2 <= content <= 1000:
                check.problem(path, "'stability' of the report: expected how often each region is measured again, 2 to 1000")
            found[key] = content
        else:
            most = 600 if key in ("reasons", "considered", "notes") else 200
            found[key] = list(check.texts(content, path, f"'{key}' of the report", most=most))
    return found
