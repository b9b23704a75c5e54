"""Size and form of a region in space: the IBSI's morphological features without building the surface.

References
----------
IBSI reference manual v11, section 3.1 (HCUG). The two densities by an oriented box and by a minimum volume ellipsoid
have no reference values and are not computed.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.kernels.radiomics.mesh import mesh_measures
from isocenter.kernels.surface import hull, largest_distance
from isocenter.kernels.threads import kernel_input

__all__ = ["MORPHOLOGY", "ellipsoid_area", "morphology", "principal_axes", "surface_features"]

FloatArray = npt.NDArray[np.float64]
Padded = npt.NDArray[np.uint8]

#: Tag (after ``morph_``) -> IBSI code.
MORPHOLOGY = {
    "volume": "RNU0", "vol_approx": "YEKZ", "area_mesh": "C0JK", "av": "2PR5", "comp_1": "SKGS", "comp_2": "BQWJ",
    "sph_dispr": "KRCK", "sphericity": "QCFX", "asphericity": "25C7", "com": "KLMA", "diam": "L0JK",
    "pca_maj_axis": "TDIC", "pca_min_axis": "P9VJ", "pca_least_axis": "7J51", "pca_elongation": "Q3CK",
    "pca_flatness": "N17B", "vol_dens_aabb": "PBX1", "area_dens_aabb": "R59B", "vol_dens_aee": "6BDE",
    "area_dens_aee": "RDD2", "vol_dens_conv_hull": "R3ER", "area_dens_conv_hull": "7T7F", "integ_int": "99N0",
}  # fmt: skip


@njit(cache=True, nogil=True)
def _moments(mask: Padded, least: int, sums: Any, squares: Any) -> None:  # pragma: no cover - compiled
    """Sum positions of the samples of at least a value, and the products of their coordinates."""
    depth, height, width = mask.shape
    for z in range(1, depth - 1):
        for y in range(1, height - 1):
            count = first = second = 0
            for x in range(1, width - 1):
                if mask[z, y, x] >= least:
                    count += 1
                    first += x - 1
                    second += (x - 1) * (x - 1)
            if count == 0:
                continue
            sums[0] += count
            sums[1] += (z - 1) * count
            sums[2] += (y - 1) * count
            sums[3] += first
            squares[0, 0] += (z - 1) * (z - 1) * count
            squares[1, 1] += (y - 1) * (y - 1) * count
            squares[2, 2] += second
            squares[0, 1] += (z - 1) * (y - 1) * count
            squares[0, 2] += (z - 1) * first
            squares[1, 2] += (y - 1) * first


@njit(cache=True, nogil=True)
def _outermost(mask: Padded) -> Any:  # pragma: no cover - compiled
    """Return the corners of the convex hull of each plane's samples (z, y, x): nothing else can be a corner of the whole."""
    depth, height, width = mask.shape
    found = np.zeros((1024, 3), np.int64)
    used = 0
    chain = np.zeros((height, 2), np.int64)
    for z in range(1, depth - 1):
        for side in range(2):
            top = 0
            for y in range(1, height - 1):
                edge = -1
                for k in range(1, width - 1):
                    x = k if side == 0 else width - 1 - k
                    if mask[z, y, x]:
                        edge = x
                        break
                if edge < 0:
                    continue
                reach = edge if side == 0 else -edge
                while top >= 2:  # drop points that the new one makes inner ones (monotone chain)
                    ay, ax, by, bx = chain[top - 2, 0], chain[top - 2, 1], chain[top - 1, 0], chain[top - 1, 1]
                    if (by - ay) * (reach - ax) - (bx - ax) * (y - ay) > 0:
                        break
                    top -= 1
                chain[top, 0], chain[top, 1] = y, reach
                top += 1
            if used + top > len(found):
                found = np.concatenate((found, np.zeros((len(found) + top, 3), np.int64)))
            for k in range(top):
                found[used, 0], found[used, 1] = z - 1, chain[k, 0] - 1
                found[used, 2] = (chain[k, 1] if side == 0 else -chain[k, 1]) - 1
                used += 1
    return found[:used]


def moments(mask: Padded, least: int = 1) -> tuple[int, FloatArray, FloatArray]:
    """Return count, mean index and covariance (population) of the samples of at least `least`; exact integer sums."""
    sums, squares = np.zeros(4, np.int64), np.zeros((3, 3), np.int64)
    _moments(kernel_input(mask), least, sums, squares)
    n = int(sums[0])
    if not n:
        return 0, np.full(3, np.nan), np.full((3, 3), np.nan)
    mean = sums[1:] / n
    full = squares + np.triu(squares, 1).T
    exact = [[int(full[i, j]) * n - int(sums[1 + i]) * int(sums[1 + j]) for j in range(3)] for i in range(3)]
    return n, mean, np.array([[v / n / n for v in row] for row in exact])


def principal_axes(covariance: FloatArray, step: FloatArray) -> tuple[float, float, float]:
    """Return the lengths of the axes, longest first: 4 roots of the variances in space; 0 where there is no spread."""
    variances = np.linalg.eigvalsh(step @ covariance @ step.T)[::-1]
    top = max(float(variances[0]), 1e-300)
    a, b, c = (4.0 * math.sqrt(v) if v > 1e-12 * top else 0.0 for v in variances)
    return a, b, c


def _ratio(over: float, under: float) -> float:
    return over / under if under > 0.0 else math.nan


