"""Show results in the terminal, with rich; every text from outside is made plain first."""

from __future__ import annotations

import json as json_module
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from isocenter.core.text import plain

if TYPE_CHECKING:
    from isocenter.jobs.demo import DemoResult
    from isocenter.jobs.info import Info
    from isocenter.jobs.measure import Result as MeasureResult
    from isocenter.jobs.run import Prepared, Summary
    from isocenter.jobs.verify import Verification

__all__ = ["demo", "info", "json", "lines", "measured", "plan", "progress", "summary", "verification"]

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False)


def safe(value: Any) -> str:
    """Return text that can neither style nor move the terminal."""
    return escape(plain(value))


def json(value: Any) -> None:
    """Print one JSON document."""
    text = json_module.dumps(value, indent=1, ensure_ascii=False, allow_nan=False, default=str)
    # A file name that is no UTF-8 comes as lone surrogates: written as JSON escapes, they print and are read back.
    print(text.encode("utf-8", "backslashreplace").decode("utf-8"))


def lines(texts: Iterable[str]) -> None:
    """Print lines as they are."""
    for text in texts:
        out.print(safe(text))


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None = None, right: Sequence[int] = ()) -> None:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="dim")
    for k, column in enumerate(columns):
        table.add_column(column, justify="right" if k in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*[safe(v) for v in row])
    out.print(table)


def _bytes(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            return f"{count:.0f} {unit}" if unit in ("B", "KiB") else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError("unreachable")


def plan(prepared: Prepared) -> None:
    """Print what will be done, what it will cost, and every problem found."""
    for analysis in prepared.analyses:
        out.print(
            f"[bold]{safe(analysis.name)}[/]: {safe(analysis.title)} ({safe(analysis.study)}), because {safe(analysis.why)}"
        )
        for sentence in analysis.problems:
            out.print(f"  [yellow]![/] {safe(sentence)}")
        for sentence in analysis.preparation:
            out.print(f"  [cyan]*[/] {safe(sentence)}")
        if len(prepared.analyses) <= 3:
            _table(
                ("step", "operation", "from", "time", "memory"),
                [(r["to"], r["op"], r["from"], f"{r['seconds']:.1f} s", _bytes(r["bytes"])) for r in analysis.rows],
                right=(3, 4),
            )
            for sentence in analysis.dropped:
                out.print(f"  [dim]left out: {safe(sentence)}[/]")
    for path, reason in prepared.refused:
        out.print(f"[red]refused[/] {safe(path)}: {safe(reason)}")
    for sentence in prepared.unused:
        out.print(f"[dim]not used: {safe(sentence)}[/]")
    if prepared.analyses:
        out.print(
            f"{len(prepared.analyses)} {'analysis' if len(prepared.analyses) == 1 else 'analyses'}, about {prepared.seconds:.0f} s of computing and "
            f"{_bytes(prepared.bytes)} of memory at the peak, about {prepared.files} files. "
            "Another study: --study NAME (isocenter run --help)."
        )
    out.print()


@contextmanager
def progress(quiet: bool = False) -> Iterator[Any]:
    """Yield a function (text, done, total) that moves a progress bar on the error stream."""
    if quiet or not err.is_terminal:
        yield None
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
        console=err,
        transient=True,
    ) as bar:
        task = bar.add_task("starting", total=None)

        def move(text: str, done: int, total: int) -> None:
            bar.update(task, description=safe(text)[:60], completed=done, total=total)

        yield move


def summary(result: Summary) -> None:
    """Print what came out: the case flow, the key numbers and where everything lies."""
    from isocenter.jobs.identities import IDENTITIES

    for case in result.cases:
        if case.key:
            _table(
                ("region", *case.key_columns),
                case.key,
                title=f"{safe(case.name)}: {safe(case.title)}",
                right=tuple(range(1, len(case.key_columns) + 1)),
            )
        for note in case.notes:
            out.print(f"  [yellow]![/] {safe(note)}")
    if len(result.flow) > 1 or result.set_aside:
        _table(("case flow", "n"), [(k, v) for k, v in result.flow.items()], right=(1,))
    for name, reason in result.set_aside:
        out.print(f"[red]set aside[/] {safe(name)}: {safe(reason)}")
    out.print(f"\nReport:   {safe(result.report)}")
    out.print(f"Results:  {safe(result.out)} ({result.files} files)")
    if (result.out / "tables" / IDENTITIES).exists():
        out.print(f"Names:    {safe(result.out / 'tables' / IDENTITIES)} (who is who: keep it apart)")
    elif len(result.cases) > 1:
        out.print("Cases go by pseudonyms; --identify writes which is which.")
    out.print(
        f"Took {result.seconds:.1f} s, peak memory {_bytes(result.peak_bytes)}{'; nothing was recomputed' if result.reused else ''}."
    )
    out.print(f"Check it any time with: isocenter verify {safe(result.out)}")


def info(found: Info) -> None:
    """Print what an input is."""
    for item in found.items:
        out.print(f"[bold]{safe(item.title)}[/]")
        for label, text in item.facts:
            out.print(f"  {safe(label):<12} {safe(text)}")
        for line in item.picture.splitlines():
            out.print(f"  [dim]{escape(line)}[/]")
        for sentence in item.problems:
            out.print(f"  [yellow]![/] {safe(sentence)}")
    for path, reason in found.refused:
        out.print(f"[red]refused[/] {safe(path)}: {safe(reason)}")
    if found.skipped:
        out.print(
            f"[dim]{len(found.skipped)} other files passed over, the first: {safe(found.skipped[0][0])} ({safe(found.skipped[0][1])})[/]"
        )
    if found.usable:
        out.print(f"\nNext: isocenter run {safe(found.path)} -o results")
    elif not found.refused:
        out.print("Nothing here can be read as an image; isocenter reads DICOM, NIfTI, NRRD, MetaImage, PNG, JPEG and TIFF.")


def measured(result: MeasureResult) -> None:
    """Print what was measured, what was set aside and why, and where the table is."""
    for note in result.notes:
        out.print(f"[yellow]![/] {safe(note)}")
    for image, mask, label, reason in result.set_aside:
        where = f"{image}, {mask}" + (f", label {label}" if label else "")
        out.print(f"[red]set aside[/] {safe(where)}: {safe(reason)}")
    again = f" ({result.reused} masks were measured before)" if result.reused else ""
    aside = f", {len(result.set_aside)} set aside" if result.set_aside else ""
    if result.table is None:
        out.print(f"Nothing was measured{aside}.")
    else:
        out.print(f"{result.rows} regions, {result.columns} columns{aside}{again}: {safe(result.table)}")


def verification(report: Verification) -> None:
    """Print whether a result folder is what its lineage says."""
    for difference in report.differences:
        out.print(f"[red]differs[/] {safe(difference)}")
    for note in report.notes:
        out.print(f"[dim]{safe(note)}[/]")
    if report.sound:
        out.print(
            f"Sound: {report.files} files and {report.steps} steps are as recorded{', and recomputing them gave the same' if report.recomputed else ''}."
        )


def demo(result: DemoResult) -> None:
    """Print the truth checks of the demonstration and where the reports are."""
    _table(
        ("check", "expected", "found", ""),
        [(c.name, c.expected, c.found, "ok" if c.passed else "FAILED") for c in result.checks],
        title="Checks against known truth",
    )
    for name, path in result.reports:
        out.print(f"{safe(name):<28} {safe(path)}")
    passed = sum(c.passed for c in result.checks)
    out.print(f"\n{passed} of {len(result.checks)} checks passed in {result.seconds:.1f} s. Open the first report in a browser.")
