"""Objects of two label maps: how they overlap, and which belong together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import linear_sum_assignment

__all__ = ["Matching", "compact", "match_objects"]


@dataclass(frozen=True)
class Matching:
    """Which object is which.

    Attributes
    ----------
    pairs
        Shape (n, 2): label in the first map, label in the second, ascending by the first.
    overlaps
        Shape (n,): intersection over union of each pair.
    first, second
        How many objects each map has.
    """

    pairs: npt.NDArray[np.int64]
    overlaps: npt.NDArray[np.float64]
    first: int
    second: int


def compact(labels: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], int]:
    """Return labels renumbered 1, 2 ... in ascending order without gaps, and how many there are."""
    present = np.unique(labels)
    present = present[present > 0]
    if not present.size:
        return np.zeros(labels.shape, np.int64), 0
    found = np.searchsorted(present, labels)
    result = np.where(labels > 0, found + 1, 0).astype(np.int64)
    return result, int(present.size)


def match_objects(first: npt.NDArray[Any], second: npt.NDArray[Any], minimum: float) -> Matching:
    """Pair objects one to one so that the sum of their overlaps is largest.

    Parameters
    ----------
    first, second
        Labels 1, 2 ... of one shape without gaps, 0 background.
    minimum
        Smallest intersection over union of a pair; 0 asks for one common sample.
    """
    count_one, count_two = int(first.max(initial=0)), int(second.max(initial=0))
    size_one = np.bincount(first.ravel(), minlength=count_one + 1)
    size_two = np.bincount(second.ravel(), minlength=count_two + 1)
    both = (first > 0) & (second > 0)
    code = first[both].astype(np.int64) * (count_two + 1) + second[both]
    pairs, common = np.unique(code, return_counts=True)
    one, two = pairs // (count_two + 1), pairs % (count_two + 1)
    overlap = common / (size_one[one] + size_two[two] - common)
    keep = overlap >= minimum
    one, two, overlap = one[keep], two[keep], overlap[keep]
    chosen = _assign(one, two, overlap, count_one, count_two)
    order = np.argsort(one[chosen], kind="stable")
    chosen = chosen[order]
    return Matching(np.stack([one[chosen], two[chosen]], axis=1), overlap[chosen], count_one, count_two)


def _assign(
    one: npt.NDArray[np.int64], two: npt.NDArray[np.int64], overlap: npt.NDArray[np.float64], count_one: int, count_two: int
) -> npt.NDArray[np.int64]:
    """Return which candidate pairs are taken; groups of objects that touch nothing else are solved on their own."""
    if not one.size:
        return np.zeros(0, np.int64)
    nodes = count_one + count_two + 2
    graph = sparse.coo_array((np.ones(one.size), (one, two + count_one + 1)), shape=(nodes, nodes))
    _, group = sparse.csgraph.connected_components(graph, directed=False)
    taken: list[int] = []
    where = group[one]
    order = np.argsort(where, kind="stable")
    for block in np.split(order, np.flatnonzero(np.diff(where[order])) + 1):
        if block.size == 1:
            taken.append(int(block[0]))
            continue
        rows, r = np.unique(one[block], return_inverse=True)
        columns, c = np.unique(two[block], return_inverse=True)
        gain = np.zeros((rows.size, columns.size))
        index = np.full(gain.shape, -1)
        gain[r, c], index[r, c] = overlap[block], block
        taken.extend(int(index[i, j]) for i, j in zip(*linear_sum_assignment(-gain), strict=True) if index[i, j] >= 0)
    return np.array(sorted(taken), dtype=np.int64)
