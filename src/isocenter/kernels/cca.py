"""Canonical correlation of a signal with itself one sample later: components sorted by how well they follow themselves.

References
----------
Roy, Shukla, Shukla, Rawat. Gaussian elimination-based novel canonical correlation analysis method for EEG motion
artifact removal. J. Healthcare Engineering (2017) 9674712.
De Clercq, Vergult, Vanrumste, Van Paesschen, Van Huffel. Canonical correlation analysis applied to remove muscle
artifacts from the electroencephalogram. IEEE Trans. Biomed. Eng. 53 (2006) 2583-2587.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import linalg

__all__ = ["artifact_reduction", "autocorrelated_components", "embedded", "signal_to_noise_gain", "unembedded"]

Array = npt.NDArray[Any]


def autocorrelated_components(samples: Array) -> tuple[Array, Array, Array]:
    """Return (unmixing, mixing, autocorrelations) of a signal of shape (channels, samples), the best followed first.

    The covariances are solved by elimination, never inverted.
    """
    centred = samples - samples.mean(axis=1, keepdims=True)
    now, before = centred[:, 1:], centred[:, :-1]
    count = max(1, now.shape[1])
    cxx, cyy, cxy = now @ now.T / count, before @ before.T / count, now @ before.T / count
    # Channels that repeat each other leave no rank: a ridge far below any signal keeps the system solvable.
    ridge = 1e-10 * max(float(np.trace(cxx)) / len(cxx), 1e-300) * np.eye(len(cxx))
    explained = cxy @ np.linalg.solve(cyy + ridge, cxy.T)
    squared, vectors = linalg.eigh((explained + explained.T) / 2, cxx + ridge)
    order = np.argsort(-squared, kind="stable")
    unmixing = vectors[:, order].T
    mixing = (cxx + ridge) @ vectors[:, order]
    sources = unmixing @ centred
    energy = (sources**2).sum(axis=1)
    follow = (sources[:, 1:] * sources[:, :-1]).sum(axis=1) / np.where(energy > 0, energy, 1.0)
    return unmixing, mixing, follow


def embedded(channel: Array, delays: int) -> Array:
    """Return a channel and its delayed selves as rows."""
    windows: Array = np.lib.stride_tricks.sliding_window_view(channel, len(channel) - delays + 1)
    return windows


def unembedded(rows: Array, size: int) -> Array:
    """Return the channel whose delayed selves are nearest to rows: the mean of what they say of every sample."""
    total, count = np.zeros(size), np.zeros(size)
    for k, row in enumerate(rows):
        total[k : k + row.size] += row
        count[k : k + row.size] += 1
    return total / count


def signal_to_noise_gain(truth: Array, before: Array, after: Array) -> float:
    """Return DSNR: how many dB nearer to the truth a signal came."""
    return float(10 * np.log10(((before - truth) ** 2).sum() / max(float(((after - truth) ** 2).sum()), 1e-300)))


def artifact_reduction(truth: Array, before: Array, after: Array) -> float:
    """Return lambda: by how many percent the lack of correlation with the truth fell."""
    lacking = [1.0 - float(np.corrcoef(truth.ravel(), v.ravel())[0, 1]) for v in (before, after)]
    return 100.0 * (1.0 - lacking[1] / lacking[0])
