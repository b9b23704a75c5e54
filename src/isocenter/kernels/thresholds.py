"""Thresholds from a histogram: several classes, minimum cross entropy, triangle, k-means and Gaussian mixtures.

All take ``counts`` and ``centers`` as `isocenter.kernels.otsu.histogram` gives them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError

__all__ = ["condense", "kmeans", "li", "mixture", "multi_otsu", "triangle"]

Counts = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


def condense(counts: Counts, centers: FloatArray, bins: int) -> tuple[Counts, FloatArray]:
    """Return a histogram of at most `bins` bins: neighbouring ones are joined."""
    if counts.size <= bins:
        return counts, centers
    step = -(-counts.size // bins)
    short = -counts.size % step
    joined = np.pad(counts, (0, short)).reshape(-1, step).sum(axis=1)
    padded = np.concatenate([centers, centers[-1] + (centers[1] - centers[0]) * np.arange(1, short + 1)])
    return joined, padded.reshape(-1, step).mean(axis=1)


def multi_otsu(counts: Counts, centers: FloatArray, classes: int) -> list[float]:
    """Return the thresholds that part values into classes with the largest variance between them, exactly.

    By dynamic programming over the bins: every class but the last ends at one of the thresholds returned.

    References
    ----------
    Liao, Chen, Chung. A fast algorithm for multilevel thresholding. J. Information Science and Engineering 17 (2001)
    713-727.
    """
    weight = counts.astype(np.float64)
    value = centers - centers[0]
    zeroth, first = np.concatenate([[0.0], np.cumsum(weight)]), np.concatenate([[0.0], np.cumsum(weight * value)])
    if np.count_nonzero(counts) < classes:
        raise ContentError(
            f"{np.count_nonzero(counts)} different values cannot be parted into {classes} classes: expected at least as many values."
        )
    mass = zeroth[None, :] - zeroth[:, None]
    moment = first[None, :] - first[:, None]
    gain = np.full(mass.shape, -np.inf)
    np.divide(moment**2, mass, out=gain, where=mass > 0)
    best, back = gain[0].copy(), []
    for _ in range(classes - 1):
        total = best[:, None] + gain
        total[~np.isfinite(total)] = -np.inf
        back.append(np.argmax(total, axis=0))
        best = np.max(total, axis=0)
    edges, end = [], counts.size
    for choice in reversed(back):
        end = int(choice[end])
        edges.append(end)
    return [float(centers[e - 1]) for e in reversed(edges)]


def li(counts: Counts, centers: FloatArray) -> float:
    """Return Li's threshold: the two means describe the values with the least cross entropy.

    References
    ----------
    Li, Tam. An iterative algorithm for minimum cross entropy thresholding. Pattern Recognition Letters 18 (1998) 771-776.
    """
    weight = counts.astype(np.float64)
    value = centers - centers[0]  # logarithms need positive values; the smallest counts as zero
    if counts.size < 2:
        return float(centers[0])
    step = float(np.diff(centers).min()) / 2.0
    guess, last = float((weight * value).sum() / weight.sum()), -np.inf
    for _ in range(10_000):
        if abs(guess - last) <= step:
            break
        last = guess
        above = value > guess
        low, high = float(weight[~above].sum()), float(weight[above].sum())
        if not (low and high):
            break
        mean_low, mean_high = float((weight * value)[~above].sum()) / low, float((weight * value)[above].sum()) / high
        if mean_low <= 0.0:  # all of the lower class is the smallest value
            break
        guess = (mean_high - mean_low) / (np.log(mean_high) - np.log(mean_low))
    return float(guess + centers[0])


def triangle(counts: Counts, centers: FloatArray) -> float:
    """Return the triangle threshold: the bin farthest from the line between the peak and the end of the longer tail.

    References
    ----------
    Zack, Rogers, Latt. Automatic measurement of sister chromatid exchange frequency. J. Histochemistry and Cytochemistry
    25 (1977) 741-753.
    """
    filled = np.flatnonzero(counts)
    low, high, peak = int(filled[0]), int(filled[-1]), int(np.argmax(counts))
    flip = peak - low < high - peak
    hist = counts.astype(np.float64)
    if flip:
        hist = hist[::-1]
        low, peak = counts.size - high - 1, counts.size - peak - 1
    width, height = float(peak - low), float(hist[peak])
    if width == 0.0:
        return float(centers[peak if not flip else counts.size - peak - 1])
    x = np.arange(peak - low)
    norm = np.hypot(height, width)
    far = height / norm * x - width / norm * hist[x + low]
    best = int(np.argmax(far)) + low
    return float(centers[counts.size - best - 1 if flip else best])


def kmeans(counts: Counts, centers: FloatArray, classes: int, iterations: int = 300) -> FloatArray:
    """Return the means of k-means clusters of the values, ascending (Lloyd's passes over the histogram).

    Begins at the middles of equal shares of the samples, so that no random number is needed.

    References
    ----------
    Lloyd. Least squares quantization in PCM. IEEE Trans. Information Theory 28 (1982) 129-137.
    """
    keep = counts > 0
    weight, value = counts[keep].astype(np.float64), centers[keep]
    if value.size < classes:
        raise ContentError(f"{value.size} different values cannot form {classes} clusters: expected at least as many values.")
    share = np.cumsum(weight) / weight.sum()
    place = np.searchsorted(share, (np.arange(classes) + 0.5) / classes)
    means = value[_distinct(place, value.size)].astype(np.float64)
    cum, moment = np.concatenate([[0.0], np.cumsum(weight)]), np.concatenate([[0.0], np.cumsum(weight * value)])
    for _ in range(iterations):
        edges = np.concatenate([[0], np.searchsorted(value, (means[1:] + means[:-1]) / 2.0, side="right"), [value.size]])
        mass = cum[edges[1:]] - cum[edges[:-1]]
        renewed = np.where(mass > 0, (moment[edges[1:]] - moment[edges[:-1]]) / np.maximum(mass, 1e-300), means)
        if np.array_equal(renewed, means):
            break
        means = renewed
    return means


def _distinct(place: npt.NDArray[np.intp], size: int) -> npt.NDArray[np.intp]:
    """Return ascending positions without repeats."""
    result = place.copy()
    for k in range(1, result.size):
        result[k] = max(result[k], result[k - 1] + 1)
    for k in range(result.size - 1, -1, -1):
        result[k] = min(result[k], size - result.size + k)
    return result


def mixture(
    counts: Counts, centers: FloatArray, classes: int, iterations: int = 500
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Fit a mixture of Gaussians to the values (expectation maximisation over the histogram).

    Returns
    -------
    shares, means, deviations : numpy.ndarray
        Of each class, by ascending mean.

    References
    ----------
    Dempster, Laird, Rubin. Maximum likelihood from incomplete data via the EM algorithm. J. Royal Statistical Society B
    39 (1977) 1-38.
    """
    keep = counts > 0
    weight, value = counts[keep].astype(np.float64), centers[keep]
    means = kmeans(counts, centers, classes)
    span = float(value[-1] - value[0])
    least = max(1e-3 * span / classes, 1e-12)
    deviations = np.full(classes, max(span / (4.0 * classes), least))
    shares = np.full(classes, 1.0 / classes)
    last = -np.inf
    for _ in range(iterations):
        log = np.log(shares)[:, None] - np.log(deviations)[:, None]
        log = log - 0.5 * ((value[None] - means[:, None]) / deviations[:, None]) ** 2
        top = log.max(axis=0)
        parts = np.exp(log - top)
        total = parts.sum(axis=0)
        fit = float((weight * (np.log(total) + top)).sum())
        if fit - last <= 1e-9 * abs(fit):
            break
        last = fit
        parts *= weight / total
        mass = np.maximum(parts.sum(axis=1), 1e-9)
        means = (parts @ value) / mass
        deviations = np.sqrt(np.maximum((parts * (value[None] - means[:, None]) ** 2).sum(axis=1) / mass, least**2))
        shares = mass / mass.sum()
    order = np.argsort(means, kind="stable")
    return shares[order], means[order], deviations[order]
