"""Occlusion: by how much a score falls while a patch of the image is covered."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ParameterError

__all__ = ["occlusion_map", "patch_starts"]

FloatArray = npt.NDArray[np.float64]


def patch_starts(samples: int, patch: int, stride: int) -> list[int]:
    """Return where patches begin along an axis: every `stride` samples, the last one flush with the end."""
    last = max(samples - patch, 0)
    return sorted({*range(0, last + 1, stride), last})


def occlusion_map(
    score: Callable[[npt.NDArray[np.float32]], npt.ArrayLike],
    data: npt.NDArray[np.float32],
    patch: Sequence[int],
    stride: Sequence[int],
    fill: npt.ArrayLike = 0.0,
    batch: int = 16,
) -> FloatArray:
    """Return the mean fall of a score over the patches that cover each sample.

    Parameters
    ----------
    score
        Takes images of shape (n, channels, *spatial), n at most `batch`; returns n numbers.
    data
        One image, shape (channels, *spatial).
    patch, stride
        Samples of the patch and of the step between patches along each spatial axis; a stride above the patch would leave gaps.
    fill
        What covers a patch: a number, one for each channel (channels, 1 ...), or a whole image (a blurred one, for instance).
    batch
        Images that exist at once: bounds memory to that many copies, two maps and the image itself.

    Returns
    -------
    numpy.ndarray
        Shape (*spatial), float64; positive where the score needs what is there.

    References
    ----------
    Zeiler, Fergus. Visualizing and understanding convolutional networks. ECCV 2014.
    """
    shape = data.shape[1:]
    if len(patch) != len(shape) or len(stride) != len(shape) or min(*patch, *stride, batch) < 1:
        raise ParameterError(f"Patch {tuple(patch)} and stride {tuple(stride)} on {shape} samples: expected 1 or more per axis.")
    if any(s > p for s, p in zip(stride, patch, strict=True)):
        raise ParameterError(
            f"Stride {tuple(stride)} above the patch {tuple(patch)}: expected at most its size, or samples are missed."
        )
    whole = float(np.asarray(score(data[None]), np.float64).ravel()[0])
    cover = np.broadcast_to(np.asarray(fill, np.float32), data.shape)
    total, count = np.zeros(shape), np.zeros(shape)
    for places in _some(shape, patch, stride, batch):
        covered = np.repeat(data[None], len(places), axis=0)
        for one, where in zip(covered, places, strict=True):
            one[(slice(None), *where)] = cover[(slice(None), *where)]
        falls = whole - np.asarray(score(covered), np.float64).ravel()
        for fall, where in zip(falls, places, strict=True):
            total[where] += fall
            count[where] += 1.0
    return total / count


def _some(shape: Sequence[int], patch: Sequence[int], stride: Sequence[int], batch: int) -> Iterator[list[tuple[slice, ...]]]:
    """Yield the patches in groups of `batch`."""
    axes = [
        [slice(start, min(start + p, n)) for start in patch_starts(n, p, s)] for n, p, s in zip(shape, patch, stride, strict=True)
    ]
    places = itertools.product(*axes)
    while group := list(itertools.islice(places, batch)):
        yield group
