"""The report of an external validation of a model of classes, numbers or risks."""

from __future__ import annotations

from isocenter.core.results import Score
from isocenter.jobs.learn_blocks import subgroup_section
from isocenter.jobs.model_validation import beside_training, validation_page
from isocenter.learn.package.model import Package
from isocenter.learn.package.validate import Validation
from isocenter.view.report import KeyNumber, Report, Section, Table
from isocenter.view.tables import score_table

__all__ = ["validation_report"]


def validation_report(package: Package, found: Validation) -> Report:
    """Return the report of a validation."""
    first = [
        n
        for n in ("auc_roc", "macro_auc_roc", "balanced_accuracy", "mae", "r2", "c_index", "integrated_brier")
        if n in found.scores
    ]
    numbers = [KeyNumber(_called(n), float(f"{found.scores[n].value:.3g}")) for n in first]
    compared = beside_training(found, _called, _shown, "Beside what was proved in training")
    sections = [Section("Scores", (score_table(found.scores, caption="On this cohort, intervals over patients"), compared))]
    if found.calibration:
        sections.append(Section("Calibration", (_calibration(package, found),)))
    sections += subgroup_section(found, first[0], _called(first[0])) if first else []
    return validation_page(package, found, _called, numbers, sections, "predictions.csv")


def _called(name: str) -> str:
    return name.replace("_", " ")


def _shown(score: Score) -> str:
    between = "" if score.interval is None else f" ({score.interval[0]:.3g} to {score.interval[1]:.3g})"
    return f"{score.value:.3g}{between}"


def _calibration(package: Package, found: Validation) -> Table:
    of = f"'{package.classes[1]}'" if len(package.classes) == 2 else "the most probable class"
    rows = []
    for b in found.calibration:
        if b.n:
            between = "\u2013" if b.interval is None else f"{b.interval[0]:.2f} to {b.interval[1]:.2f}"
            rows.append((f"{b.low:.1f} to {b.high:.1f}", round(b.predicted, 3), round(b.observed, 3), between, b.n))
    return Table(
        ("Probability", "Predicted", "Observed", "95 % interval", "n"), tuple(rows), f"How often {of} was right as predicted"
    )
