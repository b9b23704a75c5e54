"""The report and the files of a recording: key numbers, traces before and after, the numbers of every channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from isocenter._version import __version__
from isocenter.core.results import Features
from isocenter.core.signal import Signal
from isocenter.core.study import Study
from isocenter.io import door
from isocenter.io.door import Case
from isocenter.jobs.analyses import Analysis
from isocenter.jobs.findings import Findings
from isocenter.jobs.outputs import Outputs
from isocenter.jobs.report import methods_section
from isocenter.jobs.words import listed
from isocenter.pipeline.run import Outcome
from isocenter.view.report import Figure, Footer, KeyNumber, KeyValues, Notice, Report, Section
from isocenter.view.tables import feature_table
from isocenter.view.traces import traces

__all__ = ["signal_report", "write_signals"]


def write_signals(outputs: Outputs, study: Study) -> None:
    """Write every signal of a case as a table of times and channels."""
    for name, value in study.slots.items():
        if isinstance(value, Signal):
            door.write(value, outputs.path(f"signals/{name}.csv", name, "signal"))


def signal_report(analysis: Analysis, outcome: Outcome, findings: Findings, notes: Sequence[str]) -> Report:
    """Return the report of a recording: traces before and after, the numbers of every channel, every step.

    Parameters
    ----------
    analysis
        What was asked.
    outcome
        What came out.
    findings
        The numbers and flags of the first screen.
    notes
        What could not be written, one sentence each.
    """
    signals = {name: value for name, value in outcome.study.slots.items() if isinstance(value, Signal)}
    source = signals[findings.image_slot]
    shown = dict([pair for pair in signals.items() if pair[1].channels == source.channels][:3])
    tables = [
        feature_table(value, caption=f"{name.replace('_', ' ')} (tables/{name}.csv)")
        for name, value in outcome.study.slots.items()
        if isinstance(value, Features)
    ]
    sections = [
        Section("What was read", (KeyValues(_facts(analysis.case, source)),)),
        Section("Measurements", tuple(tables)),
        methods_section(analysis, outcome),
    ]
    return Report(
        title=findings.title,
        pseudonym=analysis.case.pseudonym,
        summary=(
            f"{len(source.channels)} channels, {source.duration:.4g} s at {source.rate:g} Hz. "
            f"Study '{analysis.pipeline.name}' was chosen because {analysis.why}.",
        ),
        numbers=_numbers(outcome.study),
        notices=tuple(Notice(text, "warning") for text in (*findings.notes, *notes)),
        picture=Figure(traces(shown), f"Ten seconds from the middle: {', then '.join(name for name in shown)}."),
        sections=tuple(sections),
        footer=Footer(
            (
                f"isocenter {__version__}. Study {analysis.pipeline.name}, specification {analysis.pipeline.digest[:23]}\u2026",
                "lineage.json ties every number to its samples, steps and versions; check with: isocenter verify",
            )
        ),
    )


def _facts(case: Case, source: Signal) -> tuple[tuple[str, Any], ...]:
    facts: list[tuple[str, Any]] = [
        ("channels", ", ".join(source.channels[:40])),
        ("samples per second", source.rate),
        ("length", f"{source.duration:.6g} s"),
        ("unit", source.unit or "arbitrary units"),
    ]
    for item in case.items:
        facts += [(key.replace("_", " "), listed(v)) for key, v in sorted(item.attributes.items()) if key not in ("channels",)]
    return tuple(facts)


def _numbers(study: Study) -> tuple[KeyNumber, ...]:
    """Return middle values over the channels as large figures."""
    wanted: Mapping[str, str] = {
        "alpha_share": "alpha, share of the power",
        "alpha_peak": "alpha peak",
        "hum_share": "mains hum, share",
    }
    found: list[KeyNumber] = []
    for key, words in wanted.items():
        table = next((v for v in study.slots.values() if isinstance(v, Features) and key in v.names), None)
        if table is None:
            continue
        column = table.columns[table.names.index(key)]
        values = sorted(v for region in table.regions if (v := float(table[region, key])) == v)
        if values:
            middle = values[len(values) // 2]
            found.append(
                KeyNumber(f"{words} (middle channel)", float(f"{middle:.3g}"), "" if column.unit == "1" else column.unit)
            )
    return tuple(found)
