"""The entries of a tar stream, read by own rules: regular files and folders, nothing else.

References
----------
POSIX.1-2017, pax: ustar interchange format and extended headers; GNU tar manual, "Basic Tar Format".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from isocenter.core.errors import FormatError
from isocenter.io.streams import Stream

__all__ = ["TarEntry", "entries"]

BLOCK = 512
LONGEST_HEADER = 1 << 20
REFUSED = {
    b"1": "a hard link", b"2": "a symbolic link", b"3": "a device", b"4": "a device", b"6": "a named pipe", b"S": "a sparse file",
}  # fmt: skip


@dataclass(frozen=True)
class TarEntry:
    """One entry: its name as stored, its size in bytes, and whether it is a folder."""

    name: str
    size: int
    folder: bool


def _number(field: bytes, archive: str) -> int:
    """Return a number: octal digits, or base 256 where the first bit is set."""
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    text = field.strip(b" \0")
    try:
        value = int(text, 8) if text else 0
    except ValueError:
        raise FormatError(f"{archive}: an entry's size field reads {field!r}: expected octal digits; get a fresh copy.") from None
    if value < 0:
        raise FormatError(f"{archive}: an entry of negative size: expected none; get a fresh copy.")
    return value


def _records(body: bytes, archive: str) -> dict[str, str]:
    """Return the records of a pax extended header."""
    found, place = {}, 0
    while place < len(body):
        blank = body.find(b" ", place, place + 16)
        length = body[place:blank]
        if blank < 0 or not length.isdigit() or not 0 < int(length) <= len(body) - place:
            raise FormatError(f"{archive}: a damaged extended header: expected records of stated length; get a fresh copy.")
        key, _, value = body[blank + 1 : place + int(length) - 1].partition(b"=")
        found[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        place += int(length)
    return found


def _exactly(stream: Stream, n: int, archive: str) -> bytes:
    data = stream.read(n)
    if len(data) < n:
        raise FormatError(f"{archive}: ends in the middle of an entry: expected a whole archive; get a fresh copy.")
    return data


def entries(stream: Stream, archive: str) -> Iterator[TarEntry]:
    """Yield the entries; the consumer reads exactly ``size`` bytes of the stream (or none) after each.

    Raises
    ------
    FormatError
        If the archive is damaged, or holds a link, a device, a pipe or a sparse file.
    """
    extended: dict[str, str] = {}
    while True:
        header = stream.read(BLOCK)
        if len(header) < BLOCK or not header.strip(b"\0"):
            return
        stated = _number(header[148:156], archive)
        if stated != sum(header) - sum(header[148:156]) + 8 * 32:
            raise FormatError(f"{archive}: an entry's header has a wrong check sum: expected a sound archive; get a fresh copy.")
        kind, size = header[156:157], _number(header[124:136], archive)
        if kind in b"xgLK" and kind:
            if size > LONGEST_HEADER:
                raise FormatError(
                    f"{archive}: an extended header of {size} bytes: expected at most {LONGEST_HEADER}; get a fresh copy."
                )
            body = _exactly(stream, size, archive)
            stream.skip(-size % BLOCK)
            if kind == b"x":
                extended.update(_records(body, archive))
            elif kind == b"L":
                extended["path"] = body.rstrip(b"\0").decode("utf-8", "surrogateescape")
            continue
        name = header[:100].rstrip(b"\0")
        if header[257:262] == b"ustar" and header[345:500].strip(b"\0") and header[257:265] != b"ustar  \0":
            name = header[345:500].rstrip(b"\0") + b"/" + name
        shown = extended.get("path", name.decode("utf-8", "surrogateescape"))
        if any(key.startswith("GNU.sparse") for key in extended):
            kind = b"S"
        size = int(extended["size"]) if extended.get("size", "").isdigit() else size
        extended = {}
        if kind not in b"0\0007" and kind != b"5":
            what = REFUSED.get(kind, f"an entry of type {kind!r}")
            raise FormatError(
                f"{archive}: holds {what}, which may lead outside: expected regular files only; pack it again without."
            )
        start = stream.position
        yield TarEntry(shown, 0 if kind == b"5" else size, kind == b"5" or shown.endswith("/"))
        taken = stream.position - start
        if kind != b"5":
            left = size - taken
            if stream.skip(left) < left:
                raise FormatError(f"{archive}: ends in the middle of an entry: expected a whole archive; get a fresh copy.")
            stream.skip(-size % BLOCK)
