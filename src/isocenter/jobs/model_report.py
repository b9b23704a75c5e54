"""The report of an external validation."""

from __future__ import annotations

from isocenter._version import __version__
from isocenter.core.results import Score
from isocenter.learn.package.model import Package
from isocenter.learn.package.validate import Validation
from isocenter.view.report import Footer, KeyNumber, Notice, Paragraph, Report, Section, Table
from isocenter.view.tables import score_table

__all__ = ["validation_report"]

#: More warned cases than this stand in the table alone.
_MOST = 20


def validation_report(package: Package, found: Validation) -> Report:
    """Return the report of a validation."""
    name = package.manifest["name"]
    unlike = [c for c in found.cases if c.warnings]
    worse = [c for c in found.compared if c.sentence.startswith("differs")]
    notices = []
    if worse:
        shown = ", ".join(c.name.replace("_", " ") for c in worse)
        notices.append(Notice(f"Here it does not do as in its training: {shown}.", "warning"))
    if unlike:
        notices.append(Notice(f"{len(unlike)} of {len(found.cases)} cases are unlike those of its training.", "warning"))
    if found.aside:
        notices.append(Notice(f"{len(found.aside)} cases could not be judged; the reasons stand below.", "warning"))
    first = [
        n
        for n in ("auc_roc", "macro_auc_roc", "balanced_accuracy", "mae", "r2", "c_index", "integrated_brier")
        if n in found.scores
    ]
    numbers = [KeyNumber(n.replace("_", " "), float(f"{found.scores[n].value:.3g}")) for n in first]
    sections = [
        Section("Scores", (score_table(found.scores, caption="On this cohort, intervals over patients"), _comparison(found)))
    ]
    if found.calibration:
        sections.append(Section("Calibration", (_calibration(package, found),)))
    if unlike:
        rows = tuple((c.identifier, text) for c in unlike[:_MOST] for text in c.warnings)
        sections.append(
            Section("Unlike the training", (Table(("Case", "In which way"), rows, "All stand in tables/predictions.csv"),))
        )
    if found.aside:
        sections.append(Section("Set aside", (Table(("Case", "Reason"), found.aside),)))
    return Report(
        title=f"External validation of {name}",
        pseudonym=f"{len(found.cases)} cases",
        summary=(
            f"Model '{name}' ({package.digest[:19]}\u2026) on {len(found.cases)} cases that are none of the "
            f"{package.manifest['training']['cases']} it was made from.",
        ),
        numbers=tuple(numbers),
        notices=tuple(notices),
        sections=tuple(sections),
        footer=Footer((f"isocenter {__version__}", f"Package {package.digest}")),
    )


def _comparison(found: Validation) -> Table | Paragraph:
    rows = tuple(
        (c.name.replace("_", " "), _shown(c.here), "\u2013" if c.internal is None else _shown(c.internal), c.sentence)
        for c in found.compared
    )
    return Table(("Score", "Here", "In training", "Together"), rows, "Beside what was proved in training")


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
