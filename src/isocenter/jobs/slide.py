"""A whole slide through a study: overview steps on a small picture of it, then tile after tile, in bounded memory.

Operations never see a pyramid. A study names how it wants to see the slide (``mpp``, and ``tile`` where tile by tile); here
regions are read, handed on as images, and what was found on the tiles is put together: an object belongs to the tile that
holds its centre, and one that two tiles see beside their seam counts once. An object larger than the halo cannot be seen
whole from every tile: it is left out, and the notes say how many were.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import SpecError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.core.operation import Cost, Spec
from isocenter.core.points import Points
from isocenter.core.provenance import Provenance, StepRecord, digest_json
from isocenter.core.pyramid import Pyramid
from isocenter.core.results import Column, Features
from isocenter.core.study import Study
from isocenter.core.tiles import tile_boxes
from isocenter.jobs.slide_view import SlideView
from isocenter.kernels.outlines import outlined, repeated
from isocenter.pipeline.cache import Cache
from isocenter.pipeline.plan import Plan, PlannedStep, plan
from isocenter.pipeline.progress import Event, Listener, silent
from isocenter.pipeline.run import Outcome, StepOutcome
from isocenter.pipeline.run import execute as execute_plan
from isocenter.pipeline.spec import Input, Pipeline

__all__ = ["Found", "Slide", "SlideOutcome", "pyramid_of", "wants_slide"]

Box = tuple[tuple[int, int], ...]


def wants_slide(pipeline: Pipeline) -> bool:
    """Return whether a study cuts its inputs out of a whole slide."""
    return any(one.mpp for one in pipeline.inputs.values())


def pyramid_of(study: Study) -> Pyramid | None:
    """Return the whole slide of a case, None where it has none."""
    return next((value for value in study.slots.values() if isinstance(value, Pyramid)), None)


@dataclass(frozen=True, eq=False)
class Found:
    """The objects of one kind on all tiles.

    Attributes
    ----------
    slot
        The slot that holds their centres.
    centers
        Shape (n, 3), mm.
    areas
        Shape (n,), square micrometres.
    outlines
        Corners (row, column) of each in samples of the tiled view, clockwise.
    geometry
        The grid of that view.
    crowded
        The tile with the most objects, None where there are none.
    """

    slot: str
    centers: npt.NDArray[np.float64]
    areas: npt.NDArray[np.float64]
    outlines: tuple[npt.NDArray[np.int32], ...]
    geometry: Geometry
    crowded: Box | None


@dataclass(frozen=True, eq=False)
class SlideOutcome:
    """What a slide gave: an outcome as of any other case, the objects with their outlines, and the crowded tiles' pictures."""

    outcome: Outcome
    found: tuple[Found, ...]
    pictures: tuple[tuple[str, Image, LabelMap], ...]


