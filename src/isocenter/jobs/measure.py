"""Measure regions: one image with its masks, or a cohort listed in a CSV; a table with one row per region comes out.

Beside ``TABLE.csv`` stand ``TABLE.columns.csv`` (what each column is), ``TABLE.settings.yaml`` (how it was measured) and, where
something could not be measured, ``TABLE.set_aside.csv`` with the reasons. What was measured before is kept below
``.isocenter``, so that a stopped cohort goes on where it was.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from isocenter._version import __version__
from isocenter.core.errors import ContentError, FormatError, MissingInputError, ParameterError, UnsupportedError
from isocenter.io import atomic, table
from isocenter.jobs import measure_settings
from isocenter.jobs.lock import STATE
from isocenter.jobs.measure_one import Measured, Task, measure_one
from isocenter.jobs.options import parse_repair
from isocenter.pipeline import yaml
from isocenter.pipeline.executors import processes, serial
from isocenter.pipeline.executors.base import Failure

__all__ = ["Result", "measure", "read_cohort"]

#: Called with (text, done, total).
Progress = Callable[[str, int, int], None]

#: Tasks from which on starting processes is worth its time.
_WORTH = 4


@dataclass(frozen=True)
class Result:
    """What became of the tasks.

    Attributes
    ----------
    table
        The file written, None where nothing could be measured.
    files
        Everything written.
    rows
        Regions measured.
    columns
        Features of each.
    reused
        Tasks whose result was there already.
    set_aside
        (image, mask, label, reason) of each task that failed.
    notes
        What should be known of the others.
    """

    table: Path | None
    files: tuple[Path, ...]
    rows: int
    columns: int
    reused: int
    set_aside: tuple[tuple[str, str, str, str], ...]
    notes: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0 done, 1 some were set aside, 3 nothing could be measured."""
        return 3 if self.table is None else 1 if self.set_aside else 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            **asdict(self),
            "table": None if self.table is None else str(self.table),
            "files": [str(path) for path in self.files],
            "exit_code": self.exit_code,
        }


