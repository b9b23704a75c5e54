"""What a learning run leaves behind, whatever its task: tables, splits, leakage, methods, a report, a package and their lineage."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isocenter._version import __version__
from isocenter.io import atomic, table
from isocenter.jobs.learn_start import start_facts
from isocenter.pipeline import lineage
from isocenter.view.html import html
from isocenter.view.pdf import pdf
from isocenter.view.report import Report

__all__ = ["Learned", "Made", "Results", "write_results"]

#: File, what it is, columns, rows.
Made = tuple[str, str, tuple[str, ...], list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Learned:
    """What a learning run left behind.

    Attributes
    ----------
    out, report, package
        The folder, the page to open, and the model.
    lines
        What was found, in words.
    set_aside
        (case, reason).
    scores
        Name -> value of the primary model.
    seconds
        Wall time.
    """

    out: Path
    report: Path
    package: Path
    lines: tuple[str, ...]
    set_aside: tuple[tuple[str, str], ...]
    scores: Mapping[str, float]
    seconds: float

    @property
    def exit_code(self) -> int:
        """0 done, 1 if a case was set aside."""
        return 1 if self.set_aside else 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "out": str(self.out),
            "report": str(self.report),
            "package": str(self.package),
            "findings": list(self.lines),
            "set_aside": [{"case": c, "reason": r} for c, r in self.set_aside],
            "scores": dict(self.scores),
            "seconds": self.seconds,
        }


@dataclass(frozen=True)
class Results:
    """What a job of any task found, before it is written.

    Attributes
    ----------
    tables
        Each a file name, what it is, columns and rows.
    latex, methods
        Scores and a methods paragraph for a paper.
    splits, leakage
        As `isocenter.learn` gives them.
    package
        Writes the model under a path and returns it.
    report
        Composes the report, given the name of the package's file.
    facts
        For the lineage.
    set_aside
        (case, reason).
    scores
        Name -> value of the primary model.
    written
        File -> what it is, of those that stand in the folder already (curves of a training, predicted outlines).
    """

    tables: Sequence[Made]
    latex: str
    methods: str
    splits: Any
    leakage: Any
    package: Callable[[Path], Path]
    report: Callable[[str], Report]
    facts: Mapping[str, Any]
    set_aside: tuple[tuple[str, str], ...]
    scores: Mapping[str, float]
    written: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        found: Any,
        options: Any,
        *,
        tables: Sequence[Made],
        latex: str,
        methods: str,
        package: Callable[[Any, Path], Path],
        report: Callable[[Any, str], Report],
        facts: Mapping[str, Any] | None = None,
        written: Mapping[str, str] | None = None,
    ) -> Results:
        """Return the results of a study; what every study has is taken from it.

        Parameters
        ----------
        found
            The study.
        options
            What the user chose.
        tables, latex, methods
            As the task gives them.
        package, report
            Write the model of the study under a path, and compose its report for the name of that file.
        facts
            Further ones of the task.
        written
            File -> what it is, of those that stand in the folder already.
        """
        known = {"cohort": found.cohort.digest, "seed": options.seed, "folds": options.folds, "primary": found.primary}
        known |= start_facts(found)
        return cls(
            tables,
            latex,
            methods,
            found.splits,
            found.leakage,
            lambda path: package(found, path),
            lambda name: report(found, name),
            {**known, **(facts or {})},
            found.aside,
            {name: float(score) for name, score in found.proof.scores.items()},
            written or {},
        )


def write_results(found: Results, root: Path, started: float) -> Learned:
    """Write the results of a learning run.

    Parameters
    ----------
    found
        What was found.
    root
        The folder.
    started
        When the run began, as `time.monotonic` tells it.
    """
    (root / "tables").mkdir(parents=True, exist_ok=True)
    files: dict[str, lineage.FileOf] = {name: lineage.FileOf(how=how) for name, how in found.written.items()}
    for name, how, head, rows in found.tables:
        table.write_rows(list(head), [list(r) for r in rows], root / "tables" / name)
        files[f"tables/{name}"] = lineage.FileOf(how=how)
    texts = {
        "splits.json": (found.splits.to_json(), "who was trained on and who was tested"),
        "leakage.json": (json.dumps(found.leakage.to_dict(), indent=1, ensure_ascii=False) + "\n", "what the leakage scan found"),
        "tables/scores.tex": (found.latex, "scores for a paper"),
        "methods.txt": (found.methods + "\n", "methods paragraph for a paper"),
    }
    for name, (text, how) in texts.items():
        atomic.write_text(root / name, text)
        files[name] = lineage.FileOf(how=how)
    package = found.package(root / "model.isocenter")
    files[package.relative_to(root).as_posix()] = lineage.FileOf(how="model package")
    report = found.report(package.name)
    for name, data in (("report.html", html(report)), ("report.pdf", pdf(report))):
        atomic.write_bytes(root / name, data)
        files[name] = lineage.FileOf(how="report")
    record = lineage.build_cohort(root, {}, files, set_aside=found.set_aside, facts=dict(found.facts))
    lineage.write(root, record)
    seconds = time.monotonic() - started
    run = {
        "isocenter": __version__,
        "verb": "run --labels",
        "seconds": round(seconds, 3),
        "set_aside": len(found.set_aside),
    }
    atomic.write_text(root / "run.json", json.dumps(run, indent=1) + "\n")
    return Learned(root, root / "report.html", package, report.summary, found.set_aside, found.scores, seconds)
