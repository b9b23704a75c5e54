"""Random grids and images for the round trips of every format."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.transform import Affine

DTYPES = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8")
FLOAT = st.floats(-1, 1, allow_nan=False, allow_subnormal=False)


@st.composite
def geometries(draw: Any, ndim: int = 3) -> Geometry:
    """Draw a grid of any orientation, handedness, spacing and shear up to some 40 degrees, up to 2 m from the origin."""
    shape = tuple(draw(st.integers(1, 6)) for _ in range(ndim))
    axis = np.array([draw(FLOAT), draw(FLOAT), draw(FLOAT)]) + [0.0, 0.0, 1e-3]
    turn = Affine.rotation(axis, draw(st.floats(-180, 180, allow_subnormal=False))).values[:3, :3]
    order = draw(st.permutations(range(3)))
    signs = np.array([draw(st.sampled_from((-1.0, 1.0))) for _ in range(3)])
    shear = np.eye(3)
    if draw(st.booleans()):
        shear[0, 1], shear[0, 2], shear[1, 2] = (0.6 * draw(FLOAT) for _ in range(3))
    spacing = np.array([draw(st.floats(0.05, 9.0)) for _ in range(3)])
    linear = (turn @ (np.eye(3)[:, order] * signs) @ shear) * spacing
    affine = np.zeros((4, ndim + 1))
    affine[:3, :ndim] = linear[:, :ndim]
    affine[:3, ndim] = [2000 * draw(FLOAT) for _ in range(3)]
    affine[3, ndim] = 1
    return Geometry(shape, affine)


@st.composite
def images(draw: Any, ndim: int = 3, dtypes: tuple[str, ...] = DTYPES) -> Image:
    """Draw an image of random samples on a random grid."""
    geometry = draw(geometries(ndim))
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    if dtype.kind == "f":
        array = (rng.normal(size=geometry.shape) * 1000).astype(dtype)
    else:
        info = np.iinfo(dtype)
        array = rng.integers(info.min, info.max, geometry.shape, dtype, endpoint=True)
    return Image(array, ("z", "y", "x")[3 - ndim :], geometry)
