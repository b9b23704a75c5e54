"""What a resampler promises: the requested grid to the last bit, whole labels, and positions that stay where they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from isocenter.core.families import Resampler
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.core.transform import Affine
from isocenter.testing.contracts.base import check, expect
from isocenter.testing.contracts.inputs import inputs_for, labels, port_names, richest
from isocenter.testing.contracts.running import attempt, run


def _moves_nothing(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return inputs without a transform."""
    return tuple(None if isinstance(v, Affine) else v for v in inputs)


def _takes_grid(operation: Resampler) -> bool:
    return any(name == "grid" for name, _, _ in port_names(operation)) and _follows_grid(operation)


def _follows_grid(operation: Resampler) -> bool:
    inputs = inputs_for(operation)
    grid = next((v for v in inputs if isinstance(v, Geometry)), None)
    return grid is not None and bool(operation.target(inputs[0].geometry, grid).matches(grid, 0.5 * min(grid.spacing)))


@check("Resampler", when=_takes_grid)
def requested_grid_exactly(operation: Resampler) -> None:
    """The result lies on the requested grid, bit for bit, given as a grid or as an image on it."""
    inputs = inputs_for(operation)
    grid = next(v for v in inputs if isinstance(v, Geometry))
    for wanted in (grid, Image(np.zeros(grid.shape, np.float32), ("z", "y", "x")[3 - grid.ndim :], grid)):
        after = run(operation, (*inputs[:-1], wanted))
        expect(after.geometry == grid, f"the result lies on {after.geometry}: expected {grid}")


@check("Resampler")
def labels_stay_whole(operation: Resampler) -> None:
    """A label map stays one: same integer type and table, and no value that was not there."""
    inputs = inputs_for(operation)
    first = inputs[0]
    dims = tuple(d for d in first.dims if d in "zyx")
    before = labels(dims, shape=first.geometry.shape).replace(geometry=first.geometry)
    for value in (before, before.replace(array=before.array.astype(np.int16))):
        after = run(operation, (value, *inputs[1:]))
        expect(isinstance(after, LabelMap), f"a label map came out as {type(after).__name__}")
        expect(after.dtype == value.dtype, f"labels of type {value.dtype} came out as {after.dtype}")
        expect(after.segments == value.segments, "the segment table changed")
        new = set(after.present) - set(value.present) - {0}
        expect(not new, f"labels {sorted(new)} came out that were not there")


@check("Resampler", when=_takes_grid)
def identity_on_the_same_grid(operation: Resampler) -> None:
    """On the image's own grid, without a transform, the samples come out unchanged."""
    for dtype in ("float32", "int16"):
        image = inputs_for(operation, richest(operation), dtype=dtype)[0]
        after = run(operation, (image, None, image.geometry))
        before = np.asarray(image.array, dtype=np.float64)
        apart = float(np.abs(np.asarray(after.array, dtype=np.float64) - before).max())
        allowed = 1e-5 * (float(np.abs(before).max()) or 1.0)
        expect(apart <= allowed, f"on the image's own grid samples change by up to {apart:.3g}")


@check("Resampler", when=lambda operation: getattr(operation, "keeps_positions", True))
def positions_stay(operation: Resampler) -> None:
    """A value that grows linearly in the world is found at the same positions afterwards: nothing shifts."""
    inputs = _moves_nothing(inputs_for(operation))
    image = inputs[0]
    spatial = image.replace(
        array=_ramp(image.geometry), dims=tuple(d for d in image.dims if d in "zyx"), channels=None, times=None
    )
    after = attempt(operation, (spatial, *inputs[1:]))
    if after is None or after.geometry.unit != image.geometry.unit:
        return
    # Where the result's neighbourhood lies inside the image (nearest-neighbour sampling is off by half a sample).
    index = image.geometry.to_index(_centers(after.geometry))
    inside = ((index >= 0) & (index <= np.asarray(image.geometry.shape) - 1)).all(axis=-1)
    seen = np.asarray(after.array, dtype=np.float64)[inside]
    expected = _ramp(after.geometry).astype(np.float64)[inside]
    allowed = 0.51 * float(sum(abs(np.asarray(image.geometry.affine)[:3, : image.geometry.ndim]).T @ _SLOPE))
    worst = float(np.abs(seen - expected).max(initial=0.0))
    expect(inside.any(), "no sample of the result lies inside the image")
    expect(worst <= allowed, f"a ramp over the world is off by {worst:.3g} of its unit (allowed: {allowed:.3g}): samples moved")
    bias = float(abs((seen - expected).mean()))
    expect(
        bias <= 0.2 * allowed,
        f"a ramp over the world is off by {bias:.3g} on average (half a sample is {allowed:.3g}): everything is shifted",
    )


_SLOPE = np.array([1.0, 0.7, 0.4])


def _centers(geometry: Geometry) -> Any:
    index = np.stack(np.meshgrid(*[np.arange(n) for n in geometry.shape], indexing="ij"), axis=-1)
    return geometry.to_world(index)


def _ramp(geometry: Geometry) -> Any:
    return (_centers(geometry) @ _SLOPE).astype(np.float32)
