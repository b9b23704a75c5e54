"""Signal: channels of samples over time (EEG, inertial sensors, breathing)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from isocenter.core.errors import ParameterError
from isocenter.core.provenance import Provenance, digest_array

__all__ = ["Signal"]


@dataclass(frozen=True, eq=False)
class Signal:
    """Samples of one or more channels at a constant rate.

    Parameters
    ----------
    array
        Shape (channels, samples).
    rate
        Samples per second (Hz).
    channels
        Names of the channels; default ``channel 1`` ...
    unit
        Unit of the samples (``uV``, ``m/s^2`` ...), None where unknown.
    start
        Time in s of the first sample.
    """

    array: Any
    rate: float
    channels: tuple[str, ...] = ()
    unit: str | None = None
    start: float = 0.0
    provenance: Provenance = Provenance()

    def __post_init__(self) -> None:
        array = np.asarray(self.array)
        if array.ndim != 2:
            raise ParameterError(f"Signal of shape {array.shape}: expected (channels, samples).")
        if not np.isfinite(self.rate) or self.rate <= 0:
            raise ParameterError(f"Sampling rate {self.rate}: expected more than 0 Hz.")
        names = tuple(self.channels) or tuple(f"channel {k + 1}" for k in range(len(array)))
        if len(names) != len(array):
            raise ParameterError(f"{len(names)} channel names for {len(array)} channels: expected one each.")
        view = array.view()
        view.setflags(write=False)
        object.__setattr__(self, "array", view)
        object.__setattr__(self, "channels", names)

    @property
    def duration(self) -> float:
        """Length in s."""
        return float(self.array.shape[1] / self.rate)

    @property
    def times(self) -> np.ndarray[Any, Any]:
        """Time of every sample in s, shape (samples,)."""
        return self.start + np.arange(self.array.shape[1]) / self.rate

    @cached_property
    def digest(self) -> str:
        """Digest of samples, rate and names."""
        return digest_array(self.array, "Signal", float(self.rate), list(self.channels), self.unit, float(self.start))
