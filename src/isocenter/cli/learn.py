"""The command line of learning from labels: what `isocenter run --labels` shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from isocenter.cli import show
from isocenter.core.errors import ParameterError

__all__ = ["run_labels"]


def run_labels(
    inputs: Sequence[Path],
    labels: Path,
    out: Path,
    column: Sequence[str] | None,
    leave_out: Sequence[str] | None,
    accept_leak: str | None,
    folds: int,
    seed: int,
    harmonise: bool,
    learner: str | None,
    json: bool,
) -> int:
    """Learn, show what was found, and return the exit code.

    Parameters
    ----------
    inputs
        One folder.
    labels, out
        The table, and where the results go.
    column, leave_out, accept_leak, folds, seed, harmonise, learner
        As of `jobs.learn.LearnOptions`.
    json
        Print plain values instead of words.
    """
    from isocenter.jobs.learn import LearnOptions, learn, parse_columns

    if len(inputs) != 1:
        raise ParameterError(f"{len(inputs)} inputs with --labels: expected one folder, which the paths of the table lie below.")
    options = LearnOptions(parse_columns(column or []), tuple(leave_out or ()), accept_leak, folds, seed, harmonise, learner)
    with show.progress(quiet=json) as progress:
        result = learn(inputs[0], labels, out, options, progress=progress)
    if json:
        show.json(result.to_dict())
    else:
        end = [f"Report: {result.report}", f"Model:  {result.package}", f"Check it any time with: isocenter verify {result.out}"]
        show.lines([*result.lines, *end])
    return result.exit_code
