"""features.spectrum: how strong the rhythms of a signal are, band by band."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from isocenter.core.errors import ContentError
from isocenter.core.families import SignalExtractor
from isocenter.core.operation import Context
from isocenter.core.results import Column
from isocenter.kernels.finite import require_finite
from isocenter.kernels.spectrum import band_power, edge_frequency, peak_frequency, power_density

__all__ = ["BANDS", "Spectrum"]

#: The bands of clinical EEG in Hz: from, below.
BANDS: dict[str, tuple[float, float]] = {
    "delta": (0.5, 4.0),
    "theta": (4.0, 8.0),
    "alpha": (8.0, 13.0),
    "beta": (13.0, 30.0),
    "gamma": (30.0, 45.0),
}


class Spectrum(SignalExtractor):
    """Power of the rhythms of each channel in the bands of EEG, their shares, peak and spectral edge.

    Welch's estimate over segments of `window` s. Shares are of the power from 0.5 to 45 Hz. A band above half the sampling
    rate is NaN, and a note says so. Muscle, eye movements and mains give power too: look at the quality of a channel first.

    Parameters
    ----------
    window
        Length of a segment in s; the width of a frequency bin is 1 / window Hz.

    References
    ----------
    Welch. The use of fast Fourier transform for the estimation of power spectra. IEEE Trans. Audio Electroacoust. 15 (1967)
    70-73. Kane et al., A revised glossary of terms most commonly used by clinical electroencephalographers, Clin.
    Neurophysiol. Pract. 2 (2017) 170-185.
    """

    ns_per_sample: ClassVar[float] = 60.0

    window: Annotated[float, Field(gt=0, le=600)] = 4.0

    def columns(self, unit: str | None) -> tuple[Column, ...]:
        """Return a power and a share for each band, the peak of alpha and the spectral edge."""
        square = f"{unit}^2" if unit else "a.u."
        powers = [Column(f"{n}_power", square, summary=f"power of {a:g} to {b:g} Hz") for n, (a, b) in BANDS.items()]
        shares = [Column(f"{n}_share", "1", summary=f"share of {a:g} to {b:g} Hz") for n, (a, b) in BANDS.items()]
        peak = Column("alpha_peak", "Hz", summary="frequency of the highest density within alpha")
        edge = Column("edge_95", "Hz", summary="frequency below which 95 % of the power from 0.5 to 45 Hz lies")
        return (*powers, *shares, peak, edge)

    def compute(self, array: Any, context: Context) -> Mapping[str, float]:
        """Return the numbers of one channel."""
        require_finite(array, context.name)
        rate = 1.0 / context.geometry.spacing[0]
        if len(array) < 2 * rate:
            raise ContentError(
                f"{context.name}: {len(array) / rate:.3g} s of signal: expected 2 s at least, one cycle of the slowest rhythm; "
                "give a longer recording."
            )
        frequencies, density = power_density(array, rate, self.window)
        known = {name: band for name, band in BANDS.items() if band[1] <= rate / 2}
        if len(known) < len(BANDS):
            note = f"{', '.join(n for n in BANDS if n not in known)} cannot be measured at {rate:g} samples per second."
            if note not in context.notes:
                context.note(note)
        powers = {name: band_power(frequencies, density, *band) for name, band in known.items()}
        total = sum(powers.values())
        found = {f"{name}_power": power for name, power in powers.items()}
        if total > 0 and known:
            found |= {f"{name}_share": power / total for name, power in powers.items()}
            top = max(band[1] for band in known.values())
            found["edge_95"] = edge_frequency(frequencies, density, 0.5, top)
            if "alpha" in known:
                found["alpha_peak"] = peak_frequency(frequencies, density, *BANDS["alpha"])
        return found
