"""Filter responses of the samples of a region alone: no response image is ever held.

Each plane of the region is filtered along z from the image as it is stored, then along y and x, and gives its samples up.
What a filter needs beyond the region is read from the image around it, so that the numbers are those of filtering the whole.

References
----------
IBSI 2 reference manual (arXiv:2006.05470), sections 3.3 (L6PA) and 3.6 (25BO).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.kernels.radiomics.chain import Region
from isocenter.kernels.responses.blobs import gaussian_reach
from isocenter.kernels.responses.boundary import source_indices
from isocenter.kernels.responses.separable import Taps
from isocenter.kernels.responses.wavelets import band_taps
from isocenter.kernels.threads import run_rows

__all__ = ["POINTWISE", "Response", "gradient", "log", "pointwise", "reach_of", "response_values", "wavelet"]

Boundary = Literal["mirror", "nearest", "zero"]
Values = npt.NDArray[np.float32]
Term = tuple[Taps, Taps, Taps]

_SAME = Taps((0,), (1.0,))


@dataclass(frozen=True)
class Response:
    """One image type that features are taken of.

    Attributes
    ----------
    name
        As column names begin: ``log_2mm``, ``wavelet_llh`` ...
    tag
        As tags begin: ``log-sigma-2-mm-3D``, ``wavelet-LLH`` ...
    groups
        Each a sum of products of filters along z, y, x; several are joined as the root of their sum of squares. None for a
        function of the sample alone.
    curve
        Of the sample, and the largest magnitude in the image; None for filters.
    """

    name: str
    tag: str
    groups: tuple[tuple[Term, ...], ...] = ()
    curve: Callable[[npt.NDArray[np.float64], float], npt.NDArray[np.float64]] | None = None

    @property
    def reach(self) -> tuple[int, int, int]:
        """How many samples away it reads along each axis."""
        terms = [term for group in self.groups for term in group]
        z, y, x = (max((term[axis].reach for term in terms), default=0) for axis in range(3))
        return z, y, x


def reach_of(responses: Sequence[Response]) -> tuple[int, int, int]:
    """Return how many samples beyond a region all of them read along each axis."""
    z, y, x = (max((response.reach[axis] for response in responses), default=0) for axis in range(3))
    return z, y, x


# -- the image types ----------------------------------------------------------------------------------------


def log(sigma: float, spacing: Sequence[float], axes: Sequence[int], *, recursive: bool = False) -> Response:
    """Return the Laplacian of Gaussian of one size.

    Parameters
    ----------
    sigma
        Standard deviation in mm.
    spacing
        mm per sample along z, y and x.
    axes
        Axes it acts along.
    recursive
        False: the sampled Gaussian of the IBSI, cut at 4 standard deviations, derivatives per sample (of the smallest
        spacing). True: the impulse response of ITK's recursive filter, derivatives per mm times sigma^2, so that sizes compare.
    """
    unit = min(spacing[a] for a in axes)
    smooth, curved = [_SAME] * 3, [_SAME] * 3
    for axis in axes:
        width = sigma / spacing[axis]
        bell, bend = _recursive(width) if recursive else _sampled(width)
        bend = bend * (width**2 if recursive else (unit / sigma) ** 2)
        reach = len(bell) // 2
        smooth[axis], curved[axis] = Taps.convolving(bell.tolist(), reach), Taps.convolving(bend.tolist(), reach)
    terms = []
    for axis in axes:
        z, y, x = (curved[k] if k == axis else smooth[k] for k in range(3))
        terms.append((z, y, x))
    size = f"{sigma:g}".replace(".", "-")
    return Response(f"log_{size.replace('-', '_')}mm", f"log-sigma-{size}-mm-{len(axes)}D", (tuple(terms),))


def _sampled(width: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return a Gaussian of `width` samples, and its second derivative times the width's square."""
    reach = gaussian_reach(width, 4.0)
    place = np.arange(-reach, reach + 1) / width
    bell = np.exp(-0.5 * place**2) / (np.sqrt(2.0 * np.pi) * width)
    return bell, bell * (place**2 - 1.0)


