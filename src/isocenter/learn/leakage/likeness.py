"""Likeness of pictures: thumbnails that survive re-encoding, and correlation after the best shift and flip.

Candidates are pairs whose magnitude spectra, with the cohort's mean taken off, correlate: a shift leaves a magnitude as it is,
and a flip mirrors it. A pair is confirmed on band-passed thumbnails, aligned to a fraction of a sample. Anatomy that all cases
share is smooth and is filtered out, so what correlates is the individual: folds, vessels, grain.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["FINE", "aligned_likeness", "candidates", "descriptor", "picture_of", "thumbnail", "turned"]

FINE = 128  # samples along each side of the thumbnails that confirm
COARSE = 48  # and of those that propose
LOW = 8  # frequencies on each side of zero that propose
SIDE = 2 * LOW + 1
#: Correlation from which two whole spectra propose a pair; copies have 0.99 and more.
ALIKE = 0.97
FloatArray = npt.NDArray[np.float32]
Turn = tuple[bool, bool, bool]  # transposed, rows reversed, columns reversed


def resized(picture: npt.NDArray[Any], shape: tuple[int, int]) -> FloatArray:
    """Return a picture at another size: means over areas, at least one sample wide."""
    result = np.asarray(picture, dtype=np.float64)
    for axis, after in enumerate(shape):
        before = result.shape[axis]
        half = max(before / after, 1.0) / 2
        centres = (np.arange(after) + 0.5) * before / after
        low, high = np.clip(centres - half, 0, before), np.clip(centres + half, 0, before)
        # The integral of the samples, linear between their edges: its differences are the sums over areas.
        total = np.concatenate([np.zeros_like(np.take(result, [0], axis)), np.cumsum(result, axis=axis)], axis=axis)
        sums = _between(total, high, axis) - _between(total, low, axis)
        widths = (high - low).reshape([-1 if k == axis else 1 for k in range(result.ndim)])
        result = sums / widths
    return result.astype(np.float32)


def _between(values: npt.NDArray[Any], places: npt.NDArray[Any], axis: int) -> npt.NDArray[Any]:
    """Return values at places between samples of one axis."""
    whole = np.minimum(places.astype(np.int64), values.shape[axis] - 2)
    part = (places - whole).reshape([-1 if k == axis else 1 for k in range(values.ndim)])
    low = np.take(values, whole, axis)
    return low + part * (np.take(values, whole + 1, axis) - low)


def picture_of(array: npt.NDArray[Any], dims: tuple[str, ...]) -> FloatArray:
    """Return one picture of an image: channels and times averaged; of a volume, its three central slabs in a mosaic."""
    data = np.asarray(array)
    for axis in reversed([k for k, name in enumerate(dims) if name in ("t", "c")]):
        data = data.mean(axis=axis, dtype=np.float32)
    data = data.astype(np.float32, copy=False)
    if not np.isfinite(data).all():
        data = np.nan_to_num(data, nan=0.0, posinf=0.0, neginf=0.0)
    if data.ndim == 1:
        return data[None, :]
    if data.ndim == 2:
        return data
    half = FINE // 2
    mosaic = np.zeros((FINE, FINE), np.float32)
    for axis, (row, column) in enumerate(((0, 0), (0, half), (half, 0))):
        size = data.shape[axis]
        slab = np.take(data, range(int(0.4 * size), max(int(np.ceil(0.6 * size)), int(0.4 * size) + 1)), axis=axis).mean(
            axis=axis
        )
        mosaic[row : row + half, column : column + half] = resized(slab, (half, half))
    mosaic[half:, half:] = float(mosaic.mean())
    return mosaic


def thumbnail(picture: FloatArray) -> FloatArray:
    """Return the confirming thumbnail: band-passed, mean 0 and length 1 (all zero for a constant picture).

    Neither brightness nor contrast is left in it, nor what all cases share, nor grain below its own resolution.
    """
    small = resized(picture, (FINE, FINE))
    spread = float(small.std())
    if spread <= 1e-6:
        return np.zeros_like(small)
    small = (small - small.mean()) / spread
    return (ndimage.gaussian_filter(small, 1.2) - ndimage.gaussian_filter(small, 5.0)).astype(np.float32)


def descriptor(picture: FloatArray) -> FloatArray:
    """Return the magnitude spectrum (SIDE x SIDE, zero frequency in the middle) of what is coarse in a picture, length 1."""
    small = resized(picture, (COARSE, COARSE))
    band = ndimage.gaussian_filter(small, 1.0) - ndimage.gaussian_filter(small, 4.0)
    middle = COARSE // 2
    spectrum = np.fft.fftshift(np.abs(np.fft.fft2(band)))[middle - LOW : middle + LOW + 1, middle - LOW : middle + LOW + 1]
    length = float(np.sqrt(spectrum.sum()))
    root = np.sqrt(spectrum) / length if length > 1e-6 else np.zeros_like(spectrum)
    return root.astype(np.float32)


def turned(picture: npt.NDArray[Any], how: Turn) -> npt.NDArray[Any]:
    """Return a picture (..., rows, columns) in another orientation."""
    if how[0]:
        picture = np.swapaxes(picture, -1, -2)
    if how[1]:
        picture = picture[..., ::-1, :]
    return picture[..., ::-1] if how[2] else picture


def candidates(
    spectra: FloatArray, *, flips: bool, least: float = 0.6, most: int = 6, few: int = 40, block: int = 512
) -> Iterator[tuple[int, int, tuple[Turn, ...]]]:
    """Yield pairs (i < j) that may show one picture, with the orientations of the first to compare; most pairs come twice.

    Parameters
    ----------
    spectra
        Shape (n, SIDE, SIDE), as `descriptor` gives them.
    flips
        Whether mirrored and turned copies are looked for.
    least, most
        Least correlation of a pair, and most pairs for each case.
    few
        Up to so many cases there are too few for a mean that says what they share: whole spectra are compared then.
    block
        Rows of correlations in memory at once.
    """
    count = len(spectra)
    if count < 2:
        return
    mirrors = [(t, r) for t in (False, True) for r in (False, True)] if flips else [(False, False)]
    # A magnitude does not tell a picture from itself turned by half, so each mirror stands for two orientations.
    turns = [((t, r, False), (t, not r, True)) if flips else ((t, r, False),) for t, r in mirrors]
    if count > few:
        own = spectra - spectra.mean(axis=0)
    else:
        own, least, most = spectra.copy(), ALIKE, count
    own /= np.maximum(np.sqrt((own * own).sum(axis=(1, 2), keepdims=True)), 1e-9)
    flat = own.reshape(count, -1)
    for start in range(0, count, block):
        stop = min(start + block, count)
        best = np.full((stop - start, count), -2.0, np.float32)
        which = np.zeros(best.shape, np.int8)
        for k, (transpose, rows) in enumerate(mirrors):
            side = np.ascontiguousarray(turned(own[start:stop], (transpose, rows, False))).reshape(stop - start, -1)
            found = side @ flat.T
            better = found > best
            best[better] = found[better]
            which[better] = k
        for i in range(start, stop):
            row = best[i - start]
            row[i] = -2.0
            places = np.flatnonzero(row >= least)
            if len(places) > most:
                places = np.sort(places[np.argsort(-row[places], kind="stable")[:most]])
            for j in places:
                if i < j:
                    yield i, int(j), turns[which[i - start, j]]
                else:
                    yield int(j), i, tuple(_undone(turn) for turn in turns[which[i - start, j]])


def _undone(turn: Turn) -> Turn:
    """Return the orientation that undoes another one."""
    transpose, rows, columns = turn
    return (transpose, columns, rows) if transpose else turn


def aligned_likeness(first: npt.NDArray[Any], second: npt.NDArray[Any], reach: int = 10) -> float:
    """Return the correlation of two thumbnails after the best shift of up to `reach` samples, -1 to 1."""
    a, b = np.asarray(first, dtype=np.float32), np.asarray(second, dtype=np.float32)
    surface = np.fft.irfft2(np.fft.rfft2(a) * np.conj(np.fft.rfft2(b)), s=a.shape)
    near = np.r_[0 : reach + 1, -reach:0]
    window = surface[np.ix_(near, near)]
    place = np.unravel_index(int(np.argmax(window)), window.shape)
    whole = [int(near[p]) for p in place]
    rim = reach + 2
    rolled = _correlation(a, np.roll(b, whole, (0, 1)), rim)
    if rolled < 0.5:
        return rolled
    # Between samples: the top of the parabola through the peak and its neighbours.
    part = []
    for axis in range(2):
        before, after = list(whole), list(whole)
        before[axis] -= 1
        after[axis] += 1
        low, mid, high = (float(surface[tuple(p)]) for p in (before, whole, after))
        bend = low - 2 * mid + high
        part.append(float(np.clip(0.5 * (low - high) / bend, -0.5, 0.5)) if bend < 0 else 0.0)
    shift = [w + p for w, p in zip(whole, part, strict=True)]
    return max(rolled, _correlation(a, ndimage.shift(b, shift, order=1, mode="nearest"), rim))


def _correlation(a: FloatArray, b: FloatArray, rim: int) -> float:
    x, y = a[rim:-rim, rim:-rim], b[rim:-rim, rim:-rim]
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return float((x * y).sum()) / scale if scale > 1e-9 else 0.0
