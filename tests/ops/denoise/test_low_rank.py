"""denoise.low_rank."""

from __future__ import annotations

import numpy as np
import pytest

import isocenter as iso
from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.denoise.low_rank import LowRank
from tests.ops.denoise._gain import psnr

SHAPE = (10, 18, 20)


def series(count: int = 30, components: int = 4, sigma: float = 15.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = 500 + 100 * np.tensordot(rng.standard_normal((count, components)), rng.random((components, *SHAPE)), 1)
    return truth, truth + sigma * rng.standard_normal(truth.shape)


def run(array: np.ndarray, **options: int) -> tuple[np.ndarray, tuple[str, ...]]:
    dims = ("t", "z", "y", "x")[:1] + ("z", "y", "x")[4 - array.ndim :]
    found = LowRank(**options)(Image(array, dims, Geometry.regular(array.shape[1:])))
    return np.asarray(found.array), found.provenance.steps[-1].notes


def test_wins_keeps_the_mean_and_finds_the_noise() -> None:
    truth, noisy = series()
    found, notes = run(noisy)
    assert psnr(found, truth) - psnr(noisy, truth) >= 7.9
    assert found.mean() == pytest.approx(noisy.mean(), rel=1e-4)
    (sentence,) = [n for n in notes if "found as" in n]
    assert float(sentence.split()[-1].rstrip(".")) == pytest.approx(15.0, rel=0.05)


def test_pure_noise_goes_and_a_border_stays() -> None:
    noise = np.random.default_rng(1).standard_normal((25, 12, 12, 12))
    assert run(noise)[0].std() < 0.15
    edge = noise.copy()
    edge[:, :, :, 6:] += 100 * np.linspace(1, 2, 25)[:, None, None, None]
    found = run(edge)[0]
    step = found[:, :, :, 6].mean(axis=(1, 2)) - found[:, :, :, 5].mean(axis=(1, 2))
    np.testing.assert_allclose(step, 100 * np.linspace(1, 2, 25), atol=2.0)


def test_slices_short_series_and_refusals() -> None:
    _, noisy = series()
    assert run(noisy[:, 4])[0].shape == noisy[:, 4].shape
    assert any("few to tell" in n for n in run(noisy[:5])[1])
    with pytest.raises(ContentError, match="axes t y x, t z y x"):
        LowRank()(Image(noisy[0], ("z", "y", "x"), Geometry.regular(SHAPE)))
    noisy[3, 3, 3, 3] = np.inf
    with pytest.raises(ContentError, match="not finite"):
        run(noisy)


def test_a_real_perfusion_series_gets_steadier(shared) -> None:  # type: ignore[no-untyped-def]  # a fixture
    image = iso.read(shared("brain_mr") / "pcasl.nii.gz")
    before = np.asarray(image.array, float)
    after = np.asarray(LowRank()(image).array, float)
    brain = before.mean(axis=0) > 0.3 * np.percentile(before.mean(axis=0), 99)
    steady = [np.median(v.mean(axis=0)[brain] / v.std(axis=0)[brain]) for v in (before, after)]
    assert steady[1] > 1.25 * steady[0]  # 123 to 160: what arterial labelling changes from volume to volume stays
    assert after.mean() == pytest.approx(before.mean(), rel=1e-6)
