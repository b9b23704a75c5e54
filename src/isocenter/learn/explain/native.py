"""Maps between the grid that a network sees and the image's own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.image import SPATIAL, Image
from isocenter.core.provenance import StepRecord
from isocenter.kernels.interpolate import sample_affine

__all__ = ["QUANTITY", "attribution_image", "network_grid", "resampled", "window_image"]

#: What the values of a map are.
QUANTITY = "attribution"


def network_grid(image: Geometry, size: Sequence[int], step: Sequence[float] | None = None) -> Geometry:
    """Return the grid of a network that sees an image with `size` samples along each axis.

    Parameters
    ----------
    image
        The image's own grid.
    size
        Samples along each axis.
    step
        Samples of the image per sample of the network, where the grid begins with the image but ends elsewhere; None spreads the grid over the
        whole extent of the image.
    """
    n = image.ndim
    steps = np.array([old / new for old, new in zip(image.shape, size, strict=True)]) if step is None else np.asarray(step)
    to_image = np.zeros((n + 1, n + 1))
    to_image[:n, :n] = np.diag(steps)
    to_image[:n, n] = (steps - 1.0) / 2.0
    to_image[n, n] = 1.0
    return Geometry(tuple(size), image.affine @ to_image, image.frame, image.unit)


def window_image(samples: npt.NDArray[np.float32], image: Image, grid: Geometry) -> Image:
    """Return what a network sees of an image as an image of its own.

    Parameters
    ----------
    samples
        Prepared, shape (channels, *shape of the grid).
    image
        Gives the names of the axes.
    grid
        Where the samples lie.
    """
    dims = tuple(d for d in image.dims if d in SPATIAL)
    return Image(samples if len(samples) > 1 else samples[0], ("c", *dims) if len(samples) > 1 else dims, grid)


def resampled(values: npt.ArrayLike, grid: Geometry, target: Geometry, outside: float | None = None) -> npt.NDArray[np.float32]:
    """Return a map on another grid of the same world, linear between its samples.

    Parameters
    ----------
    values
        Shape of `grid`.
    grid, target
        Where the values lie, and where they are wanted.
    outside
        What stands beyond the edge; None: the nearest sample.
    """
    n = grid.ndim
    corners = np.vstack([np.zeros(n), np.eye(n)])
    index = grid.to_index(target.to_world(corners))
    matrix = np.column_stack([(index[1:] - index[0]).T, index[0]])
    data = np.asarray(values, np.float32)
    return np.asarray(sample_affine(data, matrix, target.shape, "linear", outside), np.float32)


def attribution_image(
    values: npt.ArrayLike, grid: Geometry, image: Image, operation: str, parameters: dict[str, object], seed: int | None = None
) -> Image:
    """Return a map on the grid of the image that it explains.

    Parameters
    ----------
    values
        Shape of `grid`.
    grid
        Where the values lie.
    image
        Whose explanation it is: gives grid, modality and the sources of the record.
    operation, parameters, seed
        How the map was made.

    Raises
    ------
    ContentError
        If a value is not finite.
    """
    if not np.isfinite(np.asarray(values)).all():
        raise ContentError(f"The map of {operation} holds values that are not finite: expected a network without overflow.")
    native = resampled(values, grid, image.geometry)
    step = StepRecord(operation, "1", parameters, (image.digest,), seed)
    dims = tuple(d for d in image.dims if d in SPATIAL)
    return Image(native, dims, image.geometry, modality=image.modality, quantity=QUANTITY, provenance=image.provenance.then(step))
