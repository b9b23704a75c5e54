"""filter.gabor: the reference maps 4.a, the features 5.A, and directions."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.filter.gabor import Gabor
from tests.ops.filter.maps import Shared, require_continued, require_features, require_map, volume


@pytest.mark.parametrize(
    "name, operation",
    [
        ("4_a_1", Gabor(sigma=10.0, wavelength=4.0, gamma=0.5, theta=60.0, boundary="zero")),
        ("4_a_2", Gabor(sigma=10.0, wavelength=4.0, gamma=0.5, theta_step=45.0, planes=("yx", "zx", "zy"), boundary="zero")),
    ],
)
def test_reference_map(shared: Shared, name: str, operation: Gabor) -> None:
    require_map(shared, name, "impulse", operation, 0.001)


def test_reference_features(shared: Shared) -> None:
    require_features(shared, "5.A", Gabor(sigma=5.0, wavelength=2.0, gamma=1.5, theta_step=22.5, pooling="mean"))


def test_edges() -> None:
    require_continued(lambda b: Gabor(sigma=3.0, wavelength=5.0, theta=30.0, gamma=1.5, truncate=4.0, boundary=b), 6)


def test_stripes_answer_to_their_own_direction() -> None:
    y, x = np.indices((64, 64)) * 1.0
    turn = np.deg2rad(30.0)
    stripes = np.cos(2 * np.pi * (x * np.cos(turn) + y * np.sin(turn)) / 8.0)
    image = Image(stripes, ("y", "x"), Geometry.regular((64, 64), 1.0))
    answers = {
        t: float(np.asarray(Gabor(sigma=6.0, wavelength=8.0, theta=t)(image).array)[32, 32]) for t in (0.0, 30.0, 60.0, 90.0)
    }
    # Half of the wave's amplitude times the area of the Gaussian, 2 pi sigma^2.
    assert answers[30.0] == pytest.approx(np.pi * 36.0, rel=0.01)
    assert all(answers[t] < 0.2 * answers[30.0] for t in (0.0, 60.0, 90.0))
    pooled = np.asarray(Gabor(sigma=6.0, wavelength=8.0, theta_step=30.0, pooling="max")(image).array)
    assert pooled[32, 32] == pytest.approx(answers[30.0], rel=1e-9)


def test_refusals() -> None:
    plane = Image(np.zeros((5, 6)), ("y", "x"), Geometry.regular((5, 6), 1.0))
    with pytest.raises(ParameterError, match="names zx for an image with axes y x"):
        Gabor(planes=("yx", "zx"))(plane)
    with pytest.raises(ParameterError, match="each once"):
        Gabor(planes=())
    with pytest.raises(ContentError, match="not finite"):
        Gabor()(volume(np.full((3, 4, 5), np.nan)))
