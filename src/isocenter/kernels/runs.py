"""Masks as runs: components, islands and holes told from the runs of samples in the rows, without a volume of labels.

A mask has far fewer runs than samples, so joining runs takes a fraction of the time and memory of labelling samples.

References
----------
He, Chao, Suzuki. A run-based two-scan labeling algorithm. IEEE Trans. Image Process. 17 (2008) 749-756.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from isocenter.kernels.threads import kernel_input

__all__ = ["Runs", "fill", "keep", "reaching", "runs_of"]

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int32]


class Runs:
    """The runs of a mask and the component of each.

    Attributes
    ----------
    row, start, stop
        First run of every row (and the end), and the samples of every run.
    component
        Number of the component of every run, 0, 1 ... in the order of their first samples.
    count
        How many components there are.
    """

    def __init__(self, row: npt.NDArray[np.int64], start: Ints, stop: Ints, component: Ints, count: int) -> None:
        self.row, self.start, self.stop, self.component, self.count = row, start, stop, component, count

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """How many samples every component has."""
        found = np.zeros(self.count, np.int64)
        _sizes(self.start, self.stop, self.component, found)
        return found


def runs_of(mask: Bytes, connectivity: int, background: bool = False) -> Runs:
    """Return the runs of a mask (or of what is not in it), joined to components.

    Parameters
    ----------
    mask
        0 and 1, three axes, contiguous.
    connectivity
        6, 18 or 26; 4 and 8 join within each slice alone.
    background
        Whether the samples that are 0 are looked at.
    """
    depth, height, width = mask.shape
    lines = mask.reshape(depth * height, width)
    flip = np.uint8(1 if background else 0)
    row = np.zeros(depth * height + 1, np.int64)
    _count(lines, flip, row)
    start, stop = np.empty(int(row[-1]), np.int32), np.empty(int(row[-1]), np.int32)
    _find(lines, flip, row, start, stop)
    parent = np.arange(len(start), dtype=np.int32)
    _join(row, start, stop, depth, height, connectivity, parent)
    count = int(_number(parent))
    return Runs(row, start, stop, parent, count)


def keep(mask: Bytes, runs: Runs, wanted: npt.NDArray[np.bool_]) -> None:
    """Clear, in place, the components of a mask that are not wanted."""
    _set(mask.reshape(-1, mask.shape[2]), runs.row, runs.start, runs.stop, runs.component, ~wanted, np.uint8(0))


def reaching(runs: Runs, values: npt.NDArray[Any], limit: float) -> npt.NDArray[np.bool_]:
    """Return which components hold a value above a limit; `values` has the shape of the mask."""
    found = np.zeros(runs.count, np.bool_)
    lines = kernel_input(values).reshape(-1, values.shape[-1])
    as_compared = float(lines.dtype.type(limit)) if lines.dtype.kind == "f" else float(limit)
    _reach(lines, as_compared, runs.row, runs.start, runs.stop, runs.component, found)
    return found


def fill(mask: Bytes, planar: bool = False) -> None:
    """Fill, in place, what no path of face neighbours joins to the edge of the volume (or of each slice)."""
    runs = runs_of(mask, 4 if planar else 6, background=True)
    outside = np.zeros(runs.count, np.bool_)
    _touching(runs.row, runs.start, runs.stop, runs.component, mask.shape[0], mask.shape[1], mask.shape[2], planar, outside)
    _set(mask.reshape(-1, mask.shape[2]), runs.row, runs.start, runs.stop, runs.component, ~outside, np.uint8(1))


@numba.njit(cache=True, nogil=True)
def _turns(line: Any, flip: Any, found: Any) -> int:  # pragma: no cover - compiled
    """Write where samples change along a row to `found` (with both ends as changes from nothing); return how many."""
    width = line.size
    count = 0
    before = flip
    whole = width >> 3
    words = line[: whole << 3].view(np.uint64)
    for k in range(whole):
        word = words[k]
        if word == (np.uint64(before) * np.uint64(0x0101010101010101)):
            continue
        for x in range(k << 3, (k + 1) << 3):
            if line[x] != before:
                before = line[x]
                found[count] = x
                count += 1
    for x in range(whole << 3, width):
        if line[x] != before:
            before = line[x]
            found[count] = x
            count += 1
    if before != flip:
        found[count] = width
        count += 1
    return count


@numba.njit(cache=True, nogil=True)
def _count(lines: Any, flip: Any, row: Any) -> None:  # pragma: no cover - compiled
    found = np.empty(lines.shape[1] + 2, np.int32)
    for k in range(lines.shape[0]):
        row[k + 1] = row[k] + (_turns(lines[k], flip, found) >> 1)


@numba.njit(cache=True, nogil=True)
def _find(lines: Any, flip: Any, row: Any, start: Any, stop: Any) -> None:  # pragma: no cover - compiled
    found = np.empty(lines.shape[1] + 2, np.int32)
    for k in range(lines.shape[0]):
        count = _turns(lines[k], flip, found) >> 1
        for j in range(count):
            start[row[k] + j], stop[row[k] + j] = found[2 * j], found[2 * j + 1]


@numba.njit(cache=True, nogil=True)
def _root(parent: Any, k: int) -> int:  # pragma: no cover - compiled
    while parent[k] != k:
        parent[k] = parent[parent[k]]
        k = parent[k]
    return k


@numba.njit(cache=True, nogil=True)
def _rows(a: int, b: int, reach: int, row: Any, start: Any, stop: Any, parent: Any) -> None:  # pragma: no cover - compiled
    """Join the runs of two rows that lie beside each other."""
    i, j = row[a], row[b]
    while i < row[a + 1] and j < row[b + 1]:
        if start[i] < stop[j] + reach and start[j] < stop[i] + reach:
            one, two = _root(parent, i), _root(parent, j)
            if one < two:
                parent[two] = one
            else:
                parent[one] = two
        if stop[i] < stop[j]:
            i += 1
        else:
            j += 1


@numba.njit(cache=True, nogil=True)
def _join(
    row: Any, start: Any, stop: Any, depth: int, height: int, connectivity: int, parent: Any
) -> None:  # pragma: no cover - compiled
    face = 0 if connectivity == 6 or connectivity == 4 else 1  # how far rows that share a face reach along them
    for z in range(depth):
        for y in range(height):
            here = z * height + y
            if row[here] == row[here + 1]:
                continue
            if y > 0:
                _rows(here - 1, here, face, row, start, stop, parent)
            if z == 0 or connectivity < 6 or connectivity == 8:
                continue
            _rows(here - height, here, face, row, start, stop, parent)
            if connectivity == 6:
                continue
            reach = 1 if connectivity == 26 else 0
            if y > 0:
                _rows(here - height - 1, here, reach, row, start, stop, parent)
            if y < height - 1:
                _rows(here - height + 1, here, reach, row, start, stop, parent)


@numba.njit(cache=True, nogil=True)
def _number(parent: Any) -> int:  # pragma: no cover - compiled
    """Replace every run's parent by its component: a root is the first run of its component."""
    count = 0
    for k in range(parent.size):
        if parent[k] == k:
            parent[k] = count
            count += 1
        else:
            parent[k] = parent[parent[k]]
    return count


