"""The check of a writer: what stands on the disk is read back and compared before the file gets its name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from isocenter.core.errors import WriteError
from isocenter.io.streams import Stream

__all__ = ["same_bytes"]


def same_bytes(
    data: bytes | memoryview, size: int, start: int, coding: Literal["raw", "gzip"], head: bytes = b""
) -> Callable[[Path], None]:
    """Return a check that the decoded bytes of a file are `head` and `data`.

    Parameters
    ----------
    data
        The samples as written.
    size
        Their number of bytes.
    start
        Byte of the file at which the (compressed) stream begins.
    coding
        How it is compressed.
    head
        What stands before the samples in the stream.
    """
    hasher = hashlib.sha256(head)
    hasher.update(data)
    expected, total = hasher.digest(), len(head) + size

    def check(temporary: Path) -> None:
        found, left = hashlib.sha256(), total
        with Stream(temporary, coding, start) as stream:
            while left:
                piece = stream.read(min(left, 1 << 22))
                if not piece:
                    break
                found.update(piece)
                left -= len(piece)
            if left or stream.surplus() or found.digest() != expected:
                raise WriteError(
                    "The disk gave back other bytes than were written; nothing was kept: check the disk and run again."
                )

    return check
