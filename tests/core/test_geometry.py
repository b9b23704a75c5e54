"""Geometry: where samples lie, and that no derived grid moves them."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.core.errors import ContentError, GeometryError, GridMismatchError
from isocenter.core.geometry import Geometry
from tests.core.values import STEPS, geometries


def some_indices(geometry: Geometry) -> np.ndarray:
    """Return corners, the middle and a point between samples."""
    ends = np.array(np.meshgrid(*[(0, n - 1) for n in geometry.shape], indexing="ij")).reshape(geometry.ndim, -1).T
    top = np.asarray(geometry.shape) - 1
    return np.vstack([ends, top / 2, top * 0.3 + 0.1])


@given(geometries())
def test_index_to_world_and_back(geometry: Geometry) -> None:
    index = some_indices(geometry)
    np.testing.assert_allclose(geometry.to_index(geometry.to_world(index)), index, atol=1e-6)


@given(geometries(min_axes=3))
def test_world_to_index_and_back(geometry: Geometry) -> None:
    points = geometry.to_world(some_indices(geometry)) + (1.5, -2.5, 0.25)
    np.testing.assert_allclose(geometry.to_world(geometry.to_index(points)), points, atol=1e-6)


@given(geometries())
def test_equal_hash_pickle_and_dict(geometry: Geometry) -> None:
    for twin in (
        Geometry(geometry.shape, geometry.affine.copy(), geometry.frame, geometry.unit),
        pickle.loads(pickle.dumps(geometry)),
        Geometry.from_dict(geometry.to_dict()),
    ):
        assert twin == geometry
        assert hash(twin) == hash(geometry)
        assert not twin.affine.flags.writeable
        assert bool(twin.matches(geometry))


@given(geometries())
def test_one_changed_number_makes_another_grid(geometry: Geometry) -> None:
    affine = geometry.affine.copy()
    affine[0, -1] = np.nextafter(affine[0, -1], np.inf)
    moved = Geometry(geometry.shape, affine, geometry.frame, geometry.unit)
    assert moved != geometry
    assert moved.matches(geometry)
    assert geometry.with_frame("9.9") != geometry
    assert geometry.__eq__(3) is NotImplemented


@given(geometries())
def test_derived_values_agree_with_the_affine(geometry: Geometry) -> None:
    first = geometry.to_world([0] * geometry.ndim)
    np.testing.assert_allclose(first, geometry.origin)
    for axis in range(geometry.ndim):
        step = geometry.to_world(np.eye(geometry.ndim)[axis]) - first
        assert math.isclose(np.linalg.norm(step), geometry.spacing[axis], rel_tol=1e-9)
        np.testing.assert_allclose(step / np.linalg.norm(step), geometry.direction[:, axis], atol=1e-9)
    assert geometry.extent == tuple(n * s for n, s in zip(geometry.shape, geometry.spacing, strict=True))
    assert geometry.size == math.prod(geometry.shape)
    assert len(geometry.orientation) == geometry.ndim
    assert len({frozenset(p) for p in ("LR", "AP", "IS") if set(p) & set(geometry.orientation)}) == geometry.ndim


@given(geometries(sheared=False))
def test_an_orthogonal_grid_has_no_shear(geometry: Geometry) -> None:
    assert geometry.shear < 1e-5
    assert geometry.is_orthogonal
    assert math.isclose(geometry.voxel_size, math.prod(geometry.spacing), rel_tol=1e-9)
    assert math.isclose(geometry.diagonal, math.hypot(*geometry.extent), rel_tol=1e-9)


@pytest.mark.parametrize("degrees", [0.5, 15.0, 30.0])
def test_shear_is_stated_in_degrees_and_leaves_the_volume(degrees: float) -> None:
    affine = Geometry.regular((20, 10, 10), (2.0, 1.0, 1.0)).affine.copy()
    affine[:3, 0] = (0.0, 2.0 * math.tan(math.radians(degrees)), 2.0)  # a tilted gantry
    tilted = Geometry((20, 10, 10), affine)
    assert math.isclose(tilted.shear, degrees, abs_tol=1e-9)
    assert not tilted.is_orthogonal
    assert math.isclose(tilted.voxel_size, 2.0)
    assert "sheared" in repr(tilted)


# -- grids derived from grids --------------------------------------------------------------------------------


@given(geometries(), st.data())
def test_crop_keeps_positions(geometry: Geometry, data: st.DataObject) -> None:
    start = [data.draw(st.integers(-3, n - 1)) for n in geometry.shape]
    shape = [data.draw(st.integers(1, 5)) for _ in geometry.shape]
    part = geometry.crop(start, shape)
    index = np.array([0.25] * geometry.ndim)
    np.testing.assert_allclose(part.to_world(index), geometry.to_world(index + start), atol=1e-8)
    assert part.shape == tuple(shape)
    assert (part.frame, part.unit) == (geometry.frame, geometry.unit)


@given(geometries(), st.data())
def test_pad_keeps_positions_and_crop_undoes_it(geometry: Geometry, data: st.DataObject) -> None:
    before = [data.draw(st.integers(0, 3)) for _ in geometry.shape]
    after = [data.draw(st.integers(0, 3)) for _ in geometry.shape]
    larger = geometry.pad(before, after)
    np.testing.assert_allclose(larger.to_world(before), geometry.to_world([0] * geometry.ndim), atol=1e-8)
    assert larger.shape == tuple(b + n + a for b, n, a in zip(before, geometry.shape, after, strict=True))
    assert larger.crop(before, geometry.shape).matches(geometry)


@given(geometries(), st.data())
def test_transpose_keeps_positions(geometry: Geometry, data: st.DataObject) -> None:
    axes = data.draw(st.permutations(range(geometry.ndim)))
    turned = geometry.transpose(axes)
    index = np.array([0.5, 1.0, 2.0][: geometry.ndim])
    np.testing.assert_array_equal(turned.spacing, [geometry.spacing[a] for a in axes])
    np.testing.assert_allclose(turned.to_world(index[list(axes)]), geometry.to_world(index), atol=1e-8)
    assert turned.orientation == "".join(geometry.orientation[a] for a in axes)


@given(geometries(), st.data())
def test_flip_keeps_positions_and_twice_is_nothing(geometry: Geometry, data: st.DataObject) -> None:
    axis = data.draw(st.integers(0, geometry.ndim - 1))
    flipped = geometry.flip(axis)
    index = some_indices(geometry)
    mirrored = index.copy()
    mirrored[:, axis] = geometry.shape[axis] - 1 - index[:, axis]
    np.testing.assert_allclose(flipped.to_world(mirrored), geometry.to_world(index), atol=1e-7)
    assert flipped.flip(axis).matches(geometry, mm=1e-6)
    opposite = dict(zip("LRAPIS", "RLPASI", strict=True))
    assert flipped.orientation[axis] == opposite[geometry.orientation[axis]]


@given(geometries(), st.data())
def test_with_spacing_keeps_the_centre_and_covers_the_extent(geometry: Geometry, data: st.DataObject) -> None:
    spacing = [data.draw(STEPS) for _ in geometry.shape]
    other = geometry.with_spacing(spacing)
    middle = geometry.to_world((np.asarray(geometry.shape) - 1) / 2)
    np.testing.assert_allclose(other.to_world((np.asarray(other.shape) - 1) / 2), middle, atol=1e-6)
    np.testing.assert_allclose(other.spacing, spacing, rtol=1e-9)
    np.testing.assert_allclose(other.direction, geometry.direction, atol=1e-9)
    for old, new, step in zip(geometry.extent, other.extent, spacing, strict=True):
        assert abs(old - new) <= max(step / 2, step - old) * (1 + 1e-9)


def test_with_spacing_of_the_same_spacing_is_the_same_grid() -> None:
    geometry = Geometry.regular((30, 40, 50), (3.0, 0.7, 0.7), (1.0, 2.0, 3.0))
    assert geometry.with_spacing(geometry.spacing).matches(geometry, mm=1e-9)


# -- orientation and defaults --------------------------------------------------------------------------------


def test_a_regular_grid_is_an_axial_stack() -> None:
    geometry = Geometry.regular((3, 4, 5), (5.0, 2.0, 1.0), (-10.0, -20.0, 30.0))
    assert geometry.orientation == "SPL"
    assert geometry.spacing == (5.0, 2.0, 1.0)
    np.testing.assert_array_equal(geometry.to_world((1, 1, 1)), (-9.0, -18.0, 35.0))  # left, posterior, superior


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        (((0, 0, -1), (0, -1, 0), (-1, 0, 0)), "IAR"),
        (((0, 1, 0), (0, 0, -1), (1, 0, 0)), "PIL"),  # a coronal stack, rows to the feet, columns to the left
        (((1, 0, 0), (0, 0, -1), (0, 1, 0)), "LIP"),  # a sagittal stack
    ],
)
def test_orientation_codes(columns: tuple[tuple[int, ...], ...], code: str) -> None:
    assert Geometry.regular((2, 3, 4), direction=np.array(columns).T).orientation == code


def test_an_oblique_image_never_gets_a_letter_twice() -> None:
    u, v = np.array([0.8, 0.6, 0.0]), np.array([0.6, -0.8, 0.0])
    w = np.cross(u, v)
    code = Geometry.regular((2, 2, 2), direction=np.stack([u, v, w], axis=1)).orientation
    assert sorted("LR" if c in "LR" else "AP" if c in "AP" else "IS" for c in code) == ["AP", "IS", "LR"]


def test_two_axes_and_one() -> None:
    flat = Geometry.regular((4, 5), (2.0, 0.5))
    assert flat.orientation == "PL"
    assert flat.voxel_size == 1.0
    line = Geometry.regular((9,), 0.25)
    assert (line.spacing, line.orientation, line.ndim) == ((0.25,), "L", 1)
    # A point beside the plane is projected onto it.
    np.testing.assert_allclose(flat.to_index((1.0, 2.0, 99.0)), (1.0, 2.0))


def test_contains_counts_half_a_sample_around_the_centres() -> None:
    geometry = Geometry.regular((4, 4, 4), 2.0)
    inside = geometry.contains([(-1.0, 0, 0), (-1.01, 0, 0), (7.0, 7.0, 7.0), (7.01, 0, 0)])
    assert inside.tolist() == [True, False, True, False]
    assert bool(geometry.contains((0.0, 0.0, 0.0)))
    assert not bool(geometry.contains((-1.0, 0.0, 0.0), margin=0.0))


# -- comparison and refusal ----------------------------------------------------------------------------------


def test_matches_says_by_how_many_mm_two_grids_differ() -> None:
    one = Geometry.regular((10, 10, 10), (2.0, 1.0, 1.0))
    far = Geometry.regular((10, 10, 10), (2.2, 1.0, 1.0))
    match = one.matches(far)
    assert not match
    assert math.isclose(match.distance, 9 * 0.2)
    assert "1.8 mm apart" in match.reason
    assert one.matches(far, mm=2.0)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (Geometry.regular((2, 2, 3)), "shapes differ"),
        (Geometry.pixels((2, 2, 2)), "one is in mm, the other in px"),
        (Geometry.regular((2, 2, 2), frame="2"), "frames of reference differ"),
    ],
)
def test_matches_gives_the_reason(other: Geometry, reason: str) -> None:
    one = Geometry.regular((2, 2, 2), frame="1")
    assert reason in one.matches(other).reason
    with pytest.raises(GridMismatchError, match=r"The grids of ct .* and mask .* differ"):
        one.require_match(other, ("ct", "mask"))


def test_an_unknown_frame_matches_any() -> None:
    assert Geometry.regular((2, 2)).matches(Geometry.regular((2, 2), frame="1"))


def test_pixels_refuse_to_be_mm() -> None:
    photo = Geometry.pixels((3, 4))
    assert photo.unit == "px"
    with pytest.raises(ContentError, match="features.shape measures in mm"):
        photo.require_mm("features.shape")
    Geometry.regular((3, 4)).require_mm()


GOOD = Geometry.regular((2, 3, 4)).affine


def _with(place: tuple[int, int], value: float) -> np.ndarray:
    affine = GOOD.copy()
    affine[place] = value
    return affine


@pytest.mark.parametrize(
    ("shape", "affine", "said"),
    [
        ((2, 3, 4), np.eye(3), "expected \\(4, 4\\)"),
        ((2, 3), GOOD, "expected \\(4, 3\\)"),
        ((), GOOD, "one to three axes"),
        ((2, 3, 4, 5), GOOD, "one to three axes"),
        ((2, 0, 4), GOOD, "at least one sample"),
        ((2, 3, 4), _with((0, 3), np.nan), "not finite"),
        ((2, 3, 4), _with((2, 0), np.inf), "not finite"),
        ((2, 3, 4), _with((3, 3), 2.0), "Last row"),
        ((2, 3, 4), _with((2, 0), 0.0), "more than zero"),
        ((2, 3, 4), GOOD[:, [0, 0, 2, 3]], "not independent"),
    ],
)
def test_an_impossible_grid_is_refused(shape: tuple[int, ...], affine: np.ndarray, said: str) -> None:
    with pytest.raises(GeometryError, match=said):
        Geometry(shape, affine)


def test_other_refusals() -> None:
    with pytest.raises(GeometryError, match="Unit 'cm'"):
        Geometry((2, 3, 4), GOOD, unit="cm")  # type: ignore[arg-type]  # the wrong value is the point
    with pytest.raises(GeometryError, match="2 spacings for 3 axes"):
        Geometry.regular((2, 3, 4), (1.0, 2.0))
    for wrong in ((1.0, 1.0), (0.0, 1.0, 1.0), (1.0, -1.0, 1.0), (1.0, np.nan, 1.0)):
        with pytest.raises(GeometryError, match="Spacing"):
            Geometry.regular((2, 3, 4)).with_spacing(wrong)


def test_a_grid_does_not_change_with_the_array_it_was_made_of() -> None:
    affine = GOOD.copy()
    geometry = Geometry((2, 3, 4), affine)
    affine[:] = 0
    assert geometry == Geometry.regular((2, 3, 4))
    with pytest.raises(ValueError, match="read-only"):
        geometry.affine[0, 0] = 5
