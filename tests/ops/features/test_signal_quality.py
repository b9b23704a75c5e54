"""features.signal_quality on channels that are known to be sound or broken."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from isocenter.core.signal import Signal
from isocenter.ops.features.signal_quality import SignalQuality

RATE = 250.0
TIME = np.arange(int(40 * RATE)) / RATE
NOISE = np.random.default_rng(4).standard_normal(TIME.size)


def quality(samples: np.ndarray, **parameters: float) -> Any:
    return SignalQuality(**parameters)(Signal(samples[None], RATE, ("Pz",), "uV"))


def test_a_sound_channel() -> None:
    found = quality(10 * NOISE)
    assert found["Pz", "deviation"] == pytest.approx(10, rel=0.03)
    assert found["Pz", "range"] == pytest.approx(10 * np.ptp(NOISE))
    for name in ("flat_share", "clipped_share", "missing_share"):
        assert found["Pz", name] == 0.0
    # Of white noise, 2 of the 125 Hz lie within 1 Hz of the mains.
    assert found["Pz", "hum_share"] == pytest.approx(2 / 125, rel=0.2)
    assert not found.provenance.steps[-1].notes


def test_hum_is_looked_for_at_the_mains() -> None:
    hum = NOISE + 5 * np.sin(2 * np.pi * 60 * TIME)
    assert quality(hum, mains=60.0)["Pz", "hum_share"] > 0.9
    assert quality(hum, mains=50.0)["Pz", "hum_share"] < 0.01
    assert quality(hum, mains=60.0).provenance.steps[-1].notes == ("Channel Pz is mostly hum: 93 % of it.",)
    assert math.isnan(quality(hum, mains=125.0)["Pz", "hum_share"])


def test_flat_cut_off_and_missing() -> None:
    flat = quality(np.zeros_like(NOISE))
    assert (flat["Pz", "flat_share"], flat["Pz", "clipped_share"]) == (1.0, 0.0)
    low = np.repeat(NOISE[::5], 5)
    cut = quality(np.clip(low, -1.0, 1.0))
    assert cut["Pz", "clipped_share"] == pytest.approx(np.mean(np.abs(low) >= 1.0), abs=0.01)
    holed = NOISE.copy()
    holed[:1000] = np.nan
    assert quality(holed)["Pz", "missing_share"] == pytest.approx(0.1)
    empty = quality(np.full_like(NOISE, np.nan))
    assert empty["Pz", "missing_share"] == 1.0 and math.isnan(empty["Pz", "range"])
