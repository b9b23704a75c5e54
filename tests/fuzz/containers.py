"""Sound videos, ISMRMRD and MINC files to be mutated, and mutations that know of numbers in binary containers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.io.films import TIMES, film, pictures, turned
from tests.io.raw_files import NOISE, row, save, xml
from tests.io.test_ismrmrd import cartesian, phantom
from tests.io.test_minc import OBLIQUE, minc1, minc2

__all__ = ["KINDS", "bent", "containers"]

#: What a number of 1, 2, 4 or 8 bytes in a header may be made to say.
NUMBERS = (0, 1, 2, 7, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF, 1 << 40)


def bent(data: bytes, rng: np.random.Generator) -> bytes:
    """Overwrite one to four numbers where bytes are not all zero, anywhere in the file."""
    raw = bytearray(data)
    used = np.flatnonzero(np.frombuffer(data, np.uint8))
    for _ in range(int(rng.integers(1, 5))):
        size = int(rng.choice([1, 1, 2, 4, 8]))
        at = max(0, int(rng.choice(used)) - int(rng.integers(0, size)))
        number = int(rng.choice(np.array(NUMBERS, np.uint64))) if rng.random() < 0.6 else raw[at] ^ (1 << int(rng.integers(0, 8)))
        word = (number & ((1 << 8 * size) - 1)).to_bytes(size, "big" if rng.random() < 0.5 else "little")
        raw[at : at + size] = word
    return bytes(raw[: len(data)])


def _videos(folder: Path) -> list[Path]:
    even = tuple(k / 25 for k in range(6))
    small = pictures(rows=16, columns=32)
    colour = pictures(True, rows=16, columns=32)
    return [
        film(folder / "grey.mkv", small, "ffv1", "gray"),
        film(folder / "raw.avi", small, "rawvideo", "gray", even),
        film(folder / "picture.mov", small, "png", "gray"),
        film(folder / "h264.mp4", colour, "libx264", "yuv420p", TIMES),
        film(folder / "motion.mov", colour, "mjpeg", "yuvj420p"),
        film(folder / "mpeg2.mpg", colour, "mpeg2video", "yuv420p", even),
        film(folder / "mpeg4.avi", colour, "mpeg4", "yuv420p", even),
        turned(film(folder / "turned.mp4", small, "png", "gray"), (0, 1, -1, 0)),
    ]


def _raw_data(folder: Path) -> list[Path]:
    truth = phantom(2, 8, 12)
    angles = np.linspace(0, np.pi, 4, endpoint=False)
    radii = (np.arange(12) - 6) / 12
    spokes = [
        row(np.ones((1, 12)) * n, n, trajectory=np.stack([radii * np.cos(a), radii * np.sin(a)], 1)) for n, a in enumerate(angles)
    ]
    noise = [row(np.ones((2, 12), complex), 0, flags=NOISE)]
    return [
        save(folder / "cartesian.h5", cartesian(truth), xml(8, 12)),
        save(folder / "noise.h5", [*noise, *cartesian(truth)], xml(8, 12)),
        save(folder / "radial.h5", spokes, xml(12, 12, trajectory="radial")),
    ]


def _minc(folder: Path) -> list[Path]:
    order = ("zspace", "yspace", "xspace")
    return [
        minc2(folder / "plain.mnc"),
        minc2(folder / "oblique.mnc", order, (3.0, -2.0, 1.0), OBLIQUE),
        minc2(folder / "real.mnc", stored=np.linspace(0, 1, 120, dtype=np.float32).reshape(4, 5, 6)),
        minc1(folder / "first.mnc", order, (3.0, 2.0, 1.0)),
    ]


KINDS = {"video": _videos, "ismrmrd": _raw_data, "minc": _minc}


def containers(kind: str, folder: Path) -> dict[str, bytes]:
    """Return sound files of a kind by name; `folder` is scratch space."""
    folder.mkdir(parents=True, exist_ok=True)
    return {path.name: path.read_bytes() for path in KINDS[kind](folder)}
