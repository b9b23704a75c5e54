"""The kernels behind radiomics against meshes, sums over pairs and formulae written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial import ConvexHull
from skimage.measure import marching_cubes

from isocenter.kernels.autocorrelation import autocorrelation
from isocenter.kernels.discretise import Bins
from isocenter.kernels.radiomics.mesh import mesh_measures
from isocenter.kernels.radiomics.morphology import hull_points, moments
from isocenter.kernels.radiomics.peaks import RADIUS, margin, peaks
from isocenter.kernels.regrid import axis_of, planes
from isocenter.kernels.statistics import first_order

STEPS = {
    "cubes": np.eye(3)[::-1],
    "flat voxels": np.array([[0, 0, 0.8], [0, 1.2, 0], [3.0, 0, 0]]),
    "sheared": np.array([[0, 0.1, 0.98], [0.3, 0.98, 0], [3, 0, 0.0]]),
}


def noise(seed: int, shape: tuple[int, ...] = (14, 20, 17)) -> Any:
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.fixture(params=["salt", "blobs", "one voxel"])
def mask(request: pytest.FixtureRequest) -> Any:
    if request.param == "salt":
        return noise(1) > 0.3
    if request.param == "one voxel":
        return np.ones((1, 1, 1), bool)
    return ndimage.gaussian_filter(noise(2), 2) > 0


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_area_and_volume_are_those_of_the_mesh(mask: Any, step: Any) -> None:
    vertices, faces, _, _ = marching_cubes(np.pad(mask.astype(np.float32), 1), level=0.5)
    a, b, c = ((vertices - 1.0).astype(float)[faces[:, k]] @ step.T for k in range(3))
    normals = np.cross(b - a, c - a) / 2
    area, volume = mesh_measures(np.pad(mask.astype(np.uint8), 1), step)
    assert area == pytest.approx(np.linalg.norm(normals, axis=1).sum(), rel=1e-9)
    assert volume == pytest.approx(abs(np.einsum("ij,ij->", a, normals) / 3), rel=1e-9)


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_hull_is_that_of_all_mesh_vertices(mask: Any, step: Any) -> None:
    vertices = marching_cubes(np.pad(mask.astype(np.float32), 1), level=0.5)[0]
    expected = ConvexHull((vertices - 1.0).astype(float) @ step.T)
    found = ConvexHull(hull_points(np.pad(mask.astype(np.uint8), 1), step))
    assert found.volume == pytest.approx(expected.volume, rel=1e-9)
    assert found.area == pytest.approx(expected.area, rel=1e-9)


def test_moments_are_exact(mask: Any) -> None:
    count, mean, covariance = moments(np.pad(mask.astype(np.uint8), 1))
    index = np.argwhere(mask)
    assert count == len(index)
    assert mean == pytest.approx(index.mean(axis=0))
    assert covariance == pytest.approx(np.cov(index.T, bias=True) if count > 1 else np.zeros((3, 3)), abs=1e-12)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.0, 0.9, 1.1)])
@pytest.mark.parametrize("shape", [(5, 7, 6), (1, 9, 8), (4, 1, 3)])
def test_autocorrelation_equals_the_sum_over_all_pairs(spacing: tuple[float, ...], shape: tuple[int, ...]) -> None:
    values, mask = noise(3, shape), noise(4, shape) > -0.8
    points, x = np.argwhere(mask) * spacing, values[mask]
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    weight, away, n = 1 / distance, x - x.mean(), len(x)
    moran = n / weight.sum() * (weight * np.outer(away, away)).sum() / (away @ away)
    geary = (n - 1) / (2 * weight.sum()) * (weight * (x[:, None] - x[None]) ** 2).sum() / (away @ away)
    assert autocorrelation(values, mask, spacing) == pytest.approx((moran, geary), rel=1e-9)


def test_autocorrelation_of_too_little_is_undefined() -> None:
    one = np.zeros((1, 2, 2), bool)
    one[0, 0, 0] = True
    assert all(np.isnan(autocorrelation(np.ones((1, 2, 2)), one, (1, 1, 1))))
    assert all(np.isnan(autocorrelation(np.full((2, 2, 2), 7.0), np.ones((2, 2, 2), bool), (1, 1, 1))))


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 2.0), (3.0, 0.9, 1.3)])
def test_peaks_equal_balls_summed_one_by_one(spacing: tuple[float, ...]) -> None:
    array = noise(5, (15, 24, 22)).astype(np.float32)
    mask = ndimage.gaussian_filter(noise(6, array.shape), 2) > 0
    inner = (slice(2, 13), slice(0, 20), slice(3, 22))
    region = np.pad(np.where(mask[inner], np.uint8(3), np.uint8(0)), 1)
    where = np.argwhere(mask[inner]) + [part.start for part in inner]
    grid = np.moveaxis(np.indices(array.shape), 0, -1)
    means = [array[np.linalg.norm((grid - p) * spacing, axis=-1) <= RADIUS].mean(dtype=np.float64) for p in where]
    values = array[tuple(where.T)]
    local, top = peaks(array, inner, region, spacing, float(values.max()))
    assert local == pytest.approx(means[int(np.argmax(values))], rel=1e-6)
    assert top == pytest.approx(max(means), rel=1e-6)
    assert margin(spacing)[0] == int(RADIUS / spacing[0])


@pytest.mark.parametrize("order", [0, 1, 3])
def test_interpolation_equals_spline_coordinates(order: int) -> None:
    array = ndimage.gaussian_filter(noise(7, (12, 30, 26)), 1)
    axes = [axis_of(12, 3.0, 2.0), axis_of(30, 0.9, 2.0), axis_of(26, 0.9, None)]
    points = np.meshgrid(*[np.clip(a.positions, 0, n - 1) for a, n in zip(axes, array.shape)], indexing="ij")
    expected = ndimage.map_coordinates(array, np.array(points) + (1e-9 if order == 0 else 0), order=order, mode="mirror")
    assert np.array(list(planes(array, axes, order))) == pytest.approx(expected, abs=1e-6)


def test_grids_share_their_centre_and_cover_the_image() -> None:
    axis = axis_of(204, 0.9765625, 2.0)
    assert axis.count == 100  # 199.2 mm: rounded up
    assert axis.positions.mean() == pytest.approx(203 / 2)
    assert axis_of(60, 3.0, 2.0).count == 90
    assert axis_of(60, 3.0, 3.0).is_identity


@pytest.mark.parametrize("dtype", ["int16", "uint8", "float32", "float64"])
def test_statistics_equal_their_formulae(dtype: str) -> None:
    x = (np.random.default_rng(8).gamma(2.0, 30.0, 90_000)).astype(dtype)
    found, wide = first_order(x), x.astype(np.float64)
    away = wide - wide.mean()
    low, high = np.percentile(wide, (10, 90))
    inner = wide[(wide >= low) & (wide <= high)]
    expected = {
        "mean": wide.mean(), "variance": wide.var(), "skewness": (away**3).mean() / wide.std() ** 3,
        "excess_kurtosis": (away**4).mean() / wide.var() ** 2 - 3, "percentile_10": low, "percentile_90": high,
        "median": np.median(wide), "robust_mean_absolute_deviation": np.abs(inner - inner.mean()).mean(),
        "median_absolute_deviation": np.abs(wide - np.median(wide)).mean(), "energy": (wide**2).sum(),
    }  # fmt: skip
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-10)


def test_values_on_an_edge_belong_to_the_bin_above() -> None:
    assert Bins.of_width(25.0, -500.0, 400.0).levels(np.array([-500, -476, -475, 399, 400])).tolist() == [1, 1, 2, 36, 37]
    edges = np.arange(0, 8)
    assert Bins.of_count(7, 0.0, 7.0).levels(edges).tolist() == [1, 2, 3, 4, 5, 6, 7, 7]
    thirds = Bins.of_count(3, 0.1, 0.4)
    assert thirds.levels(np.array([0.1, 0.4])).tolist() == [1, 3]
    assert thirds.counts(np.array([0.1, 0.15, 0.4])).tolist() == [2, 0, 1]
