"""Grey-level runs (GLRLM): how long equal levels follow one another along a direction.

References
----------
IBSI reference manual v11, section 3.7 (TP0I); Galloway 1975.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["runs"]


@njit(cache=True, nogil=True)
def runs(
    levels: npt.NDArray[np.int32], count: int, directions: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:  # pragma: no cover
    """Return the run-length matrices.

    Parameters
    ----------
    levels
        Discretised region (see the package).
    count
        Number of levels n.
    directions
        Shape (d, 3), offsets in (z, y, x).

    Returns
    -------
    numpy.ndarray
        int64, shape (d, n, m): entry [d, i, k] counts runs of level i + 1 and length k + 1; m is the longest side.
    """
    depth, height, width = levels.shape
    longest = max(depth, height, width)
    result = np.zeros((len(directions), count, longest), np.int64)
    for d in range(len(directions)):
        dz, dy, dx = directions[d]
        for z in range(depth):
            for y in range(height):
                for x in range(width):
                    here = levels[z, y, x]
                    if here == 0:
                        continue
                    pz, py, px = z - dz, y - dy, x - dx
                    if 0 <= pz < depth and 0 <= py < height and 0 <= px < width and levels[pz, py, px] == here:
                        continue  # the run began earlier
                    length = 1
                    nz, ny, nx = z + dz, y + dy, x + dx
                    while 0 <= nz < depth and 0 <= ny < height and 0 <= nx < width and levels[nz, ny, nx] == here:
                        length += 1
                        nz, ny, nx = nz + dz, ny + dy, nx + dx
                    result[d, here - 1, length - 1] += 1
    return result
