"""A fundus-like colour photograph of known vessels, optic disc and field of view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from isocenter.core.codes import ANATOMY, MORPHOLOGY, Code
from isocenter.core.errors import ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import MaskStack, Segment
from isocenter.core.provenance import Provenance
from isocenter.testing.phantoms._canvas import Canvas, Cylinder, sourced
from isocenter.testing.phantoms._tree import grow

__all__ = ["Fundus", "fundus"]

_ROWS = (
    Segment(1, "field of view", Code("5665001", "SCT", "Retina"), ANATOMY),
    Segment(2, "optic disc", Code("24010005", "SCT", "Optic disc"), ANATOMY),
    Segment(3, "vessels"),
    Segment(4, "lesion", Code("52988006", "SCT", "Lesion"), MORPHOLOGY),
)


@dataclass(frozen=True)
class Fundus:
    """What `fundus` returns.

    Attributes
    ----------
    image
        uint8, ``c y x`` (red, green, blue).
    truth
        Masks that may overlap: field of view, optic disc, vessels, lesion (bright exudates).
    disc
        Centre (row, column) and radius of the optic disc in pixels.
    field
        Centre (row, column) and radius of the field of view in pixels.
    """

    image: Image
    truth: MaskStack
    disc: tuple[float, float, float]
    field: tuple[float, float, float]


def fundus(
    shape: Sequence[int] = (256, 256),
    *,
    seed: int = 0,
    eye: Literal["right", "left"] = "right",
    lesions: int = 6,
    noise: float = 3.0,
    spacing: float | None = None,
) -> Fundus:
    """Return a colour photograph of a retina with its truth.

    Parameters
    ----------
    shape
        Rows, columns.
    seed
        Of vessels, lesions and noise.
    eye
        The disc lies nasal of the middle: on the right of the picture for a right eye.
    lesions
        Number of bright spots.
    noise
        Standard deviation in grey values (of 255).
    spacing
        Pixel size in mm; None for an uncalibrated photograph.

    Raises
    ------
    ParameterError
        If a parameter is outside its domain.
    """
    if len(tuple(shape)) != 2 or min(shape) < 32 or eye not in ("right", "left") or lesions < 0 or noise < 0.0:
        raise ParameterError(f"Fundus of shape {tuple(shape)}, eye {eye!r}: expected two axes of 32 or more, 'right' or 'left'.")
    rows, columns = int(shape[0]), int(shape[1])
    unit = min(rows, columns) / 256.0
    middle = ((rows - 1) / 2.0, (columns - 1) / 2.0)
    radius = 0.47 * min(rows, columns)
    sign = 1.0 if eye == "right" else -1.0
    disc = (middle[0], middle[1] + sign * 62.0 * unit, 17.0 * unit)
    # One slice in pixels serves the canvas: P is the row, L the column.
    canvas = Canvas(Geometry.regular((1, rows, columns), 1.0), 0.0, edge=1.2)
    rng = np.random.default_rng([seed, 1])
    for up in (-1.0, 1.0):
        for heading, thick, size in ((-sign * 0.75, 4.2, 52.0), (sign * 0.8, 2.6, 26.0), (-sign * 0.25, 3.0, 44.0)):
            start = (disc[1], disc[0] + up * 3.0 * unit, 0.0)
            for branch in grow(
                rng, start, (heading, up, 0.0), size * unit, thick * unit * 0.75, 4, spread=24.0, shrink=0.72, flat=True
            ):
                canvas.paint(branch, 1.0, 1)
    y, x = np.arange(rows)[:, None], np.arange(columns)[None, :]
    inside = np.hypot(y - middle[0], x - middle[1]) <= radius
    on_disc = np.hypot(y - disc[0], x - disc[1]) <= disc[2]
    spots, bright = _spots(canvas, lesions, middle, radius, disc, rng)
    vessels = (canvas.labels[0] == 1) & inside
    colour = _colour(y, x, middle, radius, disc, sign, unit, canvas.values[0], bright)
    colour = np.where(inside, colour, 4.0) + noise * np.random.default_rng([seed, 2]).standard_normal(colour.shape)
    array = np.clip(np.rint(colour), 0, 255).astype(np.uint8)
    geometry = Geometry.pixels((rows, columns)) if spacing is None else Geometry.regular((rows, columns), spacing)
    image = Image(array, ("c", "y", "x"), geometry, modality="OP", quantity="a.u.", channels=("red", "green", "blue"))
    masks = np.stack([inside, on_disc, vessels, spots & inside])
    truth = MaskStack(masks, ("y", "x"), geometry, _ROWS)
    truth = MaskStack(masks, ("y", "x"), geometry, _ROWS, Provenance.read(truth.digest, "phantom"))
    return Fundus(sourced(image), truth, disc, (*middle, radius))


def _spots(
    canvas: Canvas,
    count: int,
    middle: tuple[float, float],
    radius: float,
    disc: tuple[float, float, float],
    rng: np.random.Generator,
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float32]]:
    """Return where bright lesions are, and how much of each pixel they cover; away from the disc and the rim."""
    layer = Canvas(canvas.geometry, 0.0, edge=1.2)
    placed = 0
    while placed < count:
        angle, far = float(rng.uniform(0.0, 2.0 * np.pi)), radius * 0.85 * float(np.sqrt(rng.uniform(0.02, 1.0)))
        row, column = middle[0] + far * np.sin(angle), middle[1] + far * np.cos(angle)
        if np.hypot(row - disc[0], column - disc[1]) < 2.2 * disc[2]:
            continue
        size = radius * float(rng.uniform(0.015, 0.035))
        layer.paint(Cylinder((column, row), (size, size)), 1.0, 1)
        placed += 1
    return layer.labels[0] == 1, layer.values[0]


def _colour(
    y: npt.NDArray[np.int64],
    x: npt.NDArray[np.int64],
    middle: tuple[float, float],
    radius: float,
    disc: tuple[float, float, float],
    sign: float,
    unit: float,
    vessels: npt.NDArray[np.float32],
    bright: npt.NDArray[np.float32],
) -> npt.NDArray[np.float64]:
    """Return red, green and blue of the retina (0 to 255)."""
    far = np.hypot(y - middle[0], x - middle[1]) / radius
    shade = 1.0 - 0.35 * far**2
    macula = np.exp(-((y - middle[0]) ** 2 + (x - middle[1] + sign * 30.0 * unit) ** 2) / (2.0 * (16.0 * unit) ** 2))
    to_disc = np.hypot(y - disc[0], x - disc[1])
    pale = np.clip(0.5 - (to_disc - disc[2]) / (2.0 * unit), 0.0, 1.0)
    cup = np.clip(0.5 - (to_disc - 0.45 * disc[2]) / (3.0 * unit), 0.0, 1.0)
    channels = []
    for base, dark, disc_colour, blood, spot in ((196, 30, 240, 120, 245), (98, 36, 190, 36, 225), (50, 18, 120, 26, 120)):
        value = base * shade - dark * macula
        value = value + pale * (disc_colour - value) + cup * 12.0
        value = value + vessels * (blood * shade - value) * 0.85
        channels.append(value + bright * (spot - value))
    return np.stack(channels)
