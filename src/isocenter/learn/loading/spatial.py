"""Spatial augmentation: turned, scaled, mirrored and bent in one interpolation, straight from the whole case."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from isocenter.kernels.interpolate import sample_affine, sample_points

__all__ = ["about", "turned", "warp"]

FloatArray = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]


def turned(axes: int, rng: np.random.Generator, angle: float, spacing: Sequence[float] | None = None) -> Matrix:
    """Return a random rotation of indices.

    Parameters
    ----------
    axes
        Spatial axes.
    rng
        Decides.
    angle
        Largest rotation in each plane, degrees.
    spacing
        mm per sample, so that turning keeps angles on uneven grids; even where None.

    Returns
    -------
    numpy.ndarray
        Shape (axes, axes).
    """
    step = np.ones(axes) if spacing is None else np.asarray(spacing, dtype=np.float64)
    turn = np.eye(axes)
    for a in range(axes):
        for b in range(a + 1, axes):
            plane = np.eye(axes)
            t = np.deg2rad(rng.uniform(-angle, angle))
            plane[a, a] = plane[b, b] = np.cos(t)
            plane[a, b], plane[b, a] = -np.sin(t), np.sin(t)
            turn = turn @ plane
    return turn * step[None, :] / step[:, None]


def about(linear: Matrix, start: Sequence[float], patch: Sequence[int]) -> Matrix:
    """Return the map from a patch's indices to a case's, about the patch's middle.

    Parameters
    ----------
    linear
        What is done to distances from the middle, shape (axes, axes).
    start
        First sample of the patch in the case, as if nothing were done.
    patch
        Samples along each axis.

    Returns
    -------
    numpy.ndarray
        Shape (axes, axes + 1), case index = matrix @ (patch index, 1).
    """
    half = (np.asarray(patch, dtype=np.float64) - 1.0) / 2.0
    return np.column_stack([linear, np.asarray(start, dtype=np.float64) + half - linear @ half])


def warp(
    image: FloatArray,
    truth: npt.NDArray[np.uint8] | None,
    matrix: Matrix,
    patch: Sequence[int],
    rng: np.random.Generator,
    *,
    bend: float = 0.0,
    knots: int = 5,
) -> tuple[FloatArray, npt.NDArray[np.uint8] | None]:
    """Return a patch and its class indices, sampled from a case by a matrix and, where `bend` is set, a smooth random field.

    Parameters
    ----------
    image, truth
        The case, (channels, *spatial) and the spatial shape, which may be mapped from a file. Samples are mixed linearly, and of the
        classes the one with the largest share is taken, so that outlines stay where those of the samples are.
    matrix
        As `about` gives it. Beyond the case its edge samples are extended.
    patch
        Samples along each axis.
    rng
        Decides the field.
    bend
        Standard deviation of the field at its knots, in samples.
    knots
        Knots of the field along each axis.
    """
    shape = tuple(patch)
    if not bend:
        channels = [sample_affine(channel, matrix, shape, "linear", None) for channel in image]
        labels = None if truth is None else sample_affine(truth, matrix, shape, "label", None)
        return np.stack(channels).astype(np.float32, copy=False), labels
    grid = np.stack(np.meshgrid(*[np.arange(n, dtype=np.float64) for n in shape], indexing="ij"), axis=-1)
    places = grid @ matrix[:, :-1].T + matrix[:, -1]
    axes = len(shape)
    to_knots = np.column_stack([np.diag([(knots - 1) / max(n - 1, 1) for n in shape]), np.zeros(axes)])
    for axis in range(axes):
        field = rng.normal(0.0, bend, (knots,) * axes).astype(np.float32)
        places[..., axis] += sample_affine(field, to_knots, shape, "cubic", None)
    bent = np.stack([sample_points(channel, places, "linear", None) for channel in image]).astype(np.float32, copy=False)
    return bent, None if truth is None else sample_points(truth, places, "label", None)
