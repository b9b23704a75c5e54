"""Verify: whether a result folder still is what its lineage records, and which step is concerned where it is not.

The chain of steps, the hash of every file and the number in every table cell are checked; with a function that
runs the steps again, its digests are compared as well. Nothing in the folder is trusted: paths that lead out of
it are reported, not followed.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from isocenter.core.errors import IsocenterError, MissingInputError, SpecError
from isocenter.core.provenance import StepRecord
from isocenter.pipeline import yaml
from isocenter.pipeline.lineage import FORMAT, NAME, chain_root, entry_digest, head_digest, sha256_of
from isocenter.pipeline.numbers import same

__all__ = ["IGNORED", "Difference", "Recompute", "verify"]

#: Files that belong to a run and not to its result; so do names that begin with a dot.
IGNORED = (NAME, "run.json")
_MOST_BYTES = 256 << 20

Kind = Literal["lineage", "step", "number", "file", "missing", "extra", "recomputed"]
#: Runs the steps of a case again: (its folder, its lineage) -> slot -> digest of the result.
Recompute = Callable[[Path, Mapping[str, Any]], Mapping[str, str]]


@dataclass(frozen=True)
class Difference:
    """One thing that differs from the lineage.

    Attributes
    ----------
    step
        Slot of the step concerned; empty where it is none of them.
    path
        File below the result folder.
    what
        One sentence.
    kind
        ``extra`` for a file that the lineage does not list, which proves nothing; all others say that something was
        changed or lost.
    case
        Pseudonym, in a cohort.
    """

    step: str
    path: str
    what: str
    kind: Kind = "file"
    case: str = ""

    @property
    def counts(self) -> bool:
        """Whether the folder differs from its lineage (a file that is only extra does not count)."""
        return self.kind != "extra"

    def sentence(self) -> str:
        """Return the difference as one line."""
        step = f"step '{self.step}': " if self.step else ""
        return f"{self.case + ': ' if self.case else ''}{step}{self.path}: {self.what}"


def verify(out: Path | str, recompute: Recompute | None = None) -> list[Difference]:
    """Return everything in a result folder that differs from its lineage, the earliest step first.

    Parameters
    ----------
    out
        Folder of a case or a cohort.
    recompute
        Runs the steps of a case again and returns slot -> digest; None checks what is written only.

    Raises
    ------
    MissingInputError
        If there is no folder, or no ``lineage.json`` in it.
    """
    folder = Path(out)
    if not (folder / NAME).is_file():
        raise MissingInputError(f"{folder}: no {NAME} in it; expected a result folder of isocenter run.")
    found = list(_folder(folder, recompute))
    return list(dict.fromkeys(found))


def _folder(folder: Path, recompute: Recompute | None) -> Iterator[Difference]:
    lineage, problem = _read(folder / NAME)
    if lineage is None:
        yield Difference("", NAME, problem, "lineage")
        return
    try:
        if "cases" in lineage:
            yield from _cohort(folder, lineage, recompute)
        else:
            yield from _case(folder, lineage, recompute)
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        yield Difference("", NAME, f"it is not built as a lineage is ({type(error).__name__}: {error})", "lineage")


def _read(path: Path) -> tuple[dict[str, Any] | None, str]:
    """Return a lineage, or None and why it cannot be read."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) != len(pairs):
            raise ValueError("a key is given twice")
        return dict(pairs)

    try:
        if path.stat().st_size > _MOST_BYTES:
            return None, f"it has {path.stat().st_size} bytes, expected at most {_MOST_BYTES}"
        held = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=unique)
    except (OSError, ValueError, RecursionError) as error:
        return None, f"it cannot be read ({error})"
    if not isinstance(held, dict) or held.get("format") != FORMAT:
        return None, f"it is no lineage of this version, expected format '{FORMAT}'"
    return held, ""


def _case(folder: Path, lineage: Mapping[str, Any], recompute: Recompute | None) -> Iterator[Difference]:
    found = [*_chain(lineage), *_numbers(folder, lineage)]
    tables = {d.path for d in found if d.kind == "number"}
    found += [d for d in _files(folder, lineage) if not (d.kind == "file" and d.path in tables)]
    if not found and lineage.get("head") != head_digest(lineage):
        found.append(Difference("", NAME, "its head does not fit its content: something in it was changed", "lineage"))
    if recompute is not None:
        found += _recomputed(folder, lineage, recompute)
    found += _extras(folder, {f["path"] for f in lineage["files"]}, ())
    order = {entry["to"]: k for k, entry in enumerate(lineage["steps"])}
    yield from sorted(found, key=lambda d: (not d.counts, order.get(d.step, len(order))))


