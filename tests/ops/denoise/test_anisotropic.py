"""denoise.anisotropic against explicit schemes and a closed form."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.kernels.diffusion import curvature_motion
from isocenter.ops.denoise.anisotropic import Anisotropic
from tests.ops.denoise._gain import Shared, gain


def scheme(array: np.ndarray, contrast: float, count: int, exponential: bool, steps: tuple[float, ...]) -> np.ndarray:
    time = 1.0 / (2.0 * sum(h**-2 for h in steps))
    for _ in range(count):
        change = np.zeros_like(array)
        for axis, h in enumerate(steps):
            apart = np.diff(array, axis=axis)
            slope = (apart / h / contrast) ** 2
            flow = apart / h**2 * (np.exp(-slope) if exponential else 1 / (1 + slope))
            low, high = ([(0, 0)] * array.ndim for _ in range(2))
            low[axis], high[axis] = (0, 1), (1, 0)
            change += np.pad(flow, low) - np.pad(flow, high)
        array = array + time * change
    return array


@pytest.mark.parametrize("conductance", ["rational", "exponential"])
@pytest.mark.parametrize("spacing", [(3.0, 1.0, 1.5), (0.5, 0.75)])
def test_equals_the_explicit_scheme(conductance: str, spacing: tuple[float, ...]) -> None:
    shape = (9, 12, 14)[: len(spacing)]
    array = np.random.default_rng(0).normal(300, 40, shape)
    array[3:6] += 400
    image = Image(array.astype(np.float32), ("z", "y", "x")[3 - len(shape) :], Geometry.regular(shape, spacing))
    steps = tuple(s / min(spacing) for s in spacing)
    expected = scheme(array, 60.0, 5, conductance == "exponential", steps)
    found = Anisotropic(conductance=conductance, contrast=60.0)(image).array
    np.testing.assert_allclose(found, expected, atol=5e-3)


@pytest.mark.parametrize("count, shape", [(2, (81, 81)), (3, (41, 41, 41))])
def test_a_ball_shrinks_by_its_curvature(count: int, shape: tuple[int, ...]) -> None:
    away = np.sqrt(sum((k - k.mean()) ** 2 for k in np.indices(shape).astype(float)))
    found = curvature_motion(np.clip(15 - away, -8, 8), 30, 1 / (2 * count))
    profile = found[tuple(n // 2 for n in shape[:-1])][shape[-1] // 2 :]
    radius = np.interp(0.0, profile[::-1], np.arange(len(profile))[::-1])
    assert radius == pytest.approx(np.sqrt(15**2 - 2 * (count - 1) * 30 / (2 * count)), abs=0.01)


WON = [
    ("rational", "phantom", 7.8), ("rational", "real", 6.1), ("exponential", "phantom", 7.1), ("exponential", "real", 5.2),
    ("curvature", "phantom", 1.1), ("curvature", "real", 3.3),
]  # fmt: skip


@pytest.mark.parametrize("conductance, which, least", WON)
def test_wins_and_keeps_the_mean(conductance: str, which: str, least: float, shared: Shared) -> None:
    won, moved = gain(Anisotropic(conductance=conductance), which, shared)
    assert won >= least
    assert abs(moved) < 1e-5


def test_photographs_by_samples() -> None:
    colour = np.random.default_rng(0).integers(0, 255, (3, 20, 20)).astype(np.uint8)
    image = Image(colour, ("c", "y", "x"), Geometry.pixels((20, 20)), channels=("r", "g", "b"))
    assert Anisotropic(along="samples", contrast=30.0)(image).dtype == np.float32