def hull_points(mask: Padded, step: FloatArray) -> FloatArray:
    """Return points in mm whose convex hull is that of the whole surface halfway between samples."""
    corners = _outermost(kernel_input(mask)).astype(np.float64)
    halves = np.concatenate((np.eye(3), -np.eye(3))) / 2.0
    points: FloatArray = (corners[:, None] + halves).reshape(-1, 3) @ step.T
    return points


def surface_features(mask: Padded, step: FloatArray, spacing: tuple[float, ...], box: tuple[int, ...]) -> dict[str, float]:
    """Return the features of form of a region that is not empty, by tag.

    Parameters
    ----------
    mask
        uint8, not 0 inside, with one empty sample on every side.
    step
        Shape (3, 3): column k is the step in mm along array axis k.
    spacing
        mm along each axis.
    box
        Samples of the bounding box along each axis.
    """
    count, _, covariance = moments(mask)
    area, volume = mesh_measures(mask, step)
    # Both n and n - 1 are in use; n - 1 is what the reference values of small regions follow.
    axes = principal_axes(covariance * (count / max(count - 1, 1)), step)
    a, b, c = (axis / 2.0 for axis in axes)
    hull_volume, hull_area, corners = hull(hull_points(mask, step))
    sides = [n * s for n, s in zip(box, spacing, strict=True)]
    sphere = (36.0 * math.pi * volume**2) ** (1.0 / 3.0)
    return {
        "volume": volume,
        "vol_approx": count * abs(float(np.linalg.det(step))),
        "area_mesh": area,
        "av": area / volume,
        "comp_1": volume / (math.sqrt(math.pi) * area**1.5),
        "comp_2": 36.0 * math.pi * volume**2 / area**3,
        "sph_dispr": area / sphere,
        "sphericity": sphere / area,
        "asphericity": area / sphere - 1.0,
        "diam": largest_distance(corners, are_corners=True),
        "pca_maj_axis": axes[0],
        "pca_min_axis": axes[1],
        "pca_least_axis": axes[2],
        "pca_elongation": _ratio(axes[1], axes[0]),
        "pca_flatness": _ratio(axes[2], axes[0]),
        "vol_dens_aabb": volume / (sides[0] * sides[1] * sides[2]),
        "area_dens_aabb": area / (2.0 * (sides[0] * sides[1] + sides[1] * sides[2] + sides[0] * sides[2])),
        "vol_dens_aee": _ratio(volume, 4.0 / 3.0 * math.pi * a * b * c),
        "area_dens_aee": _ratio(area, ellipsoid_area(a, b, c)),
        "vol_dens_conv_hull": _ratio(volume, hull_volume),
        "area_dens_conv_hull": _ratio(area, hull_area),
    }


def morphology(
    region: Padded, array: npt.NDArray[Any], step: FloatArray, spacing: tuple[float, ...], box: tuple[int, ...], mean: float
) -> dict[str, float]:
    """Return every morphological feature of a region, by tag.

    Parameters
    ----------
    region
        uint8 (z + 2, y + 2, x + 2): 1 in the morphological mask alone, 3 in the intensity mask too.
    array
        Intensities, without the border.
    step, spacing, box
        As of `surface_features`.
    mean
        Mean intensity of the intensity mask, NaN where that is empty.
    """
    found = surface_features(region, step, spacing, box)
    found["integ_int"] = mean * found["volume"]
    found["com"] = _shift(region, array, step)
    return found


def _shift(region: Padded, array: npt.NDArray[Any], step: FloatArray) -> float:
    """Return how far the centre weighted by intensity lies from that of the region; NaN where intensities sum to 0.

    The IBSI weighs by the values as they are, negative ones of a CT too.
    """
    _, middle, _ = moments(region)
    weights = np.zeros(3)
    total = 0.0
    for z in range(array.shape[0]):
        plane = np.where(region[z + 1, 1:-1, 1:-1] == 3, array[z], 0).astype(np.float64)
        rows = plane.sum(axis=1)
        weight = float(rows.sum())
        total += weight
        weights += (z * weight, float(rows @ np.arange(len(rows))), float(plane.sum(axis=0) @ np.arange(plane.shape[1])))
    return float(np.linalg.norm(step @ (weights / total - middle))) if total != 0.0 else math.nan


def ellipsoid_area(a: float, b: float, c: float) -> float:
    """Return the area of an ellipsoid of half axes a >= b >= c by its series in Legendre polynomials to degree 20."""
    if c <= 0.0:
        return 0.0
    alpha, beta = math.sqrt(max(1.0 - (b / a) ** 2, 0.0)), math.sqrt(max(1.0 - (c / a) ** 2, 0.0))
    total = 1.0
    if alpha > 0.0:  # alpha = 0 leaves powers of beta alone, which is the limit taken below
        x = (alpha**2 + beta**2) / (2.0 * alpha * beta)
        before, current = 1.0, x
        for degree in range(1, 21):
            total += (alpha * beta) ** degree / (1.0 - 4.0 * degree**2) * current
            before, current = current, ((2 * degree + 1) * x * current - degree * before) / (degree + 1)
    elif beta > 0.0:  # leading coefficient of the polynomial: (2n)! / (2^n n!^2) times (beta^2 / 2)^n
        for degree in range(1, 21):
            lead = math.comb(2 * degree, degree) / 2.0**degree
            total += lead * (beta**2 / 2.0) ** degree / (1.0 - 4.0 * degree**2)
    return 4.0 * math.pi * a * b * total
