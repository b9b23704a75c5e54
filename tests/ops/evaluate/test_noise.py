"""evaluate.noise: the strength within a few percent, and the model behind it."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.ops.evaluate.noise import Noise
from isocenter.testing.contracts.inputs import grid
from isocenter.testing.phantoms.brain_mr import brain_mr

RNG = np.random.default_rng(0)


def smooth(shape: tuple[int, ...]) -> np.ndarray:
    axes = np.meshgrid(*[np.linspace(0, 3, n) for n in shape], indexing="ij")
    return 500 + 300 * np.sin(sum(axes)) + 100 * np.cos(axes[0])


def scores(array: np.ndarray, dims: tuple[str, ...] = ("z", "y", "x")) -> tuple[dict[str, float], str]:
    spatial = tuple(n for n, d in zip(array.shape, dims, strict=True) if d in "zyx")
    found = Noise()(Image(array, dims, grid(spatial)))
    return {k: float(v) for k, v in found.items()}, found.provenance.steps[-1].notes[0]


@pytest.mark.parametrize("shape, sigma", [((30, 32, 34), 5.0), ((120, 130), 25.0), ((3000,), 10.0)])
def test_sigma_of_gaussian_noise(shape: tuple[int, ...], sigma: float) -> None:
    found, note = scores(smooth(shape) + sigma * RNG.standard_normal(shape), ("z", "y", "x")[3 - len(shape) :])
    assert found["sigma"] == pytest.approx(sigma, rel=0.06)
    assert "Gaussian" in note


MODELS = {
    "Rician": lambda clean: np.hypot(clean + 12 * RNG.standard_normal(clean.shape), 12 * RNG.standard_normal(clean.shape)),
    "Gaussian": lambda clean: clean + 20 * RNG.standard_normal(clean.shape),
    "Poisson": lambda clean: RNG.poisson((clean + 50) / 4) * 4.0,
    "speckle": lambda clean: (clean + 50) * (1 + 0.1 * RNG.standard_normal(clean.shape)),
    "impulse": lambda clean: np.where(
        RNG.random(clean.shape) < 0.03, RNG.choice([0.0, 1000.0], clean.shape), clean + 5 * RNG.standard_normal(clean.shape)
    ).clip(0, 1000),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_model_is_recognised_on_the_head_phantom(name: str) -> None:
    _, note = scores(MODELS[name](np.asarray(brain_mr().clean.array, float)))
    assert name in note, note


def test_a_masked_background_does_not_count() -> None:
    array = smooth((24, 40, 40)) + 8 * RNG.standard_normal((24, 40, 40))
    array[:, :25] = 0.0
    assert scores(array)[0]["sigma"] == pytest.approx(8.0, rel=0.1)


def test_clean_constant_and_a_region() -> None:
    assert scores(np.full((9, 9, 9), 7.0))[0]["sigma"] == 0.0
    array = smooth((20, 20, 40))
    array[..., :20] += 30 * RNG.standard_normal((20, 20, 20))
    mask = np.zeros(array.shape, np.uint8)
    mask[:, :, 2:18] = 1
    image = Image(array, ("z", "y", "x"), grid(array.shape))
    region = LabelMap(mask, ("z", "y", "x"), grid(array.shape))
    assert float(Noise()(image, region)["sigma"]) == pytest.approx(30.0, rel=0.06)


def test_not_finite_samples_are_left_out() -> None:
    array = smooth((20, 20, 20)) + 10 * RNG.standard_normal((20, 20, 20))
    array[3:6, 4, 5] = np.nan
    assert scores(array)[0]["sigma"] == pytest.approx(10.0, rel=0.1)
