"""The usual augmentation for trainings that move more than samples along: the map of indices, and the intensities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from isocenter.learn.loading.augment import USUAL

__all__ = ["changed", "placed"]


def placed(
    centre: npt.NDArray[np.float64],
    shape: Sequence[int],
    generator: np.random.Generator,
    strength: float,
    mirror: Sequence[int] = (),
    spacing: Sequence[float] | None = None,
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
        0 (as it is) to 1, as of `isocenter.learn.loading.augment.USUAL`.
    mirror
        Axes along which an image may be mirrored.
    spacing
        mm per sample, so that turning keeps angles on uneven grids. Default: even.

    Returns
    -------
    array
        Shape (axes, axes + 1).
    """
    placement = replace(USUAL, strength=strength, mirror=tuple(mirror)).placed(len(shape), generator, spacing)
    start = np.asarray(centre, dtype=np.float64) - (np.array(shape, dtype=np.float64) - 1.0) / 2.0
    whole = placement.copied and not placement.mirror  # whole samples are copied, not mixed
    return placement.matrix((np.round(start) if whole else start).tolist(), shape)


def changed(patch: npt.NDArray[np.float32], generator: np.random.Generator, strength: float) -> npt.NDArray[np.float32]:
    """Return a patch with other brightness, contrast, gamma and noise, each with its chance."""
    return replace(USUAL, strength=strength).changed(patch, generator)
