"""Hypothesis strategies for the nouns: any orientation, any spacing, sheared, in mm or pixels, of one to three axes.

They need the extra ``test``::

    from hypothesis import given
    from isocenter.testing import strategies as iso

    @given(iso.images(dims=("zyx",)))
    def test_mine(image):
        ...
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from isocenter.core.geometry import Geometry
from isocenter.core.image import DIMS, SPATIAL, Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.core.transform import Affine

__all__ = ["DTYPES", "affines", "dims", "geometries", "images", "label_maps", "rotations", "shapes", "spacings"]

#: Sample types that images are stored in.
DTYPES = ("uint8", "int8", "uint16", "int16", "int32", "float32", "float64")

_NAMES = ("liver", "lesion", "right lung", "left lung", "bone", "something else")


def shapes(ndim: int, smallest: int = 1, largest: int = 6) -> st.SearchStrategy[tuple[int, ...]]:
    """Return spatial shapes of `ndim` axes."""
    return st.tuples(*[st.integers(smallest, largest)] * ndim)


def spacings(ndim: int) -> st.SearchStrategy[tuple[float, ...]]:
    """Return spacings in mm, from microscopes to scouts, unequal ones included."""
    step = st.one_of(st.sampled_from([0.5, 1.0, 3.0]), st.floats(1e-3, 20.0, allow_subnormal=False))
    return st.tuples(*[step] * ndim)


@st.composite
def rotations(draw: st.DrawFn) -> npt.NDArray[np.float64]:
    """Draw a 3 x 3 matrix of an orientation: axis-parallel, oblique or mirrored, each equally likely."""
    kind = draw(st.sampled_from(["parallel", "oblique", "mirrored"]))
    order = draw(st.permutations(range(3)))
    signs = draw(st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3))
    matrix = np.eye(3)[:, list(order)] * signs
    if kind == "parallel":
        return matrix
    axis = np.array(draw(st.tuples(*[st.floats(-1, 1, allow_subnormal=False)] * 3)))
    if np.linalg.norm(axis) < 1e-3:
        axis = np.array([0.0, 0.0, 1.0])
    angle = draw(st.floats(0.0, 180.0))
    turned = Affine.rotation(axis, angle).values[:3, :3] @ matrix
    result: npt.NDArray[np.float64] = turned if kind == "oblique" else turned * np.array([1.0, 1.0, -1.0])
    return result


@st.composite
def geometries(
    draw: st.DrawFn,
    ndim: int | Sequence[int] = (1, 2, 3),
    *,
    unit: str | None = None,
    shear: bool = True,
    largest: int = 6,
) -> Geometry:
    """Draw a grid.

    Parameters
    ----------
    draw
        Handed over by Hypothesis.
    ndim
        Number of spatial axes, or those to choose from.
    unit
        ``mm`` or ``px``; None draws either.
    shear
        Whether sheared grids (a tilted gantry) are drawn too.
    largest
        Most samples along an axis.
    """
    count = draw(st.sampled_from([ndim] if isinstance(ndim, int) else list(ndim)))
    shape = draw(shapes(count, largest=largest))
    if (unit or draw(st.sampled_from(["mm", "mm", "mm", "px"]))) == "px":
        return Geometry.pixels(shape)
    direction = draw(rotations())[:, 3 - count :]
    if shear and count > 1 and draw(st.booleans()):
        lean = draw(st.floats(-0.5, 0.5, allow_subnormal=False))  # up to 27 degrees
        tilted = direction[:, 0] + lean * direction[:, 1]
        direction = np.column_stack([tilted / np.linalg.norm(tilted), direction[:, 1:]])
    origin = draw(st.tuples(*[st.floats(-500.0, 500.0, allow_subnormal=False)] * 3))
    frame = draw(st.sampled_from([None, "1.2.840.1", "1.2.840.2"]))
    return Geometry.regular(shape, draw(spacings(count)), origin, direction, frame)


def dims(
    spatial: int | Sequence[int] = (1, 2, 3), extra: Sequence[str] = ("", "t", "c", "tc")
) -> st.SearchStrategy[tuple[str, ...]]:
    """Return axis names: one to three spatial axes, with time and channels before them."""
    counts = [spatial] if isinstance(spatial, int) else list(spatial)
    every = [tuple(d for d in DIMS if d in prefix or d in SPATIAL[3 - n :]) for n in counts for prefix in extra]
    return st.sampled_from(every)


@st.composite
def images(
    draw: st.DrawFn,
    dims: Sequence[str] | None = None,
    dtypes: Sequence[str] = DTYPES,
    *,
    finite: bool = True,
    unit: str | None = None,
    shear: bool = True,
    largest: int = 5,
) -> Image:
    """Draw an image.

    Parameters
    ----------
    draw
        Handed over by Hypothesis.
    dims
        Sets of axes to choose from, as text (``"zyx"``, ``"tyx"``); None draws any.
    dtypes
        Sample types to choose from.
    finite
        Whether floats are finite; if not, NaN and infinities occur.
    unit, shear, largest
        As of `geometries`.
    """
    names = _axes(draw, dims)
    geometry = draw(geometries(sum(d in SPATIAL for d in names), unit=unit, shear=shear, largest=largest))
    shape = _full_shape(draw, names, geometry)
    dtype = np.dtype(draw(st.sampled_from(list(dtypes))))
    array = draw(hnp.arrays(dtype, shape, elements=_elements(dtype, finite)))
    quantity = draw(st.sampled_from([None, "HU", "SUVbw", "a.u."]))
    modality = draw(st.sampled_from([None, "CT", "MR", "PT", "US"]))
    return Image(array, names, geometry, modality=modality, quantity=quantity, **_axis_values(names, shape))


@st.composite
def label_maps(
    draw: st.DrawFn, dims: Sequence[str] | None = None, *, unit: str | None = None, shear: bool = True, largest: int = 5
) -> LabelMap:
    """Draw labels of none to three segments; not every segment need occur. The parameters are those of `images`."""
    names = _axes(draw, dims if dims is not None else ("x", "yx", "zyx", "tyx", "tzyx"))
    geometry = draw(geometries(sum(d in SPATIAL for d in names), unit=unit, shear=shear, largest=largest))
    shape = _full_shape(draw, names, geometry)
    values = draw(st.lists(st.integers(1, 255), unique=True, max_size=3))
    table = tuple(Segment(v, name) for v, name in zip(values, draw(st.permutations(_NAMES)), strict=False))
    dtype = draw(st.sampled_from(["uint8", "int16", "uint16", "int32"]))
    array = draw(hnp.arrays(np.dtype(dtype), shape, elements=st.sampled_from([0, *values])))
    return LabelMap(array, names, geometry, table, **_axis_values(names, shape))


@st.composite
def affines(draw: st.DrawFn, *, rigid: bool = False) -> Affine:
    """Draw an affine transform: a motion of up to 50 mm, with scale and shear unless it is to be rigid."""
    axis = draw(st.tuples(*[st.floats(-1, 1, allow_subnormal=False)] * 3))
    axis = axis if np.linalg.norm(axis) > 1e-3 else (0.0, 0.0, 1.0)
    values = Affine.rotation(axis, draw(st.floats(-180.0, 180.0))).values.copy()
    values[:3, 3] = draw(st.tuples(*[st.floats(-50.0, 50.0, allow_subnormal=False)] * 3))
    if not rigid:
        scale = draw(st.tuples(*[st.floats(0.5, 2.0)] * 3))
        lean = np.eye(3)
        lean[0, 1], lean[0, 2], lean[1, 2] = draw(st.tuples(*[st.floats(-0.3, 0.3, allow_subnormal=False)] * 3))
        values[:3, :3] = values[:3, :3] @ np.diag(scale) @ lean
    return Affine(values)


def _axes(draw: st.DrawFn, wanted: Sequence[str] | None) -> tuple[str, ...]:
    if wanted is None:
        return draw(dims())
    text = draw(st.sampled_from(["".join(w) for w in wanted]))
    return tuple(d for d in DIMS if d in text)


def _full_shape(draw: st.DrawFn, names: tuple[str, ...], geometry: Geometry) -> tuple[int, ...]:
    return tuple(draw(st.integers(1, 3)) for d in names if d not in SPATIAL) + geometry.shape


def _axis_values(names: tuple[str, ...], shape: tuple[int, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "t" in names:
        found["times"] = tuple(1.5 * k for k in range(shape[names.index("t")]))
    if "c" in names:
        found["channels"] = tuple(f"channel {k + 1}" for k in range(shape[names.index("c")]))
    return found


def _elements(dtype: np.dtype[Any], finite: bool) -> st.SearchStrategy[Any]:
    if dtype.kind != "f":
        return hnp.from_dtype(dtype)
    width: Any = 8 * dtype.itemsize
    if finite:  # of the size that images have: products of them stay finite as well
        return st.floats(-(2.0**20), 2.0**20, width=width, allow_subnormal=False)
    return st.floats(width=width)
