"""The command line of learning from labels: what `isocenter run --labels` shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from isocenter.cli import show
from isocenter.core.errors import ParameterError

__all__ = ["LabelsAsked", "run_labels"]


@dataclass(frozen=True)
class LabelsAsked:
    """What was asked of ``run --labels``, as of `jobs.learn.LearnOptions`; columns still as ``ROLE=COLUMN``."""

    column: Sequence[str]
    leave_out: Sequence[str]
    accept_leak: str | None
    folds: int
    seed: int
    harmonise: bool
    learner: str | None
    minutes: float | None
    unit: str
    start: Path | None = None


def run_labels(inputs: Sequence[Path], labels: Path, out: Path, asked: LabelsAsked, json: bool) -> int:
    """Learn, show what was found, and return the exit code.

    Parameters
    ----------
    inputs
        One folder.
    labels, out
        The table, and where the results go.
    asked
        What the user chose.
    json
        Print plain values instead of words.
    """
    from isocenter.jobs.learn import LearnOptions, learn, parse_columns

    if len(inputs) != 1:
        raise ParameterError(f"{len(inputs)} inputs with --labels: expected one folder, which the paths of the table lie below.")
    options = LearnOptions(
        columns=parse_columns(asked.column), leave_out=tuple(asked.leave_out), accept_leak=asked.accept_leak, folds=asked.folds,
        seed=asked.seed, harmonise=asked.harmonise, primary=asked.learner, minutes=asked.minutes, unit=asked.unit,
        start=asked.start,
    )  # fmt: skip
    with show.progress(quiet=json) as progress:
        result = learn(inputs[0], labels, out, options, progress=progress)
    if json:
        show.json(result.to_dict())
    else:
        end = [f"Report: {result.report}", f"Model:  {result.package}", f"Check it any time with: isocenter verify {result.out}"]
        show.lines([*result.lines, *end])
    return result.exit_code
