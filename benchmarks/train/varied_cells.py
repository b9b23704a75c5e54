"""Pictures of cells as other stainings, exposures and microscopes might have given them, before anything is computed from them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

import isocenter as iso
from isocenter.kernels.nuclei import has_bright_ground

__all__ = ["varied_cells", "varied_fluorescence", "varied_stain"]

FloatArray = npt.NDArray[np.float64]

#: What hematoxylin and eosin absorb of red, green and blue (Ruifrok and Johnston 2001).
_STAINS = np.array([[0.650, 0.704, 0.286], [0.072, 0.990, 0.105]])


def varied_cells(picture: iso.Image, instances: npt.NDArray[Any], rng: np.random.Generator) -> iso.Image:
    """Return a picture as another staining or exposure might have given it.

    Parameters
    ----------
    picture
        Red, green and blue, or grey; 0 to 255.
    instances
        Its nuclei, numbered.
    rng
        Decides.
    """
    array = np.asarray(picture.array, np.float64)
    if "c" in picture.dims:
        color = varied_stain(np.moveaxis(array, picture.dims.index("c"), 0), rng)
        return iso.Image(color.astype(np.float32), ("c", "y", "x"), picture.geometry)
    if has_bright_ground(array):
        light = float(np.percentile(array, 95))
        changed = np.clip(light * (np.maximum(array, 0.5) / light) ** np.exp(rng.uniform(-0.4, 0.4)), 0.0, 255.0)
    else:
        changed = varied_fluorescence(array, instances, rng)
    return picture.with_array(changed.astype(np.float32))


def varied_stain(color: npt.NDArray[Any], rng: np.random.Generator) -> FloatArray:
    """Return red, green, blue (0 to 255) of the same tissue with more or less hematoxylin and eosin, of slightly other colours.

    Parameters
    ----------
    color
        Red, green, blue along the first axis, 0 to 255.
    rng
        Decides.

    References
    ----------
    Tellez et al. Quantifying the effects of data augmentation and stain color normalization in convolutional neural networks for
    computational pathology. Medical Image Analysis 58 (2019) 101544.
    """
    density = -np.log((np.asarray(color[:3], np.float64) + 1.0) / 256.0)
    stains = _STAINS / np.linalg.norm(_STAINS, axis=1, keepdims=True)
    amounts = np.linalg.lstsq(stains.T, density.reshape(3, -1), rcond=None)[0]
    rest = density.reshape(3, -1) - stains.T @ amounts
    factors = np.exp(rng.uniform((-0.5, -0.7), (0.5, 0.7)))
    turned = stains * np.exp(rng.uniform(-0.12, 0.12, stains.shape))
    changed = turned.T @ (amounts * factors[:, None]) + rest * rng.uniform(0.7, 1.3)
    light = np.exp(-np.maximum(changed.reshape(density.shape), 0.0)) * 256.0 - 1.0
    return np.clip(light, 0.0, 255.0)


def varied_fluorescence(grey: npt.NDArray[Any], instances: npt.NDArray[Any], rng: np.random.Generator) -> FloatArray:
    """Return a picture (0 to 255) of the same nuclei: some dimmer or brighter, with haze, faint fibres and specks that are no nuclei.

    Parameters
    ----------
    grey
        Brightness, 0 to 255.
    instances
        The nuclei, numbered.
    rng
        Decides.
    """
    data = np.asarray(grey, np.float64)
    ground = float(np.percentile(data, 10))
    inside = data[instances > 0]
    bright = max(float(np.median(inside)) if inside.size else float(data.max()), ground + 1.0) - ground
    factors = np.exp(rng.uniform(-0.6, 0.4, int(instances.max()) + 1))
    factors[0] = 1.0
    near = ndimage.distance_transform_edt(instances == 0, return_indices=True)
    share = np.exp(-(np.maximum(near[0] - 2.0, 0.0) ** 2) / 18.0)
    own = factors[instances[tuple(near[1])]]
    signal = (data - ground) * (1.0 + share * (own - 1.0))
    if rng.random() < 0.5:
        haze = ndimage.gaussian_filter(rng.standard_normal(data.shape), rng.uniform(15.0, 50.0), mode="reflect")
        haze = np.maximum(haze / max(float(np.abs(haze).max()), 1e-9), 0.0)
        signal += haze * bright * rng.uniform(0.05, 0.3)
    if rng.random() < 0.5:
        signal += _fibres(data.shape, rng) * bright * rng.uniform(0.1, 0.5) * (instances == 0)
    exponent = np.exp(rng.uniform(-0.25, 0.25))
    top = max(float(np.percentile(signal, 99.9)), 1.0)
    signal = top * (np.maximum(signal, 0.0) / top) ** exponent
    return np.clip(signal * np.exp(rng.uniform(-1.0, 0.5)) + ground * np.exp(rng.uniform(-0.5, 0.7)), 0.0, 255.0)


def _fibres(shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    """Return winding lines of some width, 1 where they are brightest."""
    canvas = np.zeros(shape)
    for _ in range(int(rng.integers(1, 7))):
        steps = int(rng.integers(40, 400))
        turn = ndimage.gaussian_filter1d(rng.standard_normal(steps), 8.0) * rng.uniform(0.2, 1.0)
        angle = rng.uniform(0.0, 2.0 * np.pi) + np.cumsum(turn)
        start = rng.uniform(0.0, 1.0, 2) * shape
        track = np.stack([start[0] + np.cumsum(np.sin(angle)), start[1] + np.cumsum(np.cos(angle))])
        y, x = np.rint(track).astype(int)
        kept = (y >= 0) & (x >= 0) & (y < shape[0]) & (x < shape[1])
        line = np.zeros(shape)
        line[y[kept], x[kept]] = 1.0
        line = ndimage.gaussian_filter(line, rng.uniform(1.2, 4.0))
        canvas = np.maximum(canvas, line / max(float(line.max()), 1e-9) * rng.uniform(0.3, 1.0))
    return canvas
