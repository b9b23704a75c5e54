"""The skull of a fetus on ultrasound as an ellipse.

All lengths are in samples; the ellipse is searched for in the whole field first, then fitted to the outer edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage, optimize

__all__ = ["Ellipse", "fill_ellipse", "find_head"]

FloatArray = npt.NDArray[np.float64]
_ANGLES = 2.0 * np.pi * np.arange(96) / 96


@dataclass(frozen=True)
class Ellipse:
    """An ellipse in the plane.

    Attributes
    ----------
    row, column
        Its middle.
    long, short
        Semi-axes.
    angle
        Of the long axis from the columns' direction towards the rows', radians.
    support
        Share of the outline that lies on a bright ridge.
    """

    row: float
    column: float
    long: float
    short: float
    angle: float
    support: float


def _outline(p: FloatArray, scale: float = 1.0, count: int = 96) -> FloatArray:
    """Return rows and columns of points along ellipses (row, column, long, short, angle), shape (2, ..., points)."""
    t = _ANGLES if count == 96 else 2.0 * np.pi * np.arange(count) / count
    row, column, long, short, angle = (p[..., k, None] for k in range(5))
    u, v = scale * long * np.cos(t), scale * short * np.sin(t)
    return np.stack([row + u * np.sin(angle) + v * np.cos(angle), column + u * np.cos(angle) - v * np.sin(angle)])


def _ridges(image: FloatArray, seen: FloatArray, sigma: float) -> FloatArray:
    """Return how much of a bright ridge each sample is, 0 to 1; the edge of what the probe sees is none."""
    share = ndimage.gaussian_filter(seen, sigma, mode="nearest")
    smooth = ndimage.gaussian_filter(image * seen, sigma, mode="nearest") / np.maximum(share, 1e-3)
    # Beyond the sector the nearest values go on.
    nearest = ndimage.distance_transform_edt(share < 0.5, return_distances=False, return_indices=True)
    smooth = smooth[tuple(nearest)]
    gy, gx = np.gradient(smooth)
    yy, yx = np.gradient(gy)
    _, xx = np.gradient(gx)
    lowest = 0.5 * (yy + xx) - np.sqrt((0.5 * (yy - xx)) ** 2 + yx**2)
    ridge = np.maximum(-lowest, 0.0) * ndimage.binary_erosion(seen > 0.5, iterations=round(1.5 * sigma))
    top = float(np.percentile(ridge, 98.5))
    return np.minimum(ridge / top, 1.0) if top > 0 else np.zeros_like(ridge)


def _seen(image: FloatArray) -> FloatArray:
    """Return 1 inside the sector that the probe sees: what is not plain black, without gaps."""
    lit = ndimage.binary_opening(ndimage.gaussian_filter(image, 1.0) > 0.02, iterations=2)
    filled = ndimage.binary_closing(np.pad(lit, 12), iterations=10)[12:-12, 12:-12]
    return np.asarray(ndimage.binary_fill_holes(filled), dtype=np.float64)


def _look(field: FloatArray, points: FloatArray) -> FloatArray:
    """Return values at points (nearest sample, 0 outside)."""
    place = np.rint(points).astype(np.int64)
    inside = (place[0] >= 0) & (place[0] < field.shape[0]) & (place[1] >= 0) & (place[1] < field.shape[1])
    result: FloatArray = np.where(
        inside, field[np.clip(place[0], 0, field.shape[0] - 1), np.clip(place[1], 0, field.shape[1] - 1)], 0.0
    )
    return result


def _coarse(ridge: FloatArray) -> FloatArray:
    """Return the best ellipses of a grid of all plausible ones, the best first."""
    height, width = ridge.shape
    size = float(min(height, width))
    blurred = ndimage.gaussian_filter(ridge, 1.0)
    grids = np.meshgrid(
        np.linspace(0.3, 0.7, 11) * height,
        np.linspace(0.25, 0.75, 13) * width,
        np.linspace(0.22, 0.62, 11) * size,
        (0.72, 0.81, 0.9),
        np.arange(8) * np.pi / 8,
        indexing="ij",
    )
    every = np.stack([g.ravel() for g in grids], axis=1)
    every[:, 3] *= every[:, 2]
    score = np.empty(len(every))
    for start in range(0, len(every), 20_000):
        part = slice(start, start + 20_000)
        points = _outline(every[part], count=32)
        on = _look(blurred, points)
        inner = _look(blurred, _outline(every[part], 0.86, 32))
        # Long arcs on a ridge, opposite ones most of all; little inside that looks alike.
        paired = np.sqrt(on[:, :16] * on[:, 16:])
        score[part] = on.mean(axis=1) + paired.mean(axis=1) - 0.5 * inner.mean(axis=1)
        score[part] *= (every[part, 2] * every[part, 3]) ** 0.15
    order = np.argsort(-score, kind="stable")[:4000]
    chosen: list[FloatArray] = []
    for k in order:
        far = [np.hypot(*(every[k, :2] - c[:2])) + np.abs(every[k, 2:4] - c[2:4]).sum() for c in chosen]
        if not far or min(far) > 0.08 * size:
            chosen.append(every[k])
        if len(chosen) == 4:
            break
    return np.array(chosen)


def find_head(image: npt.NDArray[Any]) -> Ellipse | None:
    """Return the ellipse of the outer edge of the skull; None where the picture shows no contrast.

    Parameters
    ----------
    image
        Two axes, bright echoes.

    References
    ----------
    Van den Heuvel et al. Automated measurement of fetal head circumference using 2D ultrasound images. PLoS ONE 13 (2018)
    e0200412.
    """
    data = np.asarray(image, dtype=np.float64)
    low, high = (float(v) for v in np.percentile(data, (1.0, 99.5)))
    if not high > low or min(data.shape) < 32:
        return None
    data = np.sqrt(np.clip((data - low) / (high - low), 0.0, 1.0))
    factor = max(1.0, min(data.shape) / 120.0)
    small = ndimage.zoom(ndimage.gaussian_filter(data, 0.4 * factor), 1.0 / factor, order=1, grid_mode=True, mode="nearest")
    ridge = _ridges(small, _seen(small), 2.0)
    starts = _coarse(ridge)
    field = ndimage.gaussian_filter(ridge, 0.8)

    def cost(p: FloatArray) -> float:
        on = ndimage.map_coordinates(field, _outline(p), order=1, mode="constant")
        inner = ndimage.map_coordinates(field, _outline(p, 0.86), order=1, mode="constant")
        paired = np.sqrt(np.maximum(on[:48] * on[48:], 0.0))
        ratio = p[3] / max(p[2], 1e-6)
        odd = max(0.0, 0.62 - ratio) + max(0.0, ratio - 1.0)
        return -(float(on.mean() + paired.mean()) - 0.5 * float(inner.mean())) * float(max(p[2] * p[3], 1e-6)) ** 0.15 + 5.0 * odd

    found = [
        optimize.minimize(cost, s, method="Nelder-Mead", options={"maxiter": 400, "xatol": 0.02, "fatol": 1e-5}) for s in starts
    ]
    best = min(found, key=lambda r: (r.fun, tuple(r.x))).x
    support = float((_look(ridge, _outline(best)) > 0.3).mean())
    best[:4] *= factor
    best[:2] += (factor - 1.0) / 2.0
    return _outer(data, best, support)


def _outer(data: FloatArray, p: FloatArray, support: float) -> Ellipse:
    """Move an ellipse from the middle of the skull to its outer edge: half way down from bright to what lies beyond."""
    size = float(np.sqrt(p[2] * p[3]))
    smooth = ndimage.gaussian_filter(data, max(1.0, 0.01 * size), mode="nearest")
    steps = np.linspace(-0.02, 0.1, 61)
    middle = int(np.searchsorted(steps, 0.03))
    rings = np.stack([ndimage.map_coordinates(smooth, _outline(_grown(p, s * size)), order=1, mode="nearest") for s in steps])
    # Only where there is a skull to see: weighted by how far it stands out from what is beyond it.
    weight = np.maximum(rings[:middle].max(axis=0) - rings[middle:].min(axis=0), 0.0)
    shift = 0.0
    if weight.sum() > 0:
        profile = (rings * weight).sum(axis=1) / weight.sum()
        peak = int(profile[:middle].argmax())
        half = 0.5 * (profile[peak] + profile[peak:].min())
        shift = float(steps[peak + int(np.argmax(profile[peak:] <= half))]) * size
    row, column, long, short, angle = _grown(p, shift)
    if short > long:
        long, short, angle = short, long, angle + np.pi / 2
    return Ellipse(float(row), float(column), float(long), float(short), float(angle % np.pi), support)


def _grown(p: FloatArray, by: float) -> FloatArray:
    """Return an ellipse with both semi-axes longer."""
    result = p.copy()
    result[2:4] += by
    return result


def fill_ellipse(ellipse: Ellipse, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Return which samples have their centre inside an ellipse."""
    row = np.arange(shape[0])[:, None] - ellipse.row
    column = np.arange(shape[1])[None, :] - ellipse.column
    u = column * np.cos(ellipse.angle) + row * np.sin(ellipse.angle)
    v = -column * np.sin(ellipse.angle) + row * np.cos(ellipse.angle)
    inside: npt.NDArray[np.bool_] = (u / ellipse.long) ** 2 + (v / ellipse.short) ** 2 <= 1.0
    return inside
