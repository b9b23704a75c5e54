"""Rows of the tables of places: every true and every found one of a case."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from isocenter.learn.data.cohort import Cohort
from isocenter.learn.data.turned import as_stored
from isocenter.learn.places.places import Places

__all__ = ["place_rows"]


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
