"""MP4 for viewing: a series of pictures as H.264, lossy; measurements belong in another format.

References
----------
ITU-T H.264; ISO/IEC 14496-12 (base media file format).
"""

from __future__ import annotations

import io
import itertools
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from isocenter.core.errors import UnsupportedError
from isocenter.core.extras import require
from isocenter.core.image import Image
from isocenter.io.atomic import write_bytes

__all__ = ["write"]

#: Ticks of a second, enough for times to the tenth of a millisecond.
TICKS = 10_000
DEFAULT_RATE = 25


def _frames(image: Image) -> np.ndarray[Any, Any]:
    """Return (t, y, x[, 3]) with even sides, the last row and column repeated where one is odd."""
    array = np.asarray(image.array)
    array = np.moveaxis(array, 1, -1) if "c" in image.dims else array
    odd = [(0, 0), (0, array.shape[1] % 2), (0, array.shape[2] % 2)] + [(0, 0)] * (array.ndim - 3)
    return np.ascontiguousarray(np.pad(array, odd, mode="edge"))


def write(value: Any, path: Path) -> None:
    """Write a series of 8-bit pictures as MP4.

    Parameters
    ----------
    value
        Image of dims ``t y x`` or ``t c y x`` (RGB), 8 bits without sign.
    path
        The file, ``.mp4``.

    Raises
    ------
    UnsupportedError
        If it is no such series, or the suffix is of another container.
    MissingExtraError
        If the package for video is not installed.
    WriteError
        If the disk refuses.
    """
    name = path.name
    if path.suffix.lower() != ".mp4":
        raise UnsupportedError(f"{name}: video is written as .mp4 only: expected that suffix.")
    dims = getattr(value, "dims", None)
    if type(value) is not Image or dims not in (("t", "y", "x"), ("t", "c", "y", "x")) or value.dtype != np.uint8:
        raise UnsupportedError(
            f"{name}: video holds pictures over time, grey or RGB of 8 bits: expected dims t y x or t c y x of uint8; map values to grey first "
            "(correct.window), or write .nii.gz."
        )
    if "c" in dims and value.shape[1] != 3:
        raise UnsupportedError(f"{name}: video of {value.shape[1]} channels: expected 1 or 3; choose a channel first.")
    av: Any = require("av", "Writing video")
    frames = _frames(value)
    times = value.times or tuple(k / DEFAULT_RATE for k in range(len(frames)))
    stamps = [round((t - times[0]) * TICKS) for t in times]
    if any(b <= a for a, b in itertools.pairwise(stamps)):
        raise UnsupportedError(f"{name}: frames at equal or falling times: expected ascending ones, 0.1 ms apart at least.")
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4", options={"fflags": "+bitexact", "video_track_timescale": str(TICKS)}) as container:
        stream = container.add_stream("libx264", rate=DEFAULT_RATE, options={"crf": "16", "preset": "medium"})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1  # the same bytes on every machine
        stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS)
        for samples, stamp in zip(frames, stamps, strict=True):
            frame = av.VideoFrame.from_ndarray(samples, format="gray" if samples.ndim == 2 else "rgb24")
            frame.pts, frame.time_base = stamp, Fraction(1, TICKS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    write_bytes(path, buffer.getvalue())
