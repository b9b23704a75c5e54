"""Videos made for tests."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
#: Uneven times in seconds.
TIMES = (0.0, 0.04, 0.1, 0.14, 0.3, 0.34)


def pictures(colour: bool = False, dtype: type = np.uint8, rows: int = 48, columns: int = 64) -> Array:
    """Return six pictures of shape (6, rows, columns[, 3]) with a bright corner at the top left."""
    scale = 1 if dtype is np.uint8 else 200
    grey: Array = np.stack([np.full((rows, columns), 20 * k * scale, dtype) for k in range(6)])
    grey[:, :10, :20] = 250 * scale
    return np.stack([grey, grey // 2, 255 - grey], axis=-1) if colour else grey


def film(
    path: Path, frames: Array, codec: str, pixels: str, times: tuple[float, ...] = TIMES, container: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None, **options: str,
) -> Path:  # fmt: skip
    """Write a video."""
    import av

    base = Fraction(1, 25) if codec in ("mpeg2video", "mpeg4") else Fraction(1, 1000)
    given = {3: "gray" if frames.dtype == np.uint8 else "gray16le", 4: "rgb24"}[frames.ndim]
    with av.open(str(path), "w", options=container or {}) as target:
        target.metadata.update(metadata or {})
        stream: Any = target.add_stream(codec, rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pixels
        stream.time_base = stream.codec_context.time_base = base
        for samples, time in zip(frames, times, strict=True):
            frame = av.VideoFrame.from_ndarray(samples, format=given)
            frame.pts, frame.time_base = round(time / base), base
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return path


def turned(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """Put a matrix (a, b, c, d) into the track header of an MP4 file."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 4 + 8 + 4 + 4 + 4 + 8 + 2 + 2 + 2 + 2  # version 0: two times, track, reserved, duration ...
    a, b, c, d = (v << 16 for v in matrix)
    struct.pack_into(">9i", data, at, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(data))
    return path
