"""features.shape against the IBSI references and bodies of known size."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.core.results import Features
from isocenter.ops.features.shape import Shape
from tests.ops.features.test_intensity import reference, volume

TAGS = {
    "volume_mesh": "morph_volume",
    "volume_voxel": "morph_vol_approx",
    "surface_area": "morph_area_mesh",
    "surface_volume_ratio": "morph_av",
    "compactness_1": "morph_comp_1",
    "compactness_2": "morph_comp_2",
    "spherical_disproportion": "morph_sph_dispr",
    "sphericity": "morph_sphericity",
    "asphericity": "morph_asphericity",
    "centre_of_mass_shift": "morph_com",
    "maximum_diameter": "morph_diam",
    "axis_major": "morph_pca_maj_axis",
    "axis_minor": "morph_pca_min_axis",
    "axis_least": "morph_pca_least_axis",
    "elongation": "morph_pca_elongation",
    "flatness": "morph_pca_flatness",
    "volume_density_box": "morph_vol_dens_aabb",
    "area_density_box": "morph_area_dens_aabb",
    "volume_density_ellipsoid": "morph_vol_dens_aee",
    "area_density_ellipsoid": "morph_area_dens_aee",
    "volume_density_hull": "morph_vol_dens_conv_hull",
    "area_density_hull": "morph_area_dens_conv_hull",
    "integrated_intensity": "morph_integ_int",
}


@pytest.fixture(scope="module")
def measured(shared: Callable[[str], Path]) -> tuple[Features, dict[str, tuple[float, float]]]:
    folder = shared("data/ibsi")
    array, grid = volume(folder / "1_digital_phantom/image/phantom.nii.gz")
    mask, _ = volume(folder / "1_digital_phantom/mask/mask.nii.gz")
    labels = LabelMap((mask > 0).astype(np.uint8), ("z", "y", "x"), grid, (Segment(1, "region"),))
    found = Shape()(Image(array, ("z", "y", "x"), grid), labels)
    return found, reference(folder / "1_reference_values/ibsi_1_dig_phantom.csv")


@pytest.mark.parametrize("column", TAGS)
def test_digital_phantom_of_the_ibsi(measured: tuple[Features, dict[str, tuple[float, float]]], column: str) -> None:
    found, table = measured
    expected, tolerance = table[TAGS[column]]
    assert found[column] == pytest.approx(expected, abs=tolerance)


def test_every_measure_of_the_ibsi_carries_its_identifier(measured: tuple[Features, dict[str, tuple[float, float]]]) -> None:
    columns = {c.name: c for c in measured[0].columns}
    assert all(columns[name].standard.startswith("IBSI:") for name in TAGS)


def body(mask: npt.NDArray[np.bool_], grid: Geometry, values: npt.ArrayLike | None = None) -> Features:
    dims = ("z", "y", "x")[3 - mask.ndim :]
    array = np.ones(mask.shape, np.float32) if values is None else np.asarray(values)
    return Shape()(Image(array, dims, grid), LabelMap(mask.astype(np.uint8), dims, grid, (Segment(1, "lesion"),)))


def ball(radius: float, spacing: tuple[float, float, float]) -> tuple[npt.NDArray[np.bool_], Geometry]:
    shape = tuple(int(2 * radius / s) + 5 for s in spacing)
    z, y, x = ((np.indices(shape)[k] - (shape[k] - 1) / 2) * spacing[k] for k in range(3))
    return z**2 + y**2 + x**2 <= radius**2, Geometry.regular(shape, spacing)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 0.7, 0.7)])
def test_a_ball_of_ten_millimetres(spacing: tuple[float, float, float]) -> None:
    found = body(*ball(10.0, spacing))
    assert found["volume_voxel"] == pytest.approx(4 / 3 * math.pi * 1000, rel=0.02)
    assert found["maximum_diameter"] == pytest.approx(20.0, abs=max(spacing))
    assert found["sphericity"] > 0.86 and found["elongation"] > 0.98
    # The axes are those of an ellipsoid of equal variance: 4 sqrt(r^2 / 5).
    assert found["axis_major"] == pytest.approx(4 * 10 / math.sqrt(5), rel=0.02)
    assert found["volume_density_ellipsoid"] == pytest.approx((5**1.5) / 8, rel=0.03)


def test_a_box_is_measured_exactly() -> None:
    mask = np.zeros((8, 12, 20), dtype=bool)
    mask[2:6, 2:10, 2:18] = True
    found = body(mask, Geometry.regular(mask.shape, (3.0, 1.0, 0.5), origin=(-5.0, 20.0, 7.0)))
    assert found["volume_voxel"] == pytest.approx(12 * 8 * 8)
    assert found["volume_density_box"] == pytest.approx(1.0, abs=0.08)  # the mesh bevels edges and corners
    place = [found[name] for name in ("centroid_left", "centroid_posterior", "centroid_superior")]
    assert place == pytest.approx([-5.0 + 9.5 * 0.5, 20.0 + 5.5, 7.0 + 3.5 * 3.0])


def test_size_and_form_do_not_depend_on_orientation_and_follow_shear() -> None:
    mask, grid = ball(8.0, (1.5, 1.0, 1.0))
    turned = Geometry.regular(grid.shape, grid.spacing, direction=np.array([[0, 0.6, 0.8], [0, 0.8, -0.6], [-1.0, 0, 0]]))
    first, second = body(mask, grid), body(mask, turned)
    for name in ("volume_mesh", "surface_area", "maximum_diameter", "axis_major", "axis_least"):
        assert first[name] == pytest.approx(second[name], rel=1e-9)
    affine = grid.affine.copy()
    affine[1, 0] = 1.5  # slices slide by one sample each: a volume is kept, a diameter is not
    sheared = body(mask, Geometry(grid.shape, affine))
    assert sheared["volume_mesh"] == pytest.approx(first["volume_mesh"])
    assert sheared["maximum_diameter"] > first["maximum_diameter"] * 1.3


def test_a_single_voxel_and_an_empty_region() -> None:
    mask = np.zeros((5, 5, 5), dtype=bool)
    grid = Geometry.regular(mask.shape, 2.0)
    empty = body(mask, grid)
    assert empty["volume_mesh"] == 0.0 and math.isnan(empty["sphericity"])
    mask[2, 2, 2] = True
    one = body(mask, grid)
    assert one["volume_voxel"] == pytest.approx(8.0) and one["axis_major"] == 0.0
    assert math.isnan(one["volume_density_ellipsoid"]) and one["maximum_diameter"] == pytest.approx(2.0)


def test_the_shift_of_the_centre_of_mass_needs_positive_weight() -> None:
    mask, grid = ball(6.0, (1.0, 1.0, 1.0))
    assert math.isnan(body(mask, grid, np.full(mask.shape, -800.0))["centre_of_mass_shift"])
    assert body(mask, grid)["centre_of_mass_shift"] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("radius", [5.0, 20.0, 60.0])
def test_a_disc(radius: float) -> None:
    n = int(2 * radius) + 5
    y, x = np.indices((n, n)) - (n - 1) / 2
    found = body(y**2 + x**2 <= radius**2, Geometry.regular((n, n), 0.5))
    r = radius / 2
    close = 0.02 + 0.32 / radius  # a small disc of whole pixels is not quite a disc
    assert found["perimeter"] == pytest.approx(2 * math.pi * r, rel=0.01 + close)
    assert found["equivalent_diameter"] == pytest.approx(2 * r, rel=close)
    assert found["axis_major"] == pytest.approx(2 * r, rel=close) and found["eccentricity"] < 0.1
    assert found["circularity"] > 0.88 and found["solidity"] > 0.95


def test_an_ellipse_across_uneven_pixels() -> None:
    spacing = (2.0, 0.5)
    y, x = (np.indices((60, 200))[k] * spacing[k] for k in range(2))
    found = body(((y - 60) / 20) ** 2 + ((x - 50) / 40) ** 2 <= 1, Geometry.regular((60, 200), spacing))
    assert found["axis_major"] == pytest.approx(80, rel=0.02) and found["axis_minor"] == pytest.approx(40, rel=0.02)
    assert found["eccentricity"] == pytest.approx(math.sqrt(0.75), abs=0.01)


def test_pixels_without_a_size_are_measured_in_px() -> None:
    mask = np.ones((3, 4), dtype=bool)
    columns = {c.name: c.unit for c in body(mask, Geometry.pixels((3, 4))).columns}
    assert (columns["area"], columns["perimeter"], columns["centroid_left"]) == ("px^2", "px", "px")


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.5, 0.8, 0.8)])
@pytest.mark.parametrize("axes", [(15.0, 15.0, 15.0), (24.0, 15.0, 18.0)], ids=["ball", "ellipsoid"])
def test_a_smooth_body_has_its_surface_and_volume(spacing: tuple[float, float, float], axes: tuple[float, float, float]) -> None:
    shape = tuple(int(2 * a / s) + 5 for a, s in zip(axes, spacing, strict=True))
    z, y, x = ((np.indices(shape)[k] - (shape[k] - 1) / 2) * spacing[k] / axes[k] for k in range(3))
    found = body(z**2 + y**2 + x**2 <= 1, Geometry.regular(shape, spacing))
    a, b, c = axes
    # Thomsen's formula is right to 1.1 %.
    surface = 4 * math.pi * (((a * b) ** 1.6075 + (a * c) ** 1.6075 + (b * c) ** 1.6075) / 3) ** (1 / 1.6075)
    volume = 4 / 3 * math.pi * a * b * c
    assert found["volume_voxel"] == pytest.approx(volume, rel=0.01)
    assert found["volume_mesh"] == pytest.approx(volume, rel=0.02)  # bevels the steps
    assert found["surface_area_smooth"] == pytest.approx(surface, rel=0.03)
    assert found["surface_area"] > 1.05 * surface  # what the IBSI defines follows the steps


@pytest.mark.parametrize("centre", [(0.0, 0.0), (0.3, -0.4)])
def test_an_ellipse_has_its_area_perimeter_and_eccentricity(centre: tuple[float, float]) -> None:
    a, b, step = 40.0, 24.0, 0.5
    y, x = (np.indices((120, 180))[k] * step - side for k, side in enumerate((30.0 + centre[0], 45.0 + centre[1])))
    found = body((x / a) ** 2 + (y / b) ** 2 <= 1, Geometry.regular((120, 180), step))
    h = ((a - b) / (a + b)) ** 2
    assert found["area"] == pytest.approx(math.pi * a * b, rel=0.01)
    assert found["perimeter"] == pytest.approx(math.pi * (a + b) * (1 + 3 * h / (10 + math.sqrt(4 - 3 * h))), rel=0.03)
    assert found["eccentricity"] == pytest.approx(math.sqrt(1 - (b / a) ** 2), abs=0.01)
