"""The main job with labels: look at the data, refuse what would flatter, prove baselines and a model, leave a report and a package."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from isocenter.core.errors import ParameterError
from isocenter.jobs.learn_package import package_of
from isocenter.jobs.learn_report import learn_report
from isocenter.jobs.learn_results import Learned, Results, write_results
from isocenter.jobs.learn_tables import tables_of
from isocenter.jobs.learn_words import latex, methods
from isocenter.jobs.lock import Lock

__all__ = ["LearnOptions", "Learned", "learn", "learn_table", "parse_columns"]

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class LearnOptions:
    """What the user may choose.

    Attributes
    ----------
    columns
        Role (image, label, patient, site) -> column of the table, where it has another name.
    leave_out
        Columns to pass over.
    accept_leak
        Why a finding of the leakage scan is accepted.
    folds, seed
        Of the cross-validation.
    harmonise
        Take the effect of the site out of the features, inside the folds.
    primary
        Learner whose score is the result; None takes the usual one.
    baselines
        Learners that it is compared with, the floor first; None takes the usual ones.
    minutes
        Most minutes on the nominal machine that all networks of the run may be trained together; 0 trains none, None
        leaves it to the task.
    parts
        Networks of a fold for classes or numbers, each trained without one of so many parts of its training patients.
    unit
        Of labels that are numbers, as it is to stand beside them.
    start
        A model package whose network the trainings begin with; None begins with random weights.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    leave_out: tuple[str, ...] = ()
    accept_leak: str | None = None
    folds: int = 5
    seed: int = 0
    harmonise: bool = False
    primary: str | None = None
    baselines: tuple[str, ...] | None = None
    minutes: float | None = None
    parts: int = 3
    unit: str = "1"
    start: Path | str | None = None


def parse_columns(texts: Sequence[str]) -> dict[str, str]:
    """Return role -> column from ``role=column`` texts.

    Parameters
    ----------
    texts
        For instance ``["image=file", "site=source"]``.

    Raises
    ------
    ParameterError
        If one is no such text.
    """
    known = ("image", "label", "patient", "site", "event", "identifier")
    columns: dict[str, str] = {}
    for text in texts:
        role, sign, column = text.partition("=")
        if not sign or not column or role not in known:
            raise ParameterError(f"Column '{text}': expected ROLE=COLUMN with a role of {', '.join(known)}.")
        columns[role] = column
    return columns


def learn(
    root: Path | str,
    labels: Path | str,
    out: Path | str,
    options: LearnOptions | None = None,
    *,
    progress: Progress | None = None,
) -> Learned:
    """Learn from a labelled cohort, prove what was learned, and leave a report, tables and a model package.

    Parameters
    ----------
    root
        The folder that the images lie in.
    labels
        The table, or a folder whose layout gives the labels (as a rule `root` itself).
    out
        Folder for the results.
    options
        What the user chose.
    progress
        Told what is done: (what, done, total).

    Raises
    ------
    ContentError
        If nothing can be learned, or the leakage scan found what makes the scores meaningless.
    SpecError
        With one sentence for each bad row of the table.
    ParameterError
        If the package to begin with does not fit the labels or the images.
    """
    from isocenter.learn.data.layout import from_layout

    options = options or LearnOptions()
    started = time.monotonic()
    cohort = from_layout(root, labels, columns=options.columns, leave_out=options.leave_out)
    with Lock(Path(out)):
        return _job(cohort.task)(cohort, Path(out), options, started, progress)


#: Task -> (module, function) of its job; what is not here learns classes and numbers. A job is called with the cohort, the folder for the
#: results, the options, when it started (`time.monotonic`) and what to tell of its progress.
_JOBS: dict[str, tuple[str, str]] = {
    "survival": ("isocenter.jobs.learn_survival", "learn_survival"),
    "segmentation": ("isocenter.jobs.learn_masks", "learn_masks"),
    "detection": ("isocenter.jobs.learn_places", "learn_places"),
    "landmarks": ("isocenter.jobs.learn_places", "learn_places"),
}


def _job(task: str) -> Callable[[Any, Path, LearnOptions, float, Progress | None], Learned]:
    module, name = _JOBS.get(task, ("isocenter.jobs.learn", "learn_table"))
    job: Callable[[Any, Path, LearnOptions, float, Progress | None], Learned] = getattr(importlib.import_module(module), name)
    return job


def learn_table(cohort: Any, out: Path, options: LearnOptions, started: float, progress: Progress | None) -> Learned:
    """Learn classes or numbers; what `learn` does for a cohort of them.

    Parameters
    ----------
    cohort
        For classification or regression.
    out
        Folder for the results.
    options
        What the user chose.
    started
        When the run began, as `time.monotonic` tells it.
    progress
        Told what is done.
    """
    from isocenter.jobs.learn_deep import minutes_of
    from isocenter.jobs.learn_start import start_of
    from isocenter.learn.study import BASELINES, NETWORK, PRIMARY, StudyOptions, study

    start = start_of(options, cohort, NETWORK)
    cohort = cohort if start is None else start.turned(cohort)
    minutes, notes = minutes_of(options.minutes, cohort.task, not cohort.features)
    cohort = replace(cohort, notes=(*cohort.notes, *notes))
    chosen = StudyOptions(
        folds=options.folds,
        seed=options.seed,
        primary=options.primary or (PRIMARY if start is None else NETWORK),
        baselines=options.baselines or BASELINES,
        harmonise=options.harmonise,
        accept_leak=options.accept_leak,
        minutes=minutes,
        parts=options.parts,
        training=out / "training",
        unit=options.unit,
        start=start,
    )
    found = study(cohort, chosen, progress)
    if progress is not None:
        progress("writing", 0, 1)
    curves = [] if found.network is None else sorted((out / "training").rglob("curves.*"))
    written = {path.relative_to(out).as_posix(): "curves of a training" for path in curves}
    results = Results.of(
        found,
        options,
        tables=tables_of(found),
        latex=latex(found),
        methods=methods(found),
        package=package_of,
        report=learn_report,
        written=written,
    )
    return write_results(results, out, started)
