"""Checks of a pipeline's steps: operations, parameters, and the slots that lead from one step to the next."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from isocenter.core.errors import IsocenterError, did_you_mean
from isocenter.core.geometry import Geometry
from isocenter.core.operation import Operation, describe_validation
from isocenter.core.registry import Registry
from isocenter.core.study import SLOT_NAME
from isocenter.pipeline.checker import Checker, kind_of
from isocenter.pipeline.document import BAD, Path
from isocenter.pipeline.model import MASK, Input, Step

__all__ = ["MOST_HALO", "steps", "unsafe"]

#: A result that depends on samples further away than this (at 1 mm) is a slip of the keyboard, or an attack.
MOST_HALO = 2048

_KEYS = ("op", "with", "from", "to", "each", "when", "optional", "filtered")
_MEANT = {
    "in": "from", "input": "from", "inputs": "from", "id": "to", "name": "to", "out": "to", "output": "to",
    "params": "with", "parameters": "with", "args": "with", "if": "when", "foreach": "each", "for": "each",
}  # fmt: skip
_OP = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_WHEN = re.compile(r"masks|no-masks|(no-)?slot:[a-z][a-z0-9_]{0,62}")
_WHEN_HELP = "masks, no-masks, slot:NAME or no-slot:NAME"
_UNSAFE = (
    (re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://"), "a URL"),
    (re.compile(r"\$[({A-Za-z_]|%[A-Za-z_]+%|`"), "an environment variable or a command"),
    (re.compile(r"\{\{|\{%|__|\w\s*\("), "an expression"),
    (re.compile(r"^\s*[/~\\]|\\|(^|/)\.\.?(/|$)|^[A-Za-z]:|^file:|/[^/]*\.[A-Za-z0-9]{1,8}$"), "a path"),
    (re.compile(r"[\x00-\x1f\x7f]"), "a control character"),
)


def unsafe(text: str) -> str:
    """Return what a parameter's text must not be and is (``a URL``, ``a path`` ...), else an empty string."""
    return next((what for pattern, what in _UNSAFE if pattern.search(text)), "")


@dataclass
class _Known:
    """The slots that a step may take: name -> index of the step that makes it, -1 for inputs."""

    made: dict[str, int]
    later: dict[str, tuple[int, int]]


def steps(check: Checker, value: Any, inputs: Mapping[str, Input], most: int) -> tuple[Step, ...]:
    """Return the steps of a document and add their problems."""
    if value is BAD:
        return ()
    if not isinstance(value, list):
        check.problem(("steps",), f"'steps' is {kind_of(value)}: expected a list, each entry with 'op'")
        return ()
    if not value:
        check.problem(("steps",), "'steps' is empty: expected at least one step")
    if len(value) > most:
        check.problem(("steps",), f"{len(value)} steps: expected at most {most}")
        return ()
    found = [_step(check, one, ("steps", k)) for k, one in enumerate(value)]
    _connections(check, found, inputs)
    return tuple(step for step in found if step is not None)


def _step(check: Checker, value: Any, path: Path) -> Step | None:
    """Return one step; what was wrong with it is noted and replaced by a default."""
    if value is BAD:
        return None
    if not isinstance(value, dict):
        check.problem(path, f"a step is {kind_of(value)}: expected a mapping with 'op', such as {{op: denoise.median}}")
        return None
    name = value.get("op")
    operation = _class(check, name, path) if "op" in value else None
    parameters = list(operation.model_fields) if operation is not None else []

    def hint(key: str) -> str:
        if key in parameters:
            return f" It is a parameter: write with: {{{key}: ...}}."
        if key.lower() in _MEANT:
            return f" Did you mean '{_MEANT[key.lower()]}'?"
        return " Parameters stand under 'with'." if operation is None and not did_you_mean(key, _KEYS) else ""

    held = check.mapping(value, path, "a step", _KEYS, hint)
    if "op" not in value:
        check.problem(path, "a step without 'op': expected the name of an operation; list them with: isocenter ops")
    given = _parameters(check, held.get("with"), (*path, "with"), operation)
    when = check.text(held["when"], (*path, "when"), "'when'", _WHEN, _WHEN_HELP) if "when" in held else ""
    each = check.text(held["each"], (*path, "each"), "'each'", re.compile("masks"), "masks") if "each" in held else ""
    to = (
        check.text(held["to"], (*path, "to"), "'to'", SLOT_NAME, "a lower-case letter, then letters, digits and '_'")
        if "to" in held
        else ""
    )
    taken = _taken(check, held["from"], (*path, "from"), bool(each)) if "from" in held else ()
    optional = check.flag(held["optional"], (*path, "optional"), "'optional'") if "optional" in held else False
    filtered = check.flag(held["filtered"], (*path, "filtered"), "'filtered'") if "filtered" in held else False
    op = name if isinstance(name, str) else ""
    line = check.document.line(path)
    return Step(op, given, taken, to, each or None, when or None, optional, filtered, line)


