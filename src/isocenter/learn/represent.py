"""What a picture looks like, as numbers: gradients, patterns, brightness by place, and sizes, for learners of tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError
from isocenter.core.image import Image
from isocenter.kernels.texture.binary_patterns import binary_patterns

__all__ = ["Representation", "represent"]

FloatArray = npt.NDArray[np.float64]

#: Samples along each side that a picture is brought to before it is described.
SIDE = 128


@dataclass(frozen=True)
class Representation:
    """A picture as numbers.

    Attributes
    ----------
    names
        Of the features; equal for all images of one kind.
    values
        Shape (features,).
    """

    names: tuple[str, ...]
    values: FloatArray


def represent(image: Image) -> Representation:
    """Describe an image by what is there, not by how it was stored.

    A picture gives oriented gradients on two scales, local patterns in four quarters, mean, spread and left-right difference of
    brightness on a grid, and its histogram; brightness is first brought between the 1st and the 99th percentile, so that no
    feature knows the window. A volume gives the same of the middle slab along each axis, and statistics of all voxels. The number
    of samples and the file never enter.

    Parameters
    ----------
    image
        2D or 3D, grey or colour; times are averaged.

    Raises
    ------
    ContentError
        If nothing in it is finite, or a side is shorter than 8 samples.

    References
    ----------
    Dalal and Triggs. Histograms of oriented gradients for human detection. CVPR 2005; Ojala et al. IEEE PAMI 24 (2002) 971-987.
    """
    data = np.asarray(image.array)
    dims = list(image.dims)
    if "t" in dims:
        data = data.mean(axis=dims.index("t"), dtype=np.float64)
        dims.remove("t")
    colour: FloatArray | None = None
    if "c" in dims:
        at = dims.index("c")
        planes = np.moveaxis(data, at, 0).astype(np.float64)
        colour = np.concatenate([[p.mean(), p.std()] for p in planes]) / max(float(np.abs(planes).max()), 1e-12)
        data = planes.mean(axis=0)
        dims.remove("c")
    data = data.astype(np.float64)
    finite = np.isfinite(data)
    if not finite.any() or min(data.shape) < (8 if data.ndim == 2 else 2):
        raise ContentError(
            f"An image of shape {data.shape} cannot be described: expected finite samples, 8 or more along each side."
        )
    if not finite.all():
        data = np.where(finite, data, float(np.median(data[finite])))
    parts: list[tuple[str, FloatArray]] = []
    if data.ndim == 2:
        parts += _described("", data)
    else:
        parts += _statistics(data)
        for axis, name in enumerate("zyx"):
            middle, half = data.shape[axis] // 2, max(1, data.shape[axis] // 16)
            slab = np.take(data, range(max(0, middle - half), min(data.shape[axis], middle + half + 1)), axis=axis)
            parts += _described(f"{name}-slab ", slab.mean(axis=axis))
    if colour is not None:
        parts.append(("colour", colour))
    names = tuple(f"{name} {k}" for name, values in parts for k in range(values.size))
    return Representation(names, np.concatenate([values for _, values in parts]))


def _described(prefix: str, picture: FloatArray) -> list[tuple[str, FloatArray]]:
    from skimage.feature import hog
    from skimage.transform import resize

    low, high = np.percentile(picture, [1.0, 99.0])
    grey = np.clip((picture - low) / max(high - low, 1e-12), 0.0, 1.0)
    whole = resize(grey, (2 * SIDE, 2 * SIDE), order=1, anti_aliasing=True)
    small = resize(whole, (SIDE, SIDE), order=1, anti_aliasing=True)
    coarse = hog(small, 9, (SIDE // 8, SIDE // 8), (2, 2))
    tiny = hog(resize(small, (SIDE // 2, SIDE // 2), order=1, anti_aliasing=True), 9, (16, 16), (1, 1))
    cells = small.reshape(16, SIDE // 16, 16, SIDE // 16).transpose(0, 2, 1, 3).reshape(16, 16, -1)
    mean, spread = cells.mean(axis=2), cells.std(axis=2)
    return [
        (f"{prefix}gradients", np.asarray(coarse, np.float64)),
        (f"{prefix}gradients, coarse", np.asarray(tiny, np.float64)),
        (f"{prefix}brightness", mean.ravel()),
        (f"{prefix}spread", spread.ravel()),
        (f"{prefix}left less right", (mean - mean[:, ::-1])[:, :8].ravel()),
        (f"{prefix}patterns", _patterns(whole)),
        (f"{prefix}histogram", np.histogram(grey, 16, (0.0, 1.0))[0] / grey.size),
    ]


def _patterns(whole: FloatArray) -> FloatArray:
    """Return shares of local patterns in the four quarters of the middle, on three scales."""
    n = len(whole)
    rows, columns = (
        (slice(n // 8, n * 35 // 64), slice(n * 15 // 32, n * 29 // 32)),
        (slice(n // 13, n * 15 // 32), slice(n * 17 // 32, n * 12 // 13)),
    )
    found: list[Any] = []
    for points, radius in ((8, 1.0), (16, 2.0), (16, 4.0)):
        # In 256 steps, as pictures are stored: in finer ones noise would order every pair.
        pattern = binary_patterns(np.floor(whole * 255.0), radius=radius, points=points)
        for r in rows:
            for c in columns:
                part = pattern[r, c]
                found.append(np.bincount(part.ravel(), minlength=points + 2) / part.size)
    return np.concatenate(found)


def _statistics(volume: FloatArray) -> list[tuple[str, FloatArray]]:
    low, high = np.percentile(volume, [1.0, 99.0])
    grey = np.clip((volume - low) / max(high - low, 1e-12), 0.0, 1.0)
    steps = [float(np.abs(np.diff(grey, axis=k)).mean()) for k in range(3)]
    centred = grey - grey.mean()
    spread = max(float(grey.std()), 1e-12)
    moments = [float(grey.mean()), spread, float((centred**3).mean()) / spread**3, float((centred**4).mean()) / spread**4]
    return [
        ("volume statistics", np.array(moments + steps)),
        ("volume histogram", np.histogram(grey, 16, (0.0, 1.0))[0] / grey.size),
    ]
