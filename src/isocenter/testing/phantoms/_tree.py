"""Random branching trees of capsules: vessels and airways."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocenter.testing.phantoms._canvas import Capsule, Vector

__all__ = ["grow"]


def _unit(v: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return v / max(float(np.linalg.norm(v)), 1e-12)


def _vector(v: npt.NDArray[np.float64]) -> Vector:
    return float(v[0]), float(v[1]), float(v[2])


def grow(
    rng: np.random.Generator,
    start: Vector,
    direction: Vector,
    length: float,
    radius: float,
    generations: int,
    *,
    spread: float = 35.0,
    shrink: float = 0.8,
    flat: bool = False,
) -> list[Capsule]:
    """Return the branches of a tree in which each branch splits into two.

    Parameters
    ----------
    start, direction
        Where the trunk starts (mm) and heads to.
    length, radius
        Of the trunk, mm.
    generations
        Number of splits after the trunk.
    spread
        Mean angle in degrees between a branch and its parent.
    shrink
        Length of a child over that of its parent.
    flat
        Keep every branch in the plane S = const (for pictures in two dimensions).

    References
    ----------
    C. D. Murray, The physiological principle of minimum work, PNAS 12 (1926): r0^3 = r1^3 + r2^3.
    """
    branches: list[Capsule] = []
    todo = [(np.asarray(start, float), _unit(np.asarray(direction, float)), length, radius, generations)]
    while todo:
        origin, heading, size, width, left = todo.pop()
        end = origin + heading * size
        share = float(rng.uniform(0.35, 0.65))
        children = (width * share ** (1 / 3), width * (1 - share) ** (1 / 3))
        branches.append(Capsule(_vector(origin), _vector(end), width, max(children)))
        if left == 0:
            continue
        side = rng.standard_normal(3)
        if flat:
            side = np.array((-heading[1], heading[0], 0.0)) * (1.0 if rng.random() < 0.5 else -1.0)
        side = _unit(side - (side @ heading) * heading)
        for child, turn in zip(children, (1.0, -1.0), strict=True):
            angle = np.deg2rad(spread * float(rng.uniform(0.7, 1.3))) * turn
            bent = _unit(heading * np.cos(angle) + side * np.sin(angle))
            todo.append((end, bent, size * shrink * float(rng.uniform(0.85, 1.15)), child, left - 1))
    return branches
