"""Surfaces in three dimensions: meshes rendered to a picture, without a graphics card.

Parallel projection, Lambert shading with ambient light from the viewer's side, opaque surfaces first and then the
transparent ones by depth, every pixel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from isocenter.core.errors import GridMismatchError, ParameterError
from isocenter.core.points import Mesh
from isocenter.kernels.raster3d import rasterise, vertex_normals
from isocenter.view.panels import scale_bar
from isocenter.view.style import GROUND, LIGHT, MARK, QUIET, area, blank, distinct, finish, label
from isocenter.view.text import clean

__all__ = ["VIEWS", "scene"]

FloatArray = npt.NDArray[np.float64]

#: View -> unit vectors (L, P, S) to the viewer's right, upwards, and away from the viewer.
VIEWS: dict[str, tuple[tuple[int, int, int], tuple[int, int, int], tuple[int, int, int]]] = {
    "anterior": ((1, 0, 0), (0, 0, 1), (0, 1, 0)),
    "posterior": ((-1, 0, 0), (0, 0, 1), (0, -1, 0)),
    "left": ((0, 1, 0), (0, 0, 1), (-1, 0, 0)),
    "right": ((0, -1, 0), (0, 0, 1), (1, 0, 0)),
    "superior": ((-1, 0, 0), (0, -1, 0), (0, 0, -1)),
    "inferior": ((1, 0, 0), (0, -1, 0), (0, 0, 1)),
}

_LETTERS = (("R", "L"), ("A", "P"), ("I", "S"))
_AMBIENT, _DIFFUSE = 0.34, 0.66
_FINER = 2  # samples per pixel and direction
_WORDS = {
    "anterior": "from the front",
    "posterior": "from behind",
    "left": "from the patient's left",
    "right": "from the patient's right",
    "superior": "from above",
    "inferior": "from the feet",
}
_EVEN = 4  # rounds in which normals are evened out, so that the steps of a mask do not show as rings
_PLAIN = (200, 205, 210)


@dataclass(frozen=True, eq=False)
class _Layer:
    depth: FloatArray
    colour: FloatArray
    opacity: float


def scene(
    meshes: Sequence[Mesh] | Mesh,
    *,
    view: str = "anterior",
    opacity: Mapping[str, float] | None = None,
    size: tuple[int, int] = (640, 560),
    title: str | None = None,
) -> bytes:
    """Return meshes rendered to PNG.

    Parameters
    ----------
    meshes
        Surfaces of one world, mm (L, P, S).
    view
        Where the viewer stands: ``anterior`` (the patient's right on the left), ``posterior``, ``left``,
        ``right``, ``superior``, ``inferior``.
    opacity
        Mesh name -> 0 to 1. Default: a surface that encloses another one is see-through, all else solid.
    size
        Width and height in pixels of the picture of the surfaces; the legend stands below it.
    title
        A line above the legend.

    Returns
    -------
    bytes
        PNG with orientation letters, scale bar and legend; equal for equal input.

    Raises
    ------
    ParameterError
        If there is nothing to draw, or a view, size or opacity is outside its domain.
    GridMismatchError
        If the meshes lie in different frames of reference.
    """
    drawn = [m for m in ((meshes,) if isinstance(meshes, Mesh) else tuple(meshes)) if len(m.faces)]
    _check(drawn, view, size)
    levels = _levels(drawn, dict(opacity or {}))
    colours = distinct([m.color or _PLAIN for m in drawn])
    width, height = size
    projected, pitch = _project(drawn, view, width * _FINER, height * _FINER)
    shape = (height * _FINER, width * _FINER)
    layers: list[_Layer] = []
    for mesh, points, colour, level in zip(drawn, projected, colours, levels, strict=True):
        normals = vertex_normals(mesh.vertices, mesh.faces, _EVEN) @ np.array(VIEWS[view], dtype=np.float64).T
        # Two passes where one sees through: the far side, then the near side.
        for front in (None,) if level >= 1.0 else (False, True):
            depth, normal = rasterise(points, mesh.faces, normals, shape, front)
            layers.append(_Layer(depth, _lit(normal, colour), level))
    rgb = _composed(layers, shape)
    fine = rgb.reshape(height, _FINER, width, _FINER, 3).mean(axis=(1, 3))
    legend = [(clean(m.name, 50), c, a) for m, c, a in zip(drawn, colours, levels, strict=True)]
    return finish(_framed(np.floor(fine + 0.5).astype(np.uint8), view, pitch * _FINER, legend, title))


def _check(drawn: list[Mesh], view: str, size: tuple[int, int]) -> None:
    if not drawn:
        raise ParameterError("No surface to render: expected at least one mesh with faces.")
    if view not in VIEWS:
        raise ParameterError(f"View '{clean(view, 40)}': expected one of {list(VIEWS)}.")
    if not (64 <= size[0] <= 2048 and 64 <= size[1] <= 2048):
        raise ParameterError(f"Picture of {size[0]} x {size[1]} pixels: expected 64 to 2048 each.")
    frames = {m.frame for m in drawn if m.frame}
    if len(frames) > 1:
        raise GridMismatchError(f"Meshes in {len(frames)} frames of reference: expected one; register them first.")


def _levels(drawn: list[Mesh], wanted: dict[str, float]) -> list[float]:
    boxes = [(m.vertices.min(axis=0), m.vertices.max(axis=0)) for m in drawn]
    levels = []
    for k, mesh in enumerate(drawn):
        inner = [
            j for j in range(len(drawn)) if j != k and (boxes[k][0] <= boxes[j][0]).all() and (boxes[j][1] <= boxes[k][1]).all()
        ]
        level = float(wanted.get(mesh.name, 0.3 if inner else 1.0))
        if not 0.0 < level <= 1.0:
            raise ParameterError(f"Opacity {level:g} of '{clean(mesh.name, 40)}': expected more than 0, at most 1.")
        levels.append(level)
    return levels


def _project(drawn: list[Mesh], view: str, columns: int, rows: int) -> tuple[list[FloatArray], float]:
    """Return column, row and depth of every vertex, and the mm per sample."""
    right, up, away = (np.array(v, dtype=np.float64) for v in VIEWS[view])
    # Every vertex that a face uses; a stray one must not move the camera.
    used = np.concatenate([m.vertices[np.unique(m.faces)] for m in drawn])
    low, high = used.min(axis=0), used.max(axis=0)
    centre, extent = (low + high) / 2, high - low
    margin = 0.86
    pitch = float(max(abs(extent @ right) / (columns * margin), abs(extent @ up) / (rows * margin), 1e-6))
    projected = []
    for mesh in drawn:
        moved = mesh.vertices - centre
        points = np.stack([moved @ right / pitch + (columns - 1) / 2, (rows - 1) / 2 - moved @ up / pitch, moved @ away], axis=1)
        projected.append(points)
    return projected, pitch


def _lit(normal: FloatArray, colour: tuple[int, int, int]) -> FloatArray:
    """Return lit colours; normals are in (right, up, away) of the view."""
    light = np.array([-0.35, 0.45, -0.82])
    light /= np.linalg.norm(light)
    length = np.linalg.norm(normal, axis=-1)
    # Both sides of a surface are lit: of an open one the inside is seen.
    cosine = np.abs(normal @ light) / np.where(length > 0, length, 1.0)
    lit: FloatArray = (_AMBIENT + _DIFFUSE * cosine)[..., None] * np.array(colour, dtype=np.float64)
    return lit


def _composed(layers: list[_Layer], shape: tuple[int, int]) -> FloatArray:
    """Return the picture: the nearest opaque surface, and over it the transparent ones before it, far to near."""
    rgb = np.broadcast_to(np.array([int(GROUND[k : k + 2], 16) for k in (1, 3, 5)], dtype=np.float64), (*shape, 3)).copy()
    solid = np.full(shape, np.inf)
    for layer in layers:
        if layer.opacity >= 1.0:
            nearer = layer.depth < solid
            rgb[nearer] = layer.colour[nearer]
            solid = np.where(nearer, layer.depth, solid)
    clear = [layer for layer in layers if layer.opacity < 1.0]
    if not clear:
        return rgb
    order = np.argsort(np.stack([-layer.depth for layer in clear]), axis=0, kind="stable")
    for place in range(len(clear)):
        for k, layer in enumerate(clear):
            here = (order[place] == k) & (layer.depth < solid)
            rgb[here] += layer.opacity * (layer.colour[here] - rgb[here])
    return rgb


def _framed(
    rgb: npt.NDArray[np.uint8], view: str, pitch: float, legend: list[tuple[str, tuple[int, int, int], float]], title: str | None
) -> Figure:
    rows, columns = rgb.shape[:2]
    shown = legend[:10]
    across = 2 if len(shown) > 2 else 1
    lines = -(-len(shown) // across)
    below = 12 + (28 if title else 0) + 24 * lines + 24 + (20 if len(legend) > len(shown) else 0)
    figure = blank(columns, rows + below, GROUND)
    axes = area(figure, 0, 0, columns, rows)
    axes.set_axis_off()
    axes.imshow(rgb, aspect="auto", interpolation="nearest")
    _annotate(figure, view, pitch, columns, rows)
    y = rows + 6.0
    if title:
        label(figure, 12, y, title, size=18, bold=True, color=LIGHT)
        y += 28
    wide, down = columns, rows + below
    for k, (name, colour, level) in enumerate(shown):
        left, top = 12 + (k % across) * columns / across, y + 24 * (k // across)
        tone = tuple(v / 255 for v in colour)
        box = Rectangle(
            (left / wide, 1 - (top + 15) / down),
            14 / wide,
            12 / down,
            transform=figure.transFigure,
            facecolor=tone,
            edgecolor="none",
        )
        figure.add_artist(box)
        words = name if level >= 1 else f"{name} (see-through)"
        label(figure, left + 22, top, words, size=15, color=LIGHT, limit=int((columns / across - 34) / 8.4))
    y += 24 * lines
    if len(legend) > len(shown):
        label(figure, 12, y, f"and {len(legend) - len(shown)} more", size=13, color=QUIET)
        y += 20
    label(figure, 12, y + 1, f"Seen {_WORDS[view]}", size=13, color=QUIET)
    return figure


def _annotate(figure: Figure, view: str, pitch: float, columns: int, rows: int) -> None:
    right, up, _ = (np.array(v) for v in VIEWS[view])

    def letter(vector: npt.NDArray[np.int64]) -> str:
        axis = int(np.abs(vector).argmax())
        return _LETTERS[axis][int(vector[axis] > 0)]

    places = [(-right, 10.0, rows / 2, "left", "center"), (right, columns - 10.0, rows / 2, "right", "center")]
    places += [(up, columns / 2, 8.0, "center", "top"), (-up, columns / 2, rows - 8.0, "center", "bottom")]
    for vector, x, y, across, along in places:
        label(figure, x, y, letter(vector), size=18, bold=True, color=MARK, across=across, along=along, halo=True)
    length, text = scale_bar(pitch, columns, "mm")
    wide, down = figure.get_size_inches() * figure.dpi
    bar = Rectangle(
        (12 / wide, 1 - (rows - 10) / down),
        length / wide,
        3 / down,
        transform=figure.transFigure,
        facecolor=LIGHT,
        edgecolor="none",
    )
    figure.add_artist(bar)
    label(figure, 12, rows - 16, text, size=12, color=LIGHT, along="bottom", halo=True)
