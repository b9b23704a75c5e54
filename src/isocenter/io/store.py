"""Store: one noun in one file, lossless, for the pipeline's cache and the lineage.

The file is a magic line, the length and SHA-256 of a JSON header, the header, and the raw little-endian
arrays, each on a 64-byte boundary. Nothing in it is code: reading one builds known nouns from plain values.
Loading recomputes the noun's own digest, so a flipped bit anywhere is found, and the digest that a pipeline
needs next is then already there.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import FormatError, MissingInputError
from isocenter.core.provenance import canonical_json
from isocenter.io import atomic
from isocenter.io.nouns import Sink, Source, decode, digest_of, encode

__all__ = ["SUFFIX", "digest_of", "load", "peek", "save"]

SUFFIX = ".isocenter"
MAGIC = b"isocenter store 1\n"
ALIGNMENT = 64
Fields = dict[str, Any]


def save(value: Any, path: str | Path) -> str:
    """Write any noun (or a tuple or mapping of them, or plain values) to one file, atomically.

    Parameters
    ----------
    value
        Image, LabelMap, MaskStack, Points, Boxes, Contours, Mesh, Signal, Raw, Features, Scores, Prediction or a
        transform.
    path
        The file; by custom its suffix is ``.isocenter``.

    Returns
    -------
    str
        The value's digest.

    Raises
    ------
    UnsupportedError
        If the value is none of these.
    WriteError
        If the disk refuses.
    """
    sink = Sink()
    record = encode(value, sink)
    digest = digest_of(value)
    header = canonical_json({"digest": digest, "arrays": sink.rows, "value": record}).encode()
    with atomic.replacing(path) as handle:
        handle.write(MAGIC + struct.pack("<Q", len(header)) + hashlib.sha256(header).digest() + header)
        for array in sink.arrays:
            handle.write(b"\0" * (-handle.tell() % ALIGNMENT))
            if array.nbytes:
                handle.write(array.data.cast("B"))
    return digest


def _damaged(path: Path, what: str) -> FormatError:
    return FormatError(f"{path.name}: {what}: expected a whole isocenter store file; delete it and run again.")


def _header(path: Path, handle: BufferedReader, size: int) -> Fields:
    start = handle.read(len(MAGIC) + 40)
    if not start.startswith(MAGIC) or len(start) < len(MAGIC) + 40:
        raise _damaged(path, "does not begin as a store file does")
    length = struct.unpack_from("<Q", start, len(MAGIC))[0]
    if length > size:
        raise _damaged(path, "is shorter than its header says")
    raw = handle.read(length)
    if hashlib.sha256(raw).digest() != start[-32:]:
        raise _damaged(path, "its header is damaged")
    found: Fields = json.loads(raw)
    return found


def _read_array(path: Path, handle: BufferedReader, row: Fields, size: int) -> npt.NDArray[Any]:
    handle.seek(-handle.tell() % ALIGNMENT, 1)
    if handle.tell() + row["bytes"] > size:
        raise _damaged(path, "ends before its last array")
    shape = tuple(row["shape"])
    if row["kind"] == "bits":
        packed = np.empty(row["bytes"], np.uint8)
        handle.readinto(packed.data)
        return np.unpackbits(packed, count=math.prod(shape)).astype(np.bool_).reshape(shape)
    array = np.empty(shape, np.dtype(row["kind"]))
    if array.nbytes != row["bytes"]:
        raise _damaged(path, "one of its arrays has another size than its shape says")
    if array.nbytes:
        handle.readinto(array.data.cast("B"))
    return array


def peek(path: str | Path) -> dict[str, str]:
    """Return the ``type`` and ``digest`` of what a file holds, reading its header alone.

    Raises
    ------
    MissingInputError
        If there is no such file.
    FormatError
        If its header is damaged.
    """
    target = Path(path)
    try:
        with target.open("rb") as handle:
            header = _header(target, handle, target.stat().st_size)
    except FileNotFoundError:
        raise MissingInputError(f"{target}: there is no such file.") from None
    return {"type": str(header["value"]["type"]), "digest": str(header["digest"])}


def load(path: str | Path) -> Any:
    """Read what `save` wrote, and verify it.

    Raises
    ------
    MissingInputError
        If there is no such file.
    FormatError
        If anything in it differs from what was saved.
    """
    target = Path(path)
    try:
        with target.open("rb") as handle:
            size = target.stat().st_size
            header = _header(target, handle, size)
            source = Source([_read_array(target, handle, row, size) for row in header["arrays"]])
    except FileNotFoundError:
        raise MissingInputError(f"{target}: there is no such file.") from None
    try:
        value = decode(header["value"], source)
    except (LookupError, TypeError, ValueError) as error:  # the nouns check themselves: damaged values rarely pass
        raise _damaged(target, f"does not hold what it says ({error})") from error
    if digest_of(value) != header["digest"]:
        raise _damaged(target, "its samples differ from the digest in its header")
    return value
