"""correct.artifact_cca on an EEG phantom of known truth."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError
from isocenter.core.signal import Signal
from isocenter.kernels.cca import artifact_reduction, signal_to_noise_gain
from isocenter.ops.correct.artifact_cca import ArtifactCca

RATE = 256.0


def eeg(channels: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return rhythms on every channel, and the same under bursts of muscle and movement from four places."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(20 * RATE)) / RATE
    rhythms = np.stack([np.sin(2 * np.pi * f * time + p) for f, p in ((2.5, 0.1), (6.0, 1.0), (10.0, 0.4), (11.0, 2.0))])
    truth = 20 * rng.standard_normal((channels, 4)) @ rhythms
    bursts = rng.standard_normal((4, time.size)) * (0.3 + (np.sin(2 * np.pi * 0.2 * time + np.arange(4)[:, None]) > 0.4))
    return truth, truth + 60 * rng.standard_normal((channels, 4)) @ bursts + 0.5 * rng.standard_normal(truth.shape)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_phantom_is_recovered(seed: int) -> None:
    truth, noisy = eeg(seed=seed)
    found = np.asarray(ArtifactCca()(Signal(noisy, RATE, unit="uV")).array)
    assert signal_to_noise_gain(truth, noisy, found) >= 15.0
    assert artifact_reduction(truth, noisy, found) >= 90.0


def test_one_channel_by_its_delays() -> None:
    truth, _ = eeg()
    noisy = truth[:1] + 20 * np.random.default_rng(3).standard_normal((1, truth.shape[1]))
    found = ArtifactCca(threshold=0.8)(Signal(noisy, RATE))
    assert signal_to_noise_gain(truth[:1], noisy, np.asarray(found.array)) >= 6.0
    assert "components were left out" in found.provenance.steps[-1].notes[0]


def test_without_a_threshold_everything_comes_back() -> None:
    _, noisy = eeg()
    found = np.asarray(ArtifactCca(threshold=0.0)(Signal(np.cumsum(noisy, axis=1), RATE)).array)
    np.testing.assert_allclose(found, np.cumsum(noisy, axis=1), rtol=1e-4, atol=1e-3)


def test_repeated_flat_and_broken_channels() -> None:
    _, noisy = eeg()
    twice = np.concatenate([noisy, noisy[:2], np.zeros((1, noisy.shape[1]))])
    assert np.isfinite(np.asarray(ArtifactCca()(Signal(twice, RATE)).array)).all()
    flat = Signal(np.full((3, 100), 7.0), RATE)
    np.testing.assert_array_equal(ArtifactCca()(flat).array, flat.array)
    noisy[2, 5] = np.nan
    with pytest.raises(ContentError, match="not finite"):
        ArtifactCca()(Signal(noisy, RATE))


def test_a_rhythm_in_hz_gives_the_threshold_of_its_rate() -> None:
    _, noisy = eeg()
    threshold = float(np.cos(2 * np.pi * 20 / RATE))
    by_rhythm = ArtifactCca(rhythm=20.0)(Signal(noisy, RATE))
    np.testing.assert_array_equal(by_rhythm.array, ArtifactCca(threshold=threshold)(Signal(noisy, RATE)).array)
    slow = ArtifactCca(rhythm=70.0)(Signal(noisy, RATE))
    np.testing.assert_array_equal(slow.array, noisy)
    assert "sampled too slowly" in slow.provenance.steps[-1].notes[0]
