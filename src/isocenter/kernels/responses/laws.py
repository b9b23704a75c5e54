"""Laws' kernels: level, edge, spot, wave and ripple along each axis, and their energy.

References
----------
IBSI 2 reference manual (arXiv:2006.05470), section 3.4 (JTXT, energy PQSD). Laws, Rapid texture identification,
Proc. SPIE 238 (1980) 376-381.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.kernels.responses.boundary import Boundary
from isocenter.kernels.responses.separable import Pooling, Taps, filter_axis, filtered

__all__ = ["LAWS", "energy", "laws", "laws_names"]

_INTEGERS = {
    "L3": (1, 2, 1), "L5": (1, 4, 6, 4, 1),
    "E3": (-1, 0, 1), "E5": (-1, -2, 0, 2, 1),
    "S3": (-1, 2, -1), "S5": (-1, 0, 2, 0, -1),
    "W5": (-1, 2, 0, -2, 1), "R5": (1, -4, 6, -4, 1),
}  # fmt: skip

#: Name -> one-dimensional kernel of unit norm.
LAWS = {name: tuple(v / math.sqrt(sum(w * w for w in values)) for v in values) for name, values in _INTEGERS.items()}


def laws_names(kernel: str) -> list[str] | None:
    """Return the one-dimensional kernels of a name such as ``E5L5S5``, None where it is not one."""
    names = re.findall(r"[A-Z]\d", kernel.upper())
    return names if "".join(names) == kernel.upper() and names and all(n in LAWS for n in names) else None


def laws(
    array: npt.NDArray[Any],
    kernel: str,
    axes: Sequence[int],
    *,
    boundary: Boundary = "mirror",
    pooling: Pooling | None = None,
    threads: int = 1,
) -> npt.NDArray[Any]:
    """Return the response to a Laws kernel.

    Parameters
    ----------
    array
        Float samples.
    kernel
        One letter and number per axis, for x, y, z: ``E5L5S5`` takes edges along x, the last axis.
    axes
        The filtered axes, ascending; the kernel's first part acts along the last of them.
    boundary
        Beyond the edges.
    pooling
        Over all right-angle rotations; None takes the kernel as it stands.
    threads
        Threads to use; the result does not depend on it.
    """
    names = laws_names(kernel) or []
    filters = [Taps.convolving(LAWS[name], len(LAWS[name]) // 2) for name in reversed(names)]
    return filtered(array, filters, axes, boundary, pooling, threads)


def energy(
    response: npt.NDArray[Any], distance: int, axes: Sequence[int], *, boundary: Boundary = "mirror", threads: int = 1
) -> npt.NDArray[Any]:
    """Return the mean size of a response in the box of `distance` samples to each side."""
    count = 2 * distance + 1
    taps = Taps.convolving([1.0 / count] * count, distance)
    result = np.abs(response)
    for axis in sorted(axes, reverse=True):
        result = filter_axis(result, taps, axis, boundary, threads)
    return result
