"""Paging a slide: any region of 100,000 x 100,000 pixels, from a pyramid whose tiles share one place in the file."""

from __future__ import annotations

import resource
import struct
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

TILE = 256


def tile_of_truth() -> npt.NDArray[np.uint8]:
    """Return the tile that stands at every place of the slide: (256, 256, 3)."""
    y, x = np.mgrid[:TILE, :TILE]
    return np.stack([y, x, (x * y) >> 8], axis=-1).astype(np.uint8)


def write_slide(path: Path, side: int, places: dict[str, int] | None = None) -> npt.NDArray[np.uint8]:
    """Write a BigTIFF pyramid whose tiles all lie at one offset, and return that tile.

    Parameters
    ----------
    path
        The file; a slide of 100,000 x 100,000 pixels takes some 3 MiB.
    side
        Pixels along each side of the finest level; levels halve down to one tile.
    places
        Filled with the bytes at which the lists ``offset`` and ``count`` of the finest level begin.
    """
    tile = tile_of_truth()
    text = b"Aperio Image Library: synthetic\n|MPP = 0.25|AppMag = 40\0"
    parts = [struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16), b""]
    at, data = 16, tile.tobytes()
    tile_at = 0
    body = b""
    levels = [side]
    while levels[-1] > TILE:
        levels.append(-(-levels[-1] // 2))
    # Each directory is followed by its lists; the tile, its colours' bits and the text stand at the end.
    entry_count = 12
    sizes = [8 + 20 * entry_count + 8 + 16 * (-(-n // TILE)) ** 2 for n in levels]
    bits_at = at + sum(sizes)
    text_at = bits_at + 8
    tile_at = text_at + len(text)
    for k, n in enumerate(levels):
        tiles = (-(-n // TILE)) ** 2
        lists = at + 8 + 20 * entry_count + 8
        if not k and places is not None:
            places |= {"offset": lists, "count": lists + 8 * tiles}
        inline = tiles == 1
        rows = [
            (254, 4, 1, 1 if k else 0), (256, 4, 1, n), (257, 4, 1, n), (258, 3, 3, 8 | 8 << 16 | 8 << 32), (259, 3, 1, 1), (262, 3, 1, 2),
            (270, 2, len(text), text_at), (277, 3, 1, 3), (322, 4, 1, TILE), (323, 4, 1, TILE),
            (324, 16, tiles, tile_at if inline else lists), (325, 16, tiles, len(data) if inline else lists + 8 * tiles),
        ]  # fmt: skip
        directory = struct.pack("<Q", len(rows)) + b"".join(struct.pack("<HHQQ", *row) for row in rows)
        at += sizes[k]
        directory += struct.pack("<Q", at if k + 1 < len(levels) else 0)
        numbers = np.concatenate([np.full(tiles, tile_at, "<u8"), np.full(tiles, len(data), "<u8")])
        body += directory + numbers.tobytes()
    parts[1] = body
    path.write_bytes(b"".join(parts) + bytes(8) + text + data)
    return tile


def main() -> int:
    """Print the slowest of many regions of every size, and the peak memory; fail where one takes 0.3 s or more."""
    from isocenter.io import door

    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "slide.tif"
        write_slide(path, 100_000)
        started = time.perf_counter()
        pyramid: Any = door.inspect(path).items[0].load()
        opened = time.perf_counter() - started
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        slowest = 0.0
        for extent in (256, 1024, 4096, 16_384, 100_000):
            times = []
            for _ in range(20):
                y, x = (int(v) for v in rng.integers(0, 100_000 - extent + 1, 2))
                # What a viewer asks for: the level at which the region fills a screen of some 1,000 pixels.
                started = time.perf_counter()
                part = pyramid.region(((y, y + extent), (x, x + extent)), mpp=0.25 * max(1.0, extent / 1024))
                times.append(time.perf_counter() - started)
            slowest = max(slowest, *times)
            print(
                f"region of {extent:>7,} pixels a side, read as {part.shape[-2]} x {part.shape[-1]}: slowest {max(times) * 1000:.1f} ms"
            )
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(f"opened and checked in {opened * 1000:.0f} ms; memory grew by {grown / 1024:.1f} MiB over {20 * 5} regions")
    return 0 if slowest < 0.3 else 1


if __name__ == "__main__":
    sys.exit(main())
