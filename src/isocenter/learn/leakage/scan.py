"""The scan before training: it reads every image once and says what would flatter the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from isocenter.core.errors import ParameterError
from isocenter.core.text import plain
from isocenter.learn.data.cohort import Cohort
from isocenter.learn.leakage.duplicates import find_copies, judge_copies
from isocenter.learn.leakage.facts import gather
from isocenter.learn.leakage.metadata import judge_features, judge_metadata
from isocenter.learn.leakage.names import judge_names
from isocenter.learn.leakage.report import Finding, LeakageReport
from isocenter.learn.splits import Splits

__all__ = ["scan"]


def scan(
    cohort: Cohort,
    splits: Splits | None = None,
    *,
    accept: str | None = None,
    further: Sequence[Finding] = (),
    progress: Callable[[int, int], None] | None = None,
) -> LeakageReport:
    """Look for what would make a result better than it is.

    Parameters
    ----------
    cohort
        The cases.
    splits
        How they are divided; None looks at the cases alone.
    accept
        Why a refusal is overridden; recorded in the report.
    further
        What was found elsewhere and belongs into the same report.
    progress
        Called with (done, of) after each image.

    Returns
    -------
    LeakageReport
        Its `require` raises where training should not start.

    Notes
    -----
    Copies are found by equal pixels and by the likeness of pictures after shift, flip, brightness, size and encoding;
    facts around the pixels are asked how well they alone tell the label, cross-validated by patient.
    """
    if accept is not None and not accept.strip():
        raise ParameterError("Accepting a leak needs its reason: expected some words that a reader of the report can judge.")
    findings: list[Finding] = [*further]
    if splits is not None:
        shared = _shared(cohort, splits, [s.patient for s in cohort.samples], "")
        findings += shared
    if any(s.path is not None for s in cohort.samples):
        facts = gather(cohort, progress)
        findings += _unreadable(cohort, facts.unreadable)
        if splits is not None and any(facts.patients):
            known = [p or s.patient for p, s in zip(facts.patients, cohort.samples, strict=True)]
            findings += _shared(cohort, splits, known, " by the image headers") if not shared else []
        findings += judge_copies(cohort, find_copies(facts), splits)
        findings += judge_names(cohort)
        findings += judge_metadata(cohort, facts.table)
    else:
        findings += judge_features(cohort)
        findings += judge_metadata(cohort, {})
    findings.sort(key=lambda finding: finding.severity != "refuse")  # stable: refusals first
    return LeakageReport(cohort.name, cohort.digest, len(cohort), tuple(findings), accept)


def _shared(cohort: Cohort, splits: Splits, patients: list[str], how: str) -> list[Finding]:
    """Return the patients who stand in two parts of a fold."""
    both: dict[str, tuple[str, str]] = {}
    for fold in splits.folds:
        owner: dict[str, str] = {}
        for part, indices in fold.parts.items():
            for index in indices:
                before = owner.setdefault(patients[index], part)
                if before != part:
                    both.setdefault(patients[index], (before, part))
    if not both:
        return []
    name, (one, other) = next(iter(sorted(both.items())))
    return [
        Finding(
            "patient",
            "refuse",
            f"{len(both)} of {len(set(patients))} patients stand in two parts{how} (for instance '{plain(name, 80)}' in {one} and in {other}): "
            "a model would be tested on people it has seen; split with kfold, holdout or leave_one_site_out, which group by patient.",
            tuple({"patient": plain(p, 120), "parts": f"{a}, {b}"} for p, (a, b) in sorted(both.items())[:400]),
        )
    ]


def _unreadable(cohort: Cohort, failed: list[tuple[int, str]]) -> list[Finding]:
    if not failed:
        return []
    first, reason = failed[0]
    return [
        Finding(
            "unreadable",
            "refuse",
            f"{len(failed)} of {len(cohort)} images cannot be read, the first is '{plain(cohort.samples[first].identifier, 200)}' "
            f"({reason.rstrip('.')}): get sound copies or take them out of the table.",
            tuple({"case": cohort.samples[k].identifier, "reason": text} for k, text in failed[:400]),
        )
    ]
