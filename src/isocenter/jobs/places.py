"""What a model found in a case: boxes or points as tables, as JSON and GeoJSON, on the first screen, and in a picture."""

from __future__ import annotations

import json
from typing import Any

from isocenter.core import models
from isocenter.core.image import Image
from isocenter.core.points import Boxes, Points
from isocenter.core.study import Study
from isocenter.io import atomic, geojson, table
from isocenter.jobs.outputs import Outputs
from isocenter.pipeline.model import Pipeline
from isocenter.view.places import FOUND, TRUE, Marks, marked
from isocenter.view.report import Figure, Paragraph, Section, Table

__all__ = ["beside_truth", "place_rows", "place_sections", "write_places"]

_MOST = 20


def _found(study: Study, pipeline: Pipeline) -> list[tuple[str, Any, Image, Any]]:
    """Return slot, places, the image they lie in and the package, of everything that a model of places found."""
    # Loaded here: cases without a model must not load what learning needs.
    steps = [s for s in pipeline.steps if s.op == "detect.package"]
    rows = []
    for step in steps:
        value = study.slots.get(step.to)
        image = study.slots.get(_given(pipeline, step.inputs[0] if step.inputs else "image"))
        if not isinstance(value, Points | Boxes) or not isinstance(image, Image):
            continue
        from isocenter.learn.places.places import boxes_of, points_of

        places = points_of(value, image.geometry) if isinstance(value, Points) else boxes_of(value, image.geometry)
        package = models.model(str(step.parameters["package"]), str(step.parameters["sha256"]))
        rows.append((step.to, places, image, package))
    return rows


def _given(pipeline: Pipeline, slot: str) -> str:
    """Return the slot of the image as it was given, from which the steps before the model made the one of a slot."""
    made = next((s for s in pipeline.steps if s.to == slot), None)
    return slot if made is None or not made.inputs else _given(pipeline, made.inputs[0])


def _called(places: Any, package: Any) -> list[bool]:
    """Return which places are called: every point, and boxes from the operating point on."""
    if places.scores is None or package.threshold is None:
        return [True] * len(places)
    return [bool(s >= package.threshold) for s in places.scores]


def beside_truth(image: Image, truth: Any, called: Any, title: str, legend: str) -> bytes:
    """Return a picture of an image with what is there and what was found, as PNG.

    Landmarks are named once, at their true place; boxes say how sure they are.

    Parameters
    ----------
    image
        What to show.
    truth, called
        Places on its grid.
    title
        A line underneath.
    legend
        What the places that were found are called.
    """
    boxes = truth.kind == "boxes"
    words = tuple(f"{s:.2f}" for s in called.scores) if boxes and called.scores is not None else ("",) * len(called)
    marks = [
        Marks(truth.samples, ("",) * len(truth) if boxes else truth.names, "true", TRUE),
        Marks(called.samples, words, legend, FOUND),
    ]
    return marked(image, marks, title)


def write_places(outputs: Outputs, study: Study, pipeline: Pipeline) -> None:
    """Write what was found as CSV and JSON, and in pictures as GeoJSON (pixels from the corner of the first one)."""
    for slot, places, image, package in _found(study, pipeline):
        head, rows = places.rows()
        called = _called(places, package)
        table.write_rows(
            [*head, "called"],
            [[*row, "yes" if c else "no"] for row, c in zip(rows, called, strict=True)],
            outputs.path(f"tables/{slot}.csv", slot, "table of places"),
        )
        plain = {
            places.kind: [{**dict(zip(head, row, strict=True)), "called": c} for row, c in zip(rows, called, strict=True)],
            "unit": image.geometry.unit,
            "frame_of_reference": image.geometry.frame,
        }
        text = json.dumps(plain, indent=1, ensure_ascii=False) + "\n"
        atomic.write_text(outputs.path(f"tables/{slot}.json", slot, "places"), text)
        if image.geometry.ndim == 2:
            _geojson(outputs, slot, places, called)