def _recursive(width: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the impulse responses of ITK's recursive Gaussian and of its second derivative (per sample).

    A series of two damped waves stands for the Gaussian (Farneback and Westin, J. Math. Imaging Vis. 26 (2006) 293-299),
    brought to sum 1, and its second derivative to sum 0 and second moment 2. They are cut where they are below 10^-7.
    """
    reach = max(1, math.ceil(12.0 * width))
    steps = np.abs(np.arange(-reach, reach + 1.0))
    u = steps / width
    slow, fast = np.exp(-1.3932 * u), np.exp(-1.3732 * u)
    waves = (np.cos(0.6681 * u) * slow, np.sin(0.6681 * u) * slow, np.cos(2.0787 * u) * fast, np.sin(2.0787 * u) * fast)

    def mixed(*shares: float) -> Any:
        return sum(share * wave for share, wave in zip(shares, waves, strict=True))

    bell, bend = mixed(1.3530, 1.8151, -0.3531, 0.0902), mixed(-1.3563, 5.2318, 0.3446, -2.2355)
    bend -= bell * (bend.sum() / bell.sum())
    return bell / bell.sum(), bend * (2.0 / float((steps**2 * bend).sum()))


def wavelet(name: str, axes: Sequence[int], level: int = 1) -> tuple[Response, ...]:
    """Return every band of a wavelet, named for x, y, z in this order: ``LHL`` is high-pass along y."""
    found = []
    for band in itertools.product("LH", repeat=len(axes)):
        filters = [_SAME] * 3
        for axis, letter in zip(sorted(axes, reverse=True), band, strict=True):
            filters[axis] = band_taps(name, letter, level)
        word = "".join(band)
        number = "" if level == 1 else str(level)
        term = (filters[0], filters[1], filters[2])
        found.append(Response(f"wavelet{number}_{word.lower()}", f"wavelet{number}-{word}", ((term,),)))
    return tuple(found)


def gradient(spacing: Sequence[float], axes: Sequence[int]) -> Response:
    """Return the magnitude of the gradient by central differences, per mm."""
    groups = []
    for axis in axes:
        step = Taps((-1, 1), (-0.5 / spacing[axis], 0.5 / spacing[axis]))
        z, y, x = (step if k == axis else _SAME for k in range(3))
        groups.append(((z, y, x),))
    return Response("gradient", "gradient", tuple(groups))


def _square(x: Any, top: float) -> Any:
    return x * x / top


def _square_root(x: Any, top: float) -> Any:
    return np.sign(x) * np.sqrt(np.abs(x) * top)


def _logarithm(x: Any, top: float) -> Any:
    return np.sign(x) * np.log1p(np.abs(x)) * (top / math.log1p(top))


def _exponential(x: Any, top: float) -> Any:
    return np.exp(x * (math.log(top) / top))


#: Functions of the sample, each brought back to the range of the image by its largest magnitude.
POINTWISE: dict[str, Callable[[Any, float], Any]] = {
    "square": _square, "squareroot": _square_root, "logarithm": _logarithm, "exponential": _exponential,
}  # fmt: skip


def pointwise(name: str) -> Response:
    """Return one of `POINTWISE`."""
    return Response(name, name, (), POINTWISE[name])


# -- computing one ------------------------------------------------------------------------------------------


def response_values(region: Region, response: Response, boundary: Boundary, top: float, threads: int = 1) -> Values:
    """Return the response at every sample of the intensity mask, in the order of the samples.

    Parameters
    ----------
    region
        Prepared with at least the response's reach around it, where the image goes on.
    response
        Which.
    boundary
        What lies beyond the edges of the image.
    top
        Largest magnitude in the image, more than 0; functions of the sample alone need it.
    threads
        Threads that may run at once; the result does not depend on it.
    """
    core = region.mask[1:-1, 1:-1, 1:-1]
    starts = np.concatenate(([0], np.cumsum([np.count_nonzero(plane == 3) for plane in core], dtype=np.int64)))
    out = np.empty(int(starts[-1]), np.float32)
    if response.curve is not None:
        for z, (samples, inside) in enumerate(zip(region.intensities, core, strict=True)):  # widened plane by plane
            out[starts[z] : starts[z + 1]] = response.curve(samples[inside == 3].astype(np.float64), top)
        return out
    passes = [_passes(region, group, boundary) for group in response.groups]
    if len(passes) == 1:
        run_rows(_planes, len(core), threads, *passes[0], region.mask, starts, out)
        return out
    for z in range(len(core)):
        part = out[starts[z] : starts[z + 1]]
        part[:] = 0.0
        one = np.empty_like(part)
        for each in passes:
            _planes(z, z + 1, *each, region.mask, starts - starts[z], one)
            part += one * one
        np.sqrt(part, out=part)
    return out


@dataclass(frozen=True)
class _Plan:
    """A sum of products of filters as passes: each distinct filter along z once, then y, then x.

    Attributes
    ----------
    filters
        Distinct filters along z, y and x.
    steps
        (filter along z, along y, along x) of every term, those of one filter along z together.
    """

    filters: tuple[tuple[Taps, ...], ...]
    steps: npt.NDArray[np.int64]


def _plan(terms: tuple[Term, ...]) -> _Plan:
    filters = tuple(tuple(dict.fromkeys(term[axis] for term in terms)) for axis in range(3))
    steps = sorted(tuple(filters[axis].index(term[axis]) for axis in range(3)) for term in terms)
    return _Plan(filters, np.array(steps, np.int64))


def _weights(filters: Sequence[Taps]) -> tuple[npt.NDArray[np.float64], int, int]:
    """Return weights (filters, offsets) over one span of offsets, and the span."""
    low = min(min(taps.offsets) for taps in filters)
    high = max(max(taps.offsets) for taps in filters)
    table = np.zeros((len(filters), high - low + 1))
    for row, taps in zip(table, filters, strict=True):
        for offset, weight in zip(taps.offsets, taps.weights, strict=True):
            row[offset - low] = weight
    return table, low, high


def _passes(region: Region, terms: tuple[Term, ...], boundary: Boundary) -> tuple[Any, ...]:
    """Return what `_planes` takes of an image and a filter: samples, where they are read from, weights and steps."""
    plan = _plan(terms)
    tables, sources, parts = [], [], []
    for axis, filters in enumerate(plan.filters):
        table, low, high = _weights(filters)
        inner, size = region.inner[axis], region.array.shape[axis]
        # Only what is read of this axis: the margin of the region may be that of a wider filter.
        first, last = max(0, inner.start + low), min(size, inner.stop + high)
        place = source_indices(size, max(0, -low), max(0, high), boundary)
        wanted = place[inner.start + low + max(0, -low) : inner.stop + high + max(0, -low)]
        first, last = min(first, int(wanted[wanted >= 0].min())), max(last, int(wanted.max()) + 1)
        sources.append(np.where(wanted >= 0, wanted - first, -1).astype(np.int64))
        parts.append(slice(first, last))
        tables.append(table)
    array = region.array[tuple(parts)]
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return (array, *sources, *tables, plan.steps)


@njit(cache=True, nogil=True)
def _through(array: Any, source: Any, weights: Any, z: int, total: Any) -> None:  # pragma: no cover - compiled
    """Set a plane to the weighted planes of an array; the filter's span begins at `z` in `source`."""
    total[:] = 0.0
    for k in range(weights.size):
        weight, place = weights[k], source[z + k]
        if weight == 0.0 or place < 0:
            continue
        for y in range(array.shape[1]):
            row, line = array[place, y], total[y]
            for x in range(line.size):
                line[x] += weight * row[x]


@njit(cache=True, nogil=True)
def _down(plane: Any, source: Any, weights: Any, y: int, total: Any) -> None:  # pragma: no cover - compiled
    """Add the weighted rows of a plane to a row."""
    for k in range(weights.size):
        weight, place = weights[k], source[y + k]
        if weight == 0.0 or place < 0:
            continue
        row = plane[place]
        for x in range(total.size):
            total[x] += weight * row[x]


@njit(cache=True, nogil=True)
def _across(
    row: Any, source: Any, weights: Any, low: int, high: int, line: Any, total: Any
) -> None:  # pragma: no cover - compiled
    """Add the weighted samples of a row, from `low` to `high`; `line` is room for the row as it goes on beyond the edges."""
    for k in range(source.size):
        line[k] = row[source[k]] if source[k] >= 0 else 0.0
    for k in range(weights.size):
        weight = weights[k]
        if weight == 0.0:
            continue
        for x in range(low, high):
            total[x] += weight * line[x + k]


@njit(cache=True, nogil=True)
def _planes(
    first: int, last: int, array: Any, source_z: Any, source_y: Any, source_x: Any, along_z: Any, along_y: Any, along_x: Any,
    steps: Any, mask: Any, starts: Any, out: Any,
) -> None:  # fmt: skip  # pragma: no cover - compiled
    """Filter planes `first` to `last` of the region and put the samples of its intensity mask into `out`."""
    height, width = mask.shape[1] - 2, mask.shape[2] - 2
    planes = np.empty((along_z.shape[0], array.shape[1], array.shape[2]), np.float64)
    sums = np.empty((along_x.shape[0], array.shape[2]), np.float64)
    line, result = np.empty(source_x.size, np.float64), np.empty(width, np.float64)
    for z in range(first, last):
        if starts[z] == starts[z + 1]:
            continue
        for kind in range(along_z.shape[0]):
            _through(array, source_z, along_z[kind], z, planes[kind])
        used = starts[z]
        for y in range(height):
            low, high = width, 0
            for x in range(width):
                if mask[z + 1, y + 1, x + 1] == 3:
                    low, high = min(low, x), x + 1
            if high == 0:
                continue
            sums[:] = 0.0
            for s in range(steps.shape[0]):
                _down(planes[steps[s, 0]], source_y, along_y[steps[s, 1]], y, sums[steps[s, 2]])
            result[:] = 0.0
            for kind in range(along_x.shape[0]):
                _across(sums[kind], source_x, along_x[kind], low, high, line, result)
            for x in range(low, high):
                if mask[z + 1, y + 1, x + 1] == 3:
                    out[used] = result[x]
                    used += 1
