"""Judge many predictions against their truths: tables per case and object, intervals, pictures of the worst, a report."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from isocenter._version import __version__
from isocenter.core.errors import FormatError, InputError, MissingInputError, ParameterError
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.io import atomic, door, table
from isocenter.io.text import file_name, stem
from isocenter.jobs.evaluate_one import Judged, Task, judge_one, load_pair, picture
from isocenter.kernels.bootstrap import mean_interval
from isocenter.pipeline.executors import processes, serial
from isocenter.pipeline.executors.base import Failure
from isocenter.view.html import html
from isocenter.view.report import Figure, Footer, KeyNumber, Notice, Paragraph, Report, Section, Table

__all__ = ["Result", "evaluate", "pairs_of"]

#: Called with (text, done, total).
Progress = Callable[[str, int, int], None]

#: Tasks from which on starting processes is worth its time.
_WORTH = 4
#: Cases that are shown.
_WORST = 10


@dataclass(frozen=True)
class Result:
    """What became of the cases.

    Attributes
    ----------
    report
        The page.
    files
        Everything written.
    judged
        Cases with scores.
    summary
        Rows (score, unit, mean, low, high, median, worst, n).
    worst
        Names of the cases that are shown, the worst first.
    set_aside
        (case, reason) of the others.
    """

    report: Path
    files: tuple[Path, ...]
    judged: int
    summary: tuple[tuple[str, str, float, float | None, float | None, float, float, int], ...]
    worst: tuple[str, ...]
    set_aside: tuple[tuple[str, str], ...]

    @property
    def exit_code(self) -> int:
        """0 done, 1 some were set aside, 3 none could be judged."""
        return 3 if not self.judged else 1 if self.set_aside else 0

    def lines(self) -> list[str]:
        """Return what came out, in words."""
        found = []
        for name, unit, mean, low, high, _, worst, n in self.summary:
            between = "" if low is None else f" ({low:.4g} to {high:.4g})"
            found.append(
                f"{name.replace('_', ' ')}: {mean:.4g}{'' if unit == '1' else ' ' + unit}{between}, worst {worst:.4g}, n = {n}"
            )
        found += [f"set aside {case}: {reason}" for case, reason in self.set_aside]
        return [*found, f"{self.judged} cases judged, {len(self.set_aside)} set aside. Report: {self.report}"]


def pairs_of(predictions: Path, truths: Path | None) -> tuple[list[tuple[str, Path, Path]], list[tuple[str, str]]]:
    """Return (case, prediction, truth), and (case, reason) of what has no partner.

    Parameters
    ----------
    predictions
        A file, a folder, or (without `truths`) a CSV with the columns prediction and truth and, if wanted, case.
    truths
        A file, or a folder whose files bear the predictions' names (whatever their formats).

    Raises
    ------
    MissingInputError, FormatError, ParameterError
        If a path is missing, or the two do not go together.
    """
    for path in (predictions, truths):
        if path is not None and not path.exists():
            raise MissingInputError(f"{path}: no such file or folder; expected predictions and truths.")
    if truths is None:
        return _listed(predictions), []
    if predictions.is_file() and truths.is_file():
        return [(stem(predictions), predictions, truths)], []
    if not (predictions.is_dir() and truths.is_dir()):
        raise ParameterError(f"{predictions.name} and {truths.name}: expected two folders, two files, or one CSV.")
    first, second = _files(predictions), _files(truths)
    if not first and not second:
        raise MissingInputError(
            f"{predictions.name} and {truths.name}: hold no masks; expected label images with equal names in both."
        )
    aside = [(name, "has no truth of that name") for name in sorted(first.keys() - second.keys())]
    # What was not segmented at all must not vanish from the mean unseen.
    aside += [(name, "has no prediction of that name") for name in sorted(second.keys() - first.keys())]
    return [(name, first[name], second[name]) for name in sorted(first.keys() & second.keys())], aside


def _files(folder: Path) -> dict[str, Path]:
    """Return the files below a folder by relative name without suffix; side files (.json, .csv ...) are passed over."""
    found: dict[str, Path] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        inside = path.relative_to(folder)
        if any(part.startswith(".") for part in inside.parts) or path.suffix.lower() in (".json", ".csv", ".txt", ".html", ".md"):
            continue
        name = (inside.parent / stem(path)).as_posix()
        if name in found:
            raise ParameterError(f"{folder.name}: {found[name].name} and {path.name} have one name: expected one file a case.")
        found[name] = path
    return found


def _listed(path: Path) -> list[tuple[str, Path, Path]]:
    if path.suffix.lower() != ".csv":
        raise ParameterError(f"{path.name}: no truths were given: expected PREDICTIONS and TRUTHS, or a CSV that pairs them.")
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            rows = list(csv.DictReader(handle))
    except (UnicodeDecodeError, csv.Error) as error:
        raise FormatError(f"{path.name}: is no CSV ({error}): expected UTF-8 text with columns prediction and truth.") from error
    if not rows or not {"prediction", "truth"} <= set(rows[0]):
        raise FormatError(
            f"{path.name}: has no rows with 'prediction' and 'truth': expected these two columns, and 'case' if wanted."
        )
    found = []
    for row in rows:
        one, two = (row[k] or "" for k in ("prediction", "truth"))
        found.append((row.get("case") or stem(Path(one)), path.parent / one, path.parent / two))
    names = [case for case, _, _ in found]
    double = next((n for n in names if names.count(n) > 1), None)
    if double is not None:
        raise FormatError(
            f"{path.name}: case '{double}' stands in it twice: expected a name of its own for each, in column 'case'."
        )
    return found


def evaluate(
    predictions: Path | str,
    truths: Path | str | None,
    out: Path | str,
    *,
    images: Path | str | None = None,
    label: str = "",
    objects: Literal["components", "labels"] = "components",
    tolerance: float = 1.0,
    workers: int = 2,
    seed: int = 0,
    progress: Progress | None = None,
) -> Result:
    """Judge predictions against truths and write tables, pictures of the worst and a report.

    Parameters
    ----------
    predictions, truths
        As of `pairs_of`.
    out
        Folder for the results.
    images
        Folder of the images with the cases' names, to show outlines on; None shows the masks alone.
    label
        Name or value of the one label to judge; empty: all together.
    objects
        ``components`` takes connected parts as objects, ``labels`` every label value.
    tolerance
        mm, of the surface Dice.
    workers
        Processes at a time.
    seed
        Of the bootstrap.
    progress
        Told what is done.

    Raises
    ------
    IsocenterError
        If the inputs cannot be paired or the results not written. What is wrong with one case becomes its reason.
    """
    paired, aside = pairs_of(Path(predictions), None if truths is None else Path(truths))
    shown = {} if images is None else _files(Path(images))
    tasks = [Task(case, one, two, shown.get(case), label, objects, tolerance) for case, one, two in paired]
    folder = atomic.make_folder(out)
    results: dict[int, Judged] = {}

    def finished(position: int, task: Task, result: Judged | Failure) -> None:
        if isinstance(result, Failure):
            aside.append((task.case, result.reason))
        else:
            results[position] = result
        if progress is not None:
            progress(task.case, len(results) + len(aside), len(tasks))

    run = processes.run if workers > 1 and len(tasks) >= _WORTH else serial.run
    run(judge_one, tasks, workers=workers, on_done=finished)
    done = [(tasks[k], results[k]) for k in sorted(results)]
    return _written(done, sorted(aside), folder, seed)


def _written(done: Sequence[tuple[Task, Judged]], aside: list[tuple[str, str]], folder: Path, seed: int) -> Result:
    files = _tables(done, aside, folder)
    rows = _summary(done, seed)
    head = ["score", "unit", "mean", "low_95", "high_95", "median", "worst", "n"]
    table.write_rows(head, rows, folder / "summary.csv")
    worst = sorted(done, key=lambda pair: (_value(pair[1], "dice"), pair[0].case))[:_WORST]
    figures = []
    for rank, (task, judged) in enumerate(worst, start=1):
        path = folder / "worst" / f"{rank:02d}-{file_name(task.case)}.png"
        atomic.make_folder(path.parent)
        title = f"{task.case}: Dice {_value(judged, 'dice'):.3f}"
        found, truth = load_pair(task)
        data = picture(found, truth, _image(task, truth), task, title)
        atomic.write_bytes(path, data)
        figures.append(Figure(data, f"{title}. Outlined: where both agree, and what only one of them holds."))
        files.append(path)
    atomic.write_bytes(folder / "report.html", html(_report(done, rows, figures, aside)))
    settings = [{"label": t.label, "objects": t.objects, "tolerance": t.tolerance} for t, _ in done[:1]]
    facts = {"isocenter": __version__, "seed": seed, "settings": settings[0] if settings else {}}
    atomic.write_text(folder / "settings.json", json.dumps(facts, indent=1, sort_keys=True) + "\n")
    files += [folder / n for n in ("summary.csv", "report.html", "settings.json")]
    return Result(folder / "report.html", tuple(files), len(done), rows, tuple(t.case for t, _ in worst), tuple(aside))


def _image(task: Task, truth: LabelMap) -> Image | None:
    """Return the image to show a case on; one that cannot be read is left out, as scores do not rest on it."""
    if task.image is None:
        return None
    try:
        image = door.read(task.image)
    except InputError:
        return None
    return image if image.geometry.matches(truth.geometry) else None


def _value(judged: Judged, name: str) -> float:
    return next(value for known, value, _ in judged.scores if known == name)


def _tables(done: Sequence[tuple[Task, Judged]], aside: Sequence[tuple[str, str]], folder: Path) -> list[Path]:
    units: dict[str, str] = {}
    for _, judged in done:
        for name, _, unit in judged.scores:
            units.setdefault(name, unit)
    values = [{n: v for n, v, _ in judged.scores} for _, judged in done]
    rows = [[task.case, *(found.get(n) for n in units)] for (task, _), found in zip(done, values, strict=True)]
    table.write_rows(["case", *units], rows, folder / "cases.csv")
    columns = ["case", "object", "outcome", "true_size", "found_size", "dice", "hausdorff_95"]
    each = [[t.case, r.number, r.outcome, r.true_size, r.found_size, r.dice, r.hausdorff_95] for t, j in done for r in j.objects]
    table.write_rows(columns, each, folder / "objects.csv")
    files = [folder / "cases.csv", folder / "objects.csv"]
    if aside:
        table.write_rows(["case", "reason"], aside, folder / "set_aside.csv")
        files.append(folder / "set_aside.csv")
    else:
        (folder / "set_aside.csv").unlink(missing_ok=True)
    return files


_LOWER_IS_BETTER = ("hausdorff", "hausdorff_95", "assd", "volume_difference", "relative_volume_difference", "lesion_hausdorff_95", "lesion_assd", "objects_missed", "false_alarms")  # fmt: skip


def _summary(
    done: Sequence[tuple[Task, Judged]], seed: int
) -> tuple[tuple[str, str, float, float | None, float | None, float, float, int], ...]:
    rows = []
    for name, unit in dict.fromkeys((n, u) for _, j in done for n, _, u in j.scores):
        data = np.array([v for _, j in done for n, v, _ in j.scores if n == name])
        low, high = mean_interval(data, seed=seed) or (None, None)
        extreme = float(data.max() if name in _LOWER_IS_BETTER else data.min())
        rows.append((name, unit, float(data.mean()), low, high, float(np.median(data)), extreme, int(data.size)))
    return tuple(rows)


_KEY = ("dice", "hausdorff_95", "surface_dice", "lesion_sensitivity", "lesion_f1", "panoptic_quality")


def _report(
    done: Sequence[tuple[Task, Judged]],
    rows: Sequence[tuple[object, ...]],
    figures: Sequence[Figure],
    aside: Sequence[tuple[str, str]],
) -> Report:
    by_name = {str(row[0]): row for row in rows}
    numbers = []
    for name in (n for n in _KEY if n in by_name):
        _, unit, mean, low, high, _, _, n = by_name[name]
        between = "one case: no interval" if low is None else f"95 % interval {low:.3g} to {high:.3g}, n = {n}"
        numbers.append(KeyNumber(name.replace("_", " "), mean, "" if unit == "1" else str(unit), between))
    notices = []
    if aside:
        text = f"{len(aside)} cases were set aside; a mean over the others says nothing of them."
        notices.append(Notice(text, "warning"))
    columns = ("Score", "Unit", "Mean", "95 % low", "95 % high", "Median", "Worst", "n")
    sections = [
        Section(
            "Scores over cases", (Table(columns, tuple(tuple(r) for r in rows), "Means with bootstrap intervals over cases"),)
        )
    ]
    if figures:
        sections.append(Section("The worst cases", tuple(figures)))
    if done:
        cells = tuple((t.case, *(next((v for k, v, _ in j.scores if k == n), None) for n in _KEY)) for t, j in done)
        sections.append(Section("Every case", (Table(("Case", *(n.replace("_", " ") for n in _KEY)), cells),)))
    if aside:
        sections.append(Section("Set aside", (Table(("Case", "Reason"), tuple(aside)),)))
    how = (
        "A missed object, and a false alarm, counts with the diagonal of its image as distance and with a Dice of 0. "
        "Two empty masks agree perfectly. Intervals: 2000 bootstrap resamples of the cases."
    )
    sections.append(Section("Method", (Paragraph(how),)))
    summary = (f"{len(done)} cases judged, {len(aside)} set aside.",)
    return Report("Evaluation of segmentations", f"{len(done)} cases", summary, tuple(numbers), tuple(notices), None, tuple(sections), Footer((f"isocenter {__version__}",)))  # fmt: skip
