"""What a leakage scan found, in words and rows, and whether it stands in the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from isocenter.core.errors import ContentError

__all__ = ["Finding", "LeakageReport", "Severity"]

Severity = Literal["refuse", "warn"]


@dataclass(frozen=True)
class Finding:
    """One thing that a scan found.

    Attributes
    ----------
    kind
        ``duplicates across``, ``duplicates within``, ``patient``, ``file name``, ``source``, ``metadata``, ``feature``,
        ``label conflict``, ``unreadable``, ``start`` (cases that a network to begin with has seen).
    severity
        ``refuse`` where a result would mean nothing, ``warn`` where it must be read with care.
    sentence
        What was found, what it does to the result, and what to do.
    evidence
        Rows of plain values: the cases and the figures.
    """

    kind: str
    severity: Severity
    sentence: str
    evidence: tuple[Mapping[str, Any], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "sentence": self.sentence,
            "evidence": [dict(row) for row in self.evidence],
        }


@dataclass(frozen=True)
class LeakageReport:
    """What a scan found.

    Attributes
    ----------
    cohort
        Name of what was scanned.
    digest
        Digest of its table.
    cases
        How many cases were scanned.
    findings
        What was found, refusals first.
    accepted
        Why refusals were overridden, in the user's words; None where they were not.
    """

    cohort: str
    digest: str
    cases: int
    findings: tuple[Finding, ...]
    accepted: str | None = None

    @property
    def refusals(self) -> tuple[Finding, ...]:
        """The findings that make a result meaningless."""
        return tuple(finding for finding in self.findings if finding.severity == "refuse")

    @property
    def refused(self) -> bool:
        """Whether training should not start."""
        return bool(self.refusals) and self.accepted is None

    def require(self) -> None:
        """Raise unless nothing stands in the way, or it was accepted.

        Raises
        ------
        ContentError
            With what was found.
        """
        if self.refused:
            more = len(self.refusals) - 1
            rest = f" ({more} more such finding{'s' if more > 1 else ''}.)" if more else ""
            raise ContentError(
                f"Leakage in '{self.cohort}': {self.refusals[0].sentence}{rest} "
                "To go on all the same and have it recorded: --accept-leak REASON."
            )

    def to_table(self) -> tuple[tuple[str, ...], list[tuple[str, str, str]]]:
        """Return the columns and rows of a table: one row a finding."""
        return ("severity", "kind", "finding"), [(f.severity, f.kind, f.sentence) for f in self.findings]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as they are stored with a run."""
        return {
            "cohort": self.cohort,
            "digest": self.digest,
            "cases": self.cases,
            "accepted": self.accepted,
            "refused": self.refused,
            "findings": [finding.to_dict() for finding in self.findings],
        }
