"""Cell nuclei in the plane: how much nucleus is where, and where one ends and the next begins."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.morphology import local_maxima, reconstruction
from skimage.segmentation import watershed

from isocenter.kernels.labels import components, fill_holes
from isocenter.kernels.otsu import otsu

__all__ = ["absorbance", "find_nuclei", "has_bright_ground", "hematoxylin", "hematoxylin_red_green"]

FloatArray = npt.NDArray[np.float64]

#: Green that hematoxylin takes for each part of red, at most: violet nuclei take 1 to 3 parts, blood and eosin 10 to 30.
_GREENEST = 4.0


def has_bright_ground(grey: npt.NDArray[Any]) -> bool:
    """Return whether dark things lie on a bright ground: the commonest value is nearer the bright end."""
    low, high = (float(v) for v in np.percentile(grey, (0.5, 99.5)))
    if not high > low:
        return False
    counts, edges = np.histogram(np.clip(grey, low, high), bins=32, range=(low, high))
    smooth = np.convolve(counts, (0.25, 0.5, 0.25), mode="same")
    return float(edges[int(smooth.argmax())] - low) > 0.5 * (high - low)


def absorbance(color: npt.NDArray[Any]) -> FloatArray:
    """Return how much light is absorbed where, for red, green and blue: 0 on the ground, 1 where a tenth comes through.

    Against the ground of the picture itself (its bright end in each channel), so that a tinted ground does not count.

    Parameters
    ----------
    color
        Red, green, blue along the first axis, bright ground.
    """
    data = np.asarray(color[:3], dtype=np.float64)
    ground = np.maximum(np.percentile(data.reshape(3, -1), 95, axis=1), 1e-6)[:, None, None]
    return np.asarray(np.clip(-np.log10((np.maximum(data, 0.0) + 0.004 * ground) / (1.004 * ground)), 0.0, None))


def hematoxylin_red_green(color: npt.NDArray[Any]) -> tuple[FloatArray, FloatArray]:
    """Return what a blue or violet nuclear stain absorbs of red and of green light, in optical density.

    Eosin and blood let red light through: green that is missing where red is not is theirs.

    Parameters
    ----------
    color
        Red, green, blue along the first axis, bright ground.
    """
    density = absorbance(color)
    return density[0], np.minimum(density[1], _GREENEST * density[0])


def hematoxylin(color: npt.NDArray[Any]) -> FloatArray:
    """Return how much of a blue or violet nuclear stain is where, in optical density.

    Red light is what it absorbs and eosin lets through; some green steadies it.

    Parameters
    ----------
    color
        Red, green, blue along the first axis, bright ground.

    References
    ----------
    Ruifrok, Johnston. Quantification of histochemical staining by color deconvolution. Analytical and Quantitative
    Cytology and Histology 23 (2001) 291-299.
    """
    red, green = hematoxylin_red_green(color)
    return np.asarray(0.7 * red + 0.3 * green)


def find_nuclei(
    signal: npt.NDArray[Any],
    *,
    sigma: float,
    level: float,
    share: float,
    reach: int,
    minimum: int,
    faintest: float,
    blur: float = 1.0,
    trust: float = 0.6,
) -> npt.NDArray[np.uint32]:
    """Return nuclei, numbered from the top left.

    A sample is nucleus if it exceeds a low threshold for the whole picture and a share of the brightest nucleus
    nearby: so dim nuclei are found and bright ones keep no halo. What touches is parted by a watershed of the
    distance to the edge, weighted by brightness.

    Parameters
    ----------
    signal
        Samples (y, x), nuclei bright.
    sigma
        Samples; smoothing before the thresholds.
    level
        The low threshold, as a fraction of the way from the ground to Otsu's threshold.
    share
        Fraction of the local maximum above the ground.
    reach
        Samples that "nearby" spans.
    minimum
        Samples of the smallest nucleus.
    faintest
        Least brightness of a nucleus at its brightest, as a fraction of the median of what is above Otsu's threshold.
    blur
        Samples; smoothing of the distance to the edge before nuclei are parted: more keeps ragged ones whole.
    trust
        Weight of brightness beside the distance to the edge, 0 to 1: little where chromatin is uneven.

    References
    ----------
    Malpica et al., Applying watershed algorithms to the segmentation of clustered nuclei, Cytometry 28 (1997) 289-297.
    """
    data = np.asarray(signal, dtype=np.float64)
    smooth = ndimage.gaussian_filter(data, sigma)
    threshold = otsu(smooth)
    above = smooth > threshold
    if not above.any():
        return np.zeros(data.shape, dtype=np.uint32)
    below = smooth[~above]
    ground = float(np.median(below))
    noise = 1.4826 * float(np.median(np.abs(below - ground)))
    top = float(np.median(smooth[above]))
    nearby = ndimage.gaussian_filter(ndimage.maximum_filter(ndimage.gaussian_filter(data, 2.0), size=reach), reach / 3.0)
    low = max(ground + level * (threshold - ground), ground + min(4.0 * noise, threshold - ground))
    mask = (smooth > low) & (smooth - ground > share * (nearby - ground))
    mask = fill_holes(ndimage.binary_opening(mask, structure=np.ones((2, 2))))
    found = _part(mask, smooth, blur, trust)
    return _kept(found, smooth - ground, minimum, faintest * (top - ground))


def _kept(found: npt.NDArray[np.int64], above: FloatArray, minimum: int, least: float) -> npt.NDArray[np.uint32]:
    """Return the parts of enough samples that somewhere rise far enough above the ground, numbered anew without gaps."""
    count = int(found.max())
    samples = np.bincount(found.ravel(), minlength=count + 1)
    peaks = np.asarray(ndimage.maximum(above, found, np.arange(count + 1)))
    keep = (samples >= minimum) & (peaks >= least)
    keep[0] = False
    rank = np.where(keep, np.cumsum(keep), 0).astype(np.uint32)
    result: npt.NDArray[np.uint32] = rank[found]
    return result


def _part(mask: npt.NDArray[np.bool_], smooth: FloatArray, blur: float, trust: float) -> npt.NDArray[np.int64]:
    """Return the mask parted into nuclei: one basin for every depth that stands out.

    `trust` is the weight of brightness beside the distance to the edge.
    """
    # Nuclei cut by the edge of the picture go on beyond it.
    depth = np.asarray(ndimage.distance_transform_edt(np.pad(mask, 1, mode="edge")))[1:-1, 1:-1]
    brightest = ndimage.maximum_filter(smooth, size=15)
    weight = ndimage.gaussian_filter(smooth, 1.5) / np.maximum(brightest, 1e-9)
    depth = ndimage.gaussian_filter(depth, blur) * (1.0 - trust + trust * np.clip(weight, 0.0, 1.0))
    lowered = reconstruction(depth - np.maximum(0.5, 0.08 * depth), depth)
    seeds, _ = components(np.asarray(local_maxima(lowered)) & mask, 8)
    return np.asarray(watershed(-depth, seeds.astype(np.int32), mask=mask), dtype=np.int64)
