"""A ball in noise on slabs, for the tests of seeded segmenters."""

from __future__ import annotations

import numpy as np

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image

#: Middle of the ball, (L, P, S) in mm.
MIDDLE = (16.0, 14.0, 18.0)


def ball(noise: float, step: float = 100.0) -> tuple[Image, np.ndarray]:
    """Return an image with a bright ball of 9 mm radius, and where it is."""
    z, y, x = np.indices((18, 30, 33))
    truth = np.sqrt((2.0 * z - 18.0) ** 2 + (y - 14.0) ** 2 + (x - 16.0) ** 2) < 9.0
    values = step * truth + np.random.default_rng(4).normal(0, noise, truth.shape)
    geometry = Geometry.regular(truth.shape, (2.0, 1.0, 1.0))
    return Image(values.astype(np.float32), ("z", "y", "x"), geometry, modality="MR"), truth


def dice(found: object, truth: np.ndarray) -> float:
    """Return the overlap of labels and truth."""
    mask = np.asarray(found) > 0
    return float(2 * (mask & truth).sum() / (mask.sum() + truth.sum()))
