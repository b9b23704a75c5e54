"""Budget: how much an input may ask for, checked from its header before anything is allocated."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from isocenter.core.errors import BudgetError

__all__ = ["Budget", "default_bytes", "readable_size"]

GIB = 1 << 30
MIB = 1 << 20


def _total_memory() -> int:
    """Bytes this process may use: the machine's, its control group's or its own limit, whichever is least."""
    found = []
    try:
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, OSError, ValueError):  # not every system tells
        found.append(8 * GIB)
    try:
        text = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
        if text.isdigit():
            found.append(int(text))
    except OSError:  # no control group
        pass
    try:
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_AS)
        if soft != resource.RLIM_INFINITY:
            found.append(soft)
    except ImportError:  # not on Windows
        pass
    return min(found)


def default_bytes() -> int:
    """Return the default memory budget of one input: half of what this process may use, 4 GiB at most."""
    return min(4 * GIB, _total_memory() // 2)


def readable_size(n: int) -> str:
    """Return a number of bytes in the unit a person would choose."""
    value = float(n)
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if value < 1024 or unit == "PiB":
            return f"{n} bytes" if unit == "bytes" else f"{value:.4g} {unit}"
        value /= 1024
    raise AssertionError("unreachable: the loop ends at PiB")


@dataclass(frozen=True)
class Budget:
    """Limits for one input.

    Attributes
    ----------
    max_bytes
        Bytes of the samples of one item, decoded.
    max_voxels
        Samples of one item.
    max_pixels
        Samples of one plane of a photograph (PNG, JPEG, TIFF page).
    max_frames
        Frames or pages of one item.
    max_nesting
        Depth of sequences within sequences; archives within archives are never opened.
    max_ratio
        Bytes that one compressed byte may become, once the result is larger than `ratio_floor`.
    ratio_floor
        Bytes below which any ratio is accepted (an empty mask compresses a thousandfold).
    max_files
        Files of one folder, all levels together.
    max_entries
        Entries of one archive.
    max_unpacked
        Bytes of all entries of one archive, unpacked to a temporary folder.
    seconds
        Wall time for inspecting one file, and for loading one item (which gets one second more for every 4 MiB of its
        samples); asked for in every loop over frames, chunks, pages and blocks, and given to the children that decode.
    verify_bytes
        Inspection reads the samples through once (checking check sums and counting NaN) up to this many bytes;
        larger items are verified when they are loaded.
    """

    max_bytes: int = field(default_factory=default_bytes)
    max_voxels: int = 1 << 32
    max_pixels: int = 1 << 28
    max_frames: int = 100_000
    max_nesting: int = 100
    max_ratio: float = 250.0
    ratio_floor: int = 128 * MIB
    max_files: int = 1_000_000
    max_entries: int = 50_000
    max_unpacked: int = 32 * GIB
    seconds: float = 120.0
    verify_bytes: int = 256 * MIB

    def _refuse(self, path: Path, what: str, asked: str, allowed: str) -> BudgetError:
        return BudgetError(
            f"{path.name}: {what} would take {asked}: expected at most {allowed}; raise the budget if the file is sound."
        )

    def check_bytes(self, n: int, path: Path, what: str = "the image") -> int:
        """Return `n` where that many bytes may be allocated.

        Raises
        ------
        BudgetError
            If not; so do the other checks.
        """
        if n > self.max_bytes:
            raise self._refuse(path, what, readable_size(n), readable_size(self.max_bytes))
        return n

    def check_voxels(self, n: int, path: Path, what: str = "the image") -> int:
        """Return `n` where that many samples are allowed."""
        if n > self.max_voxels:
            raise self._refuse(path, what, f"{n:,} samples", f"{self.max_voxels:,}")
        return n

    def check_shape(self, shape: Sequence[int], itemsize: int, path: Path, what: str = "the image") -> int:
        """Return the bytes of an array of that shape (whole numbers of any size) where they may be allocated."""
        samples = math.prod(int(n) for n in shape)
        self.check_voxels(samples, path, what)
        return self.check_bytes(samples * int(itemsize), path, what)

    def check_pixels(self, n: int, path: Path, what: str = "the picture") -> int:
        """Return `n` where one plane may have that many pixels."""
        if n > self.max_pixels:
            raise self._refuse(path, what, f"{n:,} pixels", f"{self.max_pixels:,}")
        return n

    def check_frames(self, n: int, path: Path, what: str = "the image") -> int:
        """Return `n` where that many frames are allowed."""
        if n > self.max_frames:
            raise self._refuse(path, what, f"{n:,} frames", f"{self.max_frames:,}")
        return n

    def check_nesting(self, n: int, path: Path, what: str = "reading the header") -> int:
        """Return `n` where that many levels are allowed."""
        if n > self.max_nesting:
            raise self._refuse(path, what, f"{n:,} levels of nesting", f"{self.max_nesting:,}")
        return n

    def check_ratio(self, packed: int, unpacked: int, path: Path, what: str = "unpacking") -> int:
        """Return `unpacked` where that many bytes may come out of `packed` compressed ones."""
        if unpacked > self.ratio_floor and unpacked > self.max_ratio * max(packed, 1):
            ratio = unpacked / max(packed, 1)
            raise BudgetError(
                f"{path.name}: {what} would turn {readable_size(packed)} into {readable_size(unpacked)} ({ratio:.0f} times): "
                f"expected at most {self.max_ratio:g} times, so this looks like a decompression bomb; do not open it."
            )
        return unpacked

    def check_files(self, n: int, path: Path, what: str = "the folder") -> int:
        """Return `n` where a folder may hold that many files."""
        if n > self.max_files:
            raise self._refuse(path, what, f"{n:,} files", f"{self.max_files:,}")
        return n

    def check_entries(self, n: int, path: Path, what: str = "the archive") -> int:
        """Return `n` where an archive may hold that many entries."""
        if n > self.max_entries:
            raise self._refuse(path, what, f"{n:,} entries", f"{self.max_entries:,}")
        return n
