"""Values that the tests of core share: grids of every kind, and tiny operations of every family."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from hypothesis import strategies as st

from isocenter.core.families import (
    Detector,
    Editor,
    Extractor,
    Filter,
    Fuser,
    Measure,
    Metric,
    Predictor,
    Reconstructor,
    ReferenceFilter,
    Registrar,
    Resampler,
    Segmenter,
    SignalFilter,
    Surfacer,
)
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.operation import Context
from isocenter.core.points import Points
from isocenter.core.raw import Raw
from isocenter.core.results import Column, Features, Prediction, Score
from isocenter.core.transform import Affine, Transform

SIDES = st.integers(1, 7)
STEPS = st.floats(0.05, 12.0, allow_nan=False)
PLACES = st.floats(-500.0, 500.0, allow_nan=False)


@st.composite
def directions(draw: st.DrawFn, n: int = 3) -> np.ndarray[Any, Any]:
    """Draw orthonormal columns, right- or left-handed, in every orientation."""
    rows = draw(st.lists(st.lists(st.floats(-1.0, 1.0), min_size=3, max_size=3), min_size=3, max_size=3))
    turn, _ = np.linalg.qr(np.asarray(rows) + 3.0 * np.eye(3)[draw(st.permutations(range(3)))])
    signs = draw(st.lists(st.sampled_from((-1.0, 1.0)), min_size=3, max_size=3))
    return (turn * np.asarray(signs))[:, :n]


@st.composite
def geometries(draw: st.DrawFn, min_axes: int = 1, sheared: bool = True) -> Geometry:
    """Draw a grid: one to three axes, any orientation and handedness, anisotropic, sheared up to 30 degrees."""
    n = draw(st.integers(min_axes, 3))
    shape = draw(st.lists(SIDES, min_size=n, max_size=n))
    columns = draw(directions(n)).copy()
    if sheared and n > 1 and draw(st.booleans()):
        columns[:, 0] += np.tan(np.deg2rad(draw(st.floats(-30.0, 30.0)))) * columns[:, 1]
    affine = np.zeros((4, n + 1))
    affine[:3, :n] = columns * draw(st.lists(STEPS, min_size=n, max_size=n))
    affine[:3, n] = draw(st.lists(PLACES, min_size=3, max_size=3))
    affine[3, n] = 1.0
    frame = draw(st.sampled_from((None, "1.2.840.1", "2.25.7")))
    return Geometry(tuple(shape), affine, frame, draw(st.sampled_from(("mm", "mm", "px"))))


def image(
    shape: tuple[int, ...] = (4, 5, 6), dims: str = "zyx", spacing: Any = None, dtype: Any = np.int16, **fields: Any
) -> Image:
    """Return an image of distinct values on an axial grid."""
    spatial = tuple(n for n, d in zip(shape, dims, strict=True) if d in "zyx")
    steps = (3.0, 1.0, 0.5)[3 - len(spatial) :] if spacing is None else spacing
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    return Image(array, tuple(dims), Geometry.regular(spatial, steps), **fields)


class Shift(Filter):
    """Add a constant."""

    name: ClassVar[str] = "local.shift"
    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    by: float = 1.0

    def compute(self, array: Any, context: Context) -> Any:
        context.note("shifted")
        return array + self.by

    def halo(self, geometry: Geometry) -> tuple[int, ...]:
        return (0,) * geometry.ndim


class Spread(Filter):
    """Maximum with both neighbours along every axis, so that a wrong halo shows."""

    name: ClassVar[str] = "local.spread"
    keeps_dtype: ClassVar[bool] = True

    def compute(self, array: Any, context: Context) -> Any:
        result = array
        for axis in range(array.ndim):
            padded = np.pad(result, [(1, 1) if k == axis else (0, 0) for k in range(array.ndim)], mode="edge")
            parts = [np.take(padded, np.arange(result.shape[axis]) + k, axis=axis) for k in range(3)]
            result = np.maximum.reduce(parts)
        return result

    def halo(self, geometry: Geometry) -> tuple[int, ...]:
        return (1,) * geometry.ndim


class Density(Filter):
    """A filter that needs HU in mm and declares another quantity."""

    name: ClassVar[str] = "local.density"
    needs_mm: ClassVar[bool] = True
    quantities: ClassVar[tuple[str, ...] | None] = ("HU",)
    gives_quantity: ClassVar[str | None] = "g/ml"

    def compute(self, array: Any, context: Context) -> Any:
        return array / 1000.0 + 1.0


class Shrink(Filter):
    """A broken filter: it changes the grid."""

    name: ClassVar[str] = "local.shrink"

    def compute(self, array: Any, context: Context) -> Any:
        return array[..., 1:]


class Toward(ReferenceFilter):
    """The mean of image and reference."""

    name: ClassVar[str] = "local.toward"
    same_grid: ClassVar[bool] = True

    def compute(self, array: Any, context: Context) -> Any:
        return (array + context.reference) / 2


class Nearest(Resampler):
    """Nearest neighbour on the requested grid."""

    name: ClassVar[str] = "local.nearest"
    as_float: bool = False

    def target(self, geometry: Geometry, grid: Geometry | None) -> Geometry:
        return grid or geometry

    def compute(self, array: Any, context: Context) -> Any:
        assert context.target is not None
        index = np.stack(np.meshgrid(*[np.arange(n) for n in context.target.shape], indexing="ij"), axis=-1)
        points = context.target.to_world(index)
        if context.transform is not None:
            points = context.transform(points)
        where = np.clip(np.rint(context.geometry.to_index(points)).astype(int), 0, np.asarray(array.shape) - 1)
        result = array[tuple(np.moveaxis(where, -1, 0))]
        return result.astype(np.float32) if self.as_float else result


class Bright(Segmenter):
    """Above a threshold, within the region where there is one."""

    name: ClassVar[str] = "local.bright"
    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx", "cyx")
    segments: ClassVar[tuple[str, ...]] = ("bright",)
    above: float = 0.0

    def compute(self, array: Any, context: Context) -> Any:
        mask = (array.max(axis=0) if context.dims[0] == "c" else array) > self.above
        return mask if context.region is None else mask & context.region


class Ones(Segmenter):
    """Every row of the picture is an object of its own."""

    name: ClassVar[str] = "local.ones"
    instances: ClassVar[str | None] = "row"

    def compute(self, array: Any, context: Context) -> Any:
        labels = np.zeros(array.shape, np.uint8)
        labels[:] = np.arange(1, array.shape[0] + 1).reshape((-1,) + (1,) * (array.ndim - 1))
        return labels


class Erase(Editor):
    """Remove one label."""

    name: ClassVar[str] = "local.erase"
    value: int = 1

    def compute(self, array: Any, context: Context) -> Any:
        return np.where(array == self.value, 0, array).astype(array.dtype)


class Cube(Surfacer):
    """The box around a mask, in index units."""

    name: ClassVar[str] = "local.cube"
    dims: ClassVar[tuple[str, ...]] = ("zyx",)
    label: str | int | None = None

    def compute(self, array: Any, context: Context) -> Any:
        where = np.argwhere(array)
        low, high = where.min(axis=0) - 0.5, where.max(axis=0) + 0.5
        corners = np.array([[(low, high)[b][k] for k, b in enumerate(bits)] for bits in np.ndindex(2, 2, 2)])
        quads = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
        faces = [f for a, b, c, d in quads for f in ((a, b, c), (a, c, d))]
        return corners, np.asarray(faces)


class Sums(Extractor):
    """Volume and sum of a region."""

    name: ClassVar[str] = "local.sums"
    extra: bool = False

    def columns(self, context: Context) -> tuple[Column, ...]:
        return (Column("volume", "mm^3"), Column("sum", context.quantity or "1"))

    def compute(self, array: Any, context: Context) -> Any:
        assert context.region is not None
        values: dict[str, Any] = {"volume": float(context.region.sum()) * context.geometry.voxel_size}
        if context.region.any():
            values["sum"] = float(array[context.region].sum())
        if self.extra:
            values["undeclared"] = 1.0
        return values


class Peak(Measure):
    """The largest value."""

    name: ClassVar[str] = "local.peak"
    scaling: ClassVar[str] = "linear"

    def compute(self, array: Any, context: Context) -> Mapping[str, Score]:
        inside = array if context.region is None else array[context.region]
        return {"peak": Score(float(inside.max()), context.quantity or "1")}


class Overlap(Metric):
    """Share of agreeing foreground."""

    name: ClassVar[str] = "local.overlap"
    label: str | int | None = None

    def compute(self, array: Any, context: Context) -> Mapping[str, Score]:
        assert context.reference is not None
        union = int((array | context.reference).sum())
        return {"overlap": Score(float((array & context.reference).sum() / union) if union else 1.0)}


class Difference(Metric):
    """Largest difference of intensities."""

    name: ClassVar[str] = "local.difference"
    compares: ClassVar[str] = "images"

    def compute(self, array: Any, context: Context) -> Mapping[str, Score]:
        return {"difference": Score(float(np.abs(array - context.reference).max()))}


class Same(Registrar):
    """A registration that always finds a shift."""

    name: ClassVar[str] = "local.same"
    left: float = 0.0

    def align(self, fixed: Image, moving: Image, context: Context) -> Transform:
        return Affine.translation((self.left, 0.0, 0.0))


class Mean(Fuser):
    """The mean of all images."""

    name: ClassVar[str] = "local.mean"

    def compute(self, array: Any, context: Context) -> Any:
        return array.mean(axis=0)


class Inverse(Reconstructor):
    """The inverse Fourier transform."""

    name: ClassVar[str] = "local.inverse"

    def reconstruct(self, raw: Raw, context: Context) -> Image:
        return Image(np.abs(np.fft.ifft2(raw.array)), ("y", "x"), context.geometry)


class Coin(Predictor):
    """Two classes by the sign of the mean."""

    name: ClassVar[str] = "local.coin"

    def predict(self, value: Image | Features, seed: int, notes: list[str]) -> Prediction:
        assert isinstance(value, Image)
        p = 0.9 if np.asarray(value.array).mean() > 0 else 0.1
        return Prediction(("low", "high"), (1.0 - p, p))


class Maximum(Detector):
    """Where the brightest sample is."""

    name: ClassVar[str] = "local.maximum"

    def compute(self, array: Any, context: Context) -> Points:
        where = np.unravel_index(int(np.argmax(array)), array.shape)
        return Points(context.geometry.to_world(where)[None], values=np.array([float(array[where])]))


class Center(SignalFilter):
    """Remove each channel's mean."""

    name: ClassVar[str] = "local.center"

    def compute(self, array: Any, context: Context) -> Any:
        return array - array.mean(axis=1, keepdims=True)
