"""One grid for all images of a training, and the way between its samples and those of each image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError
from isocenter.core.image import Image
from isocenter.kernels.interpolate import sample_affine
from isocenter.kernels.smooth import gaussian
from isocenter.learn.train.fingerprint import channel_first, channels_of
from isocenter.learn.train.scale import scaled

__all__ = ["Framed", "check_alike", "framed", "padded", "spacing_for"]

FloatArray = npt.NDArray[np.float64]
Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Framed:
    """An image as a network sees it.

    Attributes
    ----------
    data
        Normalised samples, shape (channels, *spatial).
    step
        Samples of the image per sample of it, along each axis.
    """

    data: Samples
    step: FloatArray

    def inside(self, samples: npt.ArrayLike) -> FloatArray:
        """Return where samples of the image lie on the grid; points (n, axes) or boxes (n, 2 * axes)."""
        p, step = _paired(samples, self.step)
        return np.asarray((p - (step - 1.0) / 2.0) / step)

    def outside(self, places: npt.ArrayLike) -> FloatArray:
        """Return where samples of the grid lie in the image; points (n, axes) or boxes (n, 2 * axes)."""
        p, step = _paired(places, self.step)
        return np.asarray(p * step + (step - 1.0) / 2.0)


def _paired(samples: npt.ArrayLike, step: FloatArray) -> tuple[FloatArray, FloatArray]:
    p = np.asarray(samples, np.float64)
    return p, step if p.shape[-1] == step.size else np.concatenate([step, step])


def spacing_for(images: Sequence[Image], longest: int, detail: float | None = None) -> tuple[float, ...]:
    """Return the spacing at which the median image has at most so many samples along its longest axis.

    Parameters
    ----------
    images
        The training fold.
    longest
        Samples.
    detail
        mm that a sample should not exceed; it may then be up to twice as many samples.
    """
    own = np.median([i.geometry.spacing for i in images], axis=0)
    extent = float(np.median([i.geometry.extent for i in images], axis=0).max())
    coarse = extent / longest
    if detail is not None:
        coarse = max(min(coarse, detail), extent / (2 * longest))
    return tuple(float(f"{max(s, coarse):.6g}") for s in own)


def framed(image: Image, spacing: Sequence[float], channels: int, quantity: str | None = None) -> Framed:
    """Return an image at a spacing, smoothed before it gets coarser, normalised to about zero mean and unit deviation.

    Parameters
    ----------
    image, spacing, channels
        Without time; mm (or px) per sample; of the training.
    quantity
        What the values measure (`scale.common_quantity` of the training); None normalises each channel by itself.

    Raises
    ------
    ContentError
        If the image has other axes or channels than the training, or is not finite.
    """
    if channels_of(image) != channels or "t" in image.dims or image.geometry.ndim != len(tuple(spacing)):
        raise ContentError(
            f"An image with axes {image.dims} and {channels_of(image)} channels; expected {len(tuple(spacing))} spatial axes and "
            f"{channels} channels, as in the training."
        )
    data = channel_first(image)
    if not np.isfinite(data).all():
        raise ContentError("The image holds values that are not finite: expected finite numbers; repair it first.")
    step = np.asarray(tuple(spacing)) / np.asarray(image.geometry.spacing)
    if np.allclose(step, 1.0, atol=1e-3):
        return Framed(scaled(data, quantity), np.ones(step.size))
    shape = tuple(int(n) for n in np.maximum(np.round(np.asarray(data.shape[1:]) / step), 1))
    matrix = np.column_stack([np.diag(step), (step - 1.0) / 2.0])
    sigma = np.where(step > 1.0, 0.4 * np.sqrt(np.maximum(step**2 - 1.0, 0.0)), 0.0)
    smooth = [gaussian(c, [float(s) for s in sigma]) if sigma.any() else c for c in data]
    moved = np.stack([sample_affine(c, matrix, shape, "linear", None) for c in smooth]).astype(np.float32)
    return Framed(scaled(moved, quantity), step)


def padded(data: Samples, size: Sequence[int], divisor: Sequence[int]) -> Samples:
    """Return samples with zeros behind them, up to a size at least and to what a network divides by."""
    full = [-(-max(n, s) // d) * d for n, s, d in zip(data.shape[1:], size, divisor, strict=True)]
    return np.pad(data, [(0, 0), *((0, f - n) for f, n in zip(full, data.shape[1:], strict=True))])


def check_alike(images: Sequence[Image], names: Sequence[str]) -> None:
    """Refuse images that are not of one kind.

    Raises
    ------
    ContentError
        If images differ in axes, channels or unit, or have a time axis; the message names the case.
    """
    first = images[0]
    for image, name in zip(images, names, strict=True):
        if "t" in image.dims or image.geometry.ndim < 2:
            raise ContentError(f"{name}: an image with axes {image.dims}; expected two or three spatial axes and no time.")
        if image.dims != first.dims or channels_of(image) != channels_of(first) or image.geometry.unit != first.geometry.unit:
            raise ContentError(
                f"{name}: {channels_of(image)} channels, axes {image.dims}, in {image.geometry.unit}; expected {channels_of(first)}, "
                f"{first.dims}, {first.geometry.unit} as in the first case; train on images of one kind."
            )
