"""Riesz transform: derivatives of any order that keep every spatial frequency as strong as it is.

References
----------
IBSI 2 reference manual (arXiv:2006.05470), section 3.8 (AYRS, alignment by the structure tensor 3.9). Unser and
Van De Ville, IEEE Trans. Image Process. 19 (2010) 636-652.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft

from isocenter.kernels.responses.blobs import gaussian_reach, laplacian_of_gaussian
from isocenter.kernels.responses.boundary import Boundary, padded
from isocenter.kernels.responses.simoncelli import margins, transfer
from isocenter.kernels.smooth import gaussian

__all__ = ["riesz"]

Array = npt.NDArray[Any]


def riesz(
    array: Array,
    spacing: Sequence[float],
    order: Sequence[int],
    axes: Sequence[int],
    *,
    sigma: float | None = None,
    level: int | None = None,
    truncate: float = 4.0,
    tensor_sigma: float | None = None,
    boundary: Boundary = "mirror",
    threads: int = 1,
) -> Array:
    """Return one component of the Riesz transform of a band-pass response.

    Parameters
    ----------
    array
        Float samples.
    spacing
        mm per sample along every axis; all 1 where the image has none.
    order
        Derivatives along x, y, z (as many as axes), not all 0.
    axes
        The filtered axes, ascending; the first order belongs to the last of them.
    sigma, truncate
        The band is a Laplacian of Gaussian of this width in mm, cut at `truncate` widths.
    level
        The band is a Simoncelli wavelet of this level (where `sigma` is None).
    tensor_sigma
        Turns the axes, at every sample, to the eigenvectors of the structure tensor smoothed over this many mm,
        strongest first; None leaves them as they are.
    boundary
        Beyond the edges. The image is continued once, by some dozens of samples, and the margin is cut off at the end.
    threads
        Threads of the spatial passes; the result does not depend on it.
    """
    used = sorted(axes)
    stack = np.moveaxis(array, used, range(-len(used), 0))
    shape = stack.shape
    stack = stack.reshape(-1, *shape[array.ndim - len(used) :])
    steps = [spacing[a] for a in used]
    degrees = list(reversed(order))
    widths = margins(stack.shape[1:], level or 1, boundary)
    if sigma is not None and boundary != "periodic":
        reaches = [gaussian_reach(sigma / s, truncate) for s in steps]
        widths = [(a + r, b + r) for (a, b), r in zip(widths, reaches, strict=True)]
    inside = tuple(slice(a, a + n) for (a, _), n in zip(widths, stack.shape[1:], strict=True))
    out = np.empty(stack.shape, array.dtype)
    for k in range(len(stack)):
        block = padded(stack[k], widths, boundary)
        if tensor_sigma is not None:
            block = block.astype(np.float64)  # eigenvectors of nearly equal eigenvalues magnify rounding
        if sigma is not None:
            block = laplacian_of_gaussian(block, steps, sigma, truncate=truncate, boundary=boundary, threads=threads)
        wave = fft.rfftn(block)
        if level is not None:
            wave *= transfer(block.shape, level).astype(block.dtype)
        places = _directions(block.shape, steps if level is None else [1.0] * len(steps))
        if tensor_sigma is None:
            out[k] = _component(wave, places, degrees, block.shape)[inside]
        else:
            widened = [tensor_sigma / s for s in steps]
            out[k] = _aligned(wave, places, degrees, block.shape, widened, inside, threads)
    return np.ascontiguousarray(np.moveaxis(out.reshape(shape), range(-len(used), 0), used))


def _directions(shape: Sequence[int], steps: Sequence[float]) -> list[Array]:
    """Return the unit vector of every frequency of the half spectrum, one array per axis; 0 at frequency 0."""
    places = []
    for axis, (n, step) in enumerate(zip(shape, steps, strict=True)):
        line = (np.fft.rfftfreq(n, step) if axis == len(shape) - 1 else np.fft.fftfreq(n, step)).astype(np.float64)
        places.append(line.reshape([-1 if k == axis else 1 for k in range(len(shape))]))
    radius = np.sqrt(sum(p**2 for p in places))
    radius.flat[0] = 1.0
    return [p / radius for p in places]


def _component(wave: Array, places: list[Array], degrees: Sequence[int], shape: Sequence[int]) -> Array:
    """Return the component of these degrees, one per axis."""
    total = sum(degrees)
    factor = math.sqrt(math.factorial(total) / math.prod(math.factorial(d) for d in degrees))
    weight = np.full((1,) * len(shape), factor)
    for axis, (place, degree) in enumerate(zip(places, degrees, strict=True)):
        if degree:
            weight = weight * place**degree
            if degree % 2 and shape[axis] % 2 == 0:
                # The highest frequency of an even axis stands for both directions: an odd function is 0 there.
                where: list[Any] = [slice(None)] * len(shape)
                where[axis] = shape[axis] // 2
                weight[tuple(where)] = 0.0
    filtered = wave * weight.astype(wave.real.dtype)
    filtered *= wave.dtype.type((-1j) ** total)
    result: Array = fft.irfftn(filtered, s=tuple(shape))
    return result


def _aligned(
    wave: Array,
    places: list[Array],
    degrees: Sequence[int],
    shape: Sequence[int],
    sigma: Sequence[float],
    inside: tuple[slice, ...],
    threads: int,
) -> Array:
    """Return the component in the local frame: the last axis turns to the strongest direction, the one before to the next."""
    count = len(shape)
    first = [_component(wave, places, [int(a == b) for b in range(count)], shape) for a in range(count)]
    tensor = np.empty((*(s.stop - s.start for s in inside), count, count))
    for a in range(count):
        for b in range(a + 1):
            tensor[..., a, b] = tensor[..., b, a] = gaussian(first[a] * first[b], sigma, 4.0, threads)[inside]
    # Ascending eigenvalues: column k of the eigenvectors belongs to axis k, so that the last is the strongest.
    frame = np.linalg.eigh(tensor)[1]
    slope = np.stack([f[inside] for f in first], axis=-1)
    sign = np.sign(np.einsum("...a,...ak->...k", slope, frame))
    frame = frame * np.where(sign == 0, 1.0, sign)[..., None, :]  # each direction points up the slope
    shares: dict[tuple[int, ...], Array] = {(0,) * count: np.ones(tensor.shape[:-2])}
    for axis, degree in enumerate(degrees):
        for _ in range(degree):
            grown: dict[tuple[int, ...], Array] = {}
            for powers, share in shares.items():
                for b in range(count):
                    key = tuple(p + (b == k) for k, p in enumerate(powers))
                    part = share * frame[..., b, axis]
                    grown[key] = grown[key] + part if key in grown else part
            shares = grown
    total = np.zeros(tensor.shape[:-2])
    own = math.sqrt(1.0 / math.prod(math.factorial(d) for d in degrees))
    for powers, share in sorted(shares.items()):
        plain = own * math.sqrt(math.prod(math.factorial(p) for p in powers))
        total += plain * share * _component(wave, places, powers, shape)[inside]
    return total
