"""The strategies draw what they say, and the nouns keep their promises on it."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from isocenter.core.geometry import Geometry
from isocenter.core.image import SPATIAL, Image
from isocenter.core.labels import LabelMap
from isocenter.core.transform import Affine
from isocenter.ops.denoise.median import Median
from isocenter.ops.resample.orient import Orient
from isocenter.ops.resample.to_grid import ToGrid
from isocenter.testing import strategies as iso

QUICK = settings(max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])


def test_every_kind_of_grid_is_drawn() -> None:
    drawn: list[Geometry] = []

    @settings(QUICK, max_examples=250, phases=[Phase.generate])
    @given(iso.geometries())
    def collect(geometry: Geometry) -> None:
        drawn.append(geometry)

    collect()
    volumes = [g for g in drawn if g.ndim == 3 and g.unit == "mm"]
    kinds = {
        **{f"{n} axes": any(g.ndim == n for g in drawn) for n in (1, 2, 3)},
        "pixels": any(g.unit == "px" for g in drawn),
        "sheared": any(not g.is_orthogonal for g in drawn),
        "left-handed": any(np.linalg.det(g.affine[:3, :3]) < 0 for g in volumes),
        "right-handed": any(np.linalg.det(g.affine[:3, :3]) > 0 for g in volumes),
        "anisotropic": any(max(g.spacing) > 4 * min(g.spacing) for g in volumes),
        "oblique": any(np.abs(g.direction).max() < 0.95 for g in volumes),
        "in a frame of reference": any(g.frame for g in volumes),
    }
    assert all(kinds.values()), kinds


@QUICK
@given(iso.geometries())
def test_geometry_maps_there_and_back(geometry: Geometry) -> None:
    index = np.stack([np.zeros(geometry.ndim), np.asarray(geometry.shape) - 1.0])
    np.testing.assert_allclose(geometry.to_index(geometry.to_world(index)), index, atol=1e-5)
    assert Geometry.from_dict(geometry.to_dict()) == geometry
    assert geometry.matches(geometry.flip(0).flip(0), 1e-6)


@QUICK
@given(iso.images(), st.integers(0, 2))
def test_images_are_sound_and_digests_are_stable(image: Image, seed: int) -> None:
    assert tuple(image.shape[k] for k in image.spatial_axes) == image.geometry.shape
    assert image.replace(array=np.array(image.array)).digest == image.digest
    result = Median()(image, seed=seed, threads=1)
    assert result.dtype == image.dtype and result.geometry == image.geometry


@QUICK
@given(iso.images(dims=("zyx", "yx"), dtypes=("float32",), unit="mm"), st.permutations("RAS"), st.integers(0, 7))
def test_orienting_moves_no_sample(image: Image, letters: list[str], mirrored: int) -> None:
    other = {"R": "L", "A": "P", "S": "I"}
    code = "".join(other[c] if mirrored >> k & 1 else c for k, c in enumerate(letters))
    result = Orient(code=code)(image)
    corner = tuple(n - 1 for n in image.geometry.shape)
    there = np.rint(result.geometry.to_index(image.geometry.to_world(corner))).astype(int)
    assert result.array[tuple(there)] == image.array[corner]


@QUICK
@given(iso.images(dims=("zyx",), dtypes=("int16", "float64"), unit="mm"))
def test_own_grid_is_identity(image: Image) -> None:
    np.testing.assert_array_equal(ToGrid()(image, None, image.geometry).array, image.array)


@QUICK
@given(iso.label_maps())
def test_labels_are_in_their_table(labels: LabelMap) -> None:
    assert {v for v in labels.present if v} <= {s.value for s in labels.segments}
    assert set(labels.dims) & set(SPATIAL)


@QUICK
@given(iso.affines(), iso.affines(rigid=True))
def test_affines_can_be_undone_and_rigid_ones_keep_distances(any_map: Affine, motion: Affine) -> None:
    points = np.random.default_rng(0).uniform(-100, 100, (20, 3))
    np.testing.assert_allclose(any_map.inverse()(any_map(points)), points, atol=1e-8)
    before = np.linalg.norm(points[1:] - points[:-1], axis=1)
    after = np.linalg.norm(np.diff(motion(points), axis=0), axis=1)
    np.testing.assert_allclose(before, after, rtol=1e-9)
