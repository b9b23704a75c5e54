"""The main job: inspect, plan, run, and leave a folder that opens as a page."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from isocenter.core.errors import ContentError, IsocenterError, SpecError
from isocenter.core.operation import default_threads
from isocenter.io import door
from isocenter.jobs.analyses import Analysis, analyses_of, find_study, give_masks
from isocenter.jobs.case import CaseResult, Task, analyse, plan_of
from isocenter.jobs.cohort import write_cohort
from isocenter.jobs.lock import Lock
from isocenter.jobs.options import Options
from isocenter.pipeline.executors.base import OnDone
from isocenter.pipeline.plan import Plan
from isocenter.pipeline.progress import Event, Listener

__all__ = ["Planned", "Prepared", "Summary", "distinct", "execute", "planned_of", "prepare", "run"]

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Planned:
    """One analysis as the plan shows it: rows of plain values, problems and dropped steps in words.

    `preparation` says which filters the voxels of each image would or would not profit from, and why.
    """

    name: str
    study: str
    title: str
    why: str
    rows: tuple[Mapping[str, Any], ...]
    problems: tuple[str, ...]
    dropped: tuple[str, ...]
    seconds: float
    bytes: int
    files: int
    preparation: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prepared:
    """An inspected and planned input, ready to run."""

    inputs: tuple[Path, ...]
    tasks: tuple[Task, ...]
    analyses: tuple[Planned, ...]
    refused: tuple[tuple[str, str], ...]
    unused: tuple[str, ...]
    found: int

    @property
    def seconds(self) -> float:
        """Estimated computing time of all analyses on one core."""
        return sum(a.seconds for a in self.analyses)

    @property
    def bytes(self) -> int:
        """Estimated peak memory of the largest analysis."""
        return max((a.bytes for a in self.analyses), default=0)

    @property
    def files(self) -> int:
        """Estimated number of files."""
        return sum(a.files for a in self.analyses)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "analyses": [
                {
                    "name": a.name,
                    "study": a.study,
                    "why": a.why,
                    "steps": [dict(r) for r in a.rows],
                    "problems": list(a.problems),
                    "dropped": list(a.dropped),
                    "seconds": a.seconds,
                    "bytes": a.bytes,
                    "files": a.files,
                    "preparation": list(a.preparation),
                }
                for a in self.analyses
            ],
            "refused": [{"path": p, "reason": r} for p, r in self.refused],
            "unused": list(self.unused),
        }


@dataclass(frozen=True)
class Summary:
    """What a run left behind.

    Attributes
    ----------
    flow
        Case flow: found, refused, analysed, set aside.
    cases
        The analysed cases.
    set_aside
        (name, reason) of every input and case that was not analysed.
    """

    out: Path
    report: Path
    flow: Mapping[str, int]
    cases: tuple[CaseResult, ...]
    set_aside: tuple[tuple[str, str], ...]
    files: int
    seconds: float
    peak_bytes: int
    reused: bool

    @property
    def exit_code(self) -> int:
        """0 done, 1 if anything was set aside."""
        return 1 if self.set_aside else 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "out": str(self.out),
            "report": str(self.report),
            "flow": dict(self.flow),
            "cases": [case.to_dict() for case in self.cases],
            "set_aside": [{"name": n, "reason": r} for n, r in self.set_aside],
            "files": self.files,
            "seconds": self.seconds,
            "peak_bytes": self.peak_bytes,
            "reused": self.reused,
        }


def prepare(inputs: Sequence[Path | str], options: Options | None = None, *, judge: bool = False) -> Prepared:
    """Inspect inputs and plan what will be run on them; writes nothing.

    Parameters
    ----------
    inputs
        Files, folders, archives.
    options
        What the user chose.
    judge
        Read every image, measure it, and say in the plan which preparation it would profit from.

    Raises
    ------
    ContentError
        If nothing in the inputs can be used; the message holds the first reasons.
    SpecError, UnknownNameError
        If the study or one of its steps does not exist or does not fit.
    """
    options = options or Options()
    if options.study is not None:
        find_study(options.study)  # a misspelt study is reported before anything is read
    analyses, unused, refused = _inspected(inputs, options)
    tasks: list[Task] = []
    planned: list[Planned] = []
    failures: list[IsocenterError] = []
    for analysis in distinct(analyses):
        task = Task(analysis, options.seed, options.identify, options.force, explain=options.explain)
        try:
            plan = plan_of(task)
        except IsocenterError as error:
            failures.append(error)
            refused.append((analysis.name, str(error)))
            continue
        tasks.append(task)
        planned.append(planned_of(task, plan, judge))
    if not tasks:
        raise _nothing(inputs, refused, unused, failures)
    return Prepared(
        tuple(Path(p) for p in inputs), tuple(tasks), tuple(planned), tuple(refused), tuple(unused), len(analyses) + len(refused)
    )


def _inspected(inputs: Sequence[Path | str], options: Options) -> tuple[list[Analysis], list[str], list[tuple[str, str]]]:
    """Return the analyses that the inputs give rise to, what is left unused, and what was refused with its reason."""
    cases: list[door.Case] = []
    refused: list[tuple[str, str]] = []
    for path in inputs:
        found = door.inspect(path, repair=options.repair)
        cases.extend(door.cases(found))
        refused.extend((_shown(refusal.path, Path(path)), refusal.reason) for refusal in found.refusals)
    analyses: list[Analysis] = []
    unused: list[str] = []
    for case in cases:
        try:
            own, left = analyses_of(case, options.study)
        except SpecError:
            raise
        except IsocenterError as error:
            refused.append((case.pseudonym, str(error)))
            continue
        analyses.extend(own)
        unused.extend(left)
    return give_masks(analyses, options.masks), unused, refused


def _nothing(
    inputs: Sequence[Path | str], refused: Sequence[tuple[str, str]], unused: Sequence[str], failures: Sequence[IsocenterError]
) -> IsocenterError:
    """Return the error of a run that has nothing to do, with the first reason."""
    if failures and not isinstance(failures[0], ContentError):
        return failures[0]
    if not refused and unused:
        return ContentError(f"Nothing in the input was analysed: {unused[0]}")
    if not refused:
        shown = ", ".join(str(p) for p in inputs)
        return ContentError(f"Nothing usable in {shown}: expected DICOM, NIfTI, NRRD, MetaImage, PNG, JPEG or TIFF images.")
    more = f" ({len(refused) - 1} more were refused; isocenter info lists them)" if len(refused) > 1 else ""
    return ContentError(f"Nothing usable in the input: {refused[0][0]}: {refused[0][1]}{more}")


def _shown(path: Path, root: Path) -> str:
    """Return a path below the input as the user knows it, without the folders above."""
    try:
        return str(path.relative_to(root.parent))
    except ValueError:
        return str(path)


def distinct(analyses: Sequence[Analysis]) -> list[Analysis]:
    """Return the analyses with names made unique (the same case twice in the input keeps both)."""
    seen: dict[str, int] = {}
    result = []
    for analysis in analyses:
        count = seen[analysis.name] = seen.get(analysis.name, 0) + 1
        if count > 1:
            analysis = Analysis(f"{analysis.name}-{count}", analysis.case, analysis.study, analysis.why, analysis.masks)
        result.append(analysis)
    return result


def planned_of(task: Task, plan: Plan, judge: bool = False) -> Planned:
    """Return an analysis as the plan shows it; `judge` reads its images and says what they would profit from."""
    analysis = task.analysis
    problems = tuple(p.sentence() for item in analysis.case.items for p in item.problems)
    rows = [{**row, "from": ", ".join(row["from"])} for row in plan.table() if row["step"] is not None]
    return Planned(
        name=analysis.name,
        study=analysis.pipeline.name,
        title=analysis.pipeline.title or analysis.pipeline.name,
        why=analysis.why,
        rows=tuple(rows),
        problems=problems,
        dropped=tuple(f"{out.op} ({out.to}): {out.reason}" for out in plan.left_out),
        seconds=plan.cost.seconds,
        bytes=plan.cost.bytes,
        files=len(plan.steps) * 2 + 8,
        preparation=_judged(task) if judge else (),
    )


def _judged(task: Task) -> tuple[str, ...]:
    from isocenter.jobs.prepare_measures import measure
    from isocenter.jobs.prepare_rules import propose

    found: list[str] = []
    images = [item for item in task.analysis.case.items if item.kind == "image"]
    for item in images:
        try:
            image = item.load()
            sentences = propose(image, measure(image)).sentences
        except IsocenterError as error:
            sentences = (f"its voxels cannot be judged: {error}",)
        found += [f"{item.name}: {text}" if len(images) > 1 else text for text in sentences]
    return tuple(found)


def execute(prepared: Prepared, out: Path | str, options: Options | None = None, *, progress: Progress | None = None) -> Summary:
    """Run what was prepared and write the results.

    A case that fails is set aside with its reason and never stops the others. A second run onto the same folder
    resumes: finished cases are kept, finished steps come from the cache.
    """
    options = options or Options()
    started = time.monotonic()
    root = Path(out)
    with Lock(root):
        single = len(prepared.tasks) == 1 and not prepared.refused
        placed = [task.placed(root if single else root / "cases" / task.analysis.name, root) for task in prepared.tasks]
        done: list[CaseResult] = []
        failed: list[tuple[str, str]] = []
        total = len(placed)

        def finished(_: int, task: Task, result: Any) -> None:
            if isinstance(result, CaseResult):
                done.append(result)
            else:
                failed.append((task.analysis.name, result.reason))
            if progress is not None:
                progress(task.analysis.name, len(done) + len(failed), total)

        if progress is not None:
            progress("reading", 0, total)
        _execute(placed, options, finished, progress)
        done.sort(key=lambda result: result.name)
        failed.sort()
        aside = (*prepared.refused, *failed)
        flow = {"found": prepared.found, "refused": len(prepared.refused), "analysed": len(done), "set aside": len(failed)}
        seconds = time.monotonic() - started
        report, files = write_cohort(
            root, single, tuple(done), aside, flow, _facts(prepared, options, seconds, _peak_bytes(done)),
            placed if options.identify else (), prepared.inputs,
        )  # fmt: skip
    return Summary(
        root, report, flow, tuple(done), aside, files, seconds, _peak_bytes(done), bool(done) and all(r.reused for r in done)
    )


def _execute(tasks: Sequence[Task], options: Options, finished: OnDone, progress: Progress | None) -> None:
    """Run the tasks in this process, in processes, or on a Dask cluster; results are equal."""
    workers = options.workers or default_threads()
    if options.scheduler is not None:
        from isocenter.pipeline.executors import dask

        dask.run(analyse, tasks, workers=workers, on_done=finished, scheduler=options.scheduler)
    elif len(tasks) > 1 and workers > 1:
        from isocenter.pipeline.executors import processes

        processes.run(analyse, tasks, workers=min(workers, len(tasks)), on_done=finished)
    else:
        from isocenter.pipeline.executors import serial

        serial.run(partial(analyse, listen=_steps(progress)), tasks, on_done=finished)


def _steps(progress: Progress | None) -> Listener | None:
    """Return a listener that shows each step of a case that runs in this process."""
    if progress is None:
        return None

    def listen(event: Event) -> None:
        if event.kind == "start":
            progress(f"{event.to} ({event.op})", event.step - 1, event.total)
        elif event.kind == "end":
            progress("writing results", event.total, event.total)

    return listen


def _facts(prepared: Prepared, options: Options, seconds: float, peak_bytes: int) -> dict[str, Any]:
    """Return the facts of this run that are no result: when, how long, from where."""
    return {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "peak_bytes": peak_bytes,
        "inputs": [str(path.resolve()) for path in prepared.inputs],
        "options": {
            # What a segmentation runs lay in a folder that is gone: the copy beside the results stands for it.
            "study": "pipeline.yaml" if options.verb == "segment" else options.study,
            "masks": {name: str(path.resolve()) for name, path in options.masks.items()},
            "model": None if options.model is None else str(options.model.resolve()),
            "repair": options.repair,
            "seed": options.seed,
            "scheduler": options.scheduler,
            "verb": options.verb,
        },
    }


def _peak_bytes(done: Sequence[CaseResult]) -> int:
    """Return the highest resident memory of this process and of the cases."""
    scale = 1 if sys.platform == "darwin" else 1024
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
    return max([own, *[result.peak_bytes for result in done]])


def run(inputs: Any, out: Path | str, *, study: str | None = None, **options: Any) -> Summary:
    """Inspect, plan and run in one call; what ``isocenter run`` does.

    Parameters
    ----------
    inputs
        A path or a sequence of paths.
    out
        Folder for the results.
    study
        Name of a study, a YAML file, or None to choose by content.
    options
        Fields of `Options`.
    """
    paths = [inputs] if isinstance(inputs, str | Path) else list(inputs)
    chosen = Options(study=study, **options)
    return execute(prepare(paths, chosen), out, chosen)
