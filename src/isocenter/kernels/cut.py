"""Graph cut: the outline of least cost between object and background seeds, exactly.

References
----------
Boykov, Jolly. Interactive graph cuts for optimal boundary and region segmentation of objects in N-D images. ICCV (2001)
105-112.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

__all__ = ["least_cut"]

FloatArray = npt.NDArray[np.float64]

#: Costs become whole numbers: the flow is then found exactly, and is the same on every machine.
_UNIT = 1000


def least_cut(
    links: Sequence[FloatArray], source: FloatArray, sink: FloatArray, seeds: npt.NDArray[np.integer[Any]]
) -> npt.NDArray[np.bool_]:
    """Return which samples stay with the object when the cheapest cut is made.

    Parameters
    ----------
    links
        For each axis what it costs to cut between a sample and the next along it, one sample shorter along that axis.
    source
        What it costs to call a sample background.
    sink
        What it costs to call it object.
    seeds
        1 where a sample is object for certain, 2 where it is background, else 0.
    """
    shape = seeds.shape
    size = seeds.size
    number = np.arange(size).reshape(shape)
    rows, columns, costs = [], [], []
    for axis, cost in enumerate(links):
        one, two = np.delete(number, -1, axis=axis).ravel(), np.delete(number, 0, axis=axis).ravel()
        whole = np.rint(cost.ravel() * _UNIT).astype(np.int64)
        rows += [one, two]
        columns += [two, one]
        costs += [whole, whole]
    never = min(int(sum(int(c.max(initial=0)) for c in costs)) + 1, 1 << 28)
    to_object = np.where(seeds == 1, never, np.rint(source * _UNIT)).astype(np.int64).ravel()
    to_ground = np.where(seeds == 2, never, np.rint(sink * _UNIT)).astype(np.int64).ravel()
    # What both ends would take is spent in any case.
    common = np.minimum(to_object, to_ground)
    to_object, to_ground = to_object - common, to_ground - common
    fed, drained = np.flatnonzero(to_object), np.flatnonzero(to_ground)
    rows += [np.full(fed.size, size), drained]
    columns += [fed, np.full(drained.size, size + 1)]
    costs += [to_object[fed], to_ground[drained]]
    capacity = sparse.csr_array(
        (np.minimum(np.concatenate(costs), 1 << 30).astype(np.int32), (np.concatenate(rows), np.concatenate(columns))),
        shape=(size + 2, size + 2),
    )
    flow = sparse.csgraph.maximum_flow(capacity, size, size + 1, method="dinic").flow
    left = sparse.csr_array(capacity - flow)
    left.data[left.data < 0] = 0
    left.eliminate_zeros()
    reached = sparse.csgraph.breadth_first_order(left, size, return_predecessors=False)
    result = np.zeros(size + 2, np.bool_)
    result[reached] = True
    return result[:size].reshape(shape)
