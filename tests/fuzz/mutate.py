"""Seeded mutations: any one of them can be made again from its seed and number alone."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence

import numpy as np

from tests.fuzz.shaped import shaped
from tests.io.mutants import EDGES, mutate

__all__ = ["mutation"]

#: What each text format is likely to stumble over.
WORDS = {
    ".yaml": (
        b"&a [*a, *a]", b"!!python/object:os.system x", b"{op: denoise.median}", b"op:", b"with: {radius: 1e400}", b"from: [image, image]",
        b"- ", b"\t", b"null", b"~", b"[" * 200, b"? ", b"<<: *x", b"\xff\xfe", b"on", b"0x7fffffffffffffff", b".nan", b"'", b'"\\x00"', b"---\n",
        b"each: masks", b"optional: true", b"to: ../../x", b"{", b"}", b"radius: -1",
    ),
    ".nrrd": (b"sizes: 4294967296 4 5", b"encoding: gzip", b"data file: LIST", b"data file: ../../../etc/passwd", b"space directions: none none none", b"dimension: 17", b"type: block"),
    ".mha": (b"NDims = 300", b"ElementDataFile = LIST", b"ElementDataFile = /etc/passwd", b"CompressedData = True", b"DimSize = -1 4 5", b"BinaryDataByteOrderMSB = True"),
    ".csv": (b"time", b",,,,", b"nan", b"=cmd()", b"\x00", b"1e999", b'"'),
}  # fmt: skip
#: What the metadata of a Zarr hierarchy may be made to say.
ZARR = (
    b"4294967296", b"-1", b"0", b"1e400", b"null", b"[]", b"{}", b'"blosc"', b'"zstd"', b'"<f8"', b'"|O"', b'">i2"', b'"../../../etc"', b"[1, 1, 1]",
    b'"zlib"', b'"gzip"', b'"F"', b'"sharding_indexed"', b"NaN", b"true", b'"t"', b'"millimeter"', b'"parsec"',
)  # fmt: skip
#: DICOM: lengths, delimiters and value representations, put where a header may be.
DICOM = (
    b"\xff\xff\xff\xff", b"\xfe\xff\x00\xe0\xff\xff\xff\xff", b"\xfe\xff\x0d\xe0\x00\x00\x00\x00", b"\xfe\xff\xdd\xe0\x00\x00\x00\x00", b"SQ\x00\x00\xff\xff\xff\xff",
    b"UN\x00\x00\xff\xff\xff\xff", b"\x28\x00\x10\x00US\x02\x00\xff\xff", b"\x28\x00\x08\x00IS\x0a\x002147483647", b"\xe0\x7f\x10\x00OW\x00\x00\xff\xff\xff\xff",
    b"\x28\x00\x30\x00DS\x04\x000\\-1", b"\xfe\xff", b"OB", b"\x00\x00\x00\x80",
)  # fmt: skip


def mutation(name: str, data: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    """Return one mutation of a file.

    Parameters
    ----------
    name
        Of the file: its suffix chooses words to put in.
    data
        The sound file.
    others
        Sound files of the same format, from which pieces may be taken.
    rng
        Where every choice comes from.
    """
    if name.endswith(".zarr.zip"):
        return _store(data, rng)
    if rng.random() < 0.6:
        return shaped(name, data, rng)
    # The preamble of DICOM decides nothing: it is left out, so that every change falls on what is read.
    skip = 128 if data[128:132] == b"DICM" else 0
    head, body = data[:skip], data[skip:]
    kind = int(rng.integers(0, 10))
    words = DICOM if skip else WORDS.get(name[name.rfind(".") :], EDGES)
    if kind < 5:
        return head + mutate(body, rng)
    raw = bytearray(body)
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(0, max(1, len(raw))))
        if kind < 8:
            word = words[int(rng.integers(0, len(words)))]
            raw[at : at + (len(word) if kind == 5 else 0)] = word
        else:
            other = others[int(rng.integers(0, len(others)))]
            start = int(rng.integers(0, max(1, len(other))))
            raw[at : at + int(rng.integers(0, 64))] = other[start : start + int(rng.integers(1, 200))]
    return head + bytes(raw)


def _store(data: bytes, rng: np.random.Generator) -> bytes:
    """Bend one entry of a Zarr hierarchy (now and then leave one out), so that the archive around it stays sound."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {info.filename: archive.read(info) for info in archive.infolist()}
    names = sorted(entries)
    for _ in range(int(rng.integers(1, 3))):
        name = names[int(rng.integers(0, len(names)))]
        if rng.random() < 0.05:
            entries.pop(name, None)
        elif name in entries:
            entries[name] = _entry(entries[name], rng)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, raw in entries.items():
            archive.writestr(zipfile.ZipInfo(name), raw)
    return buffer.getvalue()


def _entry(raw: bytes, rng: np.random.Generator) -> bytes:
    """Put another value in place of one that metadata state; other bytes are mutated as they are."""
    values = list(re.finditer(rb'-?\d+(?:\.\d+)?|"[^"]*"|null|true|false', raw)) if raw[:1] == b"{" else []
    if not values or rng.random() < 0.2:
        return mutate(raw, rng)
    one = values[int(rng.integers(0, len(values)))]
    return raw[: one.start()] + ZARR[int(rng.integers(0, len(ZARR)))] + raw[one.end() :]
