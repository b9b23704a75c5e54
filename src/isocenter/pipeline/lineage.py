"""Lineage: what was done to which pixels, as one JSON value tied together by digests.

Steps form a hash chain that begins at the sources and the specification: each entry holds the digest of the one
before, so none can be changed, dropped or moved unnoticed. Every number names its table, image, mask and step;
every file has its hash and names what it shows. ``head`` is the digest over all of it. There are no time stamps,
no absolute paths and nobody's identity in it: equal inputs give an equal lineage. (Wall-clock facts belong into
``run.json``.)

Whoever can rewrite the whole folder can rewrite the chain as well: keep the head elsewhere, or recompute.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any

from isocenter._version import __version__
from isocenter.core.errors import MissingInputError, ParameterError
from isocenter.core.provenance import StepRecord, digest_json
from isocenter.io import atomic
from isocenter.pipeline.numbers import as_json, locate, numbers
from isocenter.pipeline.run import Outcome, StepOutcome

__all__ = [
    "FORMAT",
    "NAME",
    "FileOf",
    "build",
    "build_cohort",
    "chain_root",
    "entry_digest",
    "head_digest",
    "sha256_of",
    "versions",
    "write",
]

FORMAT = "isocenter lineage 1"
#: The file a lineage is written to.
NAME = "lineage.json"
#: Distributions whose version may change a result.
_LIBRARIES = (
    "numpy", "scipy", "scikit-image", "scikit-learn", "numba", "pydicom", "highdicom", "nibabel", "tifffile", "Pillow",
    "imagecodecs", "python-gdcm", "pyjpegls", "pylibjpeg", "pylibjpeg-openjpeg", "pylibjpeg-rle", "connected-components-3d", "edt",
    "fill-voids", "trimesh", "torch", "monai",
)  # fmt: skip
_FOLDERS = re.compile(r"(?<![\w.:/])(?:[A-Za-z]:)?[\\/](?:[^\\/\s:'\"]+[\\/])+")


@dataclass(frozen=True)
class FileOf:
    """What a written file shows.

    Attributes
    ----------
    slot
        The slot it was made from; empty where it shows the whole case (the report).
    how
        In a few words: ``image``, ``DICOM SEG``, ``table``, ``report``, ``pipeline`` (the specification as YAML) ...
    """

    slot: str = ""
    how: str = ""


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Return the versions that results depend on: isocenter, Python and the libraries that are installed."""
    found = {"isocenter": __version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def sha256_of(path: Path) -> str:
    """Return the digest of a file's bytes, as ``sha256:`` and 64 hexadecimal digits."""
    with path.open("rb") as handle:
        return "sha256:" + hashlib.file_digest(handle, "sha256").hexdigest()


def chain_root(lineage: Mapping[str, Any]) -> str:
    """Return what the first step of a chain has for ``previous``: the digest of case, pipeline, seed and sources."""
    return digest_json([FORMAT, lineage["case"], lineage["pipeline"], lineage["seed"], lineage["sources"]])


def entry_digest(entry: Mapping[str, Any]) -> str:
    """Return the digest of one step of a chain: all of it but its own digest."""
    return digest_json({k: v for k, v in entry.items() if k != "digest"})


def head_digest(lineage: Mapping[str, Any]) -> str:
    """Return the digest over a whole lineage but its head."""
    return digest_json({k: v for k, v in lineage.items() if k != "head"})


def build(
    outcome: Outcome, out: Path, files: Mapping[str, FileOf | str], *, facts: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the lineage of one case.

    Parameters
    ----------
    outcome
        What the run gave.
    out
        The folder the files were written to.
    files
        Path below `out` (with ``/``) -> what it shows; a plain text is the slot. All of them must stand already.
        Tables (``.csv``) of slots with numbers are read, so that each number is tied to its cell.
    facts
        Further plain JSON values that results depend on (options such as ``repair``).

    Raises
    ------
    MissingInputError
        If a file does not exist.
    ParameterError
        If a path is absolute or leads out of the folder, or a slot does not exist.
    """
    plan, study = outcome.plan, outcome.study
    made = {step.to for step in outcome.steps}
    listed = _files(out, files, {step.to: step for step in outcome.steps}, set(study))
    spec = None if plan is None else plan.pipeline.to_dict()
    lineage: dict[str, Any] = {
        "format": FORMAT,
        "case": study.pseudonym,
        "pipeline": None if plan is None else {"name": plan.pipeline.name, "digest": plan.pipeline.digest, "spec": spec},
        "seed": outcome.seed,
        "facts": dict(facts or {}),
        "versions": versions(),
        "sources": [_source(slot, study[slot]) for slot in study if slot not in made],
        "left_out": [{"to": s.to, "op": s.op, "reason": _scrubbed(s.reason)} for s in outcome.left_out],
        "files": listed,
    }
    lineage["steps"] = _chain(outcome.steps, chain_root(lineage))
    lineage["measurements"] = _measurements(outcome, out, listed)
    lineage["head"] = head_digest(lineage)
    return lineage


def build_cohort(
    out: Path,
    cases: Mapping[str, str],
    files: Mapping[str, FileOf | str],
    *,
    set_aside: Iterable[tuple[str, str]] = (),
    facts: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the lineage of a cohort: the heads of its cases, and the files that belong to all of them.

    Parameters
    ----------
    out
        The folder of the cohort.
    cases
        Pseudonym -> folder of the case below `out`, which holds its own lineage.
    files
        As of `build`, without those of the cases.
    set_aside
        (name, reason) of cases without results.
    facts
        As of `build`.
    """
    rows = []
    for case, folder in sorted(cases.items()):
        path = _inside(out, f"{folder}/{NAME}")
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise MissingInputError(
                f"{folder}/{NAME}: the lineage of case '{case}' cannot be read ({error}); expected one per case."
            ) from error
        rows.append({"case": case, "folder": folder, "head": held["head"], "bytes": path.stat().st_size})
    lineage: dict[str, Any] = {
        "format": FORMAT,
        "cases": rows,
        "set_aside": [{"case": name, "reason": _scrubbed(reason)} for name, reason in set_aside],
        "facts": dict(facts or {}),
        "versions": versions(),
        "files": _files(out, files, {}, None),
    }
    lineage["head"] = head_digest(lineage)
    return lineage


def write(out: Path, lineage: Mapping[str, Any]) -> Path:
    """Write a lineage to ``lineage.json`` in a folder, atomically, one spelling for equal values."""
    text = json.dumps(lineage, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    path = out / NAME
    atomic.write_bytes(path, text.encode())
    return path


# -- its parts --------------------------------------------------------------------------------------------


def _scrubbed(text: str) -> str:
    """Return a sentence with the folders of absolute paths left out."""
    return _FOLDERS.sub("", text)


def _source(slot: str, value: Any) -> dict[str, Any]:
    """Return where a slot that came with the study was read from."""
    past = value.provenance.to_dict()
    for entry in (*past["sources"], *past["steps"]):
        entry["notes"] = [_scrubbed(note) for note in entry["notes"]]
    return {
        "slot": slot,
        "kind": type(value).__name__,
        "digest": value.digest,
        "sources": past["sources"],
        "steps": past["steps"],
    }


def _chain(steps: Sequence[StepOutcome], previous: str) -> list[dict[str, Any]]:
    """Return the hash chain of the steps."""
    chain = []
    for step in steps:
        record: StepRecord = step.record
        pairs = zip(step.inputs, record.inputs, strict=True)
        entry: dict[str, Any] = {
            "index": step.index,
            "name": step.name,
            "to": step.to,
            "op": record.operation,
            "version": record.version,
            "parameters": dict(record.parameters),
            "inputs": [{"slot": slot, "digest": digest} for slot, digest in pairs],
            "output": step.digest,
            "seed": record.seed,
            "key": step.key,
            "notes": [_scrubbed(note) for note in record.notes],
            "previous": previous,
        }
        entry["digest"] = previous = entry_digest(entry)
        chain.append(entry)
    return chain


def _inside(out: Path, name: str) -> Path:
    """Return the path of a name below a folder, refusing anything that leads elsewhere."""
    pure = PurePosixPath(name)
    if not name or pure.is_absolute() or ".." in pure.parts or "\\" in name or re.match(r"[A-Za-z]:", name):
        raise ParameterError(f"File {name[:120]!r}: expected a path below the result folder, with '/' between its parts.")
    return out.joinpath(*pure.parts)


def _files(
    out: Path, files: Mapping[str, FileOf | str], steps: Mapping[str, StepOutcome], slots: set[str] | None
) -> list[dict[str, Any]]:
    rows = []
    for name in sorted(files):
        shown = files[name]
        shown = FileOf(shown) if isinstance(shown, str) else shown
        path = _inside(out, name)
        if not path.is_file() or path.is_symlink():
            raise MissingInputError(
                f"{name}: there is no such file in {out.name}; expected every listed file to be written first."
            )
        if shown.slot and slots is not None and shown.slot not in slots:
            raise ParameterError(
                f"File {name} shows slot '{shown.slot}', which the study has not: expected one of {sorted(slots)}."
            )
        step = shown.slot if shown.slot in steps else ""
        rows.append(
            {
                "path": PurePosixPath(name).as_posix(),
                "sha256": sha256_of(path),
                "bytes": path.stat().st_size,
                "slot": shown.slot,
                "step": step,
                "how": shown.how,
            }
        )
    return rows


def _measurements(outcome: Outcome, out: Path, files: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return every number with the cell it stands in, its step, and the pixels and mask it was measured on."""
    found: list[dict[str, Any]] = []
    tables = {f["path"]: _rows(out / f["path"]) for f in files if f["path"].endswith(".csv")}
    owners = {f["path"]: f["slot"] for f in files}
    for step in outcome.steps:
        held = numbers(outcome.study[step.to])
        if not held:
            continue
        digests = [d for slot, d in zip(step.inputs, step.record.inputs, strict=True) if slot is not None]
        places: dict[tuple[str, str], tuple[str, int, int]] = {}
        for path, rows in tables.items():
            if owners[path] in ("", step.to):
                where = locate(rows, step.to, held, outcome.study.pseudonym)
                for key, (row, column) in where.items():
                    places.setdefault(key, (path, row, column))
        for number in held:
            place = places.get((number.region, number.name))
            found.append(
                {
                    "slot": step.to,
                    "region": number.region,
                    "name": number.name,
                    "value": as_json(number.value),
                    "unit": number.unit,
                    "standard": number.standard,
                    "step": step.to,
                    "image": digests[0] if digests else None,
                    "mask": digests[1] if len(digests) > 1 else None,
                    "table": None if place is None else place[0],
                    "row": None if place is None else place[1],
                    "column": None if place is None else place[2],
                }
            )
    return found


def _rows(path: Path) -> list[list[str]]:
    """Return a CSV table as rows of text."""
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
