"""Round bright things in a volume: maxima of the Laplacian of Gaussian over place and size, in mm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["Blob", "find_blobs"]

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Blob:
    """One blob.

    Attributes
    ----------
    center
        mm from the first sample along each axis.
    diameter
        mm, of the ball that answers best.
    strength
        Contrast of such a ball to its surroundings, in units of the image.
    roundness
        Smallest over largest curvature: 1 for a ball, 0 for a line or sheet, below 0 for a saddle.
    """

    center: tuple[float, float, float]
    diameter: float
    strength: float
    roundness: float


def _curvatures(smooth: FloatArray, at: Sequence[int], spacing: Sequence[float]) -> npt.NDArray[np.float64]:
    """Return the eigenvalues of the Hessian at a sample, ascending, by central differences in mm."""
    low = [max(k - 1, 0) for k in at]
    high = [min(k + 1, n - 1) for k, n in zip(at, smooth.shape, strict=True)]
    hessian = np.zeros((3, 3))

    def value(**moved: int) -> float:
        place = [moved.get(f"axis{k}", at[k]) for k in range(3)]
        return float(smooth[tuple(place)])

    for i in range(3):
        ends = value(**{f"axis{i}": low[i]}) + value(**{f"axis{i}": high[i]})
        hessian[i, i] = (ends - 2.0 * value()) / spacing[i] ** 2
        for j in range(i):
            cross = 0.0
            for a, sign_a in ((low[i], -1.0), (high[i], 1.0)):
                for b, sign_b in ((low[j], -1.0), (high[j], 1.0)):
                    cross += sign_a * sign_b * value(**{f"axis{i}": a, f"axis{j}": b})
            hessian[i, j] = hessian[j, i] = cross / (4.0 * spacing[i] * spacing[j])
    return np.asarray(np.linalg.eigvalsh(hessian))


def _response(smooth: FloatArray, spacing: Sequence[float]) -> FloatArray:
    """Return minus the Laplacian of a smoothed volume, in units per mm^2."""
    total = np.zeros_like(smooth)
    for axis, step in enumerate(spacing):
        total -= ndimage.correlate1d(smooth, [1.0, -2.0, 1.0], axis=axis, mode="nearest") / np.float32(step**2)
    return total


def find_blobs(
    volume: FloatArray, spacing: Sequence[float], diameters: Sequence[float], within: npt.NDArray[np.bool_], contrast: float
) -> list[Blob]:
    """Return bright blobs, the strongest first.

    Parameters
    ----------
    volume
        Samples, three axes.
    spacing
        mm, array order.
    diameters
        mm, ascending: the sizes that are looked for.
    within
        Where centres may lie.
    contrast
        Least strength, in units of the volume.

    References
    ----------
    Lindeberg. Feature detection with automatic scale selection. International Journal of Computer Vision 30 (1998) 79-116.
    """
    found: list[Blob] = []
    for diameter in diameters:
        # A ball of radius r answers best at sigma = r / sqrt(3), there with 0.92 of its contrast.
        sigma = diameter / (2.0 * np.sqrt(3.0))
        smooth = ndimage.gaussian_filter(volume, [sigma / s for s in spacing], mode="nearest", truncate=3.0)
        answer = _response(smooth, spacing) * np.float32(sigma**2 / 0.92)
        size = [2 * max(1, round(0.4 * diameter / s)) + 1 for s in spacing]
        peak = (answer >= contrast) & within
        peak &= answer >= ndimage.maximum_filter(answer, size=size, mode="nearest")
        for at in np.argwhere(peak):
            bent = _curvatures(smooth, [int(k) for k in at], spacing)
            roundness = float(bent[2] / bent[0]) if bent[0] < 0.0 else -1.0
            place = tuple(float(k * s) for k, s in zip(at, spacing, strict=True))
            found.append(Blob((place[0], place[1], place[2]), float(diameter), float(answer[tuple(at)]), roundness))
    return sorted(found, key=lambda b: (-b.strength, b.center, b.diameter))
