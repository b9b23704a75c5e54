"""Surfaces rendered: where they are, what hides what, the same every time."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import GridMismatchError, ParameterError
from isocenter.core.points import Mesh
from isocenter.view.scene import VIEWS, scene
from tests.view.samples import HOSTILE, centre_of, chunks, decoded

SIZE = (200, 160)


def box(
    centre: tuple[float, float, float], half: float, name: str, color: tuple[int, int, int] | None = None, **more: str
) -> Mesh:
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=float) * half + centre
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([f for a, b, c, d in quads for f in ((a, b, c), (a, c, d))])
    return Mesh(corners, faces, name, color, **more)  # type: ignore[arg-type]  # keywords of Mesh


RED = box((60, 0, 40), 20, "red", (230, 40, 40))  # on the patient's left, towards the head
BLUE = box((-60, 0, -40), 20, "blue", (40, 60, 230))


def _where(png: bytes, channel: int) -> tuple[float, float]:
    """The middle of what is of one colour, in the picture above the legend."""
    pixels = decoded(png)[: SIZE[1]].astype(int)
    others = [k for k in range(3) if k != channel]
    return centre_of(pixels[..., channel] > 2 * pixels[..., others].max(axis=-1) + 10)


@pytest.mark.parametrize(
    ("view", "right", "up"),
    [
        ("anterior", True, True),
        ("posterior", False, True),
        ("left", None, True),
        ("superior", False, None),
        ("inferior", True, None),
    ],
)
def test_the_left_is_where_the_view_has_it(view: str, right: bool | None, up: bool | None) -> None:
    row, column = _where(scene([RED, BLUE], view=view, size=SIZE), 0)
    if right is not None:
        assert (column > 0.5) == right
    if up is not None:
        assert (row < 0.5) == up


@pytest.mark.parametrize("view", VIEWS)
def test_views_are_right_handed(view: str) -> None:
    right, up, away = (np.array(v) for v in VIEWS[view])
    assert np.array_equal(np.cross(right, up), -away)


def test_the_nearer_surface_hides_the_farther() -> None:
    near, far = box((0, -50, 0), 20, "near", (40, 60, 230)), box((0, 50, 0), 19, "far", (230, 40, 40))
    for meshes in ([near, far], [far, near]):
        pixels = decoded(scene(meshes, size=SIZE))[: SIZE[1]].astype(int)
        assert not (pixels[..., 0] > 2 * pixels[..., 2] + 10).any()


def test_an_enclosing_surface_is_see_through() -> None:
    inner, outer = box((0, 0, 0), 10, "tumour", (230, 40, 40)), box((0, 0, 0), 40, "body", (160, 160, 160))
    shown = scene([outer, inner], size=SIZE)
    assert _where(shown, 0) == pytest.approx((0.5, 0.5), abs=0.03)
    solid = decoded(scene([outer, inner], size=SIZE, opacity={"body": 1.0}))[: SIZE[1]].astype(int)
    assert not (solid[..., 0] > 2 * solid[..., 1] + 10).any()


def test_order_of_meshes_does_not_change_the_surfaces() -> None:
    meshes = [RED, BLUE, box((0, 0, 0), 90, "body", (150, 150, 150))]
    first, second = (decoded(scene(m, size=SIZE))[: SIZE[1]].astype(int) for m in (meshes, meshes[::-1]))
    # The legend's order enters the palette, which the soft edges of the letters are rounded to.
    differs = np.abs(first - second).max(axis=-1)
    assert differs.max() <= 20
    assert (differs > 0).mean() < 0.002


def test_equal_input_gives_equal_bytes_and_only_pixels() -> None:
    png = scene([RED, BLUE], title="Two boxes", size=SIZE)
    assert png == scene([RED, BLUE], title="Two boxes", size=SIZE)
    assert set(chunks(png)) <= {"IHDR", "PLTE", "IDAT", "IEND"}


def test_a_stray_vertex_does_not_move_the_camera() -> None:
    stray = Mesh(np.concatenate([RED.vertices, [[1e6, 1e6, 1e6]]]), RED.faces, RED.name, RED.color)
    assert scene(stray, size=SIZE) == scene(RED, size=SIZE)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_are_drawn_as_text(text: str) -> None:
    assert decoded(scene(box((0, 0, 0), 1, text), title=text, size=(120, 90))).size


def test_flat_and_tiny_meshes() -> None:
    flat = Mesh(np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2]]), "flat")
    for view in VIEWS:
        assert scene(flat, view=view, size=(100, 100))


def test_bad_requests_get_a_sentence() -> None:
    with pytest.raises(ParameterError, match="at least one mesh"):
        scene([Mesh(np.zeros((0, 3)), np.zeros((0, 3), int))])
    with pytest.raises(ParameterError, match="expected one of"):
        scene(RED, view="front")
    with pytest.raises(ParameterError, match="Opacity"):
        scene(RED, opacity={"red": 0.0})
    with pytest.raises(ParameterError, match="64 to 2048"):
        scene(RED, size=(10, 100))
    with pytest.raises(GridMismatchError, match="frames of reference"):
        scene([box((0, 0, 0), 1, "a", frame="1.2"), box((0, 0, 0), 1, "b", frame="1.3")])
