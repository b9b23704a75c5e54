"""Rows of the tables of places: every true and found one of a case, and what became of the case as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from isocenter.learn.data.cohort import Cohort
from isocenter.learn.data.turned import as_stored
from isocenter.learn.places.model import judged_findings
from isocenter.learn.places.places import Places
from isocenter.learn.places.scores import landmark_errors

__all__ = ["case_columns", "case_row", "place_rows"]


def place_rows(
    cohort: Cohort, k: int, truth: Places, found: Places, called: Places
) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Return columns and rows of the places of a case, in samples of the files and in mm.

    Candidates below the operating point stand there too: FROC is computed from all of them.

    Parameters
    ----------
    cohort, k
        The case's cohort and number.
    truth, found, called
        What is there, all candidates, and those above the operating point.
    """
    above = set(zip(called.names, map(tuple, called.samples.tolist()), strict=True))
    rows: list[tuple[Any, ...]] = []
    columns: tuple[str, ...] = ()
    for what, places in (("true", truth), ("found", found)):
        columns, made = as_stored(cohort, k, replace(places, scores=None)).rows()
        for i, row in enumerate(made):
            score = None if places.scores is None else float(places.scores[i])
            kept = "" if what == "true" else "yes" if (places.names[i], tuple(places.samples[i].tolist())) in above else "no"
            rows.append((what, *row, score, kept))
    return ("what", *columns, "score", "called"), rows


def case_columns(kind: str) -> tuple[str, ...]:
    """Return what `case_row` gives of a case with ``boxes`` or ``points``."""
    return (
        ("landmarks", "mean_error", "worst_error", "worst", "unit")
        if kind == "points"
        else ("true", "hit", "missed", "false_alarms")
    )


def case_row(truth: Places, found: Places, called: Places, names: Sequence[str]) -> tuple[Any, ...]:
    """Return what became of a case: of an image without any object too, which has no row among the places.

    Parameters
    ----------
    truth, found, called
        What is there, all candidates, and those above the operating point.
    names
        Of the landmarks.
    """
    if truth.kind == "points":
        errors = landmark_errors([found], [truth], names)[0]
        there = np.isfinite(errors)
        if not there.any():
            return (0, None, None, "", truth.geometry.unit)
        k = int(np.nanargmax(errors))
        return (int(there.sum()), float(np.nanmean(errors)), float(errors[k]), names[k], truth.geometry.unit)
    hits = judged_findings(called, truth, "").hits > 0
    hit, false = int(hits.any(axis=0).sum()), int((~hits.any(axis=1)).sum())
    return (len(truth), hit, len(truth) - hit, false)
