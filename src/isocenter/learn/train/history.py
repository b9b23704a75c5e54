"""The history of a training: one row an epoch, as a table that grows while it runs and as curves to draw."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isocenter.io.atomic import write_bytes

__all__ = ["EpochRow", "History"]


@dataclass(frozen=True)
class EpochRow:
    """What one epoch gave.

    Attributes
    ----------
    epoch
        From 1.
    loss
        Mean training loss of its batches.
    learning_rate
        Of its last step.
    scores
        What validation gave (the first counts: greater is better); empty where the epoch was not validated.
    """

    epoch: int
    loss: float
    learning_rate: float
    scores: Mapping[str, float] = field(default_factory=dict)

    @property
    def score(self) -> float | None:
        """The score that chooses the best epoch; None where the epoch was not validated, minus infinity for NaN."""
        if not self.scores:
            return None
        value = float(next(iter(self.scores.values())))
        return -math.inf if math.isnan(value) else value

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {"epoch": self.epoch, "loss": self.loss, "learning_rate": self.learning_rate, "scores": dict(self.scores)}


@dataclass
class History:
    """The rows of a training so far."""

    rows: list[EpochRow] = field(default_factory=list)

    @property
    def best(self) -> EpochRow | None:
        """The row of the greatest score (the first of equals), None where nothing was validated."""
        validated = [row for row in self.rows if row.score is not None]
        return max(validated, key=lambda row: (row.score, -row.epoch)) if validated else None

    @property
    def waited(self) -> int:
        """Validations since the best one."""
        best = self.best
        return 0 if best is None else sum(row.score is not None and row.epoch > best.epoch for row in self.rows)

    def columns(self) -> dict[str, list[float]]:
        """Return the curves: name -> one value an epoch, NaN where there is none."""
        names = list(dict.fromkeys(name for row in self.rows for name in row.scores))
        found = {
            "epoch": [float(row.epoch) for row in self.rows],
            "loss": [row.loss for row in self.rows],
            "learning_rate": [row.learning_rate for row in self.rows],
        }
        for name in names:
            found[name] = [float(row.scores.get(name, math.nan)) for row in self.rows]
        return found

    def csv(self) -> str:
        """Return the curves as CSV; empty cells where an epoch was not validated."""
        columns = self.columns()
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(columns)
        for k in range(len(self.rows)):
            values = [column[k] for column in columns.values()]
            table.writerow([self.rows[k].epoch, *("" if math.isnan(v) else repr(v) for v in values[1:])])
        return text.getvalue()

    def write(self, path: Path) -> None:
        """Write the curves so far; an open viewer reads whole files only."""
        write_bytes(path, self.csv().encode())

    @classmethod
    def from_rows(cls, rows: Sequence[Mapping[str, Any]]) -> History:
        """Return the history that the rows' `to_dict` described."""
        return cls([EpochRow(int(r["epoch"]), float(r["loss"]), float(r["learning_rate"]), dict(r["scores"])) for r in rows])
