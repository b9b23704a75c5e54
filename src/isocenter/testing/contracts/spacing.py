"""What every operation promises of lengths: a parameter in mm means mm, on any voxels and along every axis.

Three properties pin this down without knowing what an operation does. *Homogeneity*: in a world twice as large,
with every mm parameter twice as large, nothing changes but the unit. *Axis order*: turning the storage axes of an
image turns the result and does nothing else. *Sampling*: one smooth object on fine cubes and on slabs gives one answer.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from isocenter.core.errors import IsocenterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.operation import Operation
from isocenter.core.points import Boxes, Mesh, Points
from isocenter.core.results import Features, Scores
from isocenter.testing.contracts.base import check, expect
from isocenter.testing.contracts.documentation import mm_parameters
from isocenter.testing.contracts.inputs import image, inputs_for, richest
from isocenter.testing.contracts.running import attempt, describe, respaced, run, uncalibrated, values

#: Largest departure, relative to the range of the result, of one object on two samplings.
SAMPLING = 0.03

_POWERS = {"mm": 1.0, "mm/s": 1.0, "mm^2": 2.0, "mm^3": 3.0, "1/mm": -1.0, "mm^-1": -1.0, "1/mm^2": -2.0, "1/mm^3": -3.0}


def _has_mm(operation: Operation) -> bool:
    return bool(mm_parameters(operation))


def _scaled(operation: Operation, factor: float) -> Operation | None:
    """Return the operation with every mm parameter in use multiplied; None where its bounds do not allow that."""
    changed = dict(operation.parameters())
    for name, power in mm_parameters(operation).items():
        value = changed[name]
        times = factor**power
        changed[name] = _times(value, times)
    try:
        return type(operation)(**changed)
    except IsocenterError:
        return None


def _times(value: Any, factor: float) -> Any:
    """Return a number, or every number in (nested) lists, multiplied."""
    return [_times(v, factor) for v in value] if isinstance(value, list) else value * factor


@check(when=_has_mm)
def mm_needs_calibration(operation: Operation) -> None:
    """With a parameter in mm in use, an image without a pixel size is refused."""
    inputs = uncalibrated(inputs_for(operation))
    names = ", ".join(mm_parameters(operation))
    result = attempt(operation, inputs)
    calibrated = isinstance(result, Image) and result.geometry.unit == "mm"  # an operation may be there to give the size
    expect(result is None or calibrated, f"it took an image without a pixel size though {names} is in mm: set needs_mm")


@check(
    *("Filter", "ReferenceFilter", "Segmenter", "Editor", "Extractor", "Measure", "Metric", "Surfacer", "Detector"),
    when=lambda operation: not operation.human_scale,
)
def same_in_a_larger_world(operation: Operation) -> None:
    """In a world twice as large with mm parameters twice as large nothing changes but the unit."""
    for factor in (2.0, 0.5):
        larger = _scaled(operation, factor)
        if larger is None:
            continue
        inputs = inputs_for(operation)
        first = attempt(operation, inputs)
        second = attempt(larger, respaced(inputs, factor))
        if first is None or second is None:
            continue
        _require_scaled(operation, first, second, factor)


def _require_scaled(operation: Operation, first: Any, second: Any, factor: float) -> None:
    units = _units(first)
    one, two = values(first), values(second)
    expect(one.keys() == two.keys(), "in a larger world the result has other parts")
    for name, before in one.items():
        after = two[name]
        expect(
            before.shape == after.shape,
            f"in a world {factor:g} times as large '{name}' has shape {after.shape} instead of {before.shape}",
        )
        if before.dtype.kind not in "fiu":
            continue
        power = units.get(name, 0.0)
        wanted = before.astype(np.float64) * factor**power
        room = 1e-5 * max(1e-12, float(np.nanmax(np.abs(wanted), initial=0.0))) if before.dtype.kind == "f" else 0.0
        close = np.allclose(after.astype(np.float64), wanted, rtol=1e-5, atol=room, equal_nan=True)
        expect(
            close,
            f"in a world {factor:g} times as large, with its mm parameters as many times as large, '{name}' is not "
            f"{'the same' if power == 0 else f'{factor**power:g} times as large'}: a length is taken in samples somewhere",
        )


def _units(result: Any) -> dict[str, float]:
    """Return the power of length by which each part of a result scales."""
    if isinstance(result, Scores):
        return {name: _POWERS.get(score.unit, 0.0) for name, score in result.items()}
    if isinstance(result, Features):
        return {column.name: _POWERS.get(column.unit.rsplit(" ", 1)[-1], 0.0) for column in result.columns}  # HU mm^3
    if isinstance(result, Mesh):
        return {"vertices": 1.0}
    if isinstance(result, Points | Boxes):
        return {"positions": 1.0, "bounds": 1.0}
    return {}


@check("Filter", "ReferenceFilter", when=_has_mm)
def mm_parameters_see_the_spacing(operation: Operation) -> None:
    """With a parameter in mm, the same samples on larger voxels give another result."""
    inputs = inputs_for(operation)
    first, second = attempt(operation, inputs), attempt(operation, respaced(inputs, 3.0))
    if first is None or second is None:
        return
    names = ", ".join(mm_parameters(operation))
    same_values = np.array_equal(np.asarray(first.array), np.asarray(second.array))
    expect(not same_values, f"voxels three times as large give the same samples though {names} is in mm: the spacing is ignored")


@check("Filter", "ReferenceFilter", when=lambda operation: not _has_mm(operation) and not operation.needs_mm)
def samples_ignore_the_spacing(operation: Operation) -> None:
    """Without a parameter in mm and without `needs_mm`, the spacing does not matter, and pixels are taken."""
    inputs = inputs_for(operation)
    first = attempt(operation, inputs)
    if first is None:
        return
    for other in (respaced(inputs, 3.0), uncalibrated(inputs)):
        second = run(operation, other)
        equal = np.array_equal(np.asarray(first.array), np.asarray(second.array), equal_nan=True)
        expect(
            equal,
            f"it gives other samples on another grid ({describe(other)}), but declares neither a parameter in mm nor needs_mm",
        )


def _turnable(operation: Operation) -> bool:
    if not _has_mm(operation) or len(richest(operation)) < 2 or any(d in richest(operation) for d in "tc"):
        return False
    return not any(isinstance(getattr(operation, n), tuple | list) for n in type(operation).model_fields)


@check("Filter", "Segmenter", "Editor", "Metric", "Extractor", when=_turnable)
def axes_may_be_stored_in_any_order(operation: Operation) -> None:
    """Turning the storage axes of the inputs turns the result: no axis is given another one's spacing."""
    dims = richest(operation)
    axes = (2, 0, 1) if len(dims) == 3 else (1, 0)
    inputs = inputs_for(operation, dims)
    first, second = attempt(operation, inputs), attempt(operation, tuple(_turned(v, axes) for v in inputs))
    if first is None or second is None:
        return
    if isinstance(first, Image):
        first = _turned(first, axes)
    one, two = values(first), values(second)
    for name, before in one.items():
        after = two[name]
        expect(
            before.shape == after.shape,
            f"stored in another axis order, '{name}' has shape {after.shape} instead of {before.shape}",
        )
        if before.dtype.kind in "iub":  # a sample on the very edge of a radius may fall either way
            expect(float((before != after).mean()) <= 0.002, _order(name))
        elif before.dtype.kind == "f":
            span = float(np.nanmax(before, initial=0.0) - np.nanmin(before, initial=0.0)) or 1.0
            expect(np.allclose(before, after, rtol=1e-4, atol=2e-4 * span, equal_nan=True), _order(name))


