"""The top of a result folder: one report of all cases, tables over all of them, the lineage of lineages, and run.json."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from isocenter._version import __version__
from isocenter.io import atomic, table
from isocenter.jobs.case import CaseResult, Task
from isocenter.jobs.identities import write_identities
from isocenter.pipeline import lineage
from isocenter.view import html
from isocenter.view.report import Footer, KeyNumber, Notice, Report, Section, Table
from isocenter.view.tables import case_flow

__all__ = ["write_cohort"]


def write_cohort(
    root: Path,
    single: bool,
    done: Sequence[CaseResult],
    aside: Sequence[tuple[str, str]],
    flow: Mapping[str, int],
    facts: Mapping[str, Any],
    known: Sequence[Task] = (),
    inputs: Sequence[Path] = (),
) -> tuple[Path, int]:
    """Write what belongs to the whole run.

    Parameters
    ----------
    root
        The result folder.
    single
        Whether the only case lies in `root` itself.
    done
        The analysed cases, sorted by name.
    aside
        (name, reason) of everything that was not analysed.
    flow
        Case flow counts.
    facts
        When, how long, from where: they go to ``run.json`` alone, so that equal inputs give equal results.
    known, inputs
        The cases whose files and patients are to be told, and where they came from; none where nobody asked.

    Returns
    -------
    report
        The page to open.
    files
        Number of files in the folder's lineages.
    """
    files = sum(result.files for result in done)
    if not single:
        (root / "tables").mkdir(exist_ok=True)
        written = _tables(root, done)
        _flow_table(root, done, aside, written)
        written.update(write_identities(root / "tables", known, inputs))
        page = html.html(_report(done, aside, flow))
        atomic.write_bytes(root / "report.html", page)
        written["report.html"] = lineage.FileOf(how="report")
        record = lineage.build_cohort(root, {result.name: result.folder for result in done}, written, set_aside=aside)
        lineage.write(root, record)
        files += len(written)
    run = {
        "isocenter": __version__,
        **facts,
        "flow": dict(flow),
        "set_aside": [{"name": n, "reason": r} for n, r in aside],
        "cases": [
            {"name": r.name, "seconds": round(r.seconds, 3), "reused": r.reused, "steps": [dict(s) for s in r.steps]}
            for r in done
        ],
    }
    atomic.write_bytes(root / "run.json", json.dumps(run, indent=1, ensure_ascii=False).encode())
    return root / "report.html", files


def _tables(root: Path, done: Sequence[CaseResult]) -> dict[str, lineage.FileOf]:
    """Join each table over all cases, ``case`` first; return the files written."""
    names = sorted(
        {path.name for result in done for path in (root / result.folder / "tables").glob("*.csv") if ".columns." not in path.name}
    )
    written: dict[str, lineage.FileOf] = {}
    for name in names:
        heads: dict[str, None] = {}
        rows: list[dict[str, str]] = []
        for result in done:
            path = root / result.folder / "tables" / name
            if not path.is_file():
                continue
            with path.open(newline="", encoding="utf-8") as handle:
                reader = csv.DictReader(handle)
                heads.update(dict.fromkeys(reader.fieldnames or ()))
                rows.extend({"case": result.name, **row} for row in reader)
        columns = ["case", *heads]
        table.write_rows(columns, [[row.get(c, "") for c in columns] for row in rows], root / "tables" / name)
        written[f"tables/{name}"] = lineage.FileOf(how="table of all cases")
    return written


def _flow_table(
    root: Path, done: Sequence[CaseResult], aside: Sequence[tuple[str, str]], written: dict[str, lineage.FileOf]
) -> None:
    rows = [[r.name, "analysed", r.study, r.why] for r in done] + [[name, "not analysed", "", reason] for name, reason in aside]
    table.write_rows(["case", "outcome", "study", "reason"], rows, root / "tables" / "case_flow.csv")
    written["tables/case_flow.csv"] = lineage.FileOf(how="case flow")


def _report(done: Sequence[CaseResult], aside: Sequence[tuple[str, str]], flow: Mapping[str, int]) -> Report:
    refused = list(aside[: flow["refused"]])
    failed = list(aside[flow["refused"] :])
    sections = [Section("Case flow", case_flow([r.name for r in done], refused, failed))]
    rows = []
    for result in done:
        for row in result.key or ((),):
            cells = [f"{head}: {value}" for head, value in zip(result.key_columns, row[1:], strict=False) if value]
            rows.append((result.name, result.study, row[0] if row else "\u2013", "; ".join(cells)))
    if rows:
        sections.append(
            Section(
                "Key numbers",
                (
                    Table(
                        ("Case", "Study", "Region", "Measured"),
                        tuple(rows),
                        "Every case's own report stands in its folder below cases/.",
                    ),
                ),
            )
        )
    flagged = [(result.name, note) for result in done for note in result.notes]
    if flagged:
        sections.append(Section("Flags", (Table(("Case", "What to know"), tuple(flagged)),)))
    numbers = [KeyNumber(words, count) for words, count in flow.items()]
    notices = [Notice(f"{len(aside)} inputs or cases were not analysed; the reasons stand below.", "warning")] if aside else []
    return Report(
        title="Cohort",
        pseudonym=f"{len(done)} cases",
        summary=(f"{flow['analysed']} of {flow['found']} analysed.",),
        numbers=tuple(numbers),
        notices=tuple(notices),
        sections=tuple(sections),
        footer=Footer((f"isocenter {__version__}", "Check every file of every case with: isocenter verify")),
    )
