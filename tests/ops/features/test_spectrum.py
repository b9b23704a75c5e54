"""features.spectrum on tones of known power."""

from __future__ import annotations

import math

import numpy as np
import pytest

from isocenter.core.errors import ContentError
from isocenter.core.signal import Signal
from isocenter.ops.features.spectrum import BANDS, Spectrum

RATE = 200.0
TIME = np.arange(int(60 * RATE)) / RATE


@pytest.mark.parametrize(
    ("band", "frequency"), [("delta", 2.0), ("theta", 6.0), ("alpha", 10.0), ("beta", 20.0), ("gamma", 40.0)]
)
def test_a_tone_has_half_its_amplitude_squared_in_its_band(band: str, frequency: float) -> None:
    found = Spectrum()(Signal((30.0 * np.sin(2 * np.pi * frequency * TIME))[None], RATE, ("Cz",), "uV"))
    assert found["Cz", f"{band}_power"] == pytest.approx(450.0, rel=0.01)
    assert found["Cz", f"{band}_share"] == pytest.approx(1.0, abs=0.01)
    assert sum(found["Cz", f"{name}_share"] for name in BANDS) == pytest.approx(1.0)
    assert found["Cz", "edge_95"] == pytest.approx(frequency, abs=0.5)
    assert next(c for c in found.columns if c.name == f"{band}_power").unit == "uV^2"


def test_peak_of_alpha_among_other_rhythms() -> None:
    samples = np.sin(2 * np.pi * 9.5 * TIME) + 3 * np.sin(2 * np.pi * 3 * TIME)
    assert Spectrum()(Signal(samples[None], RATE))["channel 1", "alpha_peak"] == 9.5


def test_white_noise_spreads_evenly_over_hertz() -> None:
    noise = np.random.default_rng(2).standard_normal((1, 120_000))
    found = Spectrum()(Signal(noise, RATE))
    for name, (low, high) in BANDS.items():
        assert found["channel 1", f"{name}_power"] == pytest.approx(2 * (high - low) / RATE, rel=0.1)


def test_what_cannot_be_measured_is_undefined_or_refused() -> None:
    slow = Spectrum()(Signal(np.sin(2 * np.pi * 5 * np.arange(3000) / 50.0)[None], 50.0))
    assert math.isnan(slow["channel 1", "beta_power"]) and slow["channel 1", "theta_share"] > 0.9
    assert slow.provenance.steps[-1].notes == ("beta, gamma cannot be measured at 50 samples per second.",)
    flat = Spectrum()(Signal(np.ones((1, 2000)), RATE))
    assert flat["channel 1", "alpha_power"] == 0.0 and math.isnan(flat["channel 1", "alpha_share"])
    with pytest.raises(ContentError, match="2 s at least"):
        Spectrum()(Signal(np.ones((1, 100)), RATE))
    with pytest.raises(ContentError, match="not finite"):
        Spectrum()(Signal(np.full((1, 2000), np.nan), RATE))


def test_channels_of_one_name_stay_apart() -> None:
    found = Spectrum()(Signal(np.random.default_rng(0).standard_normal((2, 2000)), RATE, ("A", "A")))
    assert found.regions == ("A", "A (2)")
