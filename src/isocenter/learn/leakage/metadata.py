"""Facts around the pixels that coincide with the label: source, size, format, spacing, marks, header values, columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from isocenter.core.text import plain
from isocenter.learn.data.cohort import NUMERIC, Cohort
from isocenter.learn.leakage.association import Telling, coded, cramers_v, telling_class, telling_number
from isocenter.learn.leakage.report import Finding, Severity

__all__ = ["judge_features", "judge_metadata"]

#: From this area under the curve on, with certainty, the label could be read off without looking at the content.
MEANINGLESS = 0.95
NOTEWORTHY = 0.6
EXPLAINED = 0.1  # share of variance of a number
FEWEST = 20  # cases below which no association is claimed
#: Facts that content itself may decide, so that they never refuse on their own.
OF_CONTENT = ("lowest value", "highest value", "bytes of the file")

Fact = str | float


def judge_metadata(cohort: Cohort, table: Mapping[str, Sequence[Fact]]) -> list[Finding]:
    """Return which facts tell the label by themselves.

    Parameters
    ----------
    cohort
        The cases.
    table
        Name of a fact to its value for each case.
    """
    if len(cohort) < FEWEST or cohort.task not in ("classification", *NUMERIC):
        return []
    columns: dict[str, Sequence[Fact]] = {}
    if len(set(cohort.sites)) > 1:
        columns["site"] = [str(s) for s in cohort.sites]
    columns.update({f"column '{name}'": [str(v) for v in values] for name, values in cohort.subgroups.items() if name != "part"})
    columns.update(table)
    codes = {name: coded(values) for name, values in columns.items()}
    codes = {name: code for name, code in codes.items() if 1 < len(np.unique(code)) <= len(cohort) // 2}
    if cohort.task == "classification":
        if len(cohort.classes) < 2 or (cohort.targets < 0).any():
            return []
        return _classes(cohort, columns, codes)
    return _numbers(cohort, codes)


def _classes(cohort: Cohort, columns: Mapping[str, Sequence[Fact]], codes: Mapping[str, npt.NDArray[np.intp]]) -> list[Finding]:
    targets = cohort.targets.astype(np.intp)
    findings = []
    tests = len(codes) + 1
    for name, code in codes.items():
        told = telling_class([code], targets, cohort.groups, tests=tests)
        if told.low < NOTEWORTHY:
            continue
        certain = told.low >= MEANINGLESS and name not in OF_CONTENT and not name.startswith("column ")
        # Where a class is that of a site and no other, no site can be left out to see what is left: few patients make it no better.
        certain = certain or (name == "site" and told.value > 1.0 - 1e-9)
        severity: Severity = "refuse" if certain else "warn"
        findings.append(
            Finding(
                "source" if name == "site" else "metadata",
                severity,
                f"{_shown(name)} alone tells class '{plain(cohort.classes[told.which], 80)}' from the rest with AUC {_interval(told)}: "
                + _advice(name, certain),
                _crossed(columns[name], code, cohort),
            )
        )
    around = [code for name, code in codes.items() if name not in OF_CONTENT and not name.startswith("column ")]
    if len(around) > 1 and not any(f.severity == "refuse" for f in findings):
        told = telling_class(around, targets, cohort.groups, tests=tests)
        if told.low >= MEANINGLESS:
            findings.append(
                Finding(
                    "metadata",
                    "refuse",
                    f"Source, format and header together tell class '{plain(cohort.classes[told.which], 80)}' with AUC {_interval(told)} "
                    "without a look at the content: a model would learn where images come from; take cases of each class from each source.",
                )
            )
    return findings


def _numbers(cohort: Cohort, codes: Mapping[str, npt.NDArray[np.intp]]) -> list[Finding]:
    values = cohort.labels
    if not np.isfinite(values).all() or float(values.std()) == 0.0:
        return []
    findings = []
    for name, code in codes.items():
        told, error, guess = telling_number(code, values, cohort.groups, tests=len(codes))
        if told.low < EXPLAINED:
            continue
        findings.append(
            Finding(
                "source" if name == "site" else "metadata",
                "warn",
                f"{_shown(name)} alone predicts the label with a mean error of {error:.3g}, where guessing the median gives {guess:.3g} "
                f"(variance explained {_interval(told)}): a score with all of them mixed is partly that; "
                + (
                    "give the figure with each site left out beside it."
                    if name == "site"
                    else "give figures within each of its values."
                ),
                ({"fact": name, "explained": told.value, "low": told.low, "high": told.high, "error": error, "guess": guess},),
            )
        )
    return findings


def judge_features(cohort: Cohort) -> list[Finding]:
    """Return which tabular features repeat the label or name the site."""
    findings = []
    names = [name for name in cohort.features if not (cohort.task == "survival" and name == "event")]
    if len(cohort) < FEWEST:
        return []
    matrix = cohort.matrix(names)
    sites = coded([str(s) for s in cohort.sites])
    for k, name in enumerate(names):
        column = matrix[:, k]
        if np.isnan(column).any() or float(np.ptp(column)) == 0.0:
            continue
        if _repeats(cohort, column):
            findings.append(
                Finding(
                    "feature",
                    "refuse",
                    f"Feature '{plain(name, 80)}' gives the label away in every case: it was derived from it, or stands for it; leave it out.",
                    ({"feature": name},),
                )
            )
        values = np.unique(column, return_inverse=True)[1].reshape(-1).astype(np.intp)
        distinct = int(values.max()) + 1
        if 1 < len(np.unique(sites)) and distinct <= 2 * len(np.unique(sites)) and cramers_v(values, sites) > 0.95:
            findings.append(
                Finding(
                    "feature",
                    "warn",
                    f"Feature '{plain(name, 80)}' names the site ({distinct} values for {len(np.unique(sites))} sites): a model learns "
                    "the site from it; leave it out.",
                    ({"feature": name, "cramers_v": cramers_v(values, sites)},),
                )
            )
    return findings


def _repeats(cohort: Cohort, column: npt.NDArray[np.float64]) -> bool:
    if cohort.task == "regression":
        return bool(float(cohort.labels.std()) > 0 and abs(np.corrcoef(column, cohort.labels)[0, 1]) > 0.9999)
    if cohort.task != "classification":
        return False
    # Every value belongs to one class, and values repeat, so that chance does not do it.
    values = np.unique(column, return_inverse=True)[1].reshape(-1)
    if int(values.max()) + 1 > 2 * len(cohort.classes):
        return False
    pairs = len({(int(v), int(t)) for v, t in zip(values, cohort.targets, strict=True)})
    return pairs == int(values.max()) + 1 and len(cohort.classes) > 1


def _crossed(values: Sequence[Fact], code: npt.NDArray[np.intp], cohort: Cohort) -> tuple[dict[str, Fact], ...]:
    """Return how often each value goes with each class."""
    rows = []
    for k in np.unique(code)[:24]:
        inside = code == k
        members = [values[int(i)] for i in np.flatnonzero(inside)]
        numeric = [v for v in members if not isinstance(v, str)]
        ranged = len(numeric) == len(members) and len(set(members)) > 1
        shown = f"{min(numeric):.6g} to {max(numeric):.6g}" if ranged else plain(members[0], 80)
        row: dict[str, Fact] = {"value": shown}
        row.update({name: float((inside & (cohort.targets == c)).sum()) for c, name in enumerate(cohort.classes)})
        rows.append(row)
    return (*rows, {"cramers_v": cramers_v(code, cohort.targets.astype(np.intp))})


def _shown(name: str) -> str:
    return "The site" if name == "site" else f"'{name}'" if not name.startswith("column ") else name.capitalize()


def _interval(told: Telling) -> str:
    return f"{told.value:.2f} ({max(told.low, 0.0):.2f} to {told.high:.2f})"


def _advice(name: str, certain: bool) -> str:
    if certain:
        return "the class could be told without a look at the content, so a score would mean nothing; take cases of each class from each source."
    if name == "site":
        return "a score with sites mixed is partly that; give the figure with each site left out beside it."
    return "a model may learn that instead of the content; give figures within each of its values, or make it the same for all."
