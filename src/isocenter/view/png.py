"""PNG bytes of an RGB array: small, and the same for the same pixels.

Medical pictures are mostly grey with a few coloured lines, so a palette of ordered greys and the colours that occur
halves their size; pictures rich in colour stay true-colour.

References
----------
W3C, Portable Network Graphics (PNG) Specification, third edition: 9 (filtering), 11.2 (critical chunks).
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ParameterError

__all__ = ["encode"]

Bytes = npt.NDArray[np.uint8]

_GREYS = 128
_GREY_TOLERANCE = 8  # channels closer than this are grey: text edges and image samples
_COLOUR_SHARE = 0.12  # of all pixels that may be coloured: lines and letters are, photographs and renders are more


def encode(rgb: npt.NDArray[np.uint8]) -> bytes:
    """Return a picture as PNG.

    Parameters
    ----------
    rgb
        uint8, shape (rows, columns, 3).

    Returns
    -------
    bytes
        Without time, software or resolution entries. Samples are kept to 7 bits where the picture has more
        than 256 colours.
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or not rgb.size:
        raise ParameterError(f"Picture of {rgb.dtype}, shape {rgb.shape}: expected uint8 of shape (rows, columns, 3).")
    indexed = _palette(rgb)
    rows, columns = rgb.shape[:2]
    if indexed is None:
        header = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)
        return _file(header, b"", _smallest((rgb & np.uint8(0xFE)).reshape(rows, -1), 3))
    index, palette = indexed
    header = struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)
    return _file(header, _chunk(b"PLTE", palette.tobytes()), _smallest(index, 1))


def _file(header: bytes, extra: bytes, data: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + extra + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _smallest(lines: Bytes, step: int) -> bytes:
    """Return the compressed scan lines, unfiltered or filtered line by line, whichever is smaller."""
    plain = np.concatenate([np.zeros((len(lines), 1), np.uint8), lines], axis=1)
    # The fast level tells which of both wins; the last percent of the highest level is not worth its time.
    better = min((v.tobytes() for v in (plain, _filtered(lines, step))), key=lambda raw: len(zlib.compress(raw, 1)))
    return zlib.compress(better, 6)


def _filtered(lines: Bytes, step: int) -> Bytes:
    """Return scan lines with the filter (none, sub, up, average, Paeth) of least absolute residual each."""
    now = lines.astype(np.int16)
    left = np.zeros_like(now)
    left[:, step:] = now[:, :-step]
    above = np.zeros_like(now)
    above[1:] = now[:-1]
    corner = np.zeros_like(now)
    corner[1:, step:] = now[:-1, :-step]
    guess = left + above - corner
    near = [np.abs(guess - v) for v in (left, above, corner)]
    paeth = np.where((near[0] <= near[1]) & (near[0] <= near[2]), left, np.where(near[1] <= near[2], above, corner))
    residuals = [(now - p).astype(np.uint8) for p in (np.zeros_like(now), left, above, (left + above) // 2, paeth)]
    cost = np.stack([np.minimum(r, 256 - r.astype(np.int16)).sum(axis=1, dtype=np.int64) for r in residuals])
    choice = cost.argmin(axis=0)
    best = np.choose(choice[:, None], residuals)
    return np.concatenate([choice[:, None].astype(np.uint8), best.astype(np.uint8)], axis=1)


def _palette(rgb: Bytes) -> tuple[Bytes, Bytes] | None:
    """Return (indices, palette of shape (n, 3)), or None where 256 colours would not do."""
    flat = rgb.reshape(-1, 3)
    packed = flat.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    exact, inverse = np.unique(packed, return_inverse=True)
    if exact.size <= 256:
        return inverse.reshape(rgb.shape[:2]).astype(np.uint8), _unpacked(exact)
    return _quantised(rgb.shape[:2], exact, inverse)


def _unpacked(packed: npt.NDArray[np.uint32]) -> Bytes:
    return np.stack([packed >> 16, (packed >> 8) & 255, packed & 255], axis=1).astype(np.uint8)


def _quantised(
    shape: tuple[int, ...], exact: npt.NDArray[np.uint32], inverse: npt.NDArray[np.intp]
) -> tuple[Bytes, Bytes] | None:
    colours = _unpacked(exact).astype(np.int32)
    counts = np.bincount(inverse, minlength=exact.size)
    grey = np.ptp(colours, axis=1) <= _GREY_TOLERANCE
    ramp = np.rint(np.linspace(0, 255, _GREYS)).astype(np.int32)
    target = np.zeros(exact.size, np.uint8)
    target[grey] = np.rint(colours[grey].mean(axis=1) * (_GREYS - 1) / 255).astype(np.uint8)
    palette = np.repeat(ramp[:, None], 3, axis=1)
    if counts[~grey].sum() > _COLOUR_SHARE * counts.sum():
        return None
    if not grey.all():
        own = colours[~grey]
        cells, member = np.unique(own >> 3, axis=0, return_inverse=True)
        member = member.reshape(-1)
        weight = np.bincount(member, weights=counts[~grey], minlength=len(cells))
        order = np.lexsort((np.arange(len(cells)), -weight))[: 256 - _GREYS]
        palette = np.concatenate([palette, (cells[order] << 3) + 4])
        nearest = np.empty(len(own), np.int64)
        for start in range(0, len(own), 4096):
            apart = np.abs(own[start : start + 4096, None] - palette[None]).max(axis=2)
            nearest[start : start + 4096] = apart.argmin(axis=1)
        target[~grey] = nearest.astype(np.uint8)
    return target[inverse].reshape(shape), palette.astype(np.uint8)
