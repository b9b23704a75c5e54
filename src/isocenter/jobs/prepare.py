"""Prepare an input: measure it, take only the steps that the measures ask for, say why, and show before and after."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from isocenter.core.errors import ContentError, IsocenterError, ParameterError
from isocenter.core.image import Image
from isocenter.core.signal import Signal
from isocenter.io import door
from isocenter.io.inventory import Item
from isocenter.jobs import run as job
from isocenter.jobs.analyses import Analysis, analyses_of
from isocenter.jobs.case import Task, plan_of
from isocenter.jobs.options import Options
from isocenter.jobs.prepare_measures import measure
from isocenter.jobs.prepare_rules import Considered, Proposal, Proposed, propose
from isocenter.jobs.prepare_study import signal_study, study_of
from isocenter.kernels.cca import autocorrelated_components

__all__ = ["prepare", "proposal_of", "subjects"]

#: Binds every image of a case on its own.
_ANY = "generic"
#: Rhythms of the brain above this frequency (Hz) are lost in muscle.
_BAND = 40.0
#: Share of a signal's energy that must follow itself badly before anything is done.
_LOOSE = 0.05


def proposal_of(value: Image | Signal) -> Proposal:
    """Return what an image or a signal needs, with reasons, and what was considered and not taken."""
    return _signal_proposal(value) if isinstance(value, Signal) else propose(value, measure(value))


def _signal_proposal(signal: Signal) -> Proposal:
    array = np.asarray(signal.array, dtype=np.float64)
    name = "correct.artifact_cca"
    if len(array) < 2 or array.shape[1] < 64 or not np.isfinite(array).all() or np.ptp(array) == 0 or signal.rate <= 2 * _BAND:
        shown = f"{len(array)} channels of {array.shape[1]} samples at {signal.rate:g} Hz"
        why = "it needs two channels or more, finite samples, and more than 80 samples a second."
        return Proposal((), (Considered(name, shown, why),))
    threshold = float(np.floor(100 * np.cos(2 * np.pi * _BAND / signal.rate)) / 100)
    _, mixing, follow = autocorrelated_components(array)
    # Sources have variance 1 each: the energy of one in the channels is that of its column.
    energy = (mixing**2).sum(axis=0)
    loose = float(energy[follow < threshold].sum() / max(float(energy.sum()), 1e-300))
    shown = f"{100 * loose:.3g} % of the energy follows itself worse than a rhythm of {_BAND:g} Hz would"
    if threshold <= 0 or loose <= _LOOSE:
        return Proposal((), (Considered(name, shown, f"below {100 * _LOOSE:g} %."),))
    why = "muscle and movement change from sample to sample; components that do not follow themselves are left out."
    return Proposal((Proposed(name, shown, why, {"threshold": threshold}),), ())


def subjects(inputs: Sequence[Path | str], options: Options) -> tuple[list[Analysis], list[tuple[str, str]], list[str]]:
    """Return what can be prepared, what was refused (name, reason), and a sentence for what was passed over.

    The analyses have no study yet; each holds one image or signal with the masks that belong to it.
    """
    found: list[Analysis] = []
    refused: list[tuple[str, str]] = []
    unused: list[str] = []
    for path in inputs:
        inventory = door.inspect(path, repair=options.repair)
        refused.extend((refusal.path.name, refusal.reason) for refusal in inventory.refusals)
        for case in door.cases(inventory):
            own, left = analyses_of(case, _ANY)
            signals = [item for item in case.items if item.kind == "signal"]
            own += [_of_signal(case, item, len(signals)) for item in signals]
            found.extend(own)
            names = {item.name for item in signals}
            unused.extend(text for text in left if text.partition(" ")[0] not in names)
    return job.distinct(found), refused, unused


def _of_signal(case: door.Case, item: Item, count: int) -> Analysis:
    label = case.pseudonym if count == 1 else f"{case.pseudonym}-{item.name}"
    return Analysis(label.replace("_", "-"), door.Case(case.pseudonym, (replace(item, name="signal"),)), _ANY, "")


def _planned(inputs: Sequence[Path | str], options: Options, folder: Path) -> job.Prepared:
    """Return the input with a study of its own for every image."""
    found, refused, unused = subjects(inputs, options)
    tasks, planned = [], []
    for k, analysis in enumerate(found):
        value: Any = None
        try:
            value = analysis.case.items[0].load()
            text = _study(value)
            if text is None:
                unused.append(f"{analysis.name} is fit as it is: {proposal_of(value).considered[0].sentence}")
                continue
            path = folder / f"{k}.yaml"
            path.write_text(text, encoding="utf-8")
            own = Analysis(analysis.name, analysis.case, str(path), "its samples were measured", analysis.masks)
            task = Task(own, options.seed, options.identify, options.force)
            report = own.pipeline.report
            told = (*[f"done: {text}" for text in report["reasons"]], *[f"not done: {text}" for text in report["considered"]])
            planned.append(replace(job.planned_of(task, plan_of(task)), preparation=told))
            tasks.append(task)
        except IsocenterError as error:
            refused.append((analysis.name, str(error)))
    if not tasks and not unused:
        first = f"{refused[0][0]}: {refused[0][1]}" if refused else "expected DICOM, NIfTI, NRRD, MetaImage, PNG, TIFF or EDF."
        raise ContentError(f"Nothing to prepare in the input: {first}")
    return job.Prepared(
        tuple(Path(p) for p in inputs), tuple(tasks), tuple(planned), tuple(refused), tuple(unused), len(tasks) + len(refused)
    )


def _study(value: Any) -> str | None:
    """Return the pipeline for a value as YAML, None for a signal that needs nothing."""
    if isinstance(value, Signal):
        proposal = proposal_of(value)
        return signal_study(value, proposal) if proposal.steps else None
    measures = measure(value)
    return study_of(value, measures, propose(value, measures))


def prepare(
    inputs: Sequence[Path | str], out: Path | str, options: Options | None = None, *, progress: job.Progress | None = None
) -> tuple[job.Prepared, job.Summary]:
    """Prepare inputs: write each prepared image, before and after side by side, the reasons, the pipeline and the lineage.

    Parameters
    ----------
    inputs
        Images and signals, as for a run.
    out
        Folder for the results.
    options
        As for a run; the study is made here.

    Returns
    -------
    Prepared, Summary
        What was planned, and what came out.
    """
    if options is not None and options.study is not None:
        raise ParameterError("A preparation makes its own study: expected none in the options.")
    with tempfile.TemporaryDirectory() as folder:
        chosen = replace(options or Options(), verb="prepare")
        ready = _planned(list(inputs), chosen, Path(folder))
        return ready, job.execute(ready, out, chosen, progress=progress)
