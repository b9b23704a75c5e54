"""Slices in radiological display convention, whatever order the samples are stored in.

Axial slices are seen from the feet (the patient's right on the viewer's left, anterior up), coronal ones from the
front (right on the left, superior up), sagittal ones from the patient's left (anterior on the left, superior up).
Everything is computed relative to the centre of the volume after its axes were put in one order, so that
the same volume stored in any of its 48 orders gives the same pixels, bit by bit.

References
----------
DICOM PS3.3 C.7.6.1.1.1 (Patient Orientation); DICOM PS3.17 (display of axial, coronal and sagittal planes).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.view.windows import Window, choose

__all__ = ["PLANES", "Panel", "Plane", "PlaneName", "Volume", "anatomical", "slice_rgb"]

Array = npt.NDArray[Any]
Vector = npt.NDArray[np.float64]
PlaneName = Literal["axial", "coronal", "sagittal"]

#: Plane -> unit vectors (L, P, S) to the viewer's right, downwards, and away along its normal.
PLANES: dict[str, tuple[tuple[int, int, int], tuple[int, int, int], tuple[int, int, int]]] = {
    "axial": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "coronal": ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    "sagittal": ((0, 1, 0), (0, 0, -1), (1, 0, 0)),
}

_LETTERS = (("R", "L"), ("A", "P"), ("I", "S"))
_PROJECTIONS = frozenset({"DX", "CR", "MG", "XA", "RF", "US", "IO", "PX", "OP", "OPT", "SM", "XC", "GM", "ES", "IVUS", "OT"})
_MOST_PIXELS = 1024  # along one side of a panel


def anatomical(image: Image) -> bool:
    """Return whether the grid says where the samples lie in the patient.

    Projections, ultrasound and photographs carry no direction in the patient; neither does anything
    without a pixel size, nor a plain two-dimensional picture of unknown modality.
    """
    if image.geometry.unit != "mm" or image.modality in _PROJECTIONS:
        return False
    return image.geometry.ndim == 3 or image.modality is not None


@dataclass(frozen=True)
class Plane:
    """A slice as an array with everything needed to read it.

    Attributes
    ----------
    name
        ``axial``, ``coronal``, ``sagittal``; ``as stored`` for pictures without anatomy.
    letters
        Patient directions at the left, right, top and bottom edge; empty texts where there are none.
    pitch
        mm (or px) per pixel, in both directions.
    offset
        Coordinate of the slice along its normal, from the centre of the volume, in mm.
    """

    name: str
    letters: tuple[str, str, str, str]
    pitch: float
    offset: float
    right: Vector
    down: Vector
    normal: Vector
    shape: tuple[int, int]

    def points(self) -> Vector:
        """Return where the pixels lie in the display frame, shape (rows, columns, 3), from the volume's centre."""
        rows, columns = self.shape
        across = (np.arange(columns) - (columns - 1) / 2) * self.pitch
        along = (np.arange(rows) - (rows - 1) / 2) * self.pitch
        points: Vector = self.normal * self.offset + along[:, None, None] * self.down + across[None, :, None] * self.right
        return points

    def column_row(self, point: Vector) -> tuple[float, float]:
        """Return where a point of the display frame falls, in pixels from the centre of the first one."""
        rows, columns = self.shape
        across, along = float(point @ self.right), float(point @ self.down)
        return across / self.pitch + (columns - 1) / 2, along / self.pitch + (rows - 1) / 2


