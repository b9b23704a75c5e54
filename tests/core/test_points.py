"""Points, Boxes, Contours and Mesh."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from isocenter.core.errors import ParameterError
from isocenter.core.points import Boxes, Contour, Contours, Mesh, Points, as_positions

BOX_FACES = [
    [0, 2, 3], [0, 3, 1], [4, 5, 7], [4, 7, 6], [0, 1, 5], [0, 5, 4],
    [2, 6, 7], [2, 7, 3], [0, 4, 6], [0, 6, 2], [1, 3, 7], [1, 7, 5],
]  # fmt: skip


def box(sides: tuple[float, float, float] = (2.0, 3.0, 4.0), at: float = 0.0) -> Mesh:
    corners = np.array(list(np.ndindex(2, 2, 2)), dtype=float) * sides + at
    return Mesh(corners, np.array(BOX_FACES))


@pytest.mark.parametrize("at", [0.0, 100.0])
def test_a_box_has_its_volume_and_area_wherever_it_lies(at: float) -> None:
    mesh = box(at=at)
    assert mesh.is_closed
    assert np.isclose(mesh.volume, 24.0)
    assert np.isclose(mesh.area, 2 * (6 + 8 + 12))


def test_a_mesh_with_a_missing_face_is_open() -> None:
    assert not Mesh(box().vertices, np.array(BOX_FACES[:-1])).is_closed
    assert not Mesh(np.zeros((0, 3)), np.zeros((0, 3), int)).is_closed


@pytest.mark.parametrize("face", [(0, 1, 8), (-1, 0, 1)])
def test_faces_refer_to_vertices(face: tuple[int, int, int]) -> None:
    with pytest.raises(ParameterError, match="outside 0 to 7"):
        Mesh(box().vertices, np.array([face]))


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: Points(np.zeros((2, 2))), r"expected \(n, 3\)"),
        (lambda: Points(np.full((1, 3), np.nan)), "not finite"),
        (lambda: Points(np.zeros((2, 3)), names=("a",)), "1 names for 2 points"),
        (lambda: Points(np.zeros((2, 3)), values=np.zeros(3)), "3 values for 2 points"),
        (lambda: Boxes(np.array([[[1.0, 0, 0], [0.0, 1, 1]]])), "highest corner lies below"),
        (lambda: Boxes(np.zeros((1, 2, 3)), names=("a", "b")), "2 names for 1 boxes"),
        (lambda: Boxes(np.zeros((1, 2, 3)), scores=np.zeros(2)), "2 scores for 1 boxes"),
        (lambda: Contour(np.zeros((4, 2))), "Contour of shape"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(build: Any, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        build()


def test_nothing_found_is_an_empty_value() -> None:
    assert len(Points(np.zeros(0))) == len(Boxes([])) == len(Contours("gtv", ())) == 0  # type: ignore[arg-type]  # array-likes are taken
    assert Points(np.zeros((0, 3))).digest == Points([]).digest  # type: ignore[arg-type]  # as above


def test_digests_follow_the_content() -> None:
    one = Points(np.ones((2, 3)), names=("a", "b"))
    assert one.digest == Points(np.ones((2, 3)), names=("a", "b")).digest
    assert one.digest != Points(np.ones((2, 3)), names=("a", "c")).digest
    assert one.digest != Points(np.ones((2, 3)), names=("a", "b"), values=np.ones(2)).digest
    assert box().digest == box().digest != box(at=1.0).digest
    square = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0]])
    assert Contours("a", (Contour(square),)).digest != Contours("a", (Contour(square, closed=False),)).digest
    assert (
        Contours("a", (Contour(square), Contour(square[:2]))).digest
        != Contours("a", (Contour(np.vstack([square, square[:2]])),)).digest
    )
    assert Boxes(np.zeros((1, 2, 3)), scores=np.array([0.5])).digest != Boxes(np.zeros((1, 2, 3))).digest


def test_values_are_copies_that_cannot_be_written() -> None:
    array = np.zeros((2, 3))
    made = Points(array)
    array[:] = 5
    assert not made.positions.any()
    with pytest.raises(ValueError, match="read-only"):
        made.positions[0, 0] = 1


def test_as_positions_takes_points_and_arrays() -> None:
    np.testing.assert_array_equal(as_positions((1.0, 2.0, 3.0)), [[1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(as_positions(Points(np.ones((2, 3)))), np.ones((2, 3)))
