"""Frames of a video, decoded by a child process: for video files and for the video transfer syntaxes of DICOM."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import FormatError
from isocenter.core.extras import require
from isocenter.io.budget import Budget
from isocenter.io.file_child import FileChild

__all__ = ["Film", "frames", "probe"]

_SECONDS_PER_BYTE = 1.0 / (8 << 20)
_MEMORY = 1 << 30


@dataclass(frozen=True)
class Film:
    """A video before it is decoded.

    Attributes
    ----------
    path, kind, parts
        The file, its container, and the stretches (first byte, length) that hold it; none: the whole file.
    shape, dtype
        Of one frame, upright: (rows, columns[, 3]).
    count
        Frames as they are packed; a decoder may give fewer where two halves are packed apart.
    facts
        What else the headers say.
    """

    path: Path
    kind: str
    parts: tuple[tuple[int, int], ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    count: int
    facts: dict[str, Any]

    @property
    def frame_bytes(self) -> int:
        """Bytes of a decoded frame."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def request(self, mode: str, **more: Any) -> dict[str, Any]:
        """Return what the child is asked."""
        return {"mode": mode, "format": self.kind, "parts": list(self.parts), "most": self.count, **more}


def probe(path: Path, kind: str, budget: Budget, parts: Sequence[tuple[int, int]] = ()) -> Film:
    """Return what the headers of a video say; its packets are counted and only its first frame is decoded.

    Parameters
    ----------
    path
        The file.
    kind
        Its container (``mov``, ``avi``, ``matroska``, ``mpeg``, ``mpegts``) or bare stream (``mpegvideo``, ``h264``, ``hevc``).
    budget
        Limits: pixels of a frame, frames, samples and bytes of all of them.
    parts
        Stretches of the file that hold the video, where it is not the whole file.

    Raises
    ------
    FormatError, UnsupportedError, BudgetError, MissingExtraError
        If it cannot be used, with the reason.
    """
    require("av", "Reading video")
    blank = Film(path, kind, tuple(parts), (1,), np.dtype(np.uint8), budget.max_frames, {})
    request = blank.request("probe", pixels=budget.max_pixels)
    with FileChild(
        "video_worker", request, path, "a video", seconds=budget.seconds, memory=_MEMORY + 32 * budget.max_pixels
    ) as child:
        facts = next((f for f, _ in child.messages(0)), None)
    shape = tuple(int(n) for n in (facts or {}).get("shape", ()))
    if facts is None or len(shape) not in (2, 3) or min(shape) < 1:
        raise FormatError(f"{path.name}: its headers give no frame size: expected a video; get a fresh copy.")
    count = int(facts["packets"])
    dtype = np.dtype(str(facts["dtype"]))
    budget.check_pixels(int(np.prod(facts["coded"], dtype=object)), path, "a frame")
    if count < 1:
        raise FormatError(f"{path.name}: holds no frames: expected a video; get a fresh copy.")
    budget.check_frames(count, path, "the video")
    budget.check_shape((count, *shape), dtype.itemsize, path, "the video")
    if facts["declared"] > count:
        raise FormatError(
            f"{path.name}: its header tells of {int(facts['declared'])} frames, {count} are there: expected all of them; it was cut short, "
            "get a fresh copy."
        )
    if facts["damaged"]:
        raise FormatError(f"{path.name}: {facts['damaged']} of {count} frames are damaged: expected none; get a fresh copy.")
    if facts["lost"] > max(0.25, 3.0 * float(facts["step"])):
        raise FormatError(
            f"{path.name}: ends {facts['lost']:.3g} s before its header says: expected all of it; it was cut short, get a fresh copy."
        )
    return Film(path, kind, tuple(parts), shape, dtype, count, facts)


def frames(film: Film, send: bool = True) -> Iterator[tuple[npt.NDArray[Any], float | None]]:
    """Give every frame and its time in seconds (None where the container has no times).

    Parameters
    ----------
    film
        From `probe`.
    send
        Whether samples are wanted; else empty arrays come, and only whether all can be decoded is found.

    Raises
    ------
    FormatError
        If a frame is damaged or of another size.
    """
    total = film.frame_bytes * film.count
    request = film.request("frames", send=send)
    memory = _MEMORY + 64 * film.frame_bytes
    with FileChild(
        "video_worker", request, film.path, "a video", seconds=60.0 + total * _SECONDS_PER_BYTE, memory=memory
    ) as child:
        for k, (facts, data) in enumerate(child.messages(film.frame_bytes)):
            if (send and len(data) != film.frame_bytes) or facts.get("size") != film.facts["coded"]:
                raise FormatError(
                    f"{film.path.name}: frame {k + 1} has another size than the first: expected one size; split the video."
                )
            time = facts.get("time")
            samples = np.frombuffer(data, film.dtype).reshape(film.shape) if send else np.empty(0, film.dtype)
            yield samples, None if time is None else float(time)
