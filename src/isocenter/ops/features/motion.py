"""features.motion: how far and how fast each region moves, and its beats."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from isocenter.core.errors import ContentError
from isocenter.core.families import Extractor
from isocenter.core.operation import Context
from isocenter.core.results import Column
from isocenter.kernels.optical_flow import beats, flow

__all__ = ["Motion"]


class Motion(Extractor):
    """Displacement, speed and beats of each region in a picture series, by dense optical flow from its first frame.

    A displacement is the mean over the region of how far its samples have gone since the first frame. Beats are stretches
    of large displacement; contraction and relaxation run between 10 and 90 % of a beat's height. A motion without beats
    has NaN for what describes them.

    Parameters
    ----------
    radius
        Samples to each side of the window that is registered around every sample.
    smooth
        Standard deviation in samples of the Gaussian that frames are smoothed by first.
    least_beat
        Fraction of the highest displacement that a beat must reach.

    References
    ----------
    Le Besnerais and Champagnat, Dense optical flow by iterative local window registration, IEEE ICIP (2005).
    """

    dims: ClassVar[tuple[str, ...]] = ("tyx",)
    ns_per_sample: ClassVar[float] = 20_000.0
    bytes_per_sample: ClassVar[float] = 200.0

    radius: int = Field(5, ge=2, le=50)
    smooth: float = Field(0.5, ge=0, le=20)
    least_beat: float = Field(0.3, gt=0, lt=1)

    def columns(self, context: Context) -> tuple[Column, ...]:
        """Return the columns, in mm where the image has a pixel size."""
        unit = context.geometry.unit
        return (
            Column("displacement_mean", unit, "", "mean over time of the region's mean displacement since the first frame"),
            Column("displacement_most", unit, "", "largest over time of the region's mean displacement"),
            Column("speed_most", f"{unit}/s", "", "largest mean speed between two frames"),
            Column("beat_count", "1", "", "number of beats"),
            Column("beat_rate", "1/min", "", "beats per minute between the first and the last"),
            Column("contraction_time", "s", "", "median from 10 to 90 % before the peak"),
            Column("relaxation_time", "s", "", "median from 90 to 10 % after the peak"),
            Column("beat_amplitude", unit, "", "median displacement of a beat above rest"),
        )

    def compute(self, array: Any, context: Context) -> dict[str, float]:
        """Return the motion of ``context.region``."""
        region = context.region
        assert region is not None  # the family hands one to every extractor
        if context.times is None:
            raise ContentError(
                f"{self.name} needs the seconds of every frame, which the image does not say: expected 'times' (image.replace)."
            )
        times = np.asarray(context.times, dtype=np.float64)
        if len(times) < 2 or (np.diff(times) <= 0).any():
            raise ContentError(f"{self.name} was given {len(times)} frames: expected at least two, at ascending times.")
        if not region.any():
            return {}
        margin = 4 * self.radius + int(4 * self.smooth) + 2
        part, mask = _around(np.asarray(array), region, margin)
        steps = np.asarray(context.spacing, dtype=np.float64)[:, None]
        places = np.zeros((len(times), 2, int(mask.sum())))
        for k in range(1, len(times)):
            places[k] = flow(part[0], part[k], radius=self.radius, smooth=self.smooth)[:, mask] * steps
        distance = np.linalg.norm(places, axis=1).mean(axis=1)
        speed = np.linalg.norm(np.diff(places, axis=0), axis=1).mean(axis=1) / np.diff(times)
        found = beats(times, distance, least=self.least_beat)
        return {
            "displacement_mean": float(distance.mean()),
            "displacement_most": float(distance.max()),
            "speed_most": float(speed.max()),
            "beat_count": float(found.count),
            "beat_rate": found.rate,
            "contraction_time": found.contraction,
            "relaxation_time": found.relaxation,
            "beat_amplitude": found.amplitude,
        }


def _around(array: Any, region: Any, margin: int) -> tuple[Any, Any]:
    """Return the frames and the region in the box of the region with a margin, continued by the nearest sample."""
    places = [np.arange(int(w.min()) - margin, int(w.max()) + margin + 1) for w in np.nonzero(region)]
    held = [np.clip(p, 0, n - 1) for p, n in zip(places, region.shape, strict=True)]
    inside = np.logical_and.outer(*[(p >= 0) & (p < n) for p, n in zip(places, region.shape, strict=True)])
    mask = region[np.ix_(*held)] & inside
    return array[:, held[0][:, None], held[1][None, :]].astype(np.float64), mask