@numba.njit(cache=True, nogil=True)
def _sizes(start: Any, stop: Any, component: Any, found: Any) -> None:  # pragma: no cover - compiled
    for k in range(start.size):
        found[component[k]] += stop[k] - start[k]


@numba.njit(cache=True, nogil=True)
def _set(
    lines: Any, row: Any, start: Any, stop: Any, component: Any, chosen: Any, value: Any
) -> None:  # pragma: no cover - compiled
    for k in range(lines.shape[0]):
        for j in range(row[k], row[k + 1]):
            if chosen[component[j]]:
                lines[k, start[j] : stop[j]] = value


@numba.njit(cache=True, nogil=True)
def _reach(
    lines: Any, limit: float, row: Any, start: Any, stop: Any, component: Any, found: Any
) -> None:  # pragma: no cover - compiled
    for k in range(lines.shape[0]):
        for j in range(row[k], row[k + 1]):
            if found[component[j]]:
                continue
            for x in range(start[j], stop[j]):
                if lines[k, x] > limit:
                    found[component[j]] = True
                    break


@numba.njit(cache=True, nogil=True)
def _touching(
    row: Any, start: Any, stop: Any, component: Any, depth: int, height: int, width: int, planar: bool, outside: Any
) -> None:  # pragma: no cover - compiled
    for z in range(depth):
        for y in range(height):
            here = z * height + y
            rim = y == 0 or y == height - 1 or (not planar and (z == 0 or z == depth - 1))
            for j in range(row[here], row[here + 1]):
                if rim or start[j] == 0 or stop[j] == width:
                    outside[component[j]] = True
