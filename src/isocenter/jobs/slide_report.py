"""What a whole slide leaves behind: outlines for viewers of slides, a table of objects, counts, and pictures of where it looked."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.geometry import Geometry
from isocenter.core.labels import LabelMap
from isocenter.core.results import Features
from isocenter.io import geojson, table
from isocenter.jobs.findings import Findings, readable
from isocenter.jobs.outputs import Outputs
from isocenter.jobs.slide import Found, Slide, SlideOutcome
from isocenter.kernels.labels import components
from isocenter.kernels.outlines import outlined
from isocenter.view import montage
from isocenter.view.report import Figure, Report, Section

__all__ = ["add_pictures", "slide_findings", "write_slide"]

#: Outlines are seen on violet nuclei and on pink ground.
_GREEN = (0, 150, 60)


def slide_findings(findings: Findings, done: SlideOutcome) -> Findings:
    """Return the findings of a slide with its counts as key numbers."""
    rows: list[tuple[str, ...]] = []
    heads: tuple[str, ...] = ()
    for found in done.found:
        counts = done.outcome.study[f"{found.slot}_counts"]
        assert isinstance(counts, Features)  # the runner made it
        heads = tuple(column.name.replace("_", " ") for column in counts.columns)
        for region, row in zip(counts.regions, counts.rows, strict=True):
            cells = [" ".join(readable(c, v)).strip() for c, v in zip(counts.columns, row, strict=True)]
            rows.append((f"{found.slot} in {region}", *cells))
    return dataclasses.replace(
        findings,
        counts=tuple((f"{found.slot.replace('_', ' ')} found", len(found.areas)) for found in done.found),
        key_columns=heads,
        key_rows=tuple(rows),
    )


def write_slide(outputs: Outputs, slide: Slide, done: SlideOutcome) -> None:
    """Write objects and regions as GeoJSON in pixels of the finest level, and one row for each object as a table."""
    finest = next(iter(slide.views.values())).pyramid.geometry
    for found in done.found:
        path = outputs.path(f"labels/{found.slot}.geojson", found.slot, "outlines")
        areas = ({"measurements": {"area um^2": round(float(a), 3)}} for a in found.areas)
        name = found.slot.removesuffix("s")
        geojson.write(path, (_pixels(one, found.geometry, finest) for one in found.outlines), name, areas, "detection")
        _write_table(outputs, found)
    for slot, value in done.outcome.study.labels.items():
        if isinstance(value, LabelMap) and value.geometry.ndim == 2:
            path = outputs.path(f"labels/{slot}.geojson", slot, "outlines")
            for segment in value.segments[:1]:  # regions of a slide are one segment each; its pieces are outlined one by one
                pieces = outlined(components(value.array == segment.value, 4)[0])
                geojson.write(path, [_pixels(one.corners, value.geometry, finest) for one in pieces], segment.name)


def _pixels(corners: npt.NDArray[Any], grid: Geometry, finest: Geometry) -> npt.NDArray[np.float64]:
    """Return corners (row, column) of one grid as x and y in pixels of the finest level, whose first pixel begins at 0."""
    index = finest.to_index(grid.to_world(np.asarray(corners, dtype=np.float64) - 0.5)) + 0.5
    return np.asarray(index[:, ::-1], dtype=np.float64)


def _write_table(outputs: Outputs, found: Found) -> None:
    rows = [
        (str(k + 1), float(center[0]), float(center[1]), float(area))
        for k, (center, area) in enumerate(zip(found.centers, found.areas, strict=True))
    ]
    columns = ("object", "x (mm)", "y (mm)", "area (um^2)")
    table.write_rows(columns, rows, outputs.path(f"tables/{found.slot}.csv", found.slot, "objects"))


def _green(labels: LabelMap) -> LabelMap:
    return labels.replace(segments=tuple(dataclasses.replace(segment, color=_GREEN) for segment in labels.segments))


def add_pictures(report: Report, done: SlideOutcome) -> Report:
    """Return a report with a picture of the most crowded tile of each kind of object, as proof of what was counted."""
    blocks = tuple(
        Figure(montage.montage(image, {slot: _green(labels)}), f"The tile with the most {slot.replace('_', ' ')}, outlined.")
        for slot, image, labels in done.pictures
    )
    if not blocks:
        return report
    return dataclasses.replace(report, sections=(Section("Where it looked", blocks), *report.sections))
