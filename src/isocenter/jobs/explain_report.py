"""The one-page report of an explanation."""

from __future__ import annotations

from collections.abc import Sequence

from isocenter._version import __version__
from isocenter.jobs.explain_outputs import METHODS, Piece
from isocenter.learn.package.model import Package
from isocenter.view.report import Footer, Notice, Report

__all__ = ["explanation_report"]

_CAUTION = (
    "An explanation says what moved the score of the model, not that the model is right, nor what the patient has; "
    "read it after the validation, never instead."
)


def explanation_report(package: Package, method: str, pieces: Sequence[Piece], notes: Sequence[str]) -> Report:
    """Return the report.

    Parameters
    ----------
    package
        Whose model was explained.
    method
        By which method.
    pieces
        What was found, the most important first.
    notes
        What could not be written, and why.
    """
    warnings = [text for piece in pieces for text in piece.warnings]
    failed = [text for piece in pieces for text in piece.warnings if "must not be read as its reason" in text]
    notices = [Notice(text.removeprefix("Warning: "), "problem" if text in failed else "warning") for text in warnings]
    notices += [Notice(text, "info") for text in notes]
    return Report(
        title=f"Explanation: {METHODS[method]}",
        pseudonym=f"model {package.manifest['name']}",
        summary=(*(line for piece in pieces for line in piece.lines), _CAUTION),
        numbers=tuple(number for piece in pieces for number in piece.numbers),
        notices=tuple(notices),
        picture=next((piece.figure for piece in pieces if piece.figure is not None), None),
        sections=tuple(section for piece in pieces for section in piece.sections),
        footer=Footer(
            (f"isocenter {__version__}", f"Package {package.digest}", "isocenter verify OUT checks every file of this folder")
        ),
    )
