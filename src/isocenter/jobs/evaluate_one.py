"""Judge one prediction against its truth: scores of the case, of each object, and what differs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError
from isocenter.core.families import Metric
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack, Segment
from isocenter.io import door
from isocenter.kernels.labels import components
from isocenter.kernels.objects import compact, match_objects
from isocenter.kernels.surface_distance import boundary_distances
from isocenter.ops.evaluate.boundary_iou import BoundaryIou
from isocenter.ops.evaluate.dice import Dice
from isocenter.ops.evaluate.lesions import Lesions
from isocenter.ops.evaluate.overlap import Overlap
from isocenter.ops.evaluate.surface import Surface
from isocenter.ops.fuse.compare import Compare
from isocenter.view.montage import montage

__all__ = ["Judged", "ObjectRow", "Task", "judge", "judge_one", "load_pair", "picture"]


@dataclass(frozen=True)
class Task:
    """A prediction and its truth.

    Attributes
    ----------
    case
        What the tables call it.
    prediction, truth
        Label maps of any format.
    image
        What to show outlines on and what DICOM labels are placed on, or None.
    label
        The one label to judge, empty: all together.
    objects
        ``components`` or ``labels``.
    tolerance
        mm, of the surface Dice.
    """

    case: str
    prediction: Path
    truth: Path
    image: Path | None = None
    label: str = ""
    objects: Literal["components", "labels"] = "components"
    tolerance: float = 1.0


@dataclass(frozen=True)
class ObjectRow:
    """One object: ``hit``, ``missed`` or ``false alarm``; sizes in mm^n (samples without a pixel size)."""

    number: int
    outcome: str
    true_size: float
    found_size: float
    dice: float
    hausdorff_95: float | None


@dataclass(frozen=True)
class Judged:
    """Scores (name, value, unit), objects, and notes of one case."""

    scores: tuple[tuple[str, float, str], ...]
    objects: tuple[ObjectRow, ...]
    notes: tuple[str, ...]


def load_pair(task: Task) -> tuple[LabelMap, LabelMap]:
    """Return prediction and truth, of DICOM on the grid of their image; structures that overlap become one label map where they can."""
    found = []
    for path in (task.prediction, task.truth):
        value = door.read_labels(path, task.image)
        found.append(value.to_labels() if isinstance(value, MaskStack) else value)
    return found[0], found[1]


def judge_one(task: Task) -> Judged:
    """Return what `judge` says of the files of a task."""
    return judge(*load_pair(task), task)


def judge(prediction: LabelMap, truth: LabelMap, task: Task) -> Judged:
    """Return the scores of one case.

    Parameters
    ----------
    prediction, truth
        Label maps on one grid.
    task
        Which label, which objects, which tolerance.

    Raises
    ------
    ContentError
        If neither holds the wanted label.
    GridMismatchError
        If they lie on different grids.
    """
    wanted: str | int | None = int(task.label) if task.label.isdigit() else task.label or None
    if wanted is not None and not any(wanted in (s.name, s.value) for m in (prediction, truth) for s in m.segments):
        names = ", ".join(dict.fromkeys(s.name for m in (prediction, truth) for s in m.segments))
        raise ContentError(f"{task.case}: no label '{task.label}' in prediction or truth: expected one of {names or 'none'}.")
    metrics: list[Metric] = [Dice(label=wanted), Overlap(label=wanted)]
    notes: list[str] = []
    if prediction.geometry.unit == "mm":
        metrics += [Surface(label=wanted, tolerance=task.tolerance), BoundaryIou(label=wanted)]
        metrics += [Lesions(label=wanted, objects=task.objects)]
    else:
        notes.append("without a pixel size no distance in mm is measured")
    by_name: dict[str, tuple[float, str]] = {}
    for metric in metrics:
        for name, score in metric(prediction, truth).items():
            by_name.setdefault(name, (float(score), score.unit))  # some shares are given by two of them
    scores = [(name, *value) for name, value in by_name.items()]
    rows = _objects(prediction, truth, wanted, task)
    hits = sum(r.outcome == "hit" for r in rows)
    missed = sum(r.outcome == "missed" for r in rows)
    scores += [("objects", hits + missed, "1"), ("objects_found", hits, "1"), ("objects_missed", missed, "1")]
    scores += [("false_alarms", len(rows) - hits - missed, "1")]
    return Judged(tuple(scores), rows, tuple(notes))


def _objects(prediction: LabelMap, truth: LabelMap, wanted: str | int | None, task: Task) -> tuple[ObjectRow, ...]:
    """Return a row per true object, then one per false alarm; a miss has the diagonal of the image as its distance."""
    grid = truth.geometry
    found, there = (_numbered(m, wanted, task.objects) for m in (prediction, truth))
    pairs = match_objects(found, there, 0.1)
    voxel = grid.voxel_size if grid.unit == "mm" else 1.0
    worst = grid.diagonal if grid.unit == "mm" else None
    found_size = np.bincount(found.ravel(), minlength=pairs.first + 1) * voxel
    true_size = np.bincount(there.ravel(), minlength=pairs.second + 1) * voxel
    partner = {int(two): (int(one), float(share)) for (one, two), share in zip(pairs.pairs, pairs.overlaps, strict=True)}
    rows = []
    for two in range(1, pairs.second + 1):
        if two not in partner:
            rows.append(ObjectRow(two, "missed", float(true_size[two]), 0.0, 0.0, worst))
            continue
        one, share = partner[two]
        far = _far(found == one, there == two, grid) if grid.unit == "mm" else None
        rows.append(ObjectRow(two, "hit", float(true_size[two]), float(found_size[one]), 2 * share / (1 + share), far))
    taken = {one for one, _ in partner.values()}
    alone = [one for one in range(1, pairs.first + 1) if one not in taken]
    rows += [ObjectRow(one, "false alarm", 0.0, float(found_size[one]), 0.0, worst) for one in alone]
    return tuple(rows)


def _numbered(labels: LabelMap, wanted: str | int | None, objects: str) -> npt.NDArray[np.int64]:
    there = wanted is None or any(wanted in (s.name, s.value) for s in labels.segments)
    mask = labels.mask(wanted) if there else np.zeros(labels.shape, np.bool_)
    if objects == "labels":
        return compact(np.where(mask, np.asarray(labels.array), 0))[0]
    return components(mask, 26 if mask.ndim == 3 else 8)[0].astype(np.int64)


def _far(one: npt.NDArray[np.bool_], two: npt.NDArray[np.bool_], grid: Geometry) -> float:
    first, second = boundary_distances(one, two, grid)
    return float(max(np.percentile(first, 95), np.percentile(second, 95)))


def picture(prediction: LabelMap, truth: LabelMap, image: Image | None, task: Task, title: str) -> bytes:
    """Return a PNG of where two label maps agree and differ: on the image, or on their overlap where none is given."""
    wanted: str | int | None = int(task.label) if task.label.isdigit() else task.label or None
    row = (Segment(1, "object"),)
    masks = [prediction, truth]
    if wanted is None:
        masks = [m.replace(array=m.mask().astype(np.uint8), segments=row) for m in masks]
    agreement = Compare(label=wanted)(*masks)
    assert isinstance(agreement, LabelMap)  # by its family
    if image is None:
        levels = np.array([0, 200, 110, 110, 150], np.uint8)[np.asarray(agreement.array)]
        image = Image(levels, agreement.dims, agreement.geometry)
    names = {"only first": "only prediction", "only second": "only truth"}
    rows = tuple(Segment(s.value, names.get(s.name, s.name), color=s.color) for s in agreement.segments)
    return montage(image, {"": agreement.replace(segments=rows)}, title=title)
