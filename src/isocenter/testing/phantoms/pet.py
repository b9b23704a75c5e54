"""Hot spheres of known uptake in a warm body, as PET and as CT on another grid of the same frame of reference.

After the body phantom of NEMA NU 2: six spheres of 10 to 37 mm in one transverse plane, 57.2 mm off the axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from isocenter.core.errors import ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.core.points import Points
from isocenter.testing.phantoms._canvas import Canvas, Cylinder, Ellipsoid, Vector, centered, frame_uid, sourced

__all__ = ["DIAMETERS", "HALF_LIFE", "PetPhantom", "pet"]

#: Inner diameters of the spheres in mm.
DIAMETERS: tuple[float, ...] = (10.0, 13.0, 17.0, 22.0, 28.0, 37.0)
#: Fluorine-18, seconds.
HALF_LIFE = 6586.2

_BODY = Cylinder((0.0, 0.0), (148.0, 112.0))
_INSERT = Cylinder((0.0, 0.0), (22.0, 22.0))


@dataclass(frozen=True)
class PetPhantom:
    """What `pet` returns.

    Attributes
    ----------
    image
        PET in SUVbw, float32.
    ct
        HU, int16, on its own grid in the same frame of reference.
    truth, ct_truth
        Body and ``hot spot 1`` ... on either grid.
    spheres
        Centres in mm; ``values`` are the diameters in mm.
    uptake
        SUVbw inside the spheres before blurring.
    background
        SUVbw of the body.
    weight
        kg.
    dose
        Injected activity in Bq at the time of injection.
    delay
        Seconds from injection to the start of the scan, to which the activities are corrected.
    """

    image: Image
    ct: Image
    truth: LabelMap
    ct_truth: LabelMap
    spheres: Points
    uptake: float
    background: float
    weight: float = 75.0
    dose: float = 3.7e8
    delay: float = 3600.0

    @property
    def bq_per_ml_per_suv(self) -> float:
        """Activity concentration in Bq/ml of SUVbw 1 (1 g of tissue is 1 ml), decay corrected to the scan's start."""
        return self.dose * 2.0 ** (-self.delay / HALF_LIFE) / (self.weight * 1000.0)

    @property
    def activity(self) -> Image:
        """The PET as activity concentration in Bq/ml."""
        array = np.asarray(self.image.array) * np.float32(self.bq_per_ml_per_suv)
        return sourced(self.image.replace(array=array, quantity="Bq/ml"))


def _spheres(diameters: Sequence[float]) -> tuple[Ellipsoid, ...]:
    found = []
    for k, diameter in enumerate(diameters):
        # The largest towards the patient's left; the next smaller ones follow on the posterior side.
        angle = 2.0 * np.pi * (len(diameters) - 1 - k) / len(diameters)
        place: Vector = (float(57.2 * np.cos(angle)), float(57.2 * np.sin(angle)), 0.0)
        found.append(Ellipsoid(place, (diameter / 2.0,) * 3))
    return tuple(found)


def _labels(canvas: Canvas, geometry: Geometry, count: int) -> LabelMap:
    rows = (Segment(1, "body"), *(Segment(2 + k, f"hot spot {k + 1}") for k in range(count)))
    return sourced(LabelMap(canvas.labels, ("z", "y", "x"), geometry, rows))


def pet(
    shape: Sequence[int] = (40, 80, 80),
    spacing: Sequence[float] = (4.0, 4.0, 4.0),
    *,
    ct_shape: Sequence[int] = (54, 144, 160),
    ct_spacing: Sequence[float] = (3.0, 2.0, 2.0),
    seed: int = 0,
    uptake: float = 8.0,
    background: float = 1.0,
    diameters: Sequence[float] = DIAMETERS,
    resolution: float = 5.0,
    noise: float = 0.05,
    misalignment: Vector = (0.0, 0.0, 0.0),
) -> PetPhantom:
    """Return a PET and a CT of one phantom.

    Parameters
    ----------
    shape, spacing
        Of the PET: slices, rows, columns; mm.
    ct_shape, ct_spacing
        Of the CT.
    seed
        Of the noise.
    uptake, background
        SUVbw of spheres and body.
    diameters
        Of the spheres in mm.
    resolution
        Full width at half maximum of the PET's point spread in mm; 0 for none.
    noise
        Standard deviation of the PET in SUV, where SUV is 1 (it grows with the square root); the CT has 10 HU.
    misalignment
        Shift (L, P, S) in mm of what the CT shows, as when the patient moved in between.

    Raises
    ------
    ParameterError
        If a parameter is outside its domain.

    References
    ----------
    NEMA NU 2-2018, Performance measurements of positron emission tomographs, section 7 (body phantom).
    """
    if min(uptake, background, resolution, noise) < 0.0 or not 1 <= len(diameters) <= 12 or min(diameters) <= 0.0:
        raise ParameterError("PET phantom: expected uptake, background, resolution and noise of 0 or more and 1 to 12 spheres.")
    frame = frame_uid("pet", seed)
    spheres = _spheres(diameters)
    grid = centered(shape, spacing, (0.0, 0.0, 0.0), frame)
    hot = Canvas(grid, 0.0)
    hot.paint(_BODY, background, 1)
    hot.paint(_INSERT, 0.0)
    for k, ball in enumerate(spheres):
        hot.paint(ball, uptake, 2 + k)
    values = hot.values
    if resolution > 0.0:
        values = ndimage.gaussian_filter(values, [resolution / 2.354820045 / s for s in grid.spacing], mode="nearest")
    if noise > 0.0:
        rng = np.random.default_rng([seed, 1])
        values = values + np.float32(noise) * np.sqrt(np.maximum(values, 0.0)) * rng.standard_normal(grid.shape, np.float32)
    image = Image(np.maximum(values, 0.0).astype(np.float32), ("z", "y", "x"), grid, modality="PT", quantity="SUVbw")
    ct, ct_truth = _ct(ct_shape, ct_spacing, spheres, misalignment, seed, frame)
    points = Points(
        np.array([b.center for b in spheres]),
        tuple(f"hot spot {k + 1}" for k in range(len(spheres))),
        np.array(list(diameters), dtype=float),
        frame,
    )
    return PetPhantom(sourced(image), ct, _labels(hot, grid, len(spheres)), ct_truth, points, uptake, background)


def _ct(
    shape: Sequence[int], spacing: Sequence[float], spheres: Sequence[Ellipsoid], shift: Vector, seed: int, frame: str
) -> tuple[Image, LabelMap]:
    # A little off the PET's middle, so that no two samples of the grids coincide.
    middle: Vector = (0.7 - shift[0], -0.4 - shift[1], 0.3 - shift[2])
    drawn = Canvas(centered(shape, spacing, middle, frame), -1000.0)
    drawn.paint(_BODY, 0.0, 1)
    drawn.paint(_INSERT, -700.0)
    for k, ball in enumerate(spheres):
        r = ball.radii[0]
        drawn.paint(Ellipsoid(ball.center, (r + 1.0, r + 1.0, r + 1.0)), 120.0)  # the glass
        drawn.paint(ball, 10.0, 2 + k)
    values = drawn.values + 10.0 * np.random.default_rng([seed, 2]).standard_normal(drawn.geometry.shape, np.float32)
    grid = centered(shape, spacing, (middle[0] + shift[0], middle[1] + shift[1], middle[2] + shift[2]), frame)
    array = np.clip(np.rint(values), -1024, 3071).astype(np.int16)
    image = Image(array, ("z", "y", "x"), grid, modality="CT", quantity="HU")
    return sourced(image), _labels(drawn, grid, len(spheres))