def _class(check: Checker, name: Any, path: Path) -> type[Operation] | None:
    """Return the operation of a name, importing its module."""
    path = (*path, "op")
    text = check.text(name, path, "'op'", None, "the name of an operation", 120)
    if not text:
        return None
    if text not in check.registry:
        shown = text if _OP.fullmatch(text) else text[:60]
        check.problem(path, f"no operation '{shown}'.{suggestion(text, check.registry) or ' List them with: isocenter ops'}")
        return None
    try:
        loaded: type[Operation] = check.registry.load(text)
    except IsocenterError as error:
        check.problem(path, str(error))
        return None
    except Exception as error:  # noqa: BLE001  # an extension's module may fail in any way when it is imported
        check.problem(path, f"operation '{text}' could not be loaded ({type(error).__name__}: {error})")
        return None
    return loaded


def suggestion(name: str, registry: Registry) -> str:
    """Return `` Did you mean ...?`` for an operation, by its whole name or by its last part."""
    names = registry.names()
    whole = did_you_mean(name, names)
    if whole:
        return whole
    stems = {one.rsplit(".", 1)[-1]: one for one in names}
    close = re.findall("'([^']+)'", did_you_mean(name.rsplit(".", 1)[-1], stems))
    return " Did you mean " + " or ".join(f"'{stems[stem]}'" for stem in close) + "?" if close else ""


def _parameters(check: Checker, value: Any, path: Path, operation: type[Operation] | None) -> dict[str, Any]:
    """Return a step's parameters after trying them on the operation."""
    if value is BAD or value is None:
        value = {}
    if not isinstance(value, dict):
        check.problem(path, f"'with' is {kind_of(value)}: expected a mapping of parameters")
        return {}
    before = len(check.problems)
    _texts_are_names(check, value, path)
    sound = {k: v for k, v in value.items() if v is not BAD}
    if operation is None or len(check.problems) > before:
        return sound
    try:
        built = operation(**sound)
    except IsocenterError as error:
        _explain(check, error, operation, path)
        return sound
    except TypeError as error:  # a parameter named like a Python keyword argument that is none
        check.problem(path, f"parameters of {operation.name}: {error}")
        return sound
    if _holds_bad(value):
        return sound
    dumped = built.parameters()
    for key, given in sound.items():
        if _coerced(given, dumped.get(key)):
            check.problem(
                (*path, key), f"parameter '{key}' of {operation.name} is {kind_of(given)}: expected {_expected(dumped.get(key))}"
            )
    _reach(check, built, path)
    return sound


def _explain(check: Checker, error: IsocenterError, operation: type[Operation], path: Path) -> None:
    """Note every problem pydantic found, each at the line of its parameter."""
    cause = error.__cause__
    if not isinstance(cause, ValidationError):
        check.problem(path, str(error))
        return
    told = describe_validation(cause, operation.name, list(operation.model_fields))
    for problem, sentence in zip(cause.errors(), told, strict=True):
        check.problem((*path, *problem["loc"]), sentence.rstrip("."))


def _texts_are_names(check: Checker, value: Any, path: Path) -> None:
    """Note every text below `value` that is a URL, a path, an expression or a variable."""
    if isinstance(value, str):
        what = unsafe(value)
        if what:
            check.problem(path, f"{value[:60]!r} is {what}: a pipeline holds names and numbers only")
    elif isinstance(value, dict):
        for key, one in value.items():
            _texts_are_names(check, one, (*path, key))
    elif isinstance(value, list):
        for k, one in enumerate(value):
            _texts_are_names(check, one, (*path, k))


def _holds_bad(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_holds_bad(v) for v in value.values())
    return any(_holds_bad(v) for v in value) if isinstance(value, list) else value is BAD


def _coerced(given: Any, kept: Any) -> bool:
    """Return whether a value was quietly turned into another type (``"1"`` into 1, true into 1)."""
    if isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        return any(_coerced(a, b) for a, b in zip(given, kept, strict=True))
    scalar = str | bool | int | float
    if not isinstance(given, scalar) or not isinstance(kept, scalar):
        return False
    return _sort(given) != _sort(kept)


