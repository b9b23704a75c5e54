"""Random changes of place and intensity that a training image still is itself under."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["changed", "placed"]

FloatArray = npt.NDArray[np.float32]


def placed(
    centre: npt.NDArray[np.float64],
    shape: Sequence[int],
    generator: np.random.Generator,
    strength: float,
    mirror: Sequence[int] = (),
    spacing: Sequence[float] | None = None,
    step: npt.ArrayLike = 1.0,
) -> npt.NDArray[np.float64]:
    """Return the map from indices of a patch to indices of an image, turned, scaled and mirrored by chance.

    Parameters
    ----------
    centre
        Where in the image the middle of the patch lies, in samples.
    shape
        Samples of the patch.
    generator
        Draws.
    strength
        0 (as it is) to 1: up to 30 degrees in each plane and a quarter larger or smaller, each in half of the cases.
    mirror
        Axes along which an image may be mirrored.
    spacing
        mm per sample, so that turning keeps angles on uneven grids. Default: even.
    step
        Samples of the image per sample of the patch, one number or one per axis.

    Returns
    -------
    array
        Shape (axes, axes + 1).
    """
    axes = len(shape)
    turn = np.eye(axes)
    if strength:
        if generator.random() < 0.5:
            turn = turn @ _rotation(axes, generator, np.pi / 6.0 * strength)
        if generator.random() < 0.5:
            turn = turn * generator.uniform(1.0 - 0.25 * strength, 1.0 + 0.25 * strength)
        flips = np.array([-1.0 if k in mirror and generator.random() < 0.5 else 1.0 for k in range(axes)])
        turn = turn * flips
        size = np.array(spacing if spacing is not None else [1.0] * axes)
        turn = turn * size[None, :] / size[:, None]
    turn = turn * np.broadcast_to(np.asarray(step, dtype=np.float64), (axes,))[None, :]
    half = (np.array(shape, dtype=np.float64) - 1.0) / 2.0
    start = centre - turn @ half
    if np.array_equal(turn, np.eye(axes)):
        start = np.round(start)  # whole samples are copied, not mixed
    return np.column_stack([turn, start])


def changed(patch: FloatArray, generator: np.random.Generator, strength: float) -> FloatArray:
    """Return a patch with other brightness, contrast, gamma and noise, each with its chance; per channel where that makes sense."""
    if generator.random() < 0.3:
        patch = patch * np.float32(generator.uniform(1.0 - 0.3 * strength, 1.0 + 0.3 * strength))
    if generator.random() < 0.3:
        patch = patch + generator.normal(0.0, 0.2 * strength, (len(patch),) + (1,) * (patch.ndim - 1)).astype(np.float32)
    if generator.random() < 0.3:
        low, high = float(patch.min()), float(patch.max())
        span = max(high - low, 1e-6)
        gamma = np.exp(generator.uniform(-0.4, 0.4) * strength)
        patch = (((patch - low) / span) ** np.float32(gamma) * span + low).astype(np.float32)
    if generator.random() < 0.15:
        patch = patch + generator.normal(0.0, generator.uniform(0.0, 0.2 * strength), patch.shape).astype(np.float32)
    return patch.astype(np.float32, copy=False)


def _rotation(axes: int, generator: np.random.Generator, most: float) -> npt.NDArray[np.float64]:
    """Return a rotation by up to `most` radians in each plane."""
    result = np.eye(axes)
    for a in range(axes):
        for b in range(a + 1, axes):
            angle = generator.uniform(-most, most)
            plane = np.eye(axes)
            plane[a, a] = plane[b, b] = np.cos(angle)
            plane[a, b], plane[b, a] = -np.sin(angle), np.sin(angle)
            result = result @ plane
    return result
