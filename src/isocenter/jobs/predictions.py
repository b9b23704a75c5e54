"""What a model said of a case: as a table, in the report, and in words that do not promise more than was proved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isocenter.core import models
from isocenter.core.labels import LabelMap
from isocenter.core.results import Prediction
from isocenter.core.study import Study
from isocenter.io import table
from isocenter.jobs.outputs import Outputs
from isocenter.pipeline.model import Pipeline
from isocenter.view.report import Paragraph, Section
from isocenter.view.tables import prediction_table

__all__ = ["prediction_rows", "prediction_sections", "write_predictions"]

_NO_DEVICE = "This is not the result of a medical device: no decision about a patient may rest on it alone."
#: Scores of outlines that are told with a result.
_OUTLINES = {"dice": "a Dice of", "hausdorff_95": "an HD95 of", "lesion_sensitivity": "a sensitivity by object of"}
_COLUMNS = ("slot", "name", "value", "unit", "called")


def prediction_rows(study: Study) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return headings and rows of the predictions of a case for its first screen; both empty where there are none."""
    rows: list[tuple[str, ...]] = []
    found = [(name, value) for name, value in study.slots.items() if isinstance(value, Prediction)]
    several = len(found) > 1
    for slot, value in found:
        lead = f"{slot.replace('_', ' ')}: " if several else ""
        if value.classes:
            pairs = sorted(zip(value.classes, value.probabilities, strict=True), key=lambda p: -p[1])
            rows += [(f"{lead}{name}", f"{p:.3g}") for name, p in pairs[:6]]
        else:
            unit = "" if value.unit == "1" else f" {value.unit}"
            rows.append((f"{lead}predicted", f"{float(value.value or 0.0):.4g}{unit}"))
    if not rows:
        return (), ()
    return ("probability" if any(v.classes for _, v in found) else "value",), tuple(rows)


def write_predictions(outputs: Outputs, study: Study, pipeline: Pipeline) -> None:
    """Write ``tables/predictions.csv``: a row for each class or number, and the class that is called."""
    rows: list[list[Any]] = []
    for slot, value in study.slots.items():
        if not isinstance(value, Prediction):
            continue
        if value.classes:
            called = _called(pipeline, slot, value)
            rows += [[slot, name, p, "1", called] for name, p in zip(value.classes, value.probabilities, strict=True)]
        else:
            rows.append([slot, "value", value.value, value.unit, ""])
    if rows:
        table.write_rows(_COLUMNS, rows, outputs.path("tables/predictions.csv", "", "predictions"))


def prediction_sections(study: Study, pipeline: Pipeline) -> list[Section]:
    """Return what the models of a pipeline said, one section each."""
    sections = []
    for slot, value in study.slots.items():
        if isinstance(value, Prediction):
            words = Paragraph(_words(_package(pipeline, slot), value, _called(pipeline, slot, value)))
            sections.append(Section("Prediction", (prediction_table(value, "What the model says of this case"), words)))
        elif isinstance(value, LabelMap) and (package := _package(pipeline, slot, "segment.package")) is not None:
            notes = dict.fromkeys(note for step in value.provenance.steps for note in step.notes)
            words = Paragraph(" ".join((_outlined(package), *notes, _NO_DEVICE)))
            sections.append(Section("Segmentation", (words,)))
    return sections


def _outlined(package: Any) -> str:
    """Return which model outlined what, and how well it did in its own cohort."""
    names = ", ".join(f"'{name}'" for name in package.classes)
    figures = [_figure(words, package.scores[n]) for n, words in _OUTLINES.items() if n in package.scores]
    text = f"{names} {'was' if len(package.classes) == 1 else 'were'} outlined by {_made(package)}"
    return f"{text} In its own cohort it reached {', '.join(figures)}; elsewhere it may be worse." if figures else text


def _made(package: Any) -> str:
    return f"model '{package.manifest['name']}', {package.digest[:19]}\u2026, made from {package.manifest['training']['cases']} cases."


def _package(pipeline: Pipeline, slot: str, op: str = "classify.package") -> Any:
    """Return the package whose step fills a slot, None where it is none."""
    step = next((s for s in pipeline.steps if s.to == slot and s.op == op), None)
    if step is None:
        return None
    return models.model(str(step.parameters["package"]), str(step.parameters["sha256"]))


def _called(pipeline: Pipeline, slot: str, value: Prediction) -> str:
    """Return the class that a case is called: by the operating point of two classes, else the most probable one."""
    package = _package(pipeline, slot)
    threshold = None if package is None else package.threshold
    if threshold is None or len(value.classes) != 2:
        return value.label or ""
    return value.classes[int(value.probabilities[1] >= threshold)]


def _words(package: Any, value: Prediction, called: str) -> str:
    parts = []
    if value.classes:
        share = round(100 * value.probabilities[value.classes.index(called)])
        parts.append(f"The case is called '{called}'.")
        if package is None or not package.calibrated:
            parts.append(
                "Its probabilities are not calibrated: they order cases, and do not say how often each class will occur."
            )
        else:
            parts.append(
                f"Of 100 cases like those of the training that are given this probability, about {share} are expected to be '{called}'."
            )
    if package is not None:
        parts.append(f"M{_made(package)[1:]}")
        if package.threshold is not None:
            parts.append(f"From a probability of {package.threshold:.3g} on a case is called '{package.classes[1]}'.")
        shown = [
            _figure(name, package.scores[name])
            for name in ("auc_roc", "balanced_accuracy", "mae", "c_index")
            if name in package.scores
        ]
        if shown:
            parts.append(f"In its own cohort it reached {', '.join(shown)}; elsewhere it may be worse.")
    parts.append(_NO_DEVICE)
    return " ".join(parts)


def _figure(name: str, score: Mapping[str, Any]) -> str:
    between = score["interval"]
    shown = "" if between is None else f" ({between[0]:.3g} to {between[1]:.3g})"
    unit = "" if score["unit"] == "1" else f" {score['unit']}"
    return f"{name.replace('_', ' ')} {score['value']:.3g}{unit}{shown}"
