"""B-mode ultrasound with speckle: a fetal-head-like ellipse or a cyst, of known axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage, special

from isocenter.core.codes import ANATOMY, MORPHOLOGY, Code
from isocenter.core.errors import ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.testing.phantoms._canvas import sourced

__all__ = ["Ultrasound", "ultrasound"]

_ROWS = {
    "head": Segment(1, "head", Code("69536005", "SCT", "Head"), ANATOMY),
    "cyst": Segment(1, "cyst", Code("441457006", "SCT", "Cyst"), MORPHOLOGY),
}


@dataclass(frozen=True)
class Ultrasound:
    """What `ultrasound` returns.

    Attributes
    ----------
    image
        uint8, log-compressed.
    truth
        The ellipse, filled (to the skull's outer edge for a head).
    center
        Row and column of its centre.
    axes
        Semi-axes in mm, the long one first.
    angle
        Of the long axis from the columns' direction towards the rows', in degrees.
    """

    image: Image
    truth: LabelMap
    center: tuple[float, float]
    axes: tuple[float, float]
    angle: float

    @property
    def circumference(self) -> float:
        """Length of the ellipse's outline in mm (complete elliptic integral of the second kind)."""
        a, b = self.axes
        return float(4.0 * a * special.ellipe(1.0 - (b / a) ** 2))

    @property
    def area(self) -> float:
        """Area of the ellipse in mm^2."""
        return math.pi * self.axes[0] * self.axes[1]


def ultrasound(
    shape: Sequence[int] = (240, 320),
    spacing: Sequence[float] = (0.5, 0.5),
    *,
    kind: Literal["head", "cyst"] = "head",
    seed: int = 0,
    axes: tuple[float, float] | None = None,
    angle: float = 15.0,
    dynamic_range: float = 60.0,
) -> Ultrasound:
    """Return a speckled picture of an ellipse.

    Parameters
    ----------
    shape, spacing
        Rows (depth), columns; mm.
    kind
        ``head``: a bright skull around darker tissue with a midline echo; ``cyst``: echo-free, brighter behind.
    seed
        Of the speckle.
    axes
        Semi-axes in mm, the long one first; default: 48 x 38 for the head, 22 x 16 for the cyst.
    angle
        Of the long axis in degrees.
    dynamic_range
        dB shown between black and white.

    Raises
    ------
    ParameterError
        If a parameter is outside its domain.

    References
    ----------
    C. B. Burckhardt, Speckle in ultrasound B-mode scans, IEEE Trans. Sonics Ultrasonics 25 (1978): fully
    developed speckle is the magnitude of a circular complex Gaussian field.
    """
    if kind not in _ROWS or len(tuple(shape)) != 2 or len(tuple(spacing)) != 2 or dynamic_range <= 0.0:
        raise ParameterError(f"Ultrasound phantom of kind {kind!r}: expected 'head' or 'cyst', two axes and a range above 0 dB.")
    long, short = axes or ((48.0, 38.0) if kind == "head" else (22.0, 16.0))
    if not long >= short > 0.0:
        raise ParameterError(f"Semi-axes {long} and {short} mm: expected the long one first and both above 0.")
    center = ((shape[0] - 1) / 2.0, (shape[1] - 1) / 2.0)
    depth = (np.arange(shape[0], dtype=np.float64)[:, None] - center[0]) * float(spacing[0])
    aside = (np.arange(shape[1], dtype=np.float64)[None, :] - center[1]) * float(spacing[1])
    turn = math.radians(angle)
    u = math.cos(turn) * aside + math.sin(turn) * depth
    v = -math.sin(turn) * aside + math.cos(turn) * depth
    inside = (u / long) ** 2 + (v / short) ** 2 <= 1.0
    decibel = _echo(kind, u, v, depth, aside, long, short, inside)
    envelope = _speckle(10.0 ** (decibel / 20.0), tuple(spacing), np.random.default_rng([seed, 1]))
    shown = 20.0 * np.log10(np.maximum(envelope, 1e-6)) + dynamic_range - 6.0
    array = np.clip(np.rint(255.0 * shown / dynamic_range), 0, 255).astype(np.uint8)
    geometry = Geometry.regular(shape, spacing)
    image = Image(array, ("y", "x"), geometry, modality="US", quantity="a.u.")
    truth = LabelMap(inside.astype(np.uint8), ("y", "x"), geometry, (_ROWS[kind],))
    return Ultrasound(sourced(image), sourced(truth), center, (long, short), angle)


def _echo(
    kind: str,
    u: npt.NDArray[np.float64],
    v: npt.NDArray[np.float64],
    depth: npt.NDArray[np.float64],
    aside: npt.NDArray[np.float64],
    long: float,
    short: float,
    inside: npt.NDArray[np.bool_],
) -> npt.NDArray[np.float64]:
    """Return the mean echo in dB below the brightest tissue."""
    base: npt.NDArray[np.float64] = np.full(inside.shape, -18.0)
    if kind == "cyst":
        base[inside] = -70.0
        behind = (np.abs(aside) < 0.8 * short) & (depth > 0.0) & ~inside
        base[behind] += 5.0
        return base
    wall = 3.0  # mm of skull inside the outline
    hollow = (u / (long - wall)) ** 2 + (v / (short - wall)) ** 2 <= 1.0
    # The beam meets the skull at a right angle above and below, and glances off at the sides.
    facing = np.abs(v / short) / np.maximum(np.hypot(u / long, v / short), 1e-9)
    base[inside & ~hollow] = (-9.0 + 9.0 * facing)[inside & ~hollow]
    base[hollow] = -32.0
    base[hollow & (np.abs(v) < 0.7) & (np.abs(u) < 0.75 * long)] = -14.0
    return base


def _speckle(amplitude: npt.NDArray[np.float64], spacing: tuple[float, ...], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return the envelope of scatterers of this amplitude, seen through a point spread of 0.4 x 0.8 mm (sigma)."""
    sigma = (0.4 / spacing[0], 0.8 / spacing[1])
    parts = [ndimage.gaussian_filter(amplitude * rng.standard_normal(amplitude.shape), sigma) for _ in range(2)]
    # Filtered white noise loses power: restored, so that the mean square is the amplitude's square.
    kernel = ndimage.gaussian_filter(np.pad(np.ones((1, 1)), 20), sigma)
    gain = 1.0 / math.sqrt(2.0 * float((kernel**2).sum()))
    result: npt.NDArray[np.float64] = np.hypot(*parts) * gain
    return result
