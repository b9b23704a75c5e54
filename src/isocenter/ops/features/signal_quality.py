"""features.signal_quality: whether a channel was recorded soundly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from isocenter.core.families import SignalExtractor
from isocenter.core.operation import Context
from isocenter.core.results import Column
from isocenter.kernels.spectrum import band_power, power_density

__all__ = ["SignalQuality"]


class SignalQuality(SignalExtractor):
    """Quality of each channel: its scatter, what is flat, cut off or missing, and how much of it is mains hum.

    Notes name the channels that are flat, cut off at their highest or lowest value, or mostly hum. What a good value is
    depends on amplifier and electrodes: compare the channels of one recording with one another.

    Parameters
    ----------
    mains
        Frequency of the power line in Hz: 50, or 60 in the Americas; its power within 1 Hz counts as hum.

    References
    ----------
    Bigdely-Shamlo et al., The PREP pipeline: standardized preprocessing for large-scale EEG analysis, Front. Neuroinform. 9
    (2015) 16.
    """

    ns_per_sample: ClassVar[float] = 80.0

    mains: Annotated[float, Field(gt=0, le=1000)] = 50.0

    def columns(self, unit: str | None) -> tuple[Column, ...]:
        """Return scatter, range and the shares of what is wrong."""
        own = unit or "a.u."
        return (
            Column("deviation", own, summary="standard deviation"),
            Column("range", own, summary="highest less lowest value"),
            Column("flat_share", "1", summary="share of samples equal to the one before"),
            Column("clipped_share", "1", summary="share of samples in runs of three or more at the highest or lowest value"),
            Column("missing_share", "1", summary="share of samples that are no numbers"),
            Column("hum_share", "1", summary="share of the power above 0.5 Hz within 1 Hz of the mains"),
        )

    def compute(self, array: Any, context: Context) -> Mapping[str, float]:
        """Return the numbers of one channel."""
        rate = 1.0 / context.geometry.spacing[0]
        sound = array[np.isfinite(array)]
        found = {"missing_share": 1.0 - len(sound) / max(len(array), 1)}
        channel = context.name.partition(", ")[2]
        if len(sound) < 8:
            context.note(f"Channel {channel} holds fewer than 8 numbers.")
            return found
        scale = float(np.abs(sound).max()) or 1.0
        low, high = float(sound.min()), float(sound.max())
        found["deviation"] = float((sound / scale).std() * scale)
        found["range"] = high - low
        found["flat_share"] = float((sound[1:] == sound[:-1]).mean())
        found["clipped_share"] = 0.0 if low == high else (_runs(sound == low) + _runs(sound == high)) / len(sound)
        frequencies, density = power_density(sound, rate, 4.0)
        total = band_power(frequencies, density, 0.5, rate)
        if self.mains + 1.0 <= rate / 2:
            hum = band_power(frequencies, density, self.mains - 1.0, self.mains + 1.0)
            found["hum_share"] = hum / total if total > 0 else 0.0
        for name, limit, words in (
            ("flat_share", 0.9, "is flat"),
            ("clipped_share", 0.01, "is cut off"),
            ("hum_share", 0.5, "is mostly hum"),
        ):
            if found.get(name, 0.0) > limit:
                context.note(f"Channel {channel} {words}: {100 * found[name]:.0f} % of it.")
        return found


def _runs(at: np.ndarray[Any, Any]) -> int:
    """Return how many samples stand in runs of three or more."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], at.astype(np.int8), [0]])))
    lengths = edges[1::2] - edges[::2]
    return int(lengths[lengths >= 3].sum())