def _order(name: str) -> str:
    return f"stored in another axis order, '{name}' differs: an axis is given the spacing of another one"


def _turned(value: Any, axes: tuple[int, ...]) -> Any:
    if not isinstance(value, Image):
        return value
    array = np.ascontiguousarray(np.asarray(value.array).transpose(axes))
    return value.replace(array=array, geometry=value.geometry.transpose(axes))


@check("Filter", when=lambda operation: _has_mm(operation) and richest(operation) in (("z", "y", "x"), ("y", "x")))
def one_object_on_two_samplings(operation: Operation) -> None:
    """A smooth object on cubes of 1 mm and on slabs of 2 mm gives the same values where both have samples."""
    dims = richest(operation)
    fine = _smooth_object(operation, dims)
    step = (2, *(1,) * (len(dims) - 1))
    coarse = _every(fine, step)
    first, second = attempt(operation, (fine,)), attempt(operation, (coarse,))
    if first is None or second is None:
        return
    expected = np.asarray(first.array)[tuple(slice(None, None, s) for s in step)].astype(np.float64)
    seen = np.asarray(second.array).astype(np.float64)
    span = float(expected.max() - expected.min()) or 1.0
    apart = float(np.abs(expected - seen).max()) / span
    allowed = getattr(operation, "sampling_tolerance", SAMPLING)
    expect(
        apart <= allowed,
        f"on slabs of 2 mm an object differs by {apart:.1%} of its range from itself on cubes of 1 mm (allowed: {allowed:.1%})",
    )


def _smooth_object(operation: Operation, dims: tuple[str, ...]) -> Image:
    size = 25
    axes = [np.arange(size) - size // 2.0 for _ in dims]
    distance = sum(m**2 for m in np.meshgrid(*axes, indexing="ij"))
    blob = np.exp(-distance / (2 * 2.6**2)).astype(np.float32)
    like = image(operation, dims)
    low, high = float(like.array.min()), float(like.array.max())
    return Image(
        low + (high - low) * blob, dims, Geometry.regular(blob.shape, 1.0), modality=like.modality, quantity=like.quantity
    )


def _every(value: Image, step: tuple[int, ...]) -> Image:
    array = np.ascontiguousarray(np.asarray(value.array)[tuple(slice(None, None, s) for s in step)])
    affine = np.array(value.geometry.affine)
    affine[:3, : len(step)] *= np.asarray(step, dtype=np.float64)
    return value.replace(array=array, geometry=Geometry(array.shape, affine))


@check("Resampler", when=_has_mm)
def resampled_alike_in_a_larger_world(operation: Operation) -> None:
    """In a world twice as large with mm parameters twice as large a resampler gives the same samples."""
    larger = _scaled(operation, 2.0)
    if larger is None:
        return
    inputs = tuple(None if type(v).__name__ == "Affine" else v for v in inputs_for(operation))
    first, second = run(operation, inputs), run(larger, respaced(inputs, 2.0))
    expect(
        first.shape == second.shape, f"in a world twice as large the result has {second.shape} samples instead of {first.shape}"
    )
    span = float(np.ptp(np.asarray(first.array, dtype=np.float64))) or 1.0
    close = np.allclose(first.array, second.array, rtol=1e-5, atol=1e-5 * span)
    expect(close, "in a world twice as large, with its mm parameters twice as large, the samples differ")
