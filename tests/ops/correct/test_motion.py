"""correct.motion: known motion of the head phantom is found and undone."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.kernels.realign import moved, rigid_matrix, rigid_motion
from isocenter.kernels.smooth import gaussian
from isocenter.ops.correct.motion import Motion
from isocenter.testing.phantoms.brain_mr import brain_mr

SPACING = (3.0, 2.25, 2.25)
MOVES = [
    ((0.0, 0.0, 0.0), (1.0, -2.0, 0.5)),
    ((0.05, 0.0, 0.0), (0.0, 0.0, 0.0)),
    ((0.03, -0.04, 0.05), (2.0, -3.0, 4.0)),
    ((0.07, 0.0, -0.02), (-4.0, 4.0, 1.0)),
]


@pytest.fixture(scope="module")
def head() -> np.ndarray:
    return gaussian(np.asarray(brain_mr(noise=0.0).clean.array, float), [0.7] * 3)


def _seen(head: np.ndarray, move: tuple[tuple[float, ...], tuple[float, ...]]) -> np.ndarray:
    """Return the head after a motion: what stood at x stands at the motion of x."""
    return moved(head, np.asarray(np.linalg.inv(rigid_matrix(*move)), np.float64), SPACING)


@pytest.mark.parametrize("move", MOVES)
def test_a_known_motion_is_found_within_a_tenth_of_sample_and_degree(head: np.ndarray, move) -> None:  # type: ignore[no-untyped-def]  # a parameter
    rng = np.random.default_rng(1)
    fixed = head + 14.0 * rng.standard_normal(head.shape)
    moving = 1.2 * _seen(head, move) + 30.0 + 14.0 * rng.standard_normal(head.shape)
    found = rigid_motion(fixed, moving, SPACING)
    left = np.asarray(np.linalg.inv(rigid_matrix(*move)), np.float64) @ found.matrix
    angle = np.rad2deg(np.arccos(np.clip((np.trace(left[:3, :3]) - 1) / 2, -1, 1)))
    assert angle < 0.02 and np.abs(left[:3, 3] / SPACING).max() < 0.001


def test_a_series_is_brought_back_and_each_motion_told(head: np.ndarray) -> None:
    array = np.stack([head, _seen(head, MOVES[2]), head]).astype(np.float32)
    image = Image(array, ("t", "z", "y", "x"), Geometry.regular(head.shape, SPACING), modality="MR")
    result = Motion(reference="first")(image)
    found = np.asarray(result.array, float)
    np.testing.assert_array_equal(found[[0, 2]], array[[0, 2]])  # what stood still is not interpolated
    inner = (slice(8, -8),) * 3
    before = np.sqrt(((array[1] - head)[inner] ** 2).mean())
    after = np.sqrt(((found[1] - head)[inner] ** 2).mean())
    assert after < 0.05 * before
    notes = result.provenance.steps[-1].notes
    assert any("moved by up to 5.39 mm (volume 1) and 4.05 degrees (volume 1)" in note for note in notes)


def test_a_turned_picture_is_turned_back() -> None:
    plane = gaussian(np.asarray(brain_mr(noise=0.0).clean.array, float)[32], [0.7] * 2)
    move = rigid_matrix((0.06,), (1.5, -2.5))
    back = np.asarray(np.linalg.inv(move), np.float64)
    found = rigid_motion(plane, moved(plane, back, (2.25, 2.25)), (2.25, 2.25))
    np.testing.assert_allclose(found.matrix, move, atol=0.01)


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_nothing_to_go_by_leaves_the_series(value: float) -> None:
    image = Image(np.full((3, 10, 10, 10), value), ("t", "z", "y", "x"), Geometry.regular((10, 10, 10)))
    np.testing.assert_array_equal(Motion()(image).array, image.array)
    short = Image(np.random.default_rng(0).random((1, 10, 10)), ("t", "y", "x"), Geometry.regular((10, 10)))
    result = Motion()(short)
    np.testing.assert_array_equal(result.array, short.array)
    assert "left as it was" in result.provenance.steps[-1].notes[0]
