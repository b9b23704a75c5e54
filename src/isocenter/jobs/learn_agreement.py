"""How predicted numbers agree with the true ones: Bland and Altman's limits and the tolerance interval of every model of a run."""

from __future__ import annotations

from typing import Any

from isocenter.jobs.learn_results import Made
from isocenter.learn.evaluate.regression import BlandAltman, bland_altman, tolerance_interval
from isocenter.view import curves
from isocenter.view.report import Figure, Paragraph, Table

__all__ = ["agreement_blocks", "agreement_picture", "agreement_tables"]


def _agreed(found: Any, proof: Any) -> tuple[BlandAltman, tuple[float, float]]:
    truth = found.table.target[proof.tested]
    return bland_altman(truth, proof.predicted), tolerance_interval(proof.predicted - truth)


def agreement_picture(found: Any) -> Figure:
    """Return the Bland-Altman plot of the primary.

    Parameters
    ----------
    found
        A study of numbers.
    """
    truth, predicted = found.table.target[found.proof.tested], found.proof.predicted
    agreed, _ = _agreed(found, found.proof)
    picture = curves.agreement(truth, predicted, agreed.bias, agreed.lower, agreed.upper, found.table.unit)
    return Figure(picture, "Held-out predictions: difference over the mean, with the bias and the limits of agreement.")


def agreement_blocks(found: Any) -> tuple[Any, ...]:
    """Return the agreement of the primary in words, and that of every model as a table.

    Parameters
    ----------
    found
        A study of numbers.
    """
    agreed, (low, high) = _agreed(found, found.proof)
    unit = "" if found.table.unit == "1" else f" {found.table.unit}"
    text = (
        f"Bias {agreed.bias:.3g}{unit} (95 % interval {agreed.bias_interval[0]:.3g} to {agreed.bias_interval[1]:.3g}), limits of agreement "
        f"{agreed.lower:.3g} to {agreed.upper:.3g}{unit}; 95 % of new errors lie between {low:.3g} and {high:.3g}{unit} with 95 % "
        "confidence, if errors are normal."
    )
    if agreed.slope_interval[1] < 0:
        text += " Predictions shrink towards the middle: high values come out too low, and low ones too high."
    rows = []
    for name, proof in found.proofs.items():
        one, bounds = _agreed(found, proof)
        limits = [(one.bias, one.bias_interval), (one.lower, one.lower_interval), (one.upper, one.upper_interval)]
        rows.append(
            (name, *(f"{v:.3g} ({a:.3g} to {b:.3g})" for v, (a, b) in limits), f"{bounds[0]:.3g} to {bounds[1]:.3g}", one.n)
        )
    head = ("Model", "Bias", "Lower limit", "Upper limit", "Tolerance interval", "n")
    words = f"Prediction less truth{unit and f' in{unit}'}, 95 % intervals in brackets; the tolerance interval holds 95 % with 95 % confidence"
    return (Paragraph(text), Table(head, tuple(rows), words))


def agreement_tables(found: Any) -> list[Made]:
    """Return the agreement of every model as a file; none for classes.

    Parameters
    ----------
    found
        The study.
    """
    if found.table.classes:
        return []
    rows: list[tuple[Any, ...]] = []
    for name, proof in found.proofs.items():
        one, bounds = _agreed(found, proof)
        pairs = [(one.bias, one.bias_interval), (one.lower, one.lower_interval), (one.upper, one.upper_interval)]
        rows.append(
            (name, *(x for value, between in pairs for x in (value, *between)), *bounds, one.slope, *one.slope_interval, one.n)
        )
    limits = [f"{name}{end}" for name in ("bias", "lower_limit", "upper_limit") for end in ("", "_low_95", "_high_95")]
    head = ("model", *limits, "tolerance_low", "tolerance_high", "slope", "slope_low_95", "slope_high_95", "n")
    return [("agreement.csv", "agreement of predicted numbers with the true ones", head, rows)]