class Slide:
    """A pyramid and a study that is run on it.

    Parameters
    ----------
    pyramid
        The slide.
    pipeline
        Its inputs say how the slide is seen.

    Raises
    ------
    SpecError
        If the study mixes views of the slide in one step, or does other than find objects on its tiles.
    GeometryError
        If the slide does not say how large its pixels are.
    """

    def __init__(self, pyramid: Pyramid, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.inputs: dict[str, Input] = {name: one for name, one in pipeline.inputs.items() if one.mpp}
        self.views = {name: SlideView(pyramid, one.mpp) for name, one in self.inputs.items()}
        self.tiled = [name for name, one in self.inputs.items() if one.tile]
        if len(self.tiled) > 1:
            raise SpecError([f"inputs {', '.join(self.tiled)} are all seen tile by tile: expected one"], pipeline.name)

    def plan(self) -> Plan:
        """Return the plan, the cost of the steps on tiles multiplied by the number of tiles."""
        specs: dict[str, Spec] = {}
        for name, view in self.views.items():
            specs[name] = view.spec(self._largest(name)) if name in self.tiled else view.spec()
        planned = plan(self.pipeline, specs).require()
        self._split(planned)
        if not self.tiled:
            return planned
        count = sum(1 for _ in self._boxes(None))
        steps = [
            dataclasses.replace(s, cost=Cost(s.cost.seconds * count, s.cost.bytes)) if self.tiled[0] in s.inputs else s
            for s in planned.steps
        ]
        return dataclasses.replace(planned, steps=tuple(steps))

    def _largest(self, name: str) -> tuple[int, int]:
        one = self.inputs[name]
        height, width = (min(n, one.tile + 2 * one.halo) for n in self.views[name].geometry.shape)
        return height, width

    def _split(self, planned: Plan) -> tuple[tuple[PlannedStep, ...], tuple[PlannedStep, ...]]:
        """Return the steps on whole views, and those on tiles."""
        whole, tiled = [], []
        for step in planned.steps:
            if not any(slot in self.tiled for slot in step.inputs):
                whole.append(step)
            elif step.spec.kind == "LabelMap" and len([s for s in step.inputs if s]) == 1:
                tiled.append(step)
            else:
                raise SpecError(
                    [f"{step.place}: on tiles of a slide, steps take the tile alone and give labels"], self.pipeline.name
                )
        made = {step.to for step in tiled}
        for step in whole:
            if made & set(step.inputs):
                raise SpecError([f"{step.place}: takes what tiles gave, which no step can see at once"], self.pipeline.name)
        return tuple(whole), tuple(tiled)

    def overviews(self, study: Study) -> Study:
        """Return a case with the views that are read whole in place of the slide."""
        slots = {name: view.whole() for name, view in self.views.items() if name not in self.tiled}
        return Study(study.pseudonym, slots, study.attributes, study.identity)

    def execute(
        self, study: Study, *, cache: Cache | None = None, seed: int = 0, force: bool = False, progress: Listener | None = None
    ) -> SlideOutcome:
        """Run the study.

        Parameters
        ----------
        study
            As `overviews` gives it.
        cache
            Where results are looked up and kept, those of tiles too, so that a run that was stopped goes on.
        seed
            Seed of every step.
        force
            Compute everything afresh.
        progress
            Called with every `Event`.
        """
        planned = self.plan()
        whole, tiled = self._split(planned)
        outcome = execute_plan(
            dataclasses.replace(planned, steps=whole), study, cache=cache, seed=seed, force=force, progress=progress
        )
        outcome = dataclasses.replace(outcome, plan=planned)
        found: list[Found] = []
        pictures: list[tuple[str, Image, LabelMap]] = []
        for step in tiled:
            own, outcome = self._on_tiles(step, planned, outcome, None if force else cache, progress or silent)
            found.append(own)
            if own.crowded is not None:
                image = self.views[self.tiled[0]].read(own.crowded)
                pictures.append((step.to, image, self._labels(step, planned, image, seed)))
        return SlideOutcome(outcome, tuple(found), tuple(pictures))

    def _boxes(self, within: LabelMap | None) -> Iterator[Box]:
        """Yield the tiles (start, stop per axis) that hold some of `within`."""
        one, view = self.inputs[self.tiled[0]], self.views[self.tiled[0]]
        for box in tile_boxes(view.geometry.shape, (one.tile, one.tile)):
            if within is not None:
                corners = np.array([[box[0][0], box[1][0]], [box[0][1] - 1, box[1][1] - 1]], dtype=np.float64)
                low, high = within.geometry.to_index(view.geometry.to_world(corners))
                a, b = np.floor(np.minimum(low, high)).astype(int), np.ceil(np.maximum(low, high)).astype(int) + 1
                if not np.asarray(within.array)[max(a[0], 0) : b[0], max(a[1], 0) : b[1]].any():
                    continue
            yield box

    def _labels(self, step: PlannedStep, planned: Plan, image: Image, seed: int) -> LabelMap:
        """Return what a step finds on one tile."""
        part = dataclasses.replace(planned, steps=(dataclasses.replace(step, index=0),), left_out=())
        done = execute_plan(part, Study("tile", {self.tiled[0]: image}), seed=seed)
        labels = done.study[step.to]
        assert isinstance(labels, LabelMap)  # _split takes no other steps
        return labels

    def _on_tiles(
        self, step: PlannedStep, planned: Plan, outcome: Outcome, cache: Cache | None, tell: Listener
    ) -> tuple[Found, Outcome]:
        """Run a step on every tile, and return its objects and the outcome with their centres and counts."""
        one, view = self.inputs[self.tiled[0]], self.views[self.tiled[0]]
        within = outcome.study[one.within] if one.within else None
        boxes = list(self._boxes(within))
        rows: list[tuple[float, ...]] = []
        outlines: list[npt.NDArray[np.int32]] = []
        digests: list[str] = []
        crowded: tuple[int, Box | None] = (0, None)
        large = 0
        for k, box in enumerate(boxes):
            words = f"{step.to}, tile {k + 1} of {len(boxes)}"
            tell(Event("start", outcome.study.pseudonym, step.index + 1, len(planned.steps), words, step.op))
            outer = tuple(
                (max(a - one.halo, 0), min(b + one.halo, n)) for (a, b), n in zip(box, view.geometry.shape, strict=True)
            )
            image = view.read(outer)
            digests.append(image.digest)
            table = self._of_tile(step, planned, image, outcome.seed, cache)
            before = len(rows)
            for row in table.rows:
                y, x = float(row[0]) + outer[0][0], float(row[1]) + outer[1][0]
                if box[0][0] - 0.5 <= y < box[0][1] - 0.5 and box[1][0] - 0.5 <= x < box[1][1] - 0.5:
                    corners = np.array(json.loads(row[3]), np.int32)
                    if one.halo and np.ptp(corners, axis=0).max() > one.halo:
                        large += 1
                        continue
                    rows.append((y, x, float(row[2])))
                    outlines.append(corners + np.array([outer[0][0], outer[1][0]], np.int32))
            if len(rows) - before > crowded[0]:
                crowded = (len(rows) - before, box)
        found = _merged(step.to, rows, outlines, view.geometry, within, crowded[1])
        notes = _told(one, found, len(boxes), large)
        return found, _recorded(outcome, step, one, found, digest_json(digests), notes, within)

    def _of_tile(self, step: PlannedStep, planned: Plan, image: Image, seed: int, cache: Cache | None) -> Features:
        """Return the objects on one tile: centre, area and outline in samples of the tile."""
        operation = step.operation
        record = StepRecord(f"tile of {operation.name}", operation.version, operation.parameters(), (image.digest,), seed)
        entry = cache.get(record.key) if cache is not None else None
        if entry is not None and isinstance(entry.value, Features):
            return entry.value
        labels = self._labels(step, planned, image, seed)
        objects = outlined(np.asarray(labels.array))
        table = Features(
            (Column("row"), Column("column"), Column("area"), Column("outline", "")),
            tuple((*one.center, float(one.area), json.dumps(one.corners.tolist(), separators=(",", ":"))) for one in objects),
            tuple(str(one.label) for one in objects),
        )
        if cache is not None:
            cache.put(record.key, table, record)  # a tile that is not kept is only computed again
        return table


def _merged(
    slot: str,
    rows: list[tuple[float, ...]],
    outlines: list[npt.NDArray[np.int32]],
    geometry: Geometry,
    within: LabelMap | None,
    crowded: Box | None,
) -> Found:
    """Return the objects of all tiles in the world: those outside of `within` left out, those seen twice taken once."""
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    centers = geometry.to_world(table[:, :2]) if len(table) else np.zeros((0, 3))
    keep = np.ones(len(table), np.bool_)
    if within is not None and len(table):
        index = np.rint(within.geometry.to_index(centers)).astype(int)
        index = np.clip(index, 0, np.asarray(within.geometry.shape) - 1)
        keep = np.asarray(within.array)[tuple(index.T)] > 0
    places = np.flatnonzero(keep)
    places = places[~repeated(table[places, :2], table[places, 2])]
    micrometres = geometry.voxel_size * 1e6
    return Found(
        slot, centers[places], table[places, 2] * micrometres, tuple(outlines[k] for k in places.tolist()), geometry, crowded
    )


def _told(one: Input, found: Found, count: int, large: int) -> tuple[str, ...]:
    """Return how the tiles were cut, and what they could not see."""
    mpp = min(found.geometry.spacing) * 1000.0
    notes = [f"Run on {count} tiles of {one.tile} samples at {mpp:.4g} micrometres each, {one.halo} around them."]
    if large:
        notes.append(
            f"Left out: {large} objects wider than {one.halo * mpp:.4g} micrometres, the halo of a tile; they are hardly what is counted."
        )
    return tuple(notes)


def _recorded(
    outcome: Outcome, step: PlannedStep, one: Input, found: Found, tiles: str, notes: tuple[str, ...], within: LabelMap | None
) -> Outcome:
    """Return an outcome with the centres and the counts of what was found on tiles, each as a step of its own."""
    points = Points(found.centers, values=found.areas, frame=found.geometry.frame)
    operation = step.operation
    taken = (tiles,) if within is None else (tiles, within.digest)
    slots: tuple[str | None, ...] = (None,) if within is None else (None, one.within)
    first = StepRecord(operation.name or step.op, operation.version, operation.parameters(), taken, outcome.seed, notes)
    parameters = {"tile": one.tile, "halo": one.halo, "mpp": one.mpp, "of": step.to}
    digests = (points.digest,) if within is None else (points.digest, within.digest)
    second = StepRecord("slide.count", "1", parameters, digests, outcome.seed)
    counted = (step.to,) if within is None else (step.to, one.within)
    past = outcome.study[one.within].provenance if within is not None else Provenance()
    points = dataclasses.replace(points, provenance=past.then(first))
    table = dataclasses.replace(_counts(found, within), provenance=past.then(first).then(second))
    name = f"{step.to}_counts"
    index = len(outcome.steps)
    done = [
        StepOutcome(index, step.name, step.op, step.to, first.key, points.digest, False, 0.0, 0, slots, first, step.line),
        StepOutcome(index + 1, name, "slide.count", name, second.key, table.digest, False, 0.0, 0, counted, second),
    ]
    study = outcome.study.add(step.to, points).add(name, table)
    return dataclasses.replace(outcome, study=study, steps=(*outcome.steps, *done))


def _counts(found: Found, within: LabelMap | None) -> Features:
    """Return how many objects there are, on how much tissue."""
    if within is None:
        area, region = found.geometry.size * found.geometry.voxel_size, "slide"
    else:
        area = float(np.count_nonzero(within.array)) * within.geometry.voxel_size
        region = within.segments[0].name if within.segments else "region"
    values: Mapping[str, tuple[float, str, str]] = {
        "count": (float(len(found.areas)), "1", "objects whose centre lies in the region"),
        "region_area": (area, "mm^2", "area of the region"),
        "density": (len(found.areas) / area if area else float("nan"), "1/mm^2", "objects per area of the region"),
        "area_mean": (float(found.areas.mean()) if len(found.areas) else float("nan"), "um^2", "mean area of an object"),
        "area_median": (float(np.median(found.areas)) if len(found.areas) else float("nan"), "um^2", "median area of an object"),
    }
    columns = tuple(Column(name, unit, summary=words) for name, (_, unit, words) in values.items())
    return Features(columns, (tuple(value for value, _, _ in values.values()),), (region,))
