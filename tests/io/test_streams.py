"""Streams give what was asked for and no more, and say when the data end early or are damaged."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from isocenter.core.errors import FormatError
from isocenter.io.streams import Coding, Stream, coding_of

DATA = np.random.default_rng(0).integers(0, 9, 300_000, np.uint8).tobytes()
PACKERS: dict[Coding, Callable[[bytes], bytes]] = {
    "raw": bytes, "gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress, "zlib": zlib.compress,
}  # fmt: skip


@pytest.mark.parametrize("coding", PACKERS)
def test_pieces(coding: Coding, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"start" + PACKERS[coding](DATA))
    if coding != "zlib":
        assert coding_of(PACKERS[coding](DATA)) == coding
    with Stream(path, coding, 5) as stream:
        assert stream.read(10) == DATA[:10]
        assert stream.skip(100_000) == 100_000
        array = np.empty((100, 1000), np.uint16)
        assert stream.readinto(array) == 199_990 or stream.position == 300_000
        assert array.tobytes()[:199_990] == DATA[100_010:]
        assert stream.read(5) == b""
        assert stream.surplus() == 0


@pytest.mark.parametrize("coding", [c for c in PACKERS if c != "raw"])
def test_ends_and_damage(coding: Coding, tmp_path: Path) -> None:
    path = tmp_path / "a"
    packed = PACKERS[coding](DATA)
    path.write_bytes(packed[:-5])
    with Stream(path, coding) as stream, pytest.raises(FormatError, match="end early|damaged"):
        stream.read(len(DATA) + 1)
    broken = bytearray(packed)
    broken[len(packed) // 2] ^= 0x55
    path.write_bytes(broken)

    def whole() -> bytes:
        with Stream(path, coding) as stream:
            return stream.read(len(DATA)) + bytes(stream.surplus())

    with pytest.raises(FormatError, match="damaged|end early"):
        assert whole() == DATA  # some codings find it at the end only, by their check sum


@pytest.mark.parametrize("coding", ["gzip", "bzip2"])
def test_several_members_and_what_follows(coding: Coding, tmp_path: Path) -> None:
    path = tmp_path / "a"
    pack = PACKERS[coding]
    path.write_bytes(pack(DATA[:1000]) + pack(DATA[1000:2000]))
    with Stream(path, coding) as stream:
        assert stream.read(5000) == DATA[:2000]
    path.write_bytes(pack(DATA[:1000]) + b"junk")
    with Stream(path, coding) as stream:
        assert stream.read(1000) == DATA[:1000]
        assert stream.surplus() == 4
    path.write_bytes(pack(DATA))
    with Stream(path, coding) as stream:
        assert stream.read(10) == DATA[:10]
        assert stream.surplus(1000) == 1001  # no more is inflated than needed to know


def test_a_bomb_is_never_inflated_beyond_what_is_asked(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "a"
    path.write_bytes(gzip.compress(bytes(200 << 20), 9))
    tracemalloc.start()
    with Stream(path, "gzip") as stream:
        assert stream.read(100) == bytes(100)
        assert stream.surplus(1 << 16) == (1 << 16) + 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20