def _sort(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    return "text" if isinstance(value, str) else "a number"


def _expected(kept: Any) -> str:
    if isinstance(kept, list):
        return "a list of " + ("text" if kept and isinstance(kept[0], str) else "numbers")
    return _sort(kept) if isinstance(kept, str | bool | int | float) else "another type"


def _reach(check: Checker, operation: Operation, path: Path) -> None:
    """Note an operation that would look absurdly far around each sample, whatever its parameter is called."""
    try:
        halo = operation.halo(Geometry.regular((64, 64, 64), (1.0, 1.0, 1.0)))
    except Exception:  # noqa: BLE001  # a halo that cannot be told on this grid is judged when the plan knows the real one
        return
    if halo is not None and max(halo, default=0) > MOST_HALO:
        check.problem(
            path,
            f"{operation.name} would look {_count(max(halo))} samples around each voxel: expected at most {MOST_HALO}; give a smaller size",
        )


def _count(number: int) -> str:
    """Return a number of samples in words that stay short."""
    return str(number) if number < 10**12 else "more than 10^12"


def _taken(check: Checker, value: Any, path: Path, repeated: bool) -> tuple[str, ...]:
    """Return the slots a step takes.

    ``{mask}``, ``each`` and an unquoted ``{mask}`` all stand for the current mask; ``on_pet_{mask}`` for what an earlier
    step, repeated for the masks as well, made of it.
    """
    if value is BAD:
        return ()
    many = value if isinstance(value, list) else [value]
    found = []
    for k, one in enumerate(many):
        where = (*path, k) if isinstance(value, list) else path
        if one in (MASK, "each") or (isinstance(one, dict) and list(one.items()) == [("mask", None)]):
            if not repeated:
                check.problem(where, "'{mask}' in a step that is not repeated: expected 'each: masks' beside it")
            found.append(MASK)
            continue
        if isinstance(one, str) and one.endswith(f"_{MASK}") and SLOT_NAME.fullmatch(one.removesuffix(f"_{MASK}")):
            if not repeated:
                check.problem(where, f"'{one}' in a step that is not repeated: expected 'each: masks' beside it")
            found.append(one)
            continue
        name = check.text(one, where, "'from'", SLOT_NAME, "the name of a slot")
        if name:
            found.append(name)
    if not many:
        check.problem(path, "'from' is empty: expected slot names, or nothing for the previous image")
    return tuple(found)


def _excludes(first: Step, second: Step) -> bool:
    """Return whether two steps can never both run, by their conditions."""
    a, b = first.when or "", second.when or ""
    return a != b and a.removeprefix("no-") == b.removeprefix("no-")


def _connections(check: Checker, found: list[Step | None], inputs: Mapping[str, Input]) -> None:
    """Note slots that nothing makes, that are made later, and that two steps make."""
    outside = set(inputs) or {"image"}
    made: dict[str, list[int]] = {}
    for k, step in enumerate(found):
        if step is not None:
            made.setdefault(step.to, []).append(k)
    before: set[str] = set()
    for k, step in enumerate(found):
        if step is None:
            continue
        path: Path = ("steps", k)
        guarded = {step.when.partition("slot:")[2]} if step.when and step.when.startswith("slot:") else set()
        for name in dict.fromkeys(step.inputs):
            if name == MASK or name in before | outside | guarded:
                continue
            if name.endswith(f"_{MASK}") and any(
                other is not None and other.each and other.to == name.removesuffix(f"_{MASK}") for other in found[:k]
            ):
                continue  # what an earlier repeated step made of the same mask
            where = next((j for j in made.get(name, []) if j >= k), None)
            if where is not None:
                line = check.document.line(("steps", where))
                told = "its own result" if where == k else f"'{name}', which the step on line {line} makes only later"
                check.problem((*path, "from"), f"step '{step.to}' takes {told}: expected steps in order, without a cycle")
            elif not _of_masks(name, found[:k]):
                known = sorted(before | outside)
                hint = did_you_mean(name, known) or " A slot that comes with the study is declared under 'inputs'."
                check.problem(
                    (*path, "from"),
                    f"step '{step.to}' takes '{name}', which nothing before it makes: there are {', '.join(known)}.{hint}",
                )
        _to(check, step, k, found, outside)
        before.add(step.to)


def _of_masks(name: str, earlier: list[Step | None]) -> bool:
    """Return whether a name may be the result of a repeated step for one mask (``intensity_gtv``)."""
    return any(step is not None and step.each and name.startswith(step.to + "_") for step in earlier)


def _to(check: Checker, step: Step, k: int, found: list[Step | None], outside: set[str]) -> None:
    """Note a result that would stand in a slot that is taken."""
    where: Path = ("steps", k, "to")
    if not step.to or (not SLOT_NAME.fullmatch(step.to) and _OP.fullmatch(step.op)):
        check.problem(where, f"'{step.to}' is no slot name: expected 'to' with a lower-case letter, then letters, digits and '_'")
    if step.to in outside and not step.each and step.when != f"no-slot:{step.to}":
        check.problem(where, f"slot '{step.to}' is an input: a step adds a slot and never overwrites one; give it another 'to'")
    for j, other in enumerate(found[:k]):
        if other is not None and other.to == step.to and not _excludes(other, step):
            line = check.document.line(("steps", j))
            check.problem(
                where, f"slot '{step.to}' is made twice (first by the step on line {line}): give one of them another 'to'"
            )
            break