def _cohort(folder: Path, lineage: Mapping[str, Any], recompute: Recompute | None) -> Iterator[Difference]:
    if lineage.get("head") != head_digest(lineage):
        yield Difference("", NAME, "its head does not fit its content: something in it was changed", "lineage")
    yield from _files(folder, lineage)
    folders = []
    for row in lineage["cases"]:
        case, below = str(row["case"]), str(row["folder"])
        where = _below(folder, f"{below}/{NAME}")
        folders.append(below)
        if where is None or not where.is_file():
            yield Difference("", f"{below}/{NAME}", "the lineage of this case is missing", "missing", case)
            continue
        held, _ = _read(where)
        inner = [replace(d, case=case, path=f"{below}/{d.path}") for d in _folder(where.parent, recompute)]
        yield from inner
        if held is not None and head_digest(held) != row["head"] and not any(d.counts for d in inner):
            yield Difference("", f"{below}/{NAME}", "it is not the one that the cohort's lineage lists", "lineage", case)
    yield from _extras(folder, {f["path"] for f in lineage["files"]}, folders)


def _chain(lineage: Mapping[str, Any]) -> Iterator[Difference]:
    """Check that each step is what was recorded, follows the one before, and took what that one gave."""
    digests = {source["slot"]: source["digest"] for source in lineage["sources"]}
    written = _written(lineage)
    root = previous = chain_root(lineage)
    broken = False
    for entry in lineage["steps"]:
        to = str(entry["to"])
        changed = _changed_parameter(entry, written)
        if entry_digest(entry) != entry["digest"] or changed:
            yield Difference(to, NAME, changed or "what is recorded of this step was changed", "step")
        elif entry["previous"] != previous and not broken:
            broken = True
            if previous == root:
                yield Difference(
                    "", NAME, "the sources, the pipeline or the seed were changed, or the first step is gone", "lineage"
                )
            else:
                yield Difference(to, NAME, "what it follows was changed, left out or moved", "step")
        elif _key(entry) != entry["key"]:
            yield Difference(to, NAME, "its key does not fit its operation, parameters, inputs and seed", "step")
        for given in entry["inputs"]:
            slot = given["slot"]
            if slot is not None and digests.get(slot) != given["digest"]:
                yield Difference(to, NAME, f"it took another '{slot}' than is recorded before it", "step")
        digests[to] = entry["output"]
        previous = entry["digest"]


def _key(entry: Mapping[str, Any]) -> str:
    inputs = tuple(given["digest"] for given in entry["inputs"])
    return StepRecord(entry["op"], entry["version"], entry["parameters"], inputs, entry["seed"]).key


def _written(lineage: Mapping[str, Any]) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    """Return (slot as written, operation) -> parameters of the recorded pipeline's steps (several with conditions)."""
    spec = (lineage["pipeline"] or {}).get("spec") or {"steps": []}
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for step in spec["steps"]:
        found.setdefault((step.get("to", step["op"].rsplit(".", 1)[-1]), step["op"]), []).append(step.get("with", {}))
    return found


def _changed_parameter(entry: Mapping[str, Any], written: Mapping[tuple[str, str], list[Mapping[str, Any]]]) -> str:
    """Return which parameter of a step differs from the pipeline's, empty where none does."""
    told = []
    for parameters in written.get((entry["name"], entry["op"]), []):
        differing = [
            f"parameter '{name}' is recorded as {entry['parameters'].get(name)!r}, the pipeline says {value!r}"
            for name, value in parameters.items()
            if isinstance(value, str | bool | int | float) and _plainly_other(entry["parameters"].get(name), value)
        ]
        if not differing:
            return ""
        told += differing
    return told[0] if told else ""


def _plainly_other(held: Any, value: Any) -> bool:
    """Return whether two plain values differ; a list may be what one value was expanded to."""
    return isinstance(held, str | bool | int | float) and held != value


