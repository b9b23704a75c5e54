"""What a network that is begun with has seen of the cases that are to be tested."""

from __future__ import annotations

from collections.abc import Sequence

from isocenter.core.text import plain
from isocenter.learn.data.cohort import Cohort
from isocenter.learn.leakage.report import Finding

__all__ = ["judge_ancestry"]

SHOWN = 400  # rows of evidence


def judge_ancestry(cohort: Cohort, name: str, seen: Sequence[int], silent: Sequence[str]) -> tuple[Finding, ...]:
    """Return what it means that a network was begun with: cases that it has seen refuse, what cannot be known is said.

    Parameters
    ----------
    cohort
        The cases; each is tested in one fold.
    name
        Of the model that is begun with.
    seen
        Positions of the cases that it, or a model that it began with itself, was trained on.
    silent
        Names of those of these models that keep no digests of the cases they were trained on.
    """
    found = []
    if seen:
        first = plain(cohort.samples[seen[0]].identifier, 120)
        found.append(
            Finding(
                "start",
                "refuse",
                f"{len(seen)} of {len(cohort)} cases are among those that model '{name}', which is begun with, was trained on (the first: "
                f"'{first}'): each fold tests some of them with weights that they made, so the score would measure memory; take them out, or "
                "begin with a model that has not seen them.",
                tuple({"case": cohort.samples[k].identifier} for k in seen[:SHOWN]),
            )
        )
    if silent:
        names = ", ".join(f"'{plain(n, 80)}'" for n in silent)
        found.append(
            Finding(
                "start",
                "warn",
                f"The weights began with those of {names}, which keep{'s' if len(silent) == 1 else ''} no digests of the training cases: whether "
                "cases of this cohort are among them cannot be known, and if they are, the scores flatter.",
            )
        )
    return tuple(found)
