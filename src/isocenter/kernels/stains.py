"""Stains of histology: their colours as optical densities, how much of each there is, and colour statistics.

References
----------
Macenko et al. A method for normalizing histology slides for quantitative analysis. ISBI (2009) 1107-1110.
Vahadane et al. Structure-preserving color normalization and sparse stain separation for histological images. IEEE Trans.
Med. Imaging 35 (2016) 1962-1971.
Reinhard, Ashikhmin, Gooch, Shirley. Color transfer between images. IEEE Comput. Graph. Appl. 21 (2001) 34-41.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["color_statistics", "concentrations", "from_lab", "macenko", "optical_density", "tissue", "to_lab", "vahadane"]

Array = npt.NDArray[Any]

#: Optical density below which there is glass, not tissue.
_GLASS = 0.25
#: Pixels that settle the colours of stains.
_PIXELS = 40_000

_TO_LMS = np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
_TO_LAB = np.diag([3**-0.5, 6**-0.5, 2**-0.5]) @ np.array([[1.0, 1.0, 1.0], [1.0, 1.0, -2.0], [1.0, -1.0, 0.0]])


def optical_density(rgb: Array, white: float) -> Array:
    """Return the optical density (natural logarithm) of pixels of shape (3, n)."""
    return -np.log(np.clip(rgb.astype(np.float64), 0.5, None) / white)


def tissue(density: Array) -> Array:
    """Return the pixels that are stained, evenly thinned to a number that settles their colours."""
    found = density[:, np.linalg.norm(density, axis=0) > _GLASS]
    return found[:, :: max(1, found.shape[1] // _PIXELS)]


def macenko(density: Array) -> Array | None:
    """Return the colours of two stains, shape (3, 2) of unit columns, the bluer (haematoxylin) first; None without tissue."""
    found = tissue(density)
    if found.shape[1] < 20:
        return None
    _, vectors = np.linalg.eigh(np.cov(found))
    plane = vectors[:, [2, 1]]
    plane = plane * np.where(plane.sum(axis=0) < 0, -1.0, 1.0)
    angle = np.arctan2(*(plane.T @ found)[::-1])
    ends = np.percentile(angle, (1, 99))
    return _sorted(np.stack([plane @ [np.cos(a), np.sin(a)] for a in ends], axis=1))


def vahadane(density: Array, sparsity: float = 0.1, iterations: int = 60) -> Array | None:
    """Return the colours of two stains by sparse non-negative factoring, begun where Macenko's method ends."""
    colors = macenko(density)
    if colors is None:
        return None
    found = tissue(density)
    colors = np.clip(colors, 1e-3, None)
    amounts = np.clip(np.linalg.lstsq(colors, found, rcond=None)[0], 1e-3, None)
    for _ in range(iterations):
        amounts *= (colors.T @ found) / (colors.T @ colors @ amounts + sparsity + 1e-12)
        colors *= (found @ amounts.T) / (colors @ amounts @ amounts.T + 1e-12)
        length = np.maximum(np.linalg.norm(colors, axis=0), 1e-12)
        colors, amounts = colors / length, amounts * length[:, None]
    return _sorted(colors)


def _sorted(colors: Array) -> Array:
    colors = np.clip(colors, 0.0, None)
    colors = colors / np.maximum(np.linalg.norm(colors, axis=0), 1e-12)
    # Haematoxylin is blue: it takes more of the red light than eosin does.
    return colors[:, ::-1] if colors[0, 0] < colors[0, 1] else colors


def concentrations(density: Array, colors: Array) -> tuple[Array, Array]:
    """Return how much of each stain there is (never below 0), and the density that no stain explains."""
    normal = colors.T @ colors
    amounts = np.linalg.solve(normal + 1e-12 * np.eye(2), colors.T @ density)
    below = (amounts < 0).any(axis=0)
    if below.any():
        # With two stains the constrained optimum lies on an axis: of one stain alone.
        alone = np.clip(colors.T @ density[:, below], 0.0, None)
        better = np.argmax(alone, axis=0)
        amounts[:, below] = np.where(np.arange(2)[:, None] == better, alone, 0.0)
    return amounts, density - colors @ amounts


def to_lab(rgb: Array) -> Array:
    """Return pixels of shape (3, n), 0 to 1, in Ruderman's decorrelated colours."""
    return _TO_LAB @ np.log10(np.clip(_TO_LMS @ rgb, 1e-3, None))


def from_lab(lab: Array) -> Array:
    """Return pixels in red, green and blue, 0 to 1 and beyond."""
    result: Array = np.linalg.solve(_TO_LMS, 10.0 ** np.linalg.solve(_TO_LAB, lab))
    return result


def color_statistics(lab: Array) -> tuple[Array, Array]:
    """Return mean and standard deviation of each colour, as columns."""
    return lab.mean(axis=1, keepdims=True), lab.std(axis=1, keepdims=True)