@dataclass(frozen=True, eq=False)
class Volume:
    """One time point of an image with its axes put in the order superior, posterior, left.

    Attributes
    ----------
    array
        Shape (s, p, l), or (s, p, l, 3) for colours: a view of the image's samples.
    geometry
        Their grid, of three axes (a single slice has one of length 1).
    anatomy
        Whether the axes lie in the patient.
    planes
        The planes worth showing: all three, or the one of a single slice.
    """

    array: Array
    geometry: Geometry
    anatomy: bool
    planes: tuple[str, ...]

    @classmethod
    def of(cls, image: Image) -> Volume:
        """Return the volume of an image without time axis.

        Raises
        ------
        ContentError
            For images with a time axis or with one spatial axis only.
        """
        if "t" in image.dims:
            raise ContentError(f"Image of dims {' '.join(image.dims)}: expected one time point; take it with image.at(t=...).")
        if image.geometry.ndim < 2:
            raise ContentError(f"Image of dims {' '.join(image.dims)}: expected two or three spatial axes to show a slice.")
        array = np.asarray(image.array)
        if "c" in image.dims:
            array = _colours(np.moveaxis(array, image.dims.index("c"), -1), image)
        geometry = image.geometry
        anatomy = anatomical(image)
        if geometry.ndim == 2:
            array, geometry = array[None], _lifted(geometry)
        if not anatomy:
            steps = geometry.spacing
            plain = Geometry.regular(geometry.shape, steps)
            return cls(array, Geometry(plain.shape, plain.affine, None, geometry.unit), False, ("axial",))
        array, geometry = _ordered(array, geometry)
        thin = [name for name, axis in (("axial", 0), ("coronal", 1), ("sagittal", 2)) if geometry.shape[axis] == 1]
        return cls(array, geometry, True, (thin[0],) if len(thin) == 1 else tuple(PLANES))

    @property
    def colour(self) -> bool:
        """Whether samples are red, green, blue."""
        return bool(self.array.ndim == 4)

    @cached_property
    def middle(self) -> Vector:
        """Continuous index of the centre of the volume."""
        return (np.asarray(self.geometry.shape, dtype=np.float64) - 1) / 2

    @cached_property
    def frame(self) -> Vector:
        """Shape (3, 3): the directions called L, P, S on screen, as columns in the world.

        The patient's own axes, unless the grid is turned against them by more than 10 degrees: then the rotation
        nearest to the grid's axes, so that an oblique series is shown as it was acquired.
        """
        axes = self.geometry.direction[:, ::-1]
        left, _, right = np.linalg.svd(axes)
        rotation: Vector = left @ right
        angle = math.degrees(math.acos(min(1.0, max(-1.0, (float(np.trace(rotation)) - 1) / 2))))
        return np.eye(3) if angle <= 10.0 + self.geometry.shear else rotation

    @property
    def turned(self) -> float:
        """Angle in degrees between the planes shown and those of the patient."""
        return math.degrees(math.acos(min(1.0, max(-1.0, (float(np.trace(self.frame)) - 1) / 2))))

    @cached_property
    def _to_index(self) -> Vector:
        # Rounded so that orders of storage, whose origins differ in the last bit, cannot differ here.
        return np.round(np.linalg.inv(self.geometry.affine[:3, :3]) @ self.frame, 9)

    def index(self, points: Vector) -> Vector:
        """Return continuous indices (..., 3) of points of the display frame (..., 3), in mm from the centre."""
        result: Vector = np.round(points @ self._to_index.T + self.middle, 6)
        return result

    def point(self, index: Sequence[float]) -> Vector:
        """Return the point of the display frame, in mm from the centre, of a continuous index."""
        step = self.frame.T @ self.geometry.affine[:3, :3]
        result: Vector = np.round(step @ (np.asarray(index, dtype=np.float64) - self.middle), 6)
        return result

    def world(self, points: Vector) -> Vector:
        """Return positions in the world (L, P, S), mm, of points of the display frame."""
        result: Vector = points @ self.frame.T + self.geometry.to_world(self.middle)
        return result

    def local(self, world: Vector) -> Vector:
        """Return points of the display frame, in mm from the centre, of positions in the world."""
        result: Vector = np.round((world - self.geometry.to_world(self.middle)) @ self.frame, 6)
        return result

    def plane(self, name: str, through: Vector | None = None) -> Plane:
        """Return the plane of that name through a point of the display frame (default: the centre).

        On a grid that lies along the display's axes the plane is moved to the nearest sample centres.
        """
        if name not in PLANES:
            raise ParameterError(f"Plane '{name}': expected one of {list(PLANES)}.")
        point = np.zeros(3) if through is None else np.asarray(through, dtype=np.float64)
        index = np.clip(np.round(self.index(point)), 0, np.asarray(self.geometry.shape) - 1)
        if self._aligned:
            point = self.point(tuple(index))
        right, down, normal = (np.asarray(v, dtype=np.float64) for v in PLANES[name])
        corners = (np.array(np.meshgrid(*[(-0.5, 0.5)] * 3, indexing="ij")).reshape(3, -1).T) * self.geometry.shape
        spread = np.round((corners @ self.geometry.affine[:3, :3].T) @ self.frame, 6)
        width, height = (float(np.ptp(spread @ v)) for v in (right, down))
        pitch = max(self._pitch(right, down), width / _MOST_PIXELS, height / _MOST_PIXELS)
        shape = (max(1, math.ceil(height / pitch - 1e-4)), max(1, math.ceil(width / pitch - 1e-4)))
        letters = _edge_letters(self.frame @ right, self.frame @ down) if self.anatomy else ("", "", "", "")
        title = name if self.anatomy else "as stored"
        return Plane(title, letters, pitch, float(point @ normal), right, down, normal, shape)

    @cached_property
    def _aligned(self) -> bool:
        return bool((np.count_nonzero(np.abs(self._to_index) > 1e-7, axis=1) == 1).all())

    def _pitch(self, right: Vector, down: Vector) -> float:
        """Return the finest spacing of the axes that lie mostly in the plane."""
        axes = self.frame.T @ self.geometry.direction
        inplane = np.maximum(np.abs(right @ axes), np.abs(down @ axes)) > 0.7
        return round(min(s for s, used in zip(self.geometry.spacing, inplane, strict=True) if used), 6)

    def sample(self, plane: Plane) -> tuple[Array, npt.NDArray[np.bool_]]:
        """Return the values at a plane's pixels (linear between samples) and which of them lie inside."""
        return interpolate(self.array, self.index(plane.points()))


