"""Stability: how much each feature changes when nothing that matters does.

Every region is measured again after small rotations, shifts, changes of resolution, noise at the level the image
has, and contours drawn a little otherwise. Over several regions the intraclass correlation says how much of a
feature's spread is the regions'; for a single one only its relative deviation can be told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, IsocenterError, ParameterError
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack, Segment
from isocenter.core.results import Column, Features
from isocenter.core.transform import Affine
from isocenter.io import atomic, table
from isocenter.jobs import measure_settings
from isocenter.jobs.measure_one import read_pair
from isocenter.kernels.agreement import intraclass
from isocenter.kernels.labels import bounding_box
from isocenter.kernels.noise import robust_sigma
from isocenter.kernels.perturb import noisy, redrawn
from isocenter.ops.features.radiomics import Radiomics
from isocenter.ops.resample.to_grid import ToGrid
from isocenter.view import html
from isocenter.view.report import Footer, KeyNumber, Notice, Paragraph, Report, Section, Table

__all__ = ["Stability", "few_regions", "stability", "stability_of", "stability_sections", "verdict"]

#: Called with (text, done, total).
Progress = Callable[[str, int, int], None]

#: Largest rotation in degrees, shift in samples, and relative change of spacing.
ROTATION, SHIFT, SCALING = 5.0, 0.5, 0.05
#: Margin in mm around a region: what rotation and contour may move it by.
_MARGIN = 15.0


@dataclass(frozen=True)
class Stability:
    """What came out.

    Attributes
    ----------
    rows
        (column, tag, code, unit, icc, low, high, verdict, deviation in percent) of every feature.
    regions, perturbations
        How many of each.
    files
        Table and report.
    """

    rows: tuple[tuple[Any, ...], ...]
    regions: int
    perturbations: int
    files: tuple[Path, ...]
    set_aside: tuple[tuple[str, str], ...]

    @property
    def counts(self) -> dict[str, int]:
        """Verdict -> number of features."""
        found = dict.fromkeys(("excellent", "good", "moderate", "poor", "unknown"), 0)
        for row in self.rows:
            found[row[7]] += 1
        return found

    @property
    def exit_code(self) -> int:
        """0 done, 1 if a region was set aside."""
        return 1 if self.set_aside else 0


def verdict(icc: float | None) -> str:
    """Return an intraclass correlation in words (Koo and Li, J. Chiropr. Med. 15 (2016) 155-163)."""
    if icc is None or not np.isfinite(icc):
        return "unknown"
    return "excellent" if icc >= 0.9 else "good" if icc >= 0.75 else "moderate" if icc >= 0.5 else "poor"


def stability(
    image: Path | str,
    masks: Sequence[Path | str],
    out: Path | str,
    *,
    settings: str = "",
    perturbations: int = 10,
    contour: float = 1.0,
    seed: int = 0,
    progress: Progress | None = None,
) -> Stability:
    """Measure regions repeatedly under small perturbations and write how stable each feature is.

    Parameters
    ----------
    image
        The image.
    masks
        Label maps, SEG, or folders with a structure set; every segment is a region.
    out
        Table to write (``.csv``); a report stands beside it.
    settings
        As of `isocenter.jobs.measure.measure`.
    perturbations
        How often each region is measured, 2 or more.
    contour
        Standard deviation in mm of the redrawn contour; 0 leaves it alone.
    seed
        Of everything random.

    Raises
    ------
    IsocenterError
        If image or settings cannot be used, or no region could be measured.
    """
    target = Path(out)
    if perturbations < 2:
        raise ParameterError(f"{perturbations} perturbations: expected 2 or more to compare.")
    if target.suffix.lower() != ".csv":
        raise ParameterError(f"'{target.name}': expected a table to write that ends in .csv.")
    tables: list[list[Features]] = []
    aside: list[tuple[str, str]] = []
    for path in masks:
        try:
            picture, labels = read_pair(Path(image), Path(path))
        except IsocenterError as error:
            aside.append((str(path), str(error)))
            continue
        chosen = measure_settings.resolve(settings) if settings else measure_settings.of_image(picture)
        _measure(picture, labels, chosen.operation, (perturbations, contour, seed), tables, aside, progress)
    result = _stability(tables, aside, perturbations)
    head = ["column", "tag", "ibsi_code", "unit", "icc", "icc_low", "icc_high", "verdict", "deviation_percent"]
    table.write_rows(head, result.rows, target)
    page = target.with_suffix(".html")
    atomic.write_bytes(page, html.html(_report(result, contour)))
    return Stability(result.rows, result.regions, perturbations, (target, page), result.set_aside)


def stability_of(
    image: Image,
    labels: LabelMap | MaskStack,
    operation: Radiomics,
    *,
    perturbations: int = 10,
    contour: float = 1.0,
    seed: int = 0,
) -> Stability:
    """Return how stable the features of the regions of one image are.

    Parameters
    ----------
    image, labels
        On one grid.
    operation
        What measures them.
    perturbations, contour, seed
        As of `stability`.

    Raises
    ------
    ContentError
        If no region could be measured.
    """
    tables: list[list[Features]] = []
    aside: list[tuple[str, str]] = []
    _measure(image, labels, operation, (perturbations, contour, seed), tables, aside, None)
    return _stability(tables, aside, perturbations)


def _measure(
    image: Image,
    labels: LabelMap | MaskStack,
    operation: Radiomics,
    how: tuple[int, float, int],
    tables: list[list[Features]],
    aside: list[tuple[str, str]],
    progress: Progress | None,
) -> None:
    """Add the repeated measurements of every region, or why there are none."""
    regions = _regions(labels)
    for name, mask in regions:
        try:
            tables.append(_repeated(image, mask, operation, *how))
        except IsocenterError as error:
            aside.append((name, str(error)))
        if progress is not None:
            progress(name, len(tables) + len(aside), max(len(tables) + len(aside), len(regions)))


def _stability(tables: list[list[Features]], aside: list[tuple[str, str]], perturbations: int) -> Stability:
    if not tables:
        raise ContentError(f"No region could be measured: {aside[0][0]}: {aside[0][1]}" if aside else "No region was given.")
    return Stability(tuple(_rows(tables)), len(tables), perturbations, (), tuple(aside))


def _regions(labels: LabelMap | MaskStack) -> list[tuple[str, npt.NDArray[np.bool_]]]:
    if isinstance(labels, MaskStack):
        return [(row.name, mask) for row, mask in zip(labels.segments, labels.array, strict=True)]
    return [(row.name, labels.mask(row.value)) for row in labels.segments]


def _repeated(image: Image, mask: npt.NDArray[np.bool_], operation: Any, count: int, contour: float, seed: int) -> list[Features]:
    """Return the features of one region under every perturbation."""
    image.geometry.require_mm("Stability")
    margin = [int(np.ceil(_MARGIN / s)) + 2 for s in image.geometry.spacing]
    box = bounding_box(mask, margin)
    if box is None:
        raise ContentError("The region is empty: expected at least one sample.")
    start = [part.start for part in box]
    part = mask[box]
    grid = image.geometry.crop(start, part.shape)
    values = np.asarray(image.array)[box]
    sigma = robust_sigma(np.asarray(values, np.float32))
    middle = grid.to_world(np.argwhere(part).mean(axis=0))
    found = []
    for k in range(count):
        rng = np.random.default_rng([seed, k])  # the same perturbation for every region
        changed = noisy(values, sigma, rng) if sigma > 0.0 else np.asarray(values, np.float32)
        region = redrawn(part, grid.spacing, contour, 4.0 * contour, rng) if contour > 0.0 else part
        shift = grid.affine[:3, : grid.ndim] @ rng.uniform(-SHIFT, SHIFT, grid.ndim)
        axis = np.cross(grid.direction[:, -2], grid.direction[:, -1])
        turn = Affine.rotation(axis, float(rng.uniform(-ROTATION, ROTATION)), middle).then(Affine.translation(shift))
        scale = 1.0 + float(rng.uniform(-SCALING, SCALING))
        new = grid.with_spacing([s * scale for s in grid.spacing])
        moved = ToGrid(interpolation="linear")(image.replace(array=changed, geometry=grid), turn, new)
        share = ToGrid(interpolation="linear", fill=0.0)(
            Image(region.astype(np.float32), image.dims, grid, quantity="probability"), turn, new
        )
        labels = (np.asarray(share.array) >= 0.5).astype(np.uint8)
        found.append(operation(moved, LabelMap(labels, moved.dims, new, (Segment(1, "region"),))))
    return found


def _rows(tables: Sequence[Sequence[Features]]) -> list[tuple[Any, ...]]:
    """Return a row per feature: its intraclass correlation over regions, and its mean relative deviation."""
    columns: tuple[Column, ...] = tables[0][0].columns
    rows = []
    for k, column in enumerate(columns):
        data = np.array([[_number(t.rows[0][k]) for t in region] for region in tables])
        icc: tuple[float | None, float | None, float | None] = (None, None, None)
        if np.isfinite(data).all() and len(data) >= 2:
            icc = intraclass(data, "1")
        with np.errstate(all="ignore"):
            relative = data.std(axis=1, ddof=1) / np.abs(data.mean(axis=1))
        deviation = float(100.0 * relative.mean()) if np.isfinite(relative).all() else None
        rows.append(
            (column.name, column.tag, column.standard.removeprefix("IBSI:"), column.unit, *icc, verdict(icc[0]), deviation)
        )
    return rows


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float | np.number) else float("nan")


def stability_sections(result: Stability, contour: float) -> tuple[Section, ...]:
    """Return the table of features, the most stable first, and how it was found."""
    shown = sorted(result.rows, key=lambda row: (-(row[4] if row[4] is not None else -9.0), row[0]))
    cells = tuple((row[0].replace("_", " "), row[2], row[4], row[5], row[6], row[7], row[8]) for row in shown)
    head = ("Feature", "IBSI", "ICC", "low", "high", "Verdict", "Deviation (%)")
    method = (
        f"Every region was measured {result.perturbations} times after rotations of up to {ROTATION:g} degrees, shifts of up to "
        f"{SHIFT:g} samples, changes of spacing of up to {100 * SCALING:g} %, noise at the level estimated in the image, and "
        f"contours redrawn with a standard deviation of {contour:g} mm. ICC: one-way, single measurement, 95 % interval."
    )
    return (
        Section("Features, the most stable first", (Table(head, cells, "Intraclass correlation and relative deviation"),)),
        Section("Method", (Paragraph(method), Paragraph("After Zwanenburg et al., Scientific Reports 9 (2019) 614."))),
    )


def few_regions(result: Stability) -> str:
    """Return the warning that so few regions deserve, or nothing."""
    if result.regions >= 5:
        return ""
    return f"{result.regions} regions are few: intraclass correlations need five or more to mean much."


def _report(result: Stability, contour: float) -> Report:
    counts = result.counts
    numbers = [KeyNumber(f"{name} features", number) for name, number in counts.items() if number]
    warning = few_regions(result)
    return Report(
        title="Stability of features",
        pseudonym=f"{result.regions} regions",
        summary=(f"{len(result.rows)} features under {result.perturbations} perturbations.",),
        numbers=tuple(numbers[:6]),
        notices=(Notice(warning, "warning"),) if warning else (),
        sections=stability_sections(result, contour),
        footer=Footer(("isocenter",)),
    )
