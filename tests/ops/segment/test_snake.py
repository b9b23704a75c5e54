"""segment.snake: an ellipse from a circle, on oblong pixels, and a curve that stays inside the image."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.segment.snake import Snake
from tests.ops.segment.seeded import dice


def ellipse(spacing: tuple[float, float]) -> tuple[Image, np.ndarray]:
    shape = tuple(round(100 / s) for s in spacing)
    y, x = (np.arange(n) * s for n, s in zip(shape, spacing, strict=True))
    truth = ((y[:, None] - 50) / 22) ** 2 + ((x[None, :] - 48) / 30) ** 2 < 1
    values = 100.0 * truth + np.random.default_rng(0).normal(0, 10, truth.shape)
    return Image(values.astype(np.float32), ("y", "x"), Geometry.regular(truth.shape, spacing)), truth


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (2.0, 1.0), (0.7, 1.4)])
@pytest.mark.parametrize("start", [(20.0, 0.25), (34.0, -0.25)])
def test_settles_on_an_ellipse_from_inside_and_outside(spacing: tuple[float, float], start: tuple[float, float]) -> None:
    image, truth = ellipse(spacing)
    found = Snake(center=(48.0, 50.0, 0.0), radius=start[0], sigma=2.0, balloon=start[1])(image)
    assert dice(found.array, truth) > 0.95


def test_a_centre_outside_is_refused_and_haste_is_noted() -> None:
    image, _ = ellipse((1.0, 1.0))
    with pytest.raises(ParameterError, match="outside the image"):
        Snake(center=(500.0, 0.0, 0.0))(image)
    hasty = Snake(center=(48.0, 50.0, 0.0), radius=5.0, balloon=0.3, iterations=3)(image)
    assert any("not come to rest after 3" in note for note in hasty.provenance.steps[-1].notes)