def _numbers(folder: Path, lineage: Mapping[str, Any]) -> Iterator[Difference]:
    """Check every number against its cell."""
    tables: dict[str, list[list[str]] | None] = {}
    for number in lineage["measurements"]:
        name = number["table"]
        if name is None:
            continue
        if name not in tables:
            tables[name] = _table(folder, name)
        rows = tables[name]
        if rows is None:
            continue  # reported as missing with the files
        try:
            cell = rows[number["row"]][number["column"]]
        except IndexError:
            yield Difference(number["step"], name, f"row {number['row'] + 1} with {_told(number)} is missing", "number")
            continue
        if not same(cell, number["value"]):
            what = f"{_told(number)} reads {cell[:40] or 'empty'}, {number['value']} was computed"
            yield Difference(number["step"], name, what, "number")


def _told(number: Mapping[str, Any]) -> str:
    return f"{number['name']}" + (f" of {number['region']}" if number["region"] else "")


def _table(folder: Path, name: str) -> list[list[str]] | None:
    path = _below(folder, name)
    if path is None or not path.is_file():
        return None
    try:
        return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
    except (OSError, ValueError, csv.Error):
        return None  # its hash will not fit


def _files(folder: Path, lineage: Mapping[str, Any]) -> Iterator[Difference]:
    """Check the hash of every listed file."""
    ops = {entry["to"]: entry["op"] for entry in lineage.get("steps", ())}
    for row in lineage["files"]:
        name, step = str(row["path"]), str(row["step"])
        path = _below(folder, name)
        if path is None:
            yield Difference(step, name[:200], "it is listed outside the folder, or is a link: not followed", "file")
        elif not path.is_file():
            yield Difference(step, name, "it is missing", "missing")
        elif path.stat().st_size != row["bytes"] or sha256_of(path) != row["sha256"]:
            made = f"step '{step}' ({ops.get(step, '?')}) gave" if step else "was written"
            more = _changed_pipeline(path, lineage) if row["how"] == "pipeline" else None
            yield more or Difference(step, name, f"its content is not what {made}", "file")


def _changed_pipeline(path: Path, lineage: Mapping[str, Any]) -> Difference | None:
    """Return which step of a written pipeline differs from the recorded one."""
    try:
        held = yaml.load(yaml.read_file(path), path.name)
        steps = held["steps"]
    except (SpecError, KeyError, TypeError):
        return None
    for now, then in zip(steps, lineage["pipeline"]["spec"]["steps"], strict=False):
        if now != then:
            to = then.get("to", then["op"].rsplit(".", 1)[-1])
            return Difference(to, path.name, f"the pipeline's step says {now}, {then} was run", "step")
    return None


def _recomputed(folder: Path, lineage: Mapping[str, Any], recompute: Recompute) -> Iterator[Difference]:
    """Run the steps again and compare; the first that differs is the cause, later ones follow from it."""
    try:
        again = recompute(folder, lineage)
    except IsocenterError as error:
        yield Difference("", NAME, f"the steps could not be run again: {error}", "recomputed")
        return
    followed: dict[str, str] = {}
    for entry in lineage["steps"]:
        to = entry["to"]
        if to not in again:
            yield Difference(to, NAME, "running again gave no such result", "recomputed")
        elif again[to] != entry["output"]:
            cause = next((followed.get(g["slot"]) or g["slot"] for g in entry["inputs"] if g["slot"] in followed), "")
            followed[to] = cause or to
            why = f"as it follows from '{cause}', which differs" if cause else "though its inputs are the same"
            yield Difference(to, NAME, f"running it again gives another result, {why}", "recomputed")


def _below(folder: Path, name: str) -> Path | None:
    """Return the path of a listed name, None where it leads out of the folder or is a link."""
    pure = PurePosixPath(name)
    if not name or pure.is_absolute() or ".." in pure.parts or "\\" in name or "\0" in name:
        return None
    path = folder
    for part in pure.parts:
        path = path / part
        if path.is_symlink():
            return None
    return path


def _extras(folder: Path, listed: set[str], elsewhere: list[str] | tuple[str, ...]) -> Iterator[Difference]:
    """Name the files that the lineage does not list."""
    for base, folders, names in os.walk(folder):
        at = Path(base).relative_to(folder)
        folders[:] = sorted(f for f in folders if not f.startswith(".") and (at / f).as_posix() not in elsewhere)
        for name in sorted(names):
            path = (at / name).as_posix()
            if path not in listed and not name.startswith(".") and path not in IGNORED:
                yield Difference("", path, "the lineage does not list this file", "extra")