def read_cohort(path: Path) -> list[dict[str, str]]:
    """Return the rows of a cohort: a CSV with the columns image, mask and, where one label is meant, label.

    Raises
    ------
    FormatError
        If it is no such table.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            reader = csv.DictReader(handle)
            names = [name.strip() for name in reader.fieldnames or ()]
            if not {"image", "mask"} <= set(names):
                raise FormatError(
                    f"{path.name}: has columns {', '.join(names) or 'none'}: expected 'image' and 'mask', and 'label' where one is meant."
                )
            reader.fieldnames = names
            rows = [{k: (v or "").strip() for k, v in row.items() if k} for row in reader]
    except FileNotFoundError:
        raise MissingInputError(f"{path}: no such file; expected a CSV with columns image and mask.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise FormatError(f"{path.name}: is no CSV ({error}): expected UTF-8 text with columns image and mask.") from error
    if not rows:
        raise ContentError(f"{path.name}: holds no rows: expected one per mask.")
    return rows


def measure(
    image: Path | str,
    masks: Sequence[Path | str],
    out: Path | str,
    *,
    settings: str = "",
    label: str = "",
    resample_mask: bool = False,
    objects: bool = False,
    repair: str | None = None,
    workers: int = 2,
    force: bool = False,
    progress: Progress | None = None,
) -> Result:
    """Measure masks in an image, or a cohort.

    Parameters
    ----------
    image
        An image; or, without masks, a CSV with the columns image, mask and optionally label (paths relative to it).
    masks
        Label maps, DICOM SEG, or folders with a structure set.
    out
        The table, ``.csv`` or ``.parquet``.
    settings
        Name of shipped settings or a file; empty: chosen for each image by what its values are.
    label
        Name or value of the one label to measure; empty: every one.
    resample_mask
        Whether masks on another grid are resampled even where a part of them lies outside the image.
    objects
        Whether every connected object of a segment (a cell, a lesion) is a row of its own.
    repair
        ``interpolate`` or ``nearest`` fills missing slices.
    workers
        Processes at a time, where there are several masks to measure.
    force
        Whether to measure afresh what was measured before.
    progress
        Told what is done.

    Raises
    ------
    IsocenterError
        If the table cannot be written, or settings or cohort cannot be used. What is wrong with one image or mask becomes a
        reason in the result.
    """
    target = Path(out)
    if target.suffix.lower() not in (".csv", ".parquet"):
        raise UnsupportedError(f"{target.name}: tables are written as .csv or .parquet: expected one of these suffixes.")
    if not target.parent.is_dir():
        raise MissingInputError(f"{target.parent}: no such folder; expected an existing one for the table.")
    parse_repair(repair)
    if settings:
        measure_settings.resolve(settings)  # a mistake in it is told before anything is read
    tasks = [replace(task, objects=objects) for task in _tasks(Path(image), masks, settings, label, resample_mask, repair)]
    results, reused = _results(tasks, target, workers, force, progress)
    return _written(tasks, results, target, reused)


def _tasks(
    image: Path, masks: Sequence[Path | str], settings: str, label: str, resample_mask: bool, repair: str | None
) -> list[Task]:
    if masks:
        return [Task(image, Path(m), (str(image), str(m)), label, settings, resample_mask, repair) for m in masks]
    if image.suffix.lower() != ".csv":
        raise ParameterError(f"{image.name}: no mask was given: expected IMAGE and MASK, or a CSV with columns image and mask.")
    found = []
    for row in read_cohort(image):
        pair = (image.parent / row["image"], image.parent / row["mask"])
        extra = tuple((k, v) for k, v in row.items() if k not in ("image", "mask", "label"))
        found.append(Task(*pair, (row["image"], row["mask"]), row.get("label") or label, settings, resample_mask, repair, extra))
    return found


# -- doing it, and keeping what was done --------------------------------------------------------------------


def _results(
    tasks: list[Task], target: Path, workers: int, force: bool, progress: Progress | None
) -> tuple[list[Measured | Failure], int]:
    kept = target.parent / STATE / "measure"
    keys = [_key(task) for task in tasks]
    results: list[Measured | Failure | None] = [None if force else _load(kept / f"{key}.json") for key in keys]
    reused = sum(result is not None for result in results)
    waiting = [k for k, result in enumerate(results) if result is None]
    if waiting:
        kept.mkdir(parents=True, exist_ok=True)
    done = reused

    def finished(position: int, task: Any, result: Any) -> None:
        nonlocal done
        done += 1
        k = waiting[position]
        results[k] = result
        if isinstance(result, Measured):
            atomic.write_bytes(kept / f"{keys[k]}.json", json.dumps(_plain(asdict(result)), ensure_ascii=False).encode())
        if progress is not None:
            progress(tasks[k].shown[1], done, len(tasks))

    run = processes.run if workers > 1 and len(waiting) >= _WORTH else serial.run
    run(measure_one, [tasks[k] for k in waiting], workers=workers, on_done=finished)
    return [result for result in results if result is not None], reused


def _key(task: Task) -> str:
    """Return what a result depends on: the task, the settings' content, the files' size and time, and our version."""
    chosen = measure_settings.resolve(task.settings) if task.settings else None
    facts = [
        __version__, [_stamp(task.image), _stamp(task.mask)], task.label, task.resample_mask, task.repair, list(task.shown), task.objects,
        None if chosen is None else [chosen.name, chosen.to_dict(), chosen.label, chosen.resample_mask],
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def _stamp(path: Path) -> list[Any]:
    """Return where a file or folder lies, and size and time of all in it."""
    found: list[Any] = [str(path.resolve())]
    try:
        files: Iterable[Path] = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for one in files:
            facts = os.stat(one)
            found.append([one.name, facts.st_size, facts.st_mtime_ns])
    except OSError:
        found.append("unreadable")
    return found


def _plain(value: Any) -> Any:
    """Return values that JSON takes: numpy's numbers as Python's, NaN as None."""
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and math.isnan(value) else value


def _load(path: Path) -> Measured | None:
    """Return what was kept; anything that cannot be read is measured again."""
    try:
        data = json.loads(path.read_bytes())
        columns = tuple((str(a), str(b), str(c), str(d), str(e)) for a, b, c, d, e in data["columns"])
        rows = tuple(tuple(row) for row in data["rows"])
        return Measured(columns, tuple(data["regions"]), rows, data["settings"], data["applied"], tuple(data["notes"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


# -- writing it ---------------------------------------------------------------------------------------------


def _written(tasks: list[Task], results: list[Measured | Failure], target: Path, reused: int) -> Result:
    pairs = list(zip(tasks, results, strict=True))
    aside = tuple((*t.shown, t.label, r.reason) for t, r in pairs if isinstance(r, Failure))
    done = [(t, r) for t, r in pairs if isinstance(r, Measured)]
    files: list[Path] = []
    reasons = target.with_name(f"{target.stem}.set_aside.csv")
    if aside:
        table.write_rows(["image", "mask", "label", "reason"], aside, reasons)
        files.append(reasons)
    else:
        reasons.unlink(missing_ok=True)
    notes = [note for _, result in done for note in result.notes]
    if not done:
        return Result(None, tuple(files), 0, 0, reused, aside, ())
    columns, mixed = _columns([result for _, result in done])
    notes.extend(mixed)
    extra = [k for k in dict.fromkeys(k for t, _ in done for k, _ in t.extra) if k not in columns and k not in _HEAD]
    rows = []
    for task, result in done:
        given = dict(task.extra)
        names = [c[0] for c in result.columns]
        for region, values in zip(result.regions, result.rows, strict=True):
            found = dict(zip(names, values, strict=True))
            head = [*task.shown, region, result.settings, *(given.get(k, "") for k in extra)]
            rows.append([*head, *(found.get(name) for name in columns)])
    table.write_rows([*_HEAD, *extra, *columns], rows, target)
    side = target.with_name(f"{target.stem}.columns.csv")
    facts = [[name, tag, code, unit, text] for name, (tag, code, unit, text) in columns.items()]
    table.write_rows(["column", "tag", "ibsi_code", "unit", "summary"], facts, side)
    how = target.with_name(f"{target.stem}.settings.yaml")
    applied = {result.settings: result.applied for _, result in done}
    atomic.write_bytes(how, yaml.dump({name: _plain(applied[name]) for name in sorted(applied)}).encode())
    return Result(target, (target, side, how, *files), len(rows), len(columns), reused, aside, tuple(dict.fromkeys(notes)))


_HEAD = ("image", "mask", "region", "settings")


def _columns(results: Sequence[Measured]) -> tuple[dict[str, tuple[str, str, str, str]], list[str]]:
    """Return name -> (tag, code, unit, summary) over all results, in order, and a note where units differ."""
    found: dict[str, tuple[str, str, str, str]] = {}
    mixed = set()
    for result in results:
        for name, tag, code, unit, text in result.columns:
            before = found.setdefault(name, (tag, code, unit, text))
            if unit not in before[2].split(" | "):
                found[name] = (tag, code, f"{before[2]} | {unit}", text)
                mixed.add(name)
    notes = [
        f"{len(mixed)} columns hold values of several units, as the images' values differ in kind: compare rows of one kind only."
    ]
    return found, notes if mixed else []