def _geojson(outputs: Outputs, slot: str, places: Any, called: list[bool]) -> None:
    path = outputs.path(f"labels/{slot}.geojson", slot, "places")
    corners = places.samples[:, [1, 0]] if places.kind == "points" else places.samples[:, [1, 0, 1, 2, 3, 2, 3, 0]]
    scores = [None] * len(places) if places.scores is None else [round(float(s), 6) for s in places.scores]
    properties = [
        {"classification": {"name": n}, "called": c, **({} if s is None else {"score": s})}
        for n, c, s in zip(places.names, called, scores, strict=True)
    ]
    shapes = [row.reshape(-1, 2) + 0.5 for row in corners]
    geojson.write(path, shapes, slot, properties, "annotation" if places.kind == "points" else "detection")


def place_rows(study: Study, pipeline: Pipeline) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return headings and rows of the first screen: where each landmark lies, or the objects that are called; empty where there are none."""
    rows: list[tuple[str, ...]] = []
    head: tuple[str, ...] = ()
    for _, places, image, package in _found(study, pipeline):
        points = places.kind == "points"
        lines = ("row", "column") if image.geometry.ndim == 2 else ("slice", "row", "column")
        head = (*lines, "x", "y", "z") if points else ("probability", *lines)
        for k, keep in enumerate(_called(places, package)):
            sample = tuple(f"{v:.1f}" for v in places.centres[k])
            world = tuple(f"{v:.1f} {image.geometry.unit}" for v in places.positions[k])
            own = (
                (*sample, *world)
                if points
                else ("\u2013" if places.scores is None else f"{float(places.scores[k]):.2f}", *sample)
            )
            if keep and len(rows) < _MOST:
                rows.append((places.names[k], *own))
    return (head, tuple(rows)) if rows else ((), ())


def place_sections(study: Study, pipeline: Pipeline) -> list[Section]:
    """Return a section with a picture and a table for each thing that a model of places found."""
    sections = []
    for slot, places, image, package in _found(study, pipeline):
        flat = image.at(t=0) if "t" in image.dims else image
        called = _called(places, package)
        kept = places.take([k for k, c in enumerate(called) if c])
        words = kept.names if kept.kind == "points" or kept.scores is None else tuple(f"{s:.2f}" for s in kept.scores)
        picture = marked(flat, [Marks(kept.samples, words, f"{slot}, by model {package.manifest['name']}", FOUND)])
        head, rows = kept.rows()
        shown = Table(tuple(h.replace("_", " ") for h in head), tuple(rows[:_MOST]), f"All candidates stand in tables/{slot}.csv")
        sections.append(
            Section("What the model found", (Figure(picture, _caption(kept, package)), shown, Paragraph(_words(places, package))))
        )
    return sections


def _caption(kept: Any, package: Any) -> str:
    if kept.kind == "points":
        return f"{len(kept)} landmarks."
    return f"{len(kept)} objects called from a probability of {package.threshold:.3g} on."


def _words(places: Any, package: Any) -> str:
    manifest, scores = package.manifest, package.scores
    parts = [f"Model '{manifest['name']}', {package.digest[:19]}\u2026, made from {manifest['training']['cases']} cases."]
    if places.kind == "boxes":
        parts.append(f"{len(places)} candidates in all; probabilities are calibrated on cases like those of the training.")
    for name in ("median_error", "sensitivity_called", "false_positives_called"):
        if name in scores:
            one = scores[name]
            between = "" if one["interval"] is None else f" ({one['interval'][0]:.3g} to {one['interval'][1]:.3g})"
            unit = "" if one["unit"] == "1" else f" {one['unit']}"
            parts.append(f"In its own cohort: {name.replace('_', ' ')} {one['value']:.3g}{unit}{between}.")
    parts.append("This is not the result of a medical device: no decision about a patient may rest on it alone.")
    return " ".join(parts)
