"""Level sets: an outline as the zero of a function that flows (Chan-Vese without edges, geodesic along edges).

References
----------
Chan, Vese. Active contours without edges. IEEE Trans. Image Processing 10 (2001) 266-277. Getreuer. Chan-Vese
segmentation. IPOL 2 (2012) 214-224. Caselles, Kimmel, Sapiro. Geodesic active contours. IJCV 22 (1997) 61-79.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from isocenter.kernels.labels import distance_inside

__all__ = ["chan_vese_flow", "geodesic_flow", "signed_distance"]

FloatArray = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def signed_distance(mask: Mask, spacing: Sequence[float], threads: int = 1) -> FloatArray:
    """Return the distance in mm to the outline, above 0 inside; half a step on either side of it."""
    if not mask.any() or mask.all():
        far = float(np.sum(np.asarray(mask.shape) * spacing))
        return np.full(mask.shape, far if mask.any() else -far)
    inside = distance_inside(mask, spacing, threads).astype(np.float64)
    outside = distance_inside(~mask, spacing, threads).astype(np.float64)
    half = 0.5 * min(spacing)
    return np.where(mask, inside - half, half - outside)


def _shifted(phi: FloatArray, axis: int, by: int) -> FloatArray:
    """Return a field moved by one sample along an axis; edges are extended by the nearest sample."""
    index = np.clip(np.arange(phi.shape[axis]) + by, 0, phi.shape[axis] - 1)
    return phi.take(index, axis=axis)


def chan_vese_flow(
    values: FloatArray,
    start: Mask,
    spacing: Sequence[float],
    smoothness: float,
    inside: float = 1.0,
    outside: float = 1.0,
    iterations: int = 200,
    tolerance: float = 1e-4,
) -> tuple[Mask, int]:
    """Part values into two regions of nearly constant value with a short outline; return the inner one and the passes.

    Parameters
    ----------
    values
        Scaled to about 0 to 1.
    start
        Mask to begin with.
    spacing
        mm, array order.
    smoothness
        mm: what the outline costs against variances.
    inside, outside
        Weight of the variance in each region.
    iterations
        Most passes.
    tolerance
        Share of samples that change in ten passes, below which the flow has come to rest.
    """
    unit = min(spacing)
    steps = [s / unit for s in spacing]
    phi = np.where(start, 1.0, -1.0)
    mu, passes, last = smoothness / unit * 0.25, 0, start
    for passes in range(1, iterations + 1):
        mask = phi > 0
        if not mask.any() or mask.all():
            break
        pull = outside * (values - values[~mask].mean()) ** 2 - inside * (values - values[mask].mean()) ** 2
        sides = [(_shifted(phi, k, 1), _shifted(phi, k, -1)) for k in range(phi.ndim)]
        central = [(a - b) / (2.0 * s) for (a, b), s in zip(sides, steps, strict=True)]
        total, weighted = np.zeros_like(phi), np.zeros_like(phi)
        for k, ((after, before), step) in enumerate(zip(sides, steps, strict=True)):
            cross = sum((central[j] ** 2 for j in range(phi.ndim) if j != k), np.zeros(()))
            for other in (after, before):
                weight = mu / np.sqrt(1e-6 + ((other - phi) / step) ** 2 + cross) / step**2
                total += weight
                weighted += weight * other
        delta = 0.5 / (1.0 + phi**2)
        phi = np.clip((phi + delta * (weighted + 4.0 * pull)) / (1.0 + delta * total), -10.0, 10.0)
        if passes % 10 == 0:
            now = phi > 0
            if np.count_nonzero(now != last) <= tolerance * now.size:
                break
            last = now
    return phi > 0, passes


def geodesic_flow(
    edges: FloatArray,
    start: Mask,
    spacing: Sequence[float],
    balloon: float = 1.0,
    smoothness: float = 0.2,
    attraction: float = 1.0,
    iterations: int = 400,
    threads: int = 1,
) -> tuple[Mask, int]:
    """Move an outline along the valleys of an edge image; return what it encloses and the passes.

    Parameters
    ----------
    edges
        Near 1 in flat parts, near 0 at edges.
    start
        Mask to begin with.
    spacing
        mm, array order.
    balloon
        Speed outwards (above 0) or inwards where there is no edge.
    smoothness
        mm: weight of the curvature.
    attraction
        mm: weight of the pull towards valleys.
    iterations
        Most passes.
    threads
        Threads to use; the result does not depend on it.
    """
    phi = signed_distance(start, spacing, threads)
    slope = [np.gradient(edges, s, axis=k) if edges.shape[k] > 1 else np.zeros_like(edges) for k, s in enumerate(spacing)]
    unit = min(spacing)
    dt = (
        0.4 * unit / (abs(balloon) + 2.0 * phi.ndim * smoothness / unit + attraction * max(float(np.abs(g).max()) for g in slope))
    )
    passes, last = 0, start
    for passes in range(1, iterations + 1):
        phi = phi + dt * _geodesic_step(phi, edges, slope, spacing, balloon, smoothness, attraction)
        if passes % 20 == 0:
            now = phi > 0
            if np.array_equal(now, last) or not now.any():
                break
            last = now
            phi = signed_distance(now, spacing, threads)
    return phi > 0, passes


def _geodesic_step(
    phi: FloatArray,
    edges: FloatArray,
    slope: Sequence[FloatArray],
    spacing: Sequence[float],
    balloon: float,
    smoothness: float,
    attraction: float,
) -> FloatArray:
    """Return how fast the function changes at every sample: balloon, curvature and the pull towards valleys."""
    ahead = [(_shifted(phi, k, 1) - phi) / s for k, s in enumerate(spacing)]
    back = [(phi - _shifted(phi, k, -1)) / s for k, s in enumerate(spacing)]
    central = [(a + b) / 2.0 for a, b in zip(ahead, back, strict=True)]
    norm = np.sqrt(sum((c**2 for c in central), np.zeros(())) + 1e-12)
    bend = np.zeros_like(phi)
    for k, s in enumerate(spacing):
        normal = central[k] / norm
        bend += (_shifted(normal, k, 1) - _shifted(normal, k, -1)) / (2.0 * s)
    # Outwards the function rises: differences against the flow keep it stable.
    grow = np.sqrt(sum((np.maximum(a, 0) ** 2 + np.minimum(b, 0) ** 2 for a, b in zip(ahead, back, strict=True)), np.zeros(())))
    shrink = np.sqrt(sum((np.minimum(a, 0) ** 2 + np.maximum(b, 0) ** 2 for a, b in zip(ahead, back, strict=True)), np.zeros(())))
    flow = edges * (balloon * (grow if balloon > 0 else shrink) + smoothness * bend * norm)
    for g, a, b in zip(slope, ahead, back, strict=True):
        flow += attraction * (np.maximum(g, 0) * a + np.minimum(g, 0) * b)
    return flow
