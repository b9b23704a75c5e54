"""One case: load, run its study, write everything, and only then its lineage, which marks it as finished."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isocenter._version import __version__
from isocenter.core.errors import ContentError, IsocenterError, WriteError
from isocenter.core.labels import LabelMap
from isocenter.core.operation import Spec
from isocenter.core.points import Mesh
from isocenter.core.provenance import digest_json
from isocenter.core.signal import Signal
from isocenter.core.study import Study
from isocenter.io import atomic, door
from isocenter.jobs.analyses import Analysis, image_of
from isocenter.jobs.explain_run import write_explanations
from isocenter.jobs.findings import Findings, findings_of
from isocenter.jobs.lock import STATE
from isocenter.jobs.outputs import Outputs, write_dicom, write_mesh_groups, write_overlays, write_slots
from isocenter.jobs.places import write_places
from isocenter.jobs.predictions import write_predictions
from isocenter.jobs.prepare_outputs import write_prepared
from isocenter.jobs.prepare_report import prepare_report
from isocenter.jobs.report import case_report
from isocenter.jobs.signal_report import signal_report, write_signals
from isocenter.jobs.slide import Slide, SlideOutcome, pyramid_of, wants_slide
from isocenter.jobs.slide_report import add_pictures, slide_findings, write_slide
from isocenter.pipeline import lineage
from isocenter.pipeline.cache import Cache
from isocenter.pipeline.plan import Plan, plan
from isocenter.pipeline.progress import Listener
from isocenter.pipeline.run import Outcome, execute
from isocenter.pipeline.spec import Pipeline, Step
from isocenter.view import html, pdf
from isocenter.view.report import Report

__all__ = ["CaseResult", "Task", "analyse", "load_task", "plan_of", "rerun"]

#: More segments than this are meshed together, as one surface.
_MOST_MESHES = 12


@dataclass(frozen=True)
class Task:
    """An analysis, and where its results go. Travels to other processes and machines."""

    analysis: Analysis
    seed: int = 0
    identify: bool = False
    force: bool = False
    folder: Path = Path()
    root: Path = Path()
    explain: bool = False

    def placed(self, folder: Path, root: Path) -> Task:
        """Return the task with its folder and the root of the results (which holds the cache)."""
        return dataclasses.replace(self, folder=folder, root=root)


@dataclass(frozen=True)
class CaseResult:
    """What the summary tells of a finished case."""

    name: str
    study: str
    title: str
    why: str
    folder: str
    head: str
    key_columns: tuple[str, ...]
    key: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    seconds: float
    peak_bytes: int
    files: int
    reused: bool
    steps: tuple[Mapping[str, Any], ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return dataclasses.asdict(self)


def plan_of(task: Task) -> Plan:
    """Return the plan of a task from headers alone.

    Raises
    ------
    SpecError
        With every problem.
    """
    specs: dict[str, Spec] = {}
    items = task.analysis.case.items
    if wants_slide(task.analysis.pipeline):
        return Slide(next(item for item in items if item.kind == "pyramid").load(), task.analysis.pipeline).plan()
    for item in items:
        if item.kind == "contours":
            image = next((i for i in items if i.kind == "image" and i.uid in item.references), items[0])
            specs[item.name] = Spec("MaskStack", tuple(d for d in image.spec.dims if d in "zyx"), "|b1", image.spec.geometry)
        else:
            specs[item.name] = item.spec
    for slot, path in task.analysis.masks.items():
        found = door.inspect(path).items
        if not found:
            raise ContentError(f"Mask '{path}' (--mask {slot}=...) cannot be read: expected a label image, SEG or RTSTRUCT.")
        specs[slot] = found[0].spec.replace(kind="LabelMap")
    return plan(task.analysis.pipeline, specs).require()


def analyse(task: Task, listen: Listener | None = None) -> CaseResult:
    """Run one case from its files to its lineage.

    A case whose lineage stands and belongs to the same inputs, study and version is kept as it is; else its steps
    come from the cache where they can.
    """
    started = time.monotonic()
    key = _key(task)
    if not task.force:
        kept = _finished(task, key)
        if kept is not None:
            return kept
    _clear(task.folder)
    cache = Cache(task.root / STATE / "cache")
    done = _carried_out(load_task(task), task.analysis.pipeline, task.seed, cache, task.force, listen)
    meshes = _mesh(task, done.outcome, cache)
    assert done.outcome.plan is not None  # execute keeps its plan
    findings = findings_of(task.analysis, done.study, done.outcome, done.outcome.plan)
    if done.on_slide is not None:
        findings = slide_findings(findings, done.on_slide)
    result = _write(task, key, done, meshes, findings)
    return dataclasses.replace(result, seconds=time.monotonic() - started)


@dataclass(frozen=True)
class _Done:
    """A case as it was read, what its study gave, and, of a whole slide, what was found on its tiles."""

    study: Study
    outcome: Outcome
    slide: Slide | None = None
    on_slide: SlideOutcome | None = None


def _carried_out(
    study: Study, pipeline: Pipeline, seed: int, cache: Cache | None = None, force: bool = False, listen: Listener | None = None
) -> _Done:
    """Run a study on a loaded case."""
    pyramid = pyramid_of(study)
    if pyramid is not None and wants_slide(pipeline):
        slide = Slide(pyramid, pipeline)
        seen = slide.overviews(study)
        found = slide.execute(seen, cache=cache, seed=seed, force=force, progress=listen)
        return _Done(seen, found.outcome, slide, found)
    planned = plan(pipeline, {name: Spec.of(value) for name, value in study.slots.items()}).require()
    return _Done(study, execute(planned, study, cache=cache, seed=seed, force=force, progress=listen))


def rerun(task: Task, pipeline: Pipeline, seed: int) -> Mapping[str, str]:
    """Read a case and run the steps again, without any cache; return slot -> digest of what they gave."""
    return _carried_out(load_task(task), pipeline, seed).outcome.digests


def _key(task: Task) -> str:
    """Return the digest of everything that decides this case's results."""
    paths = sorted({p for item in task.analysis.case.items for p in item.paths} | set(task.analysis.masks.values()))
    contents = [_file_digest(path) for path in paths]
    repairs = [[p.sentence() for p in item.problems] for item in task.analysis.case.items]
    slots = [item.name for item in task.analysis.case.items]
    return digest_json(
        [
            __version__,
            task.analysis.name,
            task.analysis.pipeline.digest,
            contents,
            slots,
            sorted(task.analysis.masks),
            repairs,
            task.seed,
            task.identify,
            *(["explain"] if task.explain else []),
        ]
    )


