"""A branching vessel tree of known radii in soft tissue, as in CT angiography."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isocenter.core.errors import ParameterError
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.core.points import Points
from isocenter.testing.phantoms._canvas import Canvas, Capsule, Vector, centered, frame_uid, sourced
from isocenter.testing.phantoms._tree import grow

__all__ = ["VesselTree", "vessel_tree"]


@dataclass(frozen=True)
class VesselTree:
    """What `vessel_tree` returns.

    Attributes
    ----------
    image
        HU, int16.
    truth
        One segment, ``vessels``.
    branches
        Every branch as a rod: start, end and both radii in mm.
    centreline
        Points along the axes, about 1 mm apart; ``values`` are the radii in mm there.
    """

    image: Image
    truth: LabelMap
    branches: tuple[Capsule, ...]
    centreline: Points


def vessel_tree(
    shape: Sequence[int] = (64, 64, 64),
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
    *,
    seed: int = 0,
    radius: float = 4.0,
    generations: int = 4,
    length: float = 20.0,
    contrast: float = 260.0,
    noise: float = 15.0,
) -> VesselTree:
    """Return a tree that enters from below and splits `generations` times.

    Parameters
    ----------
    shape, spacing
        Slices, rows, columns; mm.
    seed
        Of the branching and the noise.
    radius, length
        Of the trunk, mm; radii of children follow Murray's law.
    generations
        Splits after the trunk, 0 to 8; 0 is one rod whose volume is known by formula.
    contrast
        HU of blood above the tissue's 40 HU.
    noise
        Standard deviation in HU.

    Raises
    ------
    ParameterError
        If a parameter is outside its domain.
    """
    if not 0 <= generations <= 8 or radius <= 0.0 or length <= 0.0 or noise < 0.0:
        raise ParameterError(
            f"Vessel tree of {generations} generations, radius {radius} mm, length {length} mm, noise {noise} HU: "
            "expected 0 to 8, and sizes above 0."
        )
    geometry = centered(shape, spacing, (0.0, 0.0, 0.0), frame_uid("vessels", seed))
    bottom = -geometry.extent[0] / 2.0 + 1.5 * radius
    rng = np.random.default_rng([seed, 1])
    trunk: Vector = (0.0, 0.0, bottom)
    branches = tuple(grow(rng, trunk, (0.08, 0.05, 1.0), length, radius, generations, spread=38.0))
    canvas = Canvas(geometry, 40.0)
    for branch in branches:
        canvas.paint(branch, 40.0 + contrast, 1)
    if noise > 0.0:
        canvas.values += np.float32(noise) * np.random.default_rng([seed, 2]).standard_normal(geometry.shape, np.float32)
    dims = ("z", "y", "x")
    array = np.clip(np.rint(canvas.values), -1024, 3071).astype(np.int16)
    image = Image(array, dims, geometry, modality="CT", quantity="HU")
    truth = LabelMap(canvas.labels, dims, geometry, (Segment(1, "vessels"),))
    return VesselTree(sourced(image), sourced(truth), branches, _centreline(branches, geometry.frame))


def _centreline(branches: Sequence[Capsule], frame: str | None) -> Points:
    places, radii = [], []
    for branch in branches:
        start, end = np.asarray(branch.start), np.asarray(branch.end)
        steps = max(2, int(np.ceil(np.linalg.norm(end - start))))
        along = np.linspace(0.0, 1.0, steps)
        places.append(start + along[:, None] * (end - start))
        radii.append(branch.radius + along * (branch.end_radius - branch.radius))
    return Points(np.concatenate(places), None, np.concatenate(radii), frame)
