"""The child that decodes video: it may crash, hang or swell, and is then ended (see `isocenter.io.file_child`).

The container's kind is given, so that no playlist is taken for a video, and no container may open another file.
"""

from __future__ import annotations

import importlib
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

from isocenter.io.file_worker import Message, UnreadError, serve

__all__ = ["main"]

#: Containers and bare streams that may be asked for, and those that know the time of each frame.
TIMED = ("mov", "avi", "matroska", "mpeg", "mpegts")
BARE = ("mpegvideo", "h264", "hevc")
#: Grey samples that are handed on as they are: bytes of each.
GREY = {"gray": 1, "gray8": 1, "gray10le": 2, "gray12le": 2, "gray14le": 2, "gray16le": 2}
WHITE_IS_ZERO = ("monow", "monob")


def _turn(frame: Any) -> tuple[bool, bool, bool, float]:
    """Return whether to transpose, then flip rows and columns, and an angle in degrees that is no quarter turn."""
    for side in frame.side_data:
        if "DISPLAYMATRIX" in str(side.type) and side.buffer_size >= 36:
            a, b, _, c, d, _, _, _, _ = (v / 65536 for v in struct.unpack("=9i", bytes(side)[:36]))
            if abs(b) + abs(c) < 1e-3 and a and d:
                return False, d < 0, a < 0, 0.0
            if abs(a) + abs(d) < 1e-3 and b and c:
                return True, b < 0, c < 0, 0.0
            return False, False, False, float(frame.rotation) or 360.0
    return False, False, False, 0.0


def _samples(frame: Any) -> Any:
    """Return a decoded frame as (rows, columns[, 3]); grey values as they are stored."""
    import numpy as np

    size = GREY.get(frame.format.name)
    if size is None:
        return frame.to_ndarray(format="gray" if frame.format.name in WHITE_IS_ZERO else "rgb24")
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8, plane.line_size * frame.height).reshape(frame.height, plane.line_size)
    return np.ascontiguousarray(rows[:, : frame.width * size]).view("u1" if size == 1 else "<u2")


def _upright(samples: Any, turn: tuple[bool, bool, bool, float]) -> Any:
    import numpy as np

    transpose, rows, columns, _ = turn
    samples = np.swapaxes(samples, 0, 1) if transpose else samples
    samples = samples[::-1] if rows else samples
    return np.ascontiguousarray(samples[:, ::-1] if columns else samples)


def _open(av: Any, source: Any, kind: str) -> tuple[Any, Any]:
    if kind not in TIMED + BARE:
        raise UnreadError(f"a video container of kind {kind!r}: expected one of {', '.join(TIMED)}.")
    # Neither playlists nor references inside the container lead to another file: no protocol is allowed to open one.
    container = av.open(
        source, format=kind, options={"protocol_whitelist": "none", "enable_drefs": "0"}, metadata_errors="replace"
    )
    if not container.streams.video:
        raise UnreadError("holds no pictures (sound only): expected a video.")
    stream = container.streams.video[0]
    context = stream.codec_context
    if context is None:
        raise UnreadError("its codec is unknown to the decoder: expected H.264, HEVC, MPEG-2, MPEG-4, FFV1, Motion JPEG ...")
    context.thread_count = 1
    context.options = {"err_detect": "crccheck+bitstream+buffer+explode"}
    return container, stream


def _facts(container: Any, stream: Any, kind: str, most: int) -> dict[str, Any]:
    """Return what the headers say, the frames counted packet by packet."""
    packets, damaged, last, step = 0, 0, 0.0, 0.0
    for packet in container.demux(stream):
        if packet.size == 0 or packet.is_discard:
            continue
        packets += 1
        damaged += bool(packet.is_corrupt)
        stamp = packet.pts if packet.pts is not None else packet.dts
        if stamp is not None and packet.time_base is not None:
            last = max(last, float(stamp * packet.time_base))
            step = float((packet.duration or 0) * packet.time_base) or step
        if packets > most:
            break
    alone = len(container.streams) == 1
    declared = container.duration / 1e6 if container.duration and alone and kind in ("mov", "matroska") else 0.0
    keys = {k.lower() for k in (*container.metadata, *stream.metadata)}
    return {
        "packets": packets, "damaged": damaged, "declared": int(stream.frames or 0) if kind == "mov" else 0, "lost": max(0.0, declared - last - step), "step": step,
        "codec": str(stream.codec_context.name), "streams": len(container.streams), "videos": len(container.streams.video),
        "personal": sorted(k for k in keys if any(w in k for w in ("location", "creation", "make", "model", "author", "artist", "title", "comment"))),
    }  # fmt: skip


