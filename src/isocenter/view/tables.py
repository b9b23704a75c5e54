"""Tables of results: features, scores, predictions, and where the cases of a cohort went."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from isocenter.core.results import Features, Prediction, Scores
from isocenter.view.report import Block, KeyNumber, Notice, Table
from isocenter.view.text import number
from isocenter.view.text import unit as unit_text

__all__ = ["case_flow", "feature_table", "key_numbers", "prediction_table", "score_table"]


def _with_unit(name: str, unit: str) -> str:
    plain = _title(name)
    return f"{plain} ({unit_text(unit)})" if unit_text(unit) else plain


def _title(name: str) -> str:
    plain = name.replace("_", " ")
    return plain[:1].upper() + plain[1:]


def feature_table(features: Features, names: Sequence[str] | None = None, caption: str = "") -> Table:
    """Return a table of measurements.

    Parameters
    ----------
    features
        One row per region.
    names
        Columns to show, in order; default: all of them.
    caption
        What the table shows.

    Returns
    -------
    Table
        Regions as rows; where there are more than six features, features as rows, with their standard identifier.
    """
    wanted = list(features.names) if names is None else [n for n in names if n in features.names]
    where = [features.names.index(n) for n in wanted]
    if len(where) <= 6:
        columns = ("Region", *(_with_unit(features.columns[k].name, features.columns[k].unit) for k in where))
        rows = tuple((region, *(row[k] for k in where)) for region, row in zip(features.regions, features.rows, strict=True))
        return Table(columns, rows, caption)
    coded = any(features.columns[k].standard for k in where)
    head = ("Feature", "Unit", *(("Standard",) if coded else ()), *features.regions)
    body = []
    for k in where:
        column = features.columns[k]
        facts = (_title(column.name), unit_text(column.unit) or "\u2013", *((column.standard or "\u2013",) if coded else ()))
        body.append((*facts, *(row[k] for row in features.rows)))
    return Table(head, tuple(body), caption)


def score_table(scores: Scores, caption: str = "") -> Table:
    """Return a table of scores with intervals and the number of cases behind each."""
    rows = []
    for name, score in scores.items():
        between = (
            "\u2013" if score.interval is None else f"{number(float(score.interval[0]))} to {number(float(score.interval[1]))}"
        )
        rows.append((_title(name), float(score.value), unit_text(score.unit) or "\u2013", between, score.n))
    return Table(("Score", "Value", "Unit", "95 % interval", "n"), tuple(rows), caption)


def prediction_table(prediction: Prediction, caption: str = "") -> Table:
    """Return a table of what a model says of one case."""
    if prediction.classes:
        pairs = sorted(zip(prediction.classes, prediction.probabilities, strict=True), key=lambda p: -p[1])
        return Table(("Class", "Probability"), tuple((name, round(p, 4)) for name, p in pairs), caption)
    return Table(("Predicted value", "Unit"), ((prediction.value, unit_text(prediction.unit) or "\u2013"),), caption)


def key_numbers(features: Features, wanted: Mapping[str, str], most: int = 6) -> tuple[KeyNumber, ...]:
    """Return the few numbers for the first screen.

    Parameters
    ----------
    features
        The measurements.
    wanted
        Feature name -> what to call it, in order of importance.
    most
        Numbers at most; every region gets its first feature before any gets its second.
    """
    found = []
    for name, words in wanted.items():
        if name not in features.names:
            continue
        column = features.columns[features.names.index(name)]
        unit = "" if column.unit == "1" else column.unit
        found += [KeyNumber(f"{region}: {words}", features[region, name], unit) for region in features.regions]
    return tuple(found[:most])


def case_flow(
    analysed: Sequence[str],
    refused: Iterable[tuple[str, str]] = (),
    set_aside: Iterable[tuple[str, str]] = (),
    most: int = 200,
) -> tuple[Block, ...]:
    """Return where the cases of a cohort went: found, refused, set aside, analysed, with reasons.

    Parameters
    ----------
    analysed
        Pseudonyms of the cases with results.
    refused
        (name, reason) of input that could not be used.
    set_aside
        (pseudonym, reason) of cases that failed at a step.
    most
        Reasons listed at most; the counts are always complete.
    """
    lost = [(name, "refused", reason) for name, reason in refused]
    failed = [(name, "set aside", reason) for name, reason in set_aside]
    total = len(analysed) + len(lost) + len(failed)
    counts = (
        ("found", total),
        ("refused: input not usable", len(lost)),
        ("set aside: a step failed", len(failed)),
        ("analysed", len(analysed)),
    )

    def share(n: int) -> Any:
        return f"{100 * n / total:.0f} %" if total else None

    flow = Table(
        ("Cases", "Number", "Share"), tuple((w, n, share(n)) for w, n in counts), "Case flow", ("text", "number", "number")
    )
    blocks: list[Block] = [flow]
    if total and not analysed:
        blocks.append(Notice("No case could be analysed; the reasons are listed below.", "problem"))
    reasons = [*lost, *failed]
    if reasons:
        left = len(reasons) - most
        caption = "Cases without results" + (f" (the first {most}; {left} more are not shown)" if left > 0 else "")
        blocks.append(Table(("Case", "Outcome", "Reason"), tuple(reasons[:most]), caption))
    return tuple(blocks)
