"""Stacks to arrays: every frame read once, converted, and put in its place.

This is the only place of the package where the samples of an image are read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.io import deadline
from isocenter.io.child import children
from isocenter.io.dicom.colour import Palette, to_rgb
from isocenter.io.dicom.frame import Frame
from isocenter.io.dicom.pixels import Pixels, stored
from isocenter.io.dicom.rescale import Rescale, into, result_dtype
from isocenter.io.dicom.stacks import Recipe, Stack

__all__ = ["FrameReader", "volume_array", "volume_dtype"]

_CHUNK = 32 << 20


class FrameReader:
    """Stored frames one at a time.

    Parameters
    ----------
    ahead
        Read a multi-frame file in large pieces.
    """

    def __init__(self, ahead: bool = True) -> None:
        self._ahead = ahead
        self._of: Pixels | None = None
        self._from = 0
        self._held: npt.NDArray[Any] | None = None
        self._photometric = ""

    def read(self, pixels: Pixels, index: int) -> tuple[npt.NDArray[Any], str]:
        """Return one frame of shape (rows, columns[, samples]) and its photometric interpretation."""
        if self._held is None or self._of is not pixels or not self._from <= index < self._from + len(self._held):
            form = pixels.layout
            whole = pixels.deflated or form.allocated in (1, 12)
            count = max(1, min(form.frames - index, _CHUNK // max(form.frame_bytes, 1))) if self._ahead else 1
            count = form.frames if whole else count
            self._of, self._from, self._held = pixels, 0 if whole else index, None
            self._held, self._photometric = stored(pixels, range(self._from, self._from + count))
        return self._held[index - self._from], self._photometric

    def frame(self, frame: Frame) -> tuple[npt.NDArray[Any], str]:
        """Return the samples of a frame, cropped where it is a part of the stored one."""
        samples, photometric = self.read(frame.pixels, frame.index)
        if frame.crop is not None:
            top, left, rows, columns = frame.crop
            samples = samples[top : top + rows, left : left + columns]
        return samples, photometric


def volume_dtype(stacks: Sequence[Stack], factor: float, palette: Palette | None) -> np.dtype[Any]:
    """Return the type that `volume_array` gives, as far as the headers tell."""
    if palette is not None:
        return palette[1].dtype
    frames = [f for s in stacks for f in s.frames]
    rescales = list({f.rescale: None for f in frames})
    stored_as = {(n.dtype, n.stored, n.signed): n for n in (f.pixels.layout for f in frames)}  # places differ from file to file
    kinds = {result_dtype(n, rescales) for n in stored_as.values()}
    found = kinds.pop() if len(kinds) == 1 else np.result_type(*kinds)
    changed = factor != 1.0 or any(s.repaired and any(len(r) > 1 for r in s.recipes) for s in stacks)
    return np.dtype(np.float32) if changed and found.kind in "iu" else found


def volume_array(stacks: Sequence[Stack], factor: float, palette: Palette | None) -> npt.NDArray[Any]:
    """Read the samples of one volume.

    Parameters
    ----------
    stacks
        One for each time point.
    factor
        Multiplies every value (SUV); 1 changes nothing.
    palette
        Of palette images.

    Returns
    -------
    numpy.ndarray
        Shape ([t,] [c,] [z,] y, x): an axis is there only where it is needed.

    Raises
    ------
    FormatError
        If a file is damaged.
    """
    dtype = volume_dtype(stacks, factor, palette)
    try:
        return _filled(stacks, factor, palette, dtype)
    except _TooNarrowError:
        return _filled(stacks, factor, palette, np.dtype(np.int32))


class _TooNarrowError(Exception):
    """A value does not fit the integers that the header suggested."""


def _filled(stacks: Sequence[Stack], factor: float, palette: Palette | None, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    layout = stacks[0].frames[0].pixels.layout
    channels = 3 if palette is not None else layout.samples
    depth = len(stacks[0].recipes)
    shape = (len(stacks), depth, *stacks[0].frames[0].size, channels)
    out = np.empty((shape[0], channels, *shape[1:4]), dtype)
    jobs = [(out[t, :, z], stack, recipe) for t, stack in enumerate(stacks) for z, recipe in enumerate(stack.recipes)]
    _each(lambda reader, job: _slice(job[0], reader, job[1], job[2], factor, palette), jobs, layout_of=stacks[0].frames[0].pixels)
    if channels == 1:
        out = out[:, 0]
    drop = tuple(
        a for a, n, keep in ((0, len(stacks), False), (out.ndim - 3, depth, stacks[0].geometry.ndim == 3)) if n == 1 and not keep
    )
    return out.reshape([n for a, n in enumerate(out.shape) if a not in drop])


def _each(work: Callable[[FrameReader, Any], None], jobs: Sequence[Any], layout_of: Pixels) -> None:
    """Do all jobs, several at once where frames are decoded by children; each writes into a place of its own."""
    if layout_of.syntax.codec not in ("jpeg", "jpeg-ls", "jpeg-2000") or len(jobs) < 2:
        reader = FrameReader()
        for job in jobs:
            _timely(work, reader, job)
        return
    with ThreadPoolExecutor(children()) as threads:
        for done in [threads.submit(copy_context().run, _timely, work, FrameReader(ahead=False), job) for job in jobs]:
            done.result()


def _timely(work: Callable[[FrameReader, Any], None], reader: FrameReader, job: Any) -> None:
    deadline.check()
    work(reader, job)


def _slice(
    target: npt.NDArray[Any], reader: FrameReader, stack: Stack, recipe: Recipe, factor: float, palette: Palette | None
) -> None:
    """Fill one slice of shape (channels, rows, columns)."""
    if len(target) > 1:
        samples, photometric = reader.frame(stack.frames[recipe[0][0]])
        target[...] = np.moveaxis(to_rgb(samples, photometric, palette), -1, 0)
    elif len(recipe) == 1:
        _one(target[0], reader, stack.frames[recipe[0][0]], factor)
    else:
        _mixed(target[0], reader, [(stack.frames[k], w) for k, w in recipe], factor)


def _one(target: npt.NDArray[Any], reader: FrameReader, frame: Frame, factor: float) -> None:
    samples, _ = reader.frame(frame)
    if factor != 1.0:
        rescale = frame.rescale
        if rescale.table is None:
            target[...] = samples * np.float64(rescale.slope * factor) + rescale.intercept * factor
            return
        target[...] = _values(samples, rescale) * factor
        return
    if not into(target, samples, frame.rescale):
        raise _TooNarrowError


def _mixed(target: npt.NDArray[Any], reader: FrameReader, parts: list[tuple[Frame, float]], factor: float) -> None:
    total = np.zeros(target.shape)
    for frame, weight in parts:
        samples, _ = reader.frame(frame)
        total += _values(samples, frame.rescale) * (weight * factor)
    target[...] = total


def _values(samples: npt.NDArray[Any], rescale: Rescale) -> npt.NDArray[np.float64]:
    out = np.empty(samples.shape)
    into(out, samples, rescale)
    return out
