"""Transforms: then, inverse, and that an inverse undoes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.core.errors import GeometryError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.transform import Affine, Chain, Displacement, Identity, Transform

POINTS = np.array([[0.0, 0.0, 0.0], [10.0, -20.0, 30.0], [-3.5, 4.25, 100.0]])
NUMBERS = st.floats(-50.0, 50.0)


@st.composite
def affines(draw: st.DrawFn) -> Affine:
    axis = draw(st.sampled_from([(1, 0, 0), (0, 1, 0), (1, 1, 1), (-2, 0.5, 1)]))
    turn = Affine.rotation(axis, draw(st.floats(-180, 180)), draw(st.tuples(NUMBERS, NUMBERS, NUMBERS)))
    scale = np.diag([*draw(st.tuples(*[st.floats(0.5, 2.0)] * 3)), 1.0])
    move = Affine.translation(draw(st.tuples(NUMBERS, NUMBERS, NUMBERS)))
    return Affine(move.values @ scale @ turn.values)


@given(affines())
def test_the_inverse_of_an_affine_undoes_it(transform: Affine) -> None:
    np.testing.assert_allclose(transform.inverse()(transform(POINTS)), POINTS, atol=1e-8)
    np.testing.assert_allclose(transform(transform.inverse()(POINTS)), POINTS, atol=1e-8)


@given(affines(), affines())
def test_then_applies_the_first_one_first(one: Affine, two: Affine) -> None:
    both = one.then(two)
    np.testing.assert_allclose(both(POINTS), two(one(POINTS)), atol=1e-8)
    assert both.matrix is not None  # composed, not chained
    np.testing.assert_allclose(both.inverse()(both(POINTS)), POINTS, atol=1e-7)


def test_a_rotation_is_right_handed_about_its_centre() -> None:
    quarter = Affine.rotation((0, 0, 1), 90.0, center=(1.0, 0.0, 0.0))
    np.testing.assert_allclose(quarter((2.0, 0.0, 5.0)), (1.0, 1.0, 5.0), atol=1e-12)
    np.testing.assert_allclose(quarter((1.0, 0.0, 0.0)), (1.0, 0.0, 0.0), atol=1e-12)


def test_identity() -> None:
    np.testing.assert_array_equal(Identity()(POINTS), POINTS)
    assert Identity().digest == Affine.translation((0, 0, 0)).digest


@pytest.mark.parametrize(
    "values", [np.eye(3), np.zeros((4, 4)), np.diag([1.0, 1.0, 0.0, 1.0]), np.full((4, 4), np.nan), np.diag([1.0, 1, 1, 2])]
)
def test_a_matrix_that_is_no_map_is_refused(values: np.ndarray) -> None:
    with pytest.raises(ParameterError, match="affine transform"):
        Affine(values)


GRID = Geometry.regular((6, 7, 8), (4.0, 3.0, 2.0), (-10.0, -10.0, -10.0))


def field(amount: float = 0.6) -> Displacement:
    index = np.stack(np.meshgrid(*[np.arange(n) for n in GRID.shape], indexing="ij"), axis=-1)
    return Displacement(amount * np.sin(index * 0.5 + np.arange(3)), GRID)


def test_a_field_is_exact_at_its_samples_and_linear_between() -> None:
    made = field()
    at = GRID.to_world([(2, 3, 4), (2, 3, 5)])
    np.testing.assert_allclose(made.at(at), made.vectors[2, 3, 4:6], atol=1e-12)
    np.testing.assert_allclose(made.at(at.mean(axis=0)), made.vectors[2, 3, 4:6].mean(axis=0), atol=1e-12)


def test_a_field_is_zero_outside_and_keeps_the_shape_of_points() -> None:
    made = field()
    np.testing.assert_array_equal(made((1000.0, 0.0, 0.0)), (1000.0, 0.0, 0.0))
    assert made(np.zeros((2, 5, 3))).shape == (2, 5, 3)
    assert made(np.zeros((0, 3))).shape == (0, 3)
    assert made.inverse()(np.zeros((0, 3))).shape == (0, 3)


def test_the_inverse_of_a_field_undoes_it() -> None:
    made = field()
    inside = GRID.to_world([(1.5, 2.2, 3.1), (3.0, 3.0, 3.0), (4.1, 5.2, 5.9)])
    np.testing.assert_allclose(made.inverse()(made(inside)), inside, atol=1e-3)
    assert made.inverse().inverse() is made
    assert made.inverse().digest != made.digest


def test_a_field_that_does_not_fit_is_refused() -> None:
    with pytest.raises(GeometryError, match="expected"):
        Displacement(np.zeros((6, 7, 8)), GRID)
    with pytest.raises(GeometryError, match="three axes"):
        Displacement(np.zeros((4, 5, 3)), Geometry.regular((4, 5)))
    with pytest.raises(ParameterError, match="not finite"):
        Displacement(np.full((*GRID.shape, 3), np.nan), GRID)


def test_chains_flatten_and_multiply_neighbours() -> None:
    move, turn, warp = Affine.translation((1, 2, 3)), Affine.rotation((0, 0, 1), 10.0), field()
    chain: Transform = move.then(turn).then(warp).then(move).then(turn)
    assert isinstance(chain, Chain)
    assert [type(link) for link in chain.links] == [Affine, Displacement, Affine]
    inside = GRID.to_world([(3.0, 3.0, 3.0)])
    np.testing.assert_allclose(chain(inside), turn(move(warp(turn(move(inside))))), atol=1e-9)
    np.testing.assert_allclose(chain.inverse()(chain(inside)), inside, atol=1e-3)
    assert chain.matrix is None


def test_digests_follow_the_parameters() -> None:
    assert field().digest == field().digest != field(0.5).digest
    assert Chain((field(), Identity())).digest != Chain((Identity(), field())).digest