def _file_digest(path: Path) -> str:
    if path.is_dir():
        return digest_json([[str(p.relative_to(path)), _file_digest(p)] for p in sorted(path.rglob("*")) if p.is_file()])
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _finished(task: Task, key: str) -> CaseResult | None:
    """Return the result of an earlier run if it is complete, sound and of the same inputs and study."""
    try:
        summary = json.loads((task.folder / "summary.json").read_text(encoding="utf-8"))
        record = json.loads((task.folder / "lineage.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if summary.get("key") != key:
        return None
    from isocenter.pipeline.verify import verify

    if any(difference.counts for difference in verify(task.folder)):
        return None
    return _result(task, summary, record["head"], len(record["files"]), reused=True)


def _clear(folder: Path) -> None:
    """Remove what an earlier run recorded, lineage first, so that no stale file stays beside new ones."""
    record = folder / "lineage.json"
    if not record.is_file():
        return
    try:
        files = [str(entry["path"]) for entry in json.loads(record.read_text(encoding="utf-8"))["files"]]
    except (ValueError, KeyError, TypeError):
        files = []
    record.unlink()
    for relative in files:
        path = folder / relative
        if ".." not in Path(relative).parts and not Path(relative).is_absolute() and path.is_file() and not path.is_symlink():
            path.unlink()


def load_task(task: Task) -> Study:
    """Return the study of a task, with the masks that came along."""
    study = door.load_case(task.analysis.case)
    for slot, path in task.analysis.masks.items():
        study = study.add(slot, door.read_labels(path, image_of(task.analysis.case)))
    return study


def _mesh(task: Task, outcome: Outcome, cache: Cache) -> tuple[Outcome, dict[str, list[Mesh]]]:
    """Run the surface steps that the study asks for; return the outcome with them, and the meshes per label slot."""
    steps: list[Step] = []
    owner: dict[str, str] = {}
    for slot in task.analysis.pipeline.report.get("meshes", ()):
        labels = outcome.study.slots.get(slot)
        if not isinstance(labels, LabelMap) or labels.geometry.ndim != 3 or labels.geometry.unit != "mm" or "t" in labels.dims:
            continue
        present = [s for s in labels.segments if s.value in labels.present]
        names: list[int | None] = [s.value for s in present] if len(present) <= _MOST_MESHES else [None]
        for value in names if present else []:
            to = f"mesh_{slot}" if value is None else f"mesh_{slot}_{value}"
            steps.append(Step("reconstruct.surface", {} if value is None else {"label": value}, (slot,), to))
            owner[to] = slot
    if not steps:
        return outcome, {}
    extra = Pipeline("surfaces", tuple(steps))
    specs = {name: Spec.of(value) for name, value in outcome.study.slots.items()}
    more = execute(plan(extra, specs).require(), outcome.study, cache=cache, seed=task.seed)
    groups: dict[str, list[Mesh]] = {}
    for to, slot in owner.items():
        groups.setdefault(slot, []).append(more.study[to])
    assert outcome.plan is not None  # execute keeps its plan
    whole = outcome.plan.pipeline.replace(steps=(*outcome.plan.pipeline.steps, *steps))
    count = len(outcome.steps)
    done = tuple(dataclasses.replace(step, index=step.index + count) for step in more.steps)
    return dataclasses.replace(
        more, steps=(*outcome.steps, *done), left_out=outcome.left_out, plan=dataclasses.replace(outcome.plan, pipeline=whole)
    ), groups


def _write(task: Task, key: str, done: _Done, surfaces: tuple[Outcome, dict[str, list[Mesh]]], findings: Findings) -> CaseResult:
    """Write every file, the lineage last."""
    outcome = done.outcome
    whole, meshes = surfaces
    outputs = Outputs(task.folder)
    write_slots(outputs, outcome.study, tuple(done.study.slots))
    write_predictions(outputs, outcome.study, task.analysis.pipeline)
    write_places(outputs, outcome.study, task.analysis.pipeline)
    write_mesh_groups(outputs, meshes)
    figures = task.analysis.pipeline.report.get("figures", ())
    write_overlays(outputs, outcome.study, findings.image_slot, figures, task.analysis.case.items)
    identity = next((i.identity for i in task.analysis.case.items if i.name == findings.image_slot and i.format == "dicom"), {})
    if identity:
        write_dicom(outputs, outcome.study, identity, findings.regions, findings.image_slot)
    told = (
        write_explanations(outputs, outcome.study, task.analysis.pipeline, findings.image_slot, identity, task.seed)
        if task.explain
        else ()
    )
    report = _composed(task, done, outputs, findings, meshes, identity)
    report = dataclasses.replace(report, sections=(*told, *report.sections))
    atomic.write_bytes(outputs.path("report.html", "", "report"), html.html(report))
    document = pdf.pdf(report)
    atomic.write_bytes(outputs.path("report.pdf", "", "report"), document)
    if identity:
        _write_pdf(outputs, document, identity, report.title, task.identify)
    assert whole.plan is not None  # execute keeps its plan
    atomic.write_bytes(outputs.path("pipeline.yaml", "", "pipeline"), whole.plan.pipeline.to_yaml().encode())
    steps = tuple(
        {"step": s.to, "op": s.op, "cached": s.cached, "seconds": s.seconds, "bytes": s.peak_bytes} for s in whole.steps
    )
    summary = {
        "key": key,
        "study": task.analysis.pipeline.name,
        "title": findings.title,
        "why": task.analysis.why,
        "key_columns": list(findings.key_columns),
        "key_rows": [list(row) for row in findings.key_rows],
        "notes": list(dict.fromkeys([*findings.notes, *outputs.notes])),
    }
    text = json.dumps(summary, indent=1, sort_keys=True, ensure_ascii=False).encode()
    atomic.write_bytes(outputs.path("summary.json", "", "summary"), text)
    record = lineage.build(whole, outputs.folder, outputs.files, facts={"analysis": task.analysis.name})
    lineage.write(task.folder, record)
    result = _result(
        task, summary, record["head"], len(outputs.files), reused=all(s.cached for s in whole.steps) and bool(whole.steps)
    )
    return dataclasses.replace(result, steps=steps, peak_bytes=_peak_bytes())


def _composed(
    task: Task, done: _Done, outputs: Outputs, findings: Findings, meshes: Mapping[str, list[Mesh]], identity: Mapping[str, Any]
) -> Report:
    """Write what only this kind of case has, and return its report."""
    analysis, outcome = task.analysis, done.outcome
    shown = identity if task.identify else None
    if "compare" in analysis.pipeline.report:
        write_prepared(outputs, analysis.pipeline, outcome.study, identity)
        return prepare_report(analysis, outcome, findings, outputs.notes, shown)
    if isinstance(outcome.study[findings.image_slot], Signal):
        write_signals(outputs, outcome.study)
        return signal_report(analysis, outcome, findings, outputs.notes)
    if done.slide is not None and done.on_slide is not None:
        write_slide(outputs, done.slide, done.on_slide)
        report = case_report(analysis, outcome, findings, meshes, outputs.notes, shown)
        return add_pictures(report, done.on_slide)
    return case_report(analysis, outcome, findings, meshes, outputs.notes, shown)


def _write_pdf(outputs: Outputs, document: bytes, identity: Mapping[str, Any], title: str, named: bool) -> None:
    from isocenter.io.dicom.write_pdf import write_pdf

    path = outputs.path("dicom/report.dcm", "", "encapsulated PDF")
    try:
        write_pdf(document, identity, path, title=title, names_person=named)
    except WriteError:
        raise  # a disk that fails is no property of the case: left out here, the file would be missing for good
    except IsocenterError as error:
        outputs.files.pop("dicom/report.dcm", None)
        outputs.notes.append(f"No encapsulated PDF: {error}")


def _result(task: Task, summary: Mapping[str, Any], head: str, files: int, reused: bool) -> CaseResult:
    return CaseResult(
        name=task.analysis.name,
        study=summary["study"],
        title=summary["title"],
        why=summary["why"],
        folder=str(task.folder.relative_to(task.root)),
        head=head,
        key_columns=tuple(summary["key_columns"]),
        key=tuple(tuple(row) for row in summary["key_rows"]),
        notes=tuple(summary["notes"]),
        seconds=0.0,
        peak_bytes=0,
        files=files,
        reused=reused,
    )


def _peak_bytes() -> int:
    """Return the highest resident memory of this process so far, in bytes."""
    scale = 1 if sys.platform == "darwin" else 1024
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale)
