"""What the resamplers share: which samples of an image a grid asks for, and in which sample type they come."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from isocenter.core.dtype import working_dtype
from isocenter.core.errors import GeometryError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.operation import Context, Spec
from isocenter.kernels.interpolate import Method, Sampler, sample_affine

__all__ = ["Fill", "Interpolation", "LabelRule", "background", "fitting_fill", "interpolated_dtype", "per_axis", "resample"]

Interpolation = Literal["nearest", "linear", "cubic"]
LabelRule = Literal["nearest", "linear"]
Fill = float | Literal["edge"] | None

#: Points mapped at once where the map is not affine: bounds the memory for their positions to some tens of MB.
_CHUNK = 1 << 18


def background(quantity: str | None) -> float:
    """Return what an image holds where there is nothing: air for HU, else 0."""
    return -1000.0 if quantity == "HU" else 0.0


def fitting_fill(fill: Fill, quantity: str | None, dtype: np.dtype[Any], who: str) -> float | None:
    """Return the fill value as the result can hold it, None where edges are extended."""
    if fill == "edge":
        return None
    value = background(quantity) if fill is None else float(fill)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        if fill is None:
            return float(min(max(value, limits.min), limits.max))
        if value != round(value) or not limits.min <= value <= limits.max:
            raise ParameterError(
                f"Parameter 'fill' of {who} is {value:g}, but the result holds whole numbers from {limits.min} to {limits.max} "
                f"({dtype}): expected one of those; give another fill."
            )
    return value


def interpolated_dtype(spec: Spec, interpolation: Interpolation) -> str | None:
    """Return the sample type of a resampled image: kept where samples are only picked, else the working type."""
    if spec.kind == "LabelMap" or interpolation == "nearest" or spec.dtype is None:
        return spec.dtype
    return working_dtype(spec.dtype).str


def per_axis(value: int | tuple[int, ...], count: int, name: str, who: str) -> tuple[int, ...]:
    """Return one whole number per spatial axis."""
    if isinstance(value, int):
        return (value,) * count
    if len(value) != count:
        raise ParameterError(
            f"Parameter '{name}' of {who} has {len(value)} values for {count} spatial axes: expected one per axis, or one number for all."
        )
    return value


def resample(array: Any, context: Context, interpolation: Interpolation, labels: LabelRule, fill: Fill) -> npt.NDArray[Any]:
    """Return the samples of `array` (on ``context.geometry``) at the centres of ``context.target``.

    The map is composed first and the array is interpolated once, whatever the chain of transforms.
    """
    source, target = context.geometry, context.target
    assert target is not None  # a resampler always has one
    _check_grids(source, target, context)
    data = np.asarray(array)
    method: Method = ("label" if labels == "linear" else "nearest") if context.labels else interpolation
    if context.labels:
        value: float | None = None if fill == "edge" else 0.0
    else:
        kept = data.dtype if method == "nearest" else working_dtype(data.dtype)
        value = fitting_fill(fill, context.quantity, kept, context.name)
    matrix = _index_map(source, target, context.transform)
    if matrix is not None:
        _note_outside(matrix, source, target, context, value)
        return sample_affine(data, matrix, target.shape, method, value, context.threads)
    sampler = Sampler(data, method, value, context.threads)
    parts = []
    for start in range(0, target.size, _CHUNK):
        flat = np.arange(start, min(start + _CHUNK, target.size))
        index = np.stack(np.unravel_index(flat, target.shape), axis=-1)
        parts.append(sampler(source.to_index(context.transform(target.to_world(index)))))
    return np.concatenate(parts).reshape(target.shape)


def _index_map(source: Geometry, target: Geometry, transform: Any) -> npt.NDArray[np.float64] | None:
    """Return the matrix from target to source indices, None where the transform is not affine."""
    world: npt.NDArray[np.float64] = np.vstack([target.affine[:3], np.zeros(target.ndim + 1)])
    world[3, -1] = 1.0
    if transform is not None:
        if transform.matrix is None:
            return None
        world = np.asarray(transform.matrix, dtype=np.float64) @ world
    inverse = np.linalg.pinv(source.affine[:3, : source.ndim])
    matrix = np.asarray(inverse @ world[:3], dtype=np.float64)
    matrix[:, -1] -= inverse @ source.affine[:3, source.ndim]
    return matrix


def _check_grids(source: Geometry, target: Geometry, context: Context) -> None:
    if source.unit != target.unit:
        raise GeometryError(
            f"{context.name} was given an image in {source.unit} and a grid in {target.unit}: expected both in mm; "
            "give the pixel size with resample.calibrate."
        )
    if context.transform is None and source.frame and target.frame and source.frame != target.frame:
        raise GeometryError(
            f"{context.name} was given an image and a grid of different frames of reference: positions in one mean nothing in "
            "the other; register the images first and give the transform."
        )
    if source.ndim < 3:
        corners = target.corners() if context.transform is None else context.transform(target.corners())
        off = float(np.linalg.norm(source.to_world(source.to_index(corners)) - corners, axis=-1).max())
        if off > 0.5 * min(source.spacing):
            raise GeometryError(
                f"The grid lies up to {off:.3g} mm off the {'plane' if source.ndim == 2 else 'line'} of the image ({source}): "
                "expected a grid within it; an image of fewer than three axes has no samples elsewhere."
            )


def _note_outside(
    matrix: npt.NDArray[np.float64], source: Geometry, target: Geometry, context: Context, value: float | None
) -> None:
    """Note how much of the grid the image does not cover, sampled coarsely."""
    if value is None or context.labels:
        return
    steps = [np.unique(np.linspace(0, n - 1, min(n, 24)).round()) for n in target.shape]
    index = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1)
    place = index @ matrix[:, :-1].T + matrix[:, -1]
    inside = ((place >= -0.51) & (place <= np.asarray(source.shape) - 0.49)).all(axis=-1)
    if not inside.all():
        share = 100.0 * (1.0 - float(inside.mean()))
        what = f"about {share:.0f} %" if share >= 1 else "less than 1 %"
        context.note(f"{context.name}: {what} of the grid lies outside the image and holds {value:g}.")
