"""Raw and Signal: what must be stated, and digests."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from isocenter.core.errors import ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.raw import RAW_KINDS, Raw
from isocenter.core.signal import Signal

STATED: dict[str, dict[str, Any]] = {
    "kspace": {"trajectory": "cartesian"},
    "sinogram": {"angles": np.linspace(0, 180, 5), "detector_spacing": 1.0},
    "rf": {"sampling_rate": 40e6, "sound_speed": 1540.0},
    "spectrum": {"bandwidth": 2000.0},
}


@pytest.mark.parametrize("kind", sorted(RAW_KINDS))
def test_each_kind_states_its_acquisition(kind: Any) -> None:
    made = Raw(np.zeros((2, 3), complex), kind, ("line", "readout"), STATED[kind])
    assert not made.array.flags.writeable
    for key in RAW_KINDS[kind]:
        less = {k: v for k, v in STATED[kind].items() if k != key}
        with pytest.raises(ParameterError, match=key):
            Raw(np.zeros((2, 3)), kind, ("line", "readout"), less)


def test_raw_data_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ParameterError, match="one name per axis"):
        Raw(np.zeros((2, 3)), "kspace", ("line",), STATED["kspace"])
    with pytest.raises(ParameterError, match="kind 'echo'"):
        Raw(np.zeros((2, 3)), "echo", ("line", "readout"))  # type: ignore[arg-type]  # the wrong value is the point


def test_the_digest_of_raw_data_covers_samples_and_acquisition() -> None:
    def made(scale: float = 1.0, last: float = 180.0, grid: Geometry | None = None) -> Raw:
        stated = {"angles": np.linspace(0, last, 5), "detector_spacing": 1.0}
        return Raw(np.ones((5, 3)) * scale, "sinogram", ("angle", "detector"), stated, grid)

    assert made().digest == made().digest
    assert len({made().digest, made(2.0).digest, made(last=170.0).digest, made(grid=Geometry.regular((3, 3))).digest}) == 4


def test_a_signal_knows_its_times() -> None:
    made = Signal(np.zeros((2, 100)), 50.0, start=1.0)
    assert made.duration == 2.0
    np.testing.assert_allclose(made.times[[0, -1]], (1.0, 1.0 + 99 / 50))
    assert made.channels == ("channel 1", "channel 2")


@pytest.mark.parametrize(
    ("array", "rate", "channels", "said"),
    [
        (np.zeros(5), 1.0, (), "expected \\(channels, samples\\)"),
        (np.zeros((1, 5)), 0.0, (), "more than 0 Hz"),
        (np.zeros((1, 5)), float("nan"), (), "more than 0 Hz"),
        (np.zeros((2, 5)), 1.0, ("a",), "1 channel names for 2 channels"),
    ],
)
def test_a_signal_that_does_not_fit_is_refused(array: Any, rate: float, channels: tuple[str, ...], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        Signal(array, rate, channels)


def test_the_digest_of_a_signal() -> None:
    base = Signal(np.zeros((1, 5)), 1.0)
    assert base.digest == Signal(np.zeros((1, 5)), 1.0).digest
    others = [
        Signal(np.ones((1, 5)), 1.0),
        Signal(np.zeros((1, 5)), 2.0),
        Signal(np.zeros((1, 5)), 1.0, unit="uV"),
        Signal(np.zeros((1, 5)), 1.0, start=1.0),
    ]
    assert len({base.digest, *[o.digest for o in others]}) == 5
