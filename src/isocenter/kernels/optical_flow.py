"""Dense optical flow between the frames of a series, and the beats of a periodic motion.

References
----------
Le Besnerais and Champagnat, Dense optical flow by iterative local window registration, IEEE ICIP (2005). Lucas and Kanade,
An iterative image registration technique, IJCAI (1981) 674-679.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.registration import optical_flow_ilk

__all__ = ["Beats", "beats", "flow"]

FloatArray = npt.NDArray[np.float64]


def flow(
    reference: npt.NDArray[Any], moved: npt.NDArray[Any], *, radius: int = 5, smooth: float = 0.5
) -> npt.NDArray[np.float32]:
    """Return where each sample of the reference has gone.

    Parameters
    ----------
    reference, moved
        Two frames of shape (y, x).
    radius
        Samples to each side of the window that is registered around every sample.
    smooth
        Standard deviation in samples of a Gaussian that both frames are smoothed by first (0: not at all).

    Returns
    -------
    numpy.ndarray
        float32, shape (2, y, x): displacement along y and x in samples.
    """
    frames = [np.asarray(f, dtype=np.float64) for f in (reference, moved)]
    low, high = frames[0].min(), frames[0].max()
    if high <= low or min(frames[0].shape) < 3:
        return np.zeros((2, *frames[0].shape), np.float32)
    # One scale for both, so that brightness stays comparable; far outliers would hide all else.
    frames = [np.clip((f - low) / (high - low), -1.0, 2.0) for f in frames]
    if smooth > 0:
        frames = [ndimage.gaussian_filter(f, smooth, mode="nearest") for f in frames]
    found = _registered(frames[0], frames[1], radius)
    # A window averages what moves differently within it: what is left over is registered once more, in a smaller one.
    places = np.indices(frames[0].shape, dtype=np.float64)
    for _ in range(2):
        back = ndimage.map_coordinates(frames[1], places + found, order=3, mode="nearest")
        found = found + _registered(frames[0], back, max(3, radius // 2))
    return found.astype(np.float32)


def _registered(reference: FloatArray, moved: FloatArray, radius: int) -> FloatArray:
    """Return the flow of one window size, held to the size of the frame."""
    found = optical_flow_ilk(reference, moved, radius=radius, num_warp=10, gaussian=True, prefilter=False, dtype=np.float64)
    limit = float(max(reference.shape))
    return np.clip(np.nan_to_num(np.asarray(found, dtype=np.float64)), -limit, limit)


@dataclass(frozen=True)
class Beats:
    """The beats of a motion.

    Attributes
    ----------
    count
        Beats whose peak lies inside the recording.
    rate
        Beats per minute between the first and the last peak; NaN of fewer than two.
    contraction, relaxation
        Median seconds from 10 % to 90 % of the amplitude before the peak, and from 90 % to 10 % after it; NaN where no
        beat has both.
    amplitude
        Median height of the peaks above rest.
    """

    count: int
    rate: float
    contraction: float
    relaxation: float
    amplitude: float


def beats(times: npt.ArrayLike, displacement: npt.ArrayLike, *, least: float = 0.3) -> Beats:
    """Find the beats in a displacement over time.

    Parameters
    ----------
    times
        Seconds, ascending.
    displacement
        One value per time.
    least
        Peaks that rise above rest by less than this fraction of the highest are no beats.
    """
    when, values = np.asarray(times, dtype=np.float64), np.asarray(displacement, dtype=np.float64)
    rest = float(np.percentile(values, 10))
    height = float(values.max() - rest)
    if len(values) < 3 or not height > 0.0:
        return Beats(0, np.nan, np.nan, np.nan, np.nan)
    peaks = _peaks(values - rest, least * height)
    rising, falling = [], []
    for k in peaks:
        top = values[k] - rest
        up = [_crossing(when, values - rest, k, share * top, -1) for share in (0.1, 0.9)]
        down = [_crossing(when, values - rest, k, share * top, 1) for share in (0.9, 0.1)]
        if np.isfinite([*up, *down]).all():
            rising.append(up[1] - up[0])
            falling.append(down[1] - down[0])
    rate = 60.0 * (len(peaks) - 1) / float(when[peaks[-1]] - when[peaks[0]]) if len(peaks) > 1 else np.nan
    return Beats(
        len(peaks),
        rate,
        float(np.median(rising)) if rising else np.nan,
        float(np.median(falling)) if falling else np.nan,
        float(np.median([values[k] - rest for k in peaks])) if peaks else np.nan,
    )


def _peaks(values: FloatArray, least: float) -> list[int]:
    """Return the highest sample of each stretch that rises above `least` and falls to under half of it again."""
    found: list[int] = []
    best, up = -1, False
    for k, value in enumerate(values):
        if value >= least:
            best = k if not up or value > values[best] else best
            up = True
        elif up and value < 0.5 * least:
            found.append(best)
            up = False
    if up:
        found.append(best)
    return [k for k in found if 0 < k < len(values) - 1]


def _crossing(times: FloatArray, values: FloatArray, peak: int, level: float, step: int) -> float:
    """Return when the curve crosses a level on its way from a peak, backwards or forwards; NaN where it does not."""
    k = peak
    while 0 <= k + step < len(values):
        if values[k + step] <= level:
            share = (values[k] - level) / (values[k] - values[k + step])
            return float(times[k] + share * (times[k + step] - times[k]))
        k += step
    return float("nan")
