"""Video files (MP4, QuickTime, AVI, Matroska, MPEG): read as a series over time, with the time of every frame.

Times are the presentation times of the container, so that a variable frame rate stays as it is. Colour becomes RGB of
eight bits, grey samples are kept as they are stored; a picture that the container says is turned or mirrored is put
upright. Sound is not read.

References
----------
ISO/IEC 14496-12 (base media file format), 8.3.2 (track header, matrix); Apple, QuickTime File Format; RFC 9559 (Matroska).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from isocenter.core.errors import FormatError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.operation import Spec
from isocenter.io import film as films
from isocenter.io.budget import Budget
from isocenter.io.film import Film
from isocenter.io.inventory import Item, Problem
from isocenter.io.lazy import sourced
from isocenter.io.raster import COLOURS
from isocenter.io.text import one_line
from isocenter.io.video_write import write

__all__ = ["NAME", "SUFFIXES", "container_of", "inspect", "sniff", "write"]

NAME = "video"
SUFFIXES: tuple[str, ...] = (".mp4", ".m4v", ".mov", ".qt", ".avi", ".mkv", ".webm", ".mpg", ".mpeg")
#: First boxes of a QuickTime or MP4 file.
BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"pnot")
#: Brands of still pictures in the same boxes.
STILLS = (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis", b"jp2 ", b"jpx ", b"jpm ", b"crx ")
PIXELS_8 = ("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "rgb24", "bgr24", "bgr0", "rgb0", "0rgb", "0bgr", "pal8",
            "yuv411p", "yuvj411p", "yuv410p", "nv12", "nv21", "yuyv422", "uyvy422", "gbrp", "rgb555le", "bgr8", "rgb8")  # fmt: skip


def container_of(head: bytes) -> str:
    """Return the container that a file's first bytes are those of, nothing where they are of none."""
    if head[4:8] in BOXES and head[8:12] not in STILLS:
        return "mov"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    if head[:4] == b"\x1a\x45\xdf\xa3" and (b"matroska" in head[:64] or b"webm" in head[:64]):
        return "matroska"
    if head[:4] == b"\x00\x00\x01\xba":
        return "mpeg"
    return "mpegvideo" if head[:4] == b"\x00\x00\x01\xb3" else ""


def sniff(head: bytes, path: Path) -> bool:
    """Return whether a file's first bytes are those of a video.

    Parameters
    ----------
    head
        The first bytes of the file.
    path
        The file.
    """
    return bool(container_of(head))


@dataclass(frozen=True)
class _Load:
    """Decodes the frames."""

    film: Film
    notes: tuple[str, ...]

    def __call__(self) -> Image:
        film = self.film
        colour = len(film.shape) == 3
        rows, columns = film.shape[:2]
        out = np.empty((film.count, *((film.shape[2],) if colour else ()), rows, columns), film.dtype)
        times: list[float | None] = []
        for k, (samples, time) in enumerate(films.frames(film)):
            out[k] = np.moveaxis(samples, -1, 0) if colour else samples
            times.append(time)
        if not times:
            raise FormatError(f"{film.path.name}: no frame can be decoded: expected a video; get a fresh copy.")
        known = [t for t in times if t is not None]
        ascending = len(known) == len(times) and all(math.isfinite(t) for t in known) and bool(np.all(np.diff(known) >= 0))
        dims = ("t", "c", "y", "x") if colour else ("t", "y", "x")
        channels = COLOURS[3] if colour else None
        image = Image(
            out[: len(times)],
            dims,
            Geometry.pixels((rows, columns)),
            channels=channels,
            times=tuple(known) if ascending else None,
        )
        return sourced(image, NAME, self.notes)


def _problems(film: Film) -> list[Problem]:
    facts = film.facts
    found = []
    if facts["angle"]:
        found.append(
            Problem(
                f"The file says to turn the picture by {facts['angle']:g} degrees, which is no quarter turn; it was not turned."
            )
        )
    if facts["turned"]:
        found.append(Problem("The picture is stored turned or mirrored, as the file says; it was put upright."))
    if len(film.shape) == 3 and facts["source"] not in PIXELS_8:
        found.append(
            Problem(
                f"Colours stored as {one_line(facts['source'], 24)} become RGB of 8 bits.",
                "Finer steps and transparency are lost.",
            )
        )
    if facts["videos"] > 1:
        found.append(Problem(f"The file holds {facts['videos']} pictures side by side in time; the first is read."))
    if facts["streams"] > facts["videos"]:
        found.append(Problem("Sound, subtitles and data beside the picture are not read."))
    if facts["personal"]:
        names = one_line(", ".join(facts["personal"]), 120)
        found.append(
            Problem(f"The file carries text about its recording ({names}), which may identify a person; it is not copied.")
        )
    return found


def _vint(raw: bytes, at: int) -> tuple[int | None, int]:
    """Return a size of Matroska (None: unknown) and where it ends."""
    first = raw[at] if at < len(raw) else 0
    length = 9 - first.bit_length()
    if first == 0 or at + length > len(raw):
        return None, len(raw)
    value = int.from_bytes(raw[at : at + length], "big") & ((1 << 7 * length) - 1)
    return (None if value == (1 << 7 * length) - 1 else value), at + length


def _whole(path: Path, kind: str) -> None:
    """Refuse an AVI or Matroska file that is shorter than its own outermost element says.

    Raises
    ------
    FormatError
        If it is.
    """
    with path.open("rb") as handle:
        head = handle.read(4096)
    stated: int | None = None
    if kind == "avi":
        stated = int.from_bytes(head[4:8], "little") + 8
    elif kind == "matroska":
        length, at = _vint(head, 4)
        at += length or 0
        if head[at : at + 4] == b"\x18\x53\x80\x67":
            length, at = _vint(head, at + 4)
            stated = None if length is None else at + length
    size = path.stat().st_size
    if stated is not None and stated > size:
        raise FormatError(f"{path.name}: {size} bytes of {stated}: expected all of them; it was cut short, get a fresh copy.")


def inspect(path: Path, budget: Budget) -> list[Item]:
    """Return the series of frames that a video holds.

    Parameters
    ----------
    path
        The file.
    budget
        Limits; the frames are decoded once up to ``budget.verify_bytes``.

    Raises
    ------
    FormatError, UnsupportedError, BudgetError, MissingExtraError
        If it cannot be used, with the reason.
    """
    with path.open("rb") as handle:
        kind = container_of(handle.read(64))
    if not kind:
        raise FormatError(
            f"{path.name}: its first bytes are those of no video: expected MP4, QuickTime, AVI, Matroska or MPEG; get a fresh copy."
        )
    _whole(path, kind)
    film = films.probe(path, kind, budget)
    if film.frame_bytes * film.count <= budget.verify_bytes:
        given = sum(1 for _ in films.frames(film, send=False))
        film = Film(film.path, film.kind, film.parts, film.shape, film.dtype, given, film.facts)
        if not given:
            raise FormatError(f"{path.name}: no frame can be decoded: expected a video; get a fresh copy.")
    problems = _problems(film)
    colour = len(film.shape) == 3
    dims = ("t", "c", "y", "x") if colour else ("t", "y", "x")
    samples = film.count * math.prod(film.shape)
    spec = Spec("Image", dims, film.dtype.newbyteorder("=").str, Geometry.pixels(film.shape[:2]), samples=samples)
    load = _Load(film, tuple(p.sentence() for p in problems))
    attributes = {"frames": film.count, "codec": one_line(film.facts["codec"], 24)}
    return [Item("image", "image", NAME, spec, (path,), load, problems=tuple(problems), attributes=attributes)]
