"""What the reports of all learning runs show alike: the page around a task's own sections, and the blocks that repeat in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from isocenter._version import __version__
from isocenter.jobs.learn_start import start_section, start_sentence
from isocenter.view.report import Figure, Footer, KeyNumber, Notice, Paragraph, Report, Section, Table

__all__ = [
    "case_blocks",
    "case_counts",
    "difference_rows",
    "leakage_blocks",
    "learn_page",
    "score_number",
    "subgroup_section",
    "with_interval",
]

Row = tuple[Any, ...]


def learn_page(
    found: Any,
    title: str,
    *,
    lines: tuple[str, ...],
    numbers: Iterable[KeyNumber],
    notices: Iterable[Notice],
    picture: Figure | None,
    sections: Iterable[Section],
    checklist: tuple[tuple[str, str, str], ...],
) -> Report:
    """Return the report of a study.

    Parameters
    ----------
    found
        The study.
    title
        Of the page.
    lines, numbers, picture
        What stands first.
    notices
        What speaks against the model, as its task knows it; leaks stand before it, cases that were set aside behind it.
    sections
        Of the task.
    checklist
        Rows of the last section.
    """
    leaks = [Notice(f.sentence, "problem" if f.severity == "refuse" else "warning") for f in found.leakage.findings]
    if found.leakage.accepted is not None:
        text = f"Findings that make scores meaningless were accepted: {found.leakage.accepted}"
        leaks.insert(0, Notice(text, "problem"))
    aside = [Notice(f"{len(found.aside)} cases were set aside; the reasons stand below.", "warning")] if found.aside else []
    began = start_sentence(found)
    if began:
        lines = (*lines[:1], began, *lines[1:])
    items = Table(("Item", "Checklist", "What this run says"), checklist, "What a run can know is filled in; the rest is open.")
    return Report(
        title,
        found.cohort.name,
        lines,
        tuple(numbers),
        (*leaks, *notices, *aside),
        picture,
        (*sections, *start_section(found), Section("Checklists", (items,))),
        Footer((f"isocenter {__version__}", f"cohort {found.cohort.digest[:23]}", "Check it any time with: isocenter verify")),
    )


def score_number(words: str, score: Any) -> KeyNumber:
    """Return a score as a number that stands first, with its interval and the cases behind it."""
    between = "" if score.interval is None else f"95 % interval {score.interval[0]:.3g} to {score.interval[1]:.3g}, "
    return KeyNumber(words, score.value, "" if score.unit == "1" else score.unit, f"{between}n = {score.n}")


def with_interval(score: Any) -> str:
    """Return a score with its interval, for a cell of a table."""
    return f"{score.value:.3f}" + ("" if score.interval is None else f" ({score.interval[0]:.3f} to {score.interval[1]:.3f})")


def difference_rows(differences: Mapping[str, Any], called: Callable[[str], str] = str) -> tuple[Row, ...]:
    """Return a row for each model that the primary is compared with: its name, the difference, interval, p and n.

    Parameters
    ----------
    differences
        Model -> the primary less it.
    called
        What a model is called in the table.
    """
    return tuple(
        (called(name), d.difference, None if d.interval is None else f"{d.interval[0]:+.3f} to {d.interval[1]:+.3f}", d.p, d.n)
        for name, d in differences.items()
    )


def leakage_blocks(found: Any) -> tuple[Any, ...]:
    """Return what the leakage scan found, as blocks of a report.

    Parameters
    ----------
    found
        The study.
    """
    if not found.leakage.findings:
        return (
            Paragraph(
                "Duplicates, shared patients, labels in names, and facts around the images that tell the label: none was found."
            ),
        )
    head, rows = found.leakage.to_table()
    return (Table(tuple(h.capitalize() for h in head), tuple(rows)),)


def case_counts(found: Any) -> list[Row]:
    """Return how many cases and patients a study used, and how many cases it set aside."""
    cohort = found.cohort
    return [
        ("cases used", len(cohort)),
        ("patients", len(set(cohort.groups.tolist()))),
        ("set aside", len(found.aside)),
    ]


def case_blocks(found: Any, counts: Iterable[Row], notes: Sequence[str]) -> tuple[Any, ...]:
    """Return what a study was made of: counts, cases of each site, notes, and who was set aside.

    Parameters
    ----------
    found
        The study.
    counts
        Rows of what is counted.
    notes
        A paragraph each.
    """
    sites = found.cohort.sites
    rows = (*counts, *((f"site {s}", int((sites == s).sum())) for s in sorted(set(sites.tolist())) if s))
    aside = [Table(("Case", "Set aside because"), tuple(found.aside))] if found.aside else []
    return (Table(("What", "Number"), rows), *map(Paragraph, notes), *aside)


def subgroup_section(found: Any, score: str, words: str) -> list[Section]:
    """Return the section on subgroups; none where there are none.

    Parameters
    ----------
    found
        The study.
    score, words
        The score that is shown, and what it is called.
    """
    if not found.subgroups:
        return []
    rows = []
    for g in found.subgroups:
        s = None if g.scores is None or score not in g.scores else g.scores[score]
        between = None if s is None or s.interval is None else f"{s.interval[0]:.3g} to {s.interval[1]:.3g}"
        rows.append((g.attribute, g.value, g.n, g.patients, None if s is None else s.value, between, g.note))
    columns = ("Attribute", "Value", "Cases", "Patients", words, "95 % interval", "Note")
    return [Section("Subgroups", (Table(columns, tuple(rows), "Scores of all subgroups are in tables/subgroups.csv"),))]
