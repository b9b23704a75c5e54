"""An image and its truth for the full-reference metrics."""

from __future__ import annotations

import numpy as np

from isocenter.core.image import Image
from isocenter.testing.contracts.inputs import field, grid


def pair(shape: tuple[int, ...] = (15, 17, 19), noise: float = 30.0) -> tuple[Image, Image]:
    truth = (1000 * field(shape) - 200).astype(np.float32)
    noisy = (truth + noise * np.random.default_rng(2).standard_normal(shape)).astype(np.float32)
    dims = ("z", "y", "x")[3 - len(shape) :]
    return Image(noisy, dims, grid(shape), quantity="HU"), Image(truth, dims, grid(shape), quantity="HU")
