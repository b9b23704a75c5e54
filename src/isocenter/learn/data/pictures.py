"""A volume of one slice is a picture: some formats store it with an axis of one sample, others without."""

from __future__ import annotations

from typing import TypeVar, cast

import numpy as np

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack

__all__ = ["as_picture", "flat_axis", "without_axis"]

Value = TypeVar("Value", bound=Image | MaskStack)


def flat_axis(geometry: Geometry) -> int | None:
    """Return the axis of a volume that has a single sample, None for a picture and for a volume of several slices.

    Parameters
    ----------
    geometry
        Of the image.
    """
    ones = [k for k, n in enumerate(geometry.shape) if n == 1]
    return ones[0] if geometry.ndim == 3 and len(ones) == 1 else None


def without_axis(geometry: Geometry, axis: int) -> Geometry:
    """Return the grid of the only slice along an axis of one sample.

    Parameters
    ----------
    geometry, axis
        The grid of a volume, and that axis.
    """
    kept = [k for k in range(geometry.ndim) if k != axis]
    affine = geometry.affine[:, [*kept, geometry.ndim]]
    return Geometry(tuple(geometry.shape[k] for k in kept), affine, geometry.frame, geometry.unit)


def as_picture(value: Value) -> Value:
    """Return a volume of one slice as a picture, anything else as it is.

    Parameters
    ----------
    value
        An image, or labels.
    """
    axis = flat_axis(value.geometry)
    if axis is None:
        return value
    grid, own = without_axis(value.geometry, axis), "zyx"[axis]
    if isinstance(value, MaskStack):
        masks = np.squeeze(np.asarray(value.array), axis + 1)
        return cast("Value", MaskStack(masks, ("y", "x"), grid, value.segments, value.provenance))
    where = value.dims.index(own)
    names = iter("yx")
    dims = tuple(d if d not in "zyx" else next(names) for d in value.dims if d != own)
    array = np.squeeze(np.asarray(value.array), where)
    if isinstance(value, LabelMap):
        return cast("Value", LabelMap(array, dims, grid, value.segments, provenance=value.provenance))
    return cast("Value", value.replace(array=array, dims=dims, geometry=grid))
