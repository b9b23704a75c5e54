"""Spatial augmentation: turned, scaled, mirrored and bent in one interpolation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from isocenter.kernels.interpolate import sample_affine, sample_points

__all__ = ["random_matrix", "warp"]

FloatArray = npt.NDArray[np.float32]


def random_matrix(
    shape: Sequence[int],
    rng: np.random.Generator,
    *,
    angle: float = 15.0,
    scale: float = 0.15,
    shift: float = 0.05,
    mirror: Sequence[int] = (),
    spacing: Sequence[float] | None = None,
) -> npt.NDArray[np.float64]:
    """Return an affine index map about the middle of a patch.

    Parameters
    ----------
    shape
        Samples of the patch.
    rng
        Decides.
    angle
        Largest rotation in each plane, degrees.
    scale, shift
        Largest relative change of size, and shift as a part of the extent.
    mirror
        Axes that are mirrored at even odds.
    spacing
        mm per sample, so that turning keeps angles; even where None.

    Returns
    -------
    numpy.ndarray
        Shape (axes, axes + 1), input index = matrix @ (output index, 1).
    """
    axes = len(shape)
    step = np.ones(axes) if spacing is None else np.asarray(spacing, dtype=np.float64)
    turn = np.eye(axes)
    for a in range(axes):
        for b in range(a + 1, axes):
            plane = np.eye(axes)
            t = np.deg2rad(rng.uniform(-angle, angle))
            plane[a, a] = plane[b, b] = np.cos(t)
            plane[a, b], plane[b, a] = -np.sin(t), np.sin(t)
            turn = turn @ plane
    turn = turn * np.exp(rng.uniform(-1, 1) * np.log1p(scale))
    turn = turn * step[None, :] / step[:, None]
    turn = turn * np.array([-1.0 if k in mirror and rng.random() < 0.5 else 1.0 for k in range(axes)])
    middle = (np.asarray(shape) - 1) / 2
    moved = middle + rng.uniform(-shift, shift, axes) * np.asarray(shape)
    return np.column_stack([turn, moved - turn @ middle])


def warp(
    image: FloatArray,
    truth: npt.NDArray[np.uint8] | None,
    matrix: npt.NDArray[np.float64],
    rng: np.random.Generator,
    *,
    bend: float = 0.0,
    knots: int = 5,
) -> tuple[FloatArray, npt.NDArray[np.uint8] | None]:
    """Return a patch and its class indices resampled by a matrix and, where `bend` is set, a smooth random field.

    Parameters
    ----------
    image, truth
        (channels, *spatial) and the spatial shape; linear and nearest.
    matrix
        As `random_matrix` gives it.
    rng
        Decides the field.
    bend
        Standard deviation of the field at its knots, in samples.
    knots
        Knots of the field along each axis.
    """
    shape = image.shape[1:]
    if not bend:
        channels = [sample_affine(channel, matrix, shape, "linear", None) for channel in image]
        labels = None if truth is None else sample_affine(truth, matrix, shape, "nearest", None)
        return np.stack(channels).astype(np.float32, copy=False), labels
    grid = np.stack(np.meshgrid(*[np.arange(n, dtype=np.float64) for n in shape], indexing="ij"), axis=-1)
    places = grid @ matrix[:, :-1].T + matrix[:, -1]
    axes = len(shape)
    to_knots = np.column_stack([np.diag([(knots - 1) / max(n - 1, 1) for n in shape]), np.zeros(axes)])
    for axis in range(axes):
        field = rng.normal(0.0, bend, (knots,) * axes).astype(np.float32)
        places[..., axis] += sample_affine(field, to_knots, shape, "cubic", None)
    bent = np.stack([sample_points(channel, places, "linear", None) for channel in image]).astype(np.float32, copy=False)
    return bent, None if truth is None else sample_points(truth, places, "nearest", None)