def interpolate(array: Array, index: Vector, of: int | None = None) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Return values at continuous indices, linear between samples.

    Parameters
    ----------
    array
        Shape (a, b, c), or (a, b, c, channels).
    index
        Shape (..., 3).
    of
        Interpolate the mask of this label instead of the values (it is never made as a whole).

    Returns
    -------
    values, inside
        float64 of shape (...) or (..., channels), zero outside; and whether the position lies within half a sample
        of the volume.
    """
    shape = np.asarray(array.shape[:3])
    inside: npt.NDArray[np.bool_] = np.asarray(((index >= -0.5) & (index < shape - 0.5)).all(axis=-1))
    places = np.clip(index[inside], 0, shape - 1)
    low = np.floor(places).astype(np.int64)
    part = places - low
    high = np.minimum(low + 1, shape - 1)
    values = np.zeros((*inside.shape, *array.shape[3:]))
    total = np.zeros((len(places), *array.shape[3:]))
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod([part[:, k] if up else 1 - part[:, k] for k, up in enumerate(corner)], axis=0)
        if not weight.any():  # a plane of sample centres needs four corners, or one
            continue
        where = tuple(high[:, k] if up else low[:, k] for k, up in enumerate(corner))
        found = (array[where] if of is None else array[where] == of).astype(np.float64)
        # 0 * NaN would spread a missing sample to neighbours that do not use it.
        used = weight.reshape(-1, *[1] * (array.ndim - 3))
        total += np.where(used > 0, found * used, 0.0)
    values[inside] = total
    return values, inside


def nearest(array: Array, index: Vector) -> Array:
    """Return the values of the samples nearest to continuous indices (..., 3), zero outside."""
    shape = np.asarray(array.shape[:3])
    inside = ((index >= -0.5) & (index < shape - 0.5)).all(axis=-1)
    places = np.clip(np.floor(index + 0.5), 0, shape - 1).astype(np.int64)
    return np.where(inside, array[places[..., 0], places[..., 1], places[..., 2]], 0)


@dataclass(frozen=True, eq=False)
class Panel:
    """A slice as it is shown: pixels, the plane they lie on, and which of them are inside the volume."""

    rgb: npt.NDArray[np.uint8]
    plane: Plane
    inside: npt.NDArray[np.bool_]


def panel(volume: Volume, plane: Plane, window: Window) -> Panel:
    """Return a slice as uint8 RGB; what lies outside the volume is black."""
    values, inside = volume.sample(plane)
    if volume.colour:
        rgb = np.clip(np.floor(values + 0.5), 0, 255).astype(np.uint8)
    else:
        rgb = np.repeat(window.apply(values)[..., None], 3, axis=-1)
    rgb[~inside] = 0
    return Panel(rgb, plane, inside)


def slice_rgb(
    image: Image,
    plane: PlaneName = "axial",
    position: Sequence[float] | None = None,
    window: Window | str | None = None,
) -> npt.NDArray[np.uint8]:
    """Return one slice in radiological display convention.

    Parameters
    ----------
    image
        Two or three spatial axes, without time.
    plane
        ``axial``, ``coronal`` or ``sagittal``; images without anatomy are shown as they are stored.
    position
        A point (L, P, S) in mm that the slice goes through; default: the centre of the volume.
    window
        What becomes black and white; default: chosen by modality and quantity.

    Returns
    -------
    numpy.ndarray
        uint8, shape (rows, columns, 3), square pixels.
    """
    volume = Volume.of(image)
    through = None if position is None else volume.local(np.asarray(position, dtype=np.float64))
    chosen = choose(image, sampled(volume), wanted=window)
    name = plane if volume.anatomy else volume.planes[0]
    return panel(volume, volume.plane(name, through), chosen).rgb


def sampled(volume: Volume, most: int = 2_000_000) -> Array:
    """Return the samples, or evenly spread ones of a large volume, in one order."""
    step = max(1, math.ceil((volume.geometry.size / most) ** (1 / 3)))
    thin: Array = np.ascontiguousarray(volume.array[::step, ::step, ::step])
    return thin


def _colours(array: Array, image: Image) -> Array:
    """Return samples with the channel axis last: three of 8 bits as colours, else the first channel alone."""
    if array.shape[-1] in (3, 4) and array.dtype == np.uint8:
        return array[..., :3]
    return array[..., 0]


def _lifted(geometry: Geometry) -> Geometry:
    """Return a plane grid as a volume of one slice."""
    across = np.cross(geometry.direction[:, 0], geometry.direction[:, 1])
    thickness = max(geometry.spacing)
    affine = np.zeros((4, 4))
    affine[:3, 0] = across / np.linalg.norm(across) * thickness
    affine[:, 1:] = geometry.affine
    return Geometry((1, *geometry.shape), affine, geometry.frame, geometry.unit)


def _ordered(array: Array, geometry: Geometry) -> tuple[Array, Geometry]:
    """Return array (as a view) and grid with axes running to superior, posterior and left."""
    pairs = ("SI", "PA", "LR")
    axes = [next(k for k, letter in enumerate(geometry.orientation) if letter in pair) for pair in pairs]
    array = np.transpose(array, [*axes, *range(3, array.ndim)])
    geometry = geometry.transpose(axes)
    for axis, pair in enumerate(pairs):
        if geometry.orientation[axis] != pair[0]:
            array, geometry = np.flip(array, axis), geometry.flip(axis)
    return array, geometry


def _edge_letters(right: Vector, down: Vector) -> tuple[str, str, str, str]:
    return _direction(-right), _direction(right), _direction(-down), _direction(down)


def _direction(vector: Vector) -> str:
    """Return the letter of a direction in the patient, or two (the stronger first) where it is oblique."""
    order = sorted(range(3), key=lambda k: (-round(abs(float(vector[k])), 6), k))
    strong = [k for k in order[:2] if abs(vector[k]) > 0.34]
    return "".join(_LETTERS[k][int(vector[k] > 0)] for k in strong)