def _probe(av: Any, request: dict[str, Any]) -> Iterator[Message]:
    with open(request["path"], "rb") as handle:
        source: Any = _Part(handle, request)
        container, stream = _open(av, source, request["format"])
        facts = _facts(container, stream, request["format"], int(request["most"]))
        width, height = stream.codec_context.width, stream.codec_context.height
        facts["coded"] = [int(height), int(width)]
        if int(width) * int(height) > int(request["pixels"]):  # the parent refuses it before a frame is decoded
            yield {**facts, "shape": [int(height), int(width)], "dtype": "|u1", "source": "", "angle": 0.0, "turned": False}, b""
            return
    with open(request["path"], "rb") as handle:
        source = _Part(handle, request)
        container, stream = _open(av, source, request["format"])
        frame = next(container.decode(stream), None)
        if frame is None:
            raise ValueError("no frame can be decoded")
        turn = _turn(frame)
        samples = _upright(_samples(frame), turn)
        yield {**facts, "shape": list(samples.shape), "dtype": samples.dtype.str, "source": frame.format.name, "angle": turn[3],
               "turned": any(turn[:3])}, b""  # fmt: skip


def _frames(av: Any, request: dict[str, Any]) -> Iterator[Message]:
    with open(request["path"], "rb") as handle:
        source: Any = _Part(handle, request)
        container, stream = _open(av, source, request["format"])
        turn: tuple[bool, bool, bool, float] | None = None
        for k, frame in enumerate(container.decode(stream)):
            if k >= int(request["most"]):
                raise ValueError(f"more than {request['most']} frames")
            if frame.is_corrupt:
                raise ValueError(f"frame {k + 1} is damaged")
            turn = turn or _turn(frame)
            time = None if frame.pts is None or frame.time_base is None else float(frame.pts * frame.time_base)
            facts = {"time": time, "size": [frame.height, frame.width], "source": frame.format.name}
            yield facts, _upright(_samples(frame), turn) if request["send"] else b""


class _Part:
    """The stretches of a file that make up a stream, as one file (DICOM keeps a video in fragments)."""

    def __init__(self, handle: BinaryIO, request: dict[str, Any]) -> None:
        self.handle = handle
        self.name = "stream"
        self.parts = [(int(a), int(n)) for a, n in request.get("parts") or [[0, handle.seek(0, 2)]]]
        self.size = sum(n for _, n in self.parts)
        self.at = 0

    def read(self, count: int = -1) -> bytes:
        """Return the next bytes."""
        wanted = self.size - self.at if count < 0 else min(count, self.size - self.at)
        found, before = [], 0
        for start, length in self.parts:
            if wanted > 0 and before <= self.at < before + length:
                take = min(wanted, before + length - self.at)
                self.handle.seek(start + self.at - before)
                piece = self.handle.read(take)
                found.append(piece)
                self.at += take
                wanted -= take
            before += length
        return b"".join(found)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to a place of the stream."""
        self.at = max(0, min(self.size, offset + (0, self.at, self.size)[whence]))
        return self.at

    def tell(self) -> int:
        """Return the place in the stream."""
        return self.at


def _handle(request: dict[str, Any]) -> Iterator[Message]:
    av = importlib.import_module("av")
    av.logging.set_level(None)
    yield from (_probe if request["mode"] == "probe" else _frames)(av, request)


def main() -> None:
    """Answer one request about a video."""
    serve(_handle)
