"""What the tables and the reports of an external validation share, whatever the task of the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from isocenter._version import __version__
from isocenter.core.results import Score
from isocenter.io import atomic, table
from isocenter.jobs.learn_rows import subgroup_tables
from isocenter.learn.package.model import Package
from isocenter.learn.package.validate import Validation
from isocenter.learn.package.validate_masks import MaskValidation
from isocenter.learn.package.validate_places import PlaceValidation
from isocenter.view.report import Footer, KeyNumber, Notice, Report, Section, Table

__all__ = ["AnyValidation", "beside_training", "validation_page", "write_scores"]

AnyValidation = Validation | MaskValidation | PlaceValidation

#: More warned cases than this stand in the table alone.
_MOST = 20


def write_scores(root: Path, found: AnyValidation) -> Path:
    """Write scores beside those of the training, and who was set aside; return the folder of the tables.

    Parameters
    ----------
    root
        Folder of the results.
    found
        What the validation gave.
    """
    folder = atomic.make_folder(root / "tables")
    rows = []
    for one in found.compared:
        inner = one.internal
        inside = (None, None, None) if inner is None else (inner.value, *(inner.interval or (None, None)))
        rows.append(
            [one.name, one.here.value, *(one.here.interval or (None, None)), one.here.n, one.here.unit, *inside, one.sentence]
        )
    columns = ["score", "value", "low", "high", "n", "unit", "training_value", "training_low", "training_high", "comparison"]
    table.write_rows(columns, rows, folder / "scores.csv")
    for name, _, heads, cells in subgroup_tables(found):
        table.write_rows(list(heads), [list(row) for row in cells], folder / name)
    table.write_rows(["case", "reason"], [list(pair) for pair in found.aside], folder / "set_aside.csv")
    return folder


def beside_training(found: AnyValidation, called: Callable[[str], str], shown: Callable[[Score], str], caption: str) -> Table:
    """Return the scores beside those of the training.

    Parameters
    ----------
    found
        What the validation gave.
    called
        What a score is called.
    shown
        A score with its interval, as text.
    caption
        What the table shows.
    """
    rows = tuple(
        (called(c.name), shown(c.here), "\u2013" if c.internal is None else shown(c.internal), c.sentence) for c in found.compared
    )
    return Table(("Score", "Here", "In training", "Together"), rows, caption)


def validation_page(
    package: Package,
    found: AnyValidation,
    called: Callable[[str], str],
    numbers: Sequence[KeyNumber],
    sections: Sequence[Section],
    warned: str,
) -> Report:
    """Return the report of a validation: what is odd about it first, then what its task shows, then the cases that are odd.

    Parameters
    ----------
    package, found
        The model, and what its validation gave.
    called
        What a score is called.
    numbers, sections
        Of the task.
    warned
        The table of all cases that are unlike those of the training.
    """
    name = package.manifest["name"]
    unlike = [c for c in found.cases if c.warnings]
    differs = [c for c in found.compared if c.sentence.startswith("differs")]
    notices = []
    if differs:
        shown = ", ".join(called(c.name) for c in differs)
        notices.append(Notice(f"Here it does not do as in its training: {shown}.", "warning"))
    if unlike:
        notices.append(Notice(f"{len(unlike)} of {len(found.cases)} cases are unlike those of its training.", "warning"))
    if found.aside:
        notices.append(Notice(f"{len(found.aside)} cases could not be judged; the reasons stand below.", "warning"))
    odd = []
    if unlike:
        rows = tuple((c.identifier, text) for c in unlike[:_MOST] for text in c.warnings)
        odd.append(Section("Unlike the training", (Table(("Case", "In which way"), rows, f"All stand in tables/{warned}"),)))
    if found.aside:
        odd.append(Section("Set aside", (Table(("Case", "Reason"), found.aside),)))
    return Report(
        title=f"External validation of {name}",
        pseudonym=f"{len(found.cases)} cases",
        summary=(
            f"Model '{name}' ({package.digest[:19]}\u2026) on {len(found.cases)} cases that are none of the "
            f"{package.manifest['training']['cases']} it was made from.",
        ),
        numbers=tuple(numbers),
        notices=tuple(notices),
        sections=(*sections, *odd),
        footer=Footer((f"isocenter {__version__}", f"Package {package.digest}")),
    )
