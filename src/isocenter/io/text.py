"""Text from files, made safe for the place it goes to: a terminal, a table, a page, a file name.

Strings inside images are under the control of whoever wrote the image. They are kept as they are in memory and
escaped once, at the sink, by the function of that sink.

References
----------
OWASP, CSV Injection; Unicode Standard Annex 9 (bidirectional controls).
"""

from __future__ import annotations

import hashlib
import html as _html
import re
import unicodedata
from pathlib import Path
from typing import Any

from isocenter.core.text import ESCAPE, plain

__all__ = ["csv_cell", "file_name", "html", "one_line", "pseudonym", "slot_name", "terminal", "unique"]

#: Controls that reorder text on the screen: a name could pretend to be another one.
_BIDI = dict.fromkeys([0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF])
_RESERVED = re.compile(r"^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?$", re.IGNORECASE)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def one_line(text: Any, limit: int = 200) -> str:
    """Return text without control characters, line ends and bidirectional marks, at most `limit` characters long."""
    return plain(" ".join(plain(str(text).translate(_BIDI), len(str(text)) + 1, " ").split()), limit)


def terminal(text: Any, limit: int = 2000) -> str:
    """Return text that cannot move a cursor, colour a screen or break a log line.

    Control characters, and all others that do not print, are shown as their escape sequences instead of being obeyed.
    """
    return plain(str(text), limit, ESCAPE)


def html(text: Any) -> str:
    """Return text for an HTML page, inside an element or a quoted attribute."""
    return _html.escape(str(text).translate(_BIDI).replace("\x00", ""), quote=True)


def csv_cell(value: Any) -> Any:
    """Return a value for a table cell: text that a spreadsheet would run as a formula gets an apostrophe in front.

    Numbers pass unchanged, negative ones too: only text can be a formula.
    """
    if not isinstance(value, str):
        return value
    shown = "".join(c if unicodedata.category(c) not in ("Cc", "Cs") else " " for c in value.translate(_BIDI))
    return "'" + shown if value.startswith(_FORMULA) or shown.lstrip().startswith(_FORMULA) else shown


def file_name(text: Any, default: str = "file", limit: int = 80) -> str:
    """Return a file name of ASCII letters, digits, ``.``, ``_`` and ``-`` that every system takes.

    Parameters
    ----------
    text
        Anything; separators and unknown characters become ``_``, a leading dot or hyphen is dropped.
    default
        What is returned where nothing is left.
    limit
        Longest length.
    """
    shown = unicodedata.normalize("NFKD", str(text)).encode("ascii", "ignore").decode("ascii")
    shown = re.sub(r"[^A-Za-z0-9._-]+", "_", shown)
    shown = re.sub(r"\.{2,}", ".", shown).lstrip(".-_")[:limit].rstrip("._-")
    if not shown:
        return default
    return f"_{shown}" if _RESERVED.match(shown) else shown


def slot_name(text: Any, default: str = "image") -> str:
    """Return a slot name: a lower-case letter, then letters, digits and ``_``, 63 characters at most."""
    shown = unicodedata.normalize("NFKD", str(text)).encode("ascii", "ignore").decode("ascii").lower()
    shown = re.sub(r"[^a-z0-9]+", "_", shown).strip("_")
    if shown and not shown[0].isalpha():
        shown = f"{default}_{shown}"
    return shown[:63].rstrip("_") or default


def unique(name: str, taken: set[str]) -> str:
    """Return `name`, numbered where it is taken (``gtv``, ``gtv_2`` ...), and remember it in `taken`."""
    candidate, k = name, 1
    while candidate in taken:
        k += 1
        candidate = f"{name[: 62 - len(str(k))]}_{k}"
    taken.add(candidate)
    return candidate


def pseudonym(key: str | bytes) -> str:
    """Return ``case-`` and eight hexadecimal digits of the digest of `key`: equal keys, equal pseudonyms."""
    raw = key.encode("utf-8", "surrogatepass") if isinstance(key, str) else key
    return "case-" + hashlib.sha256(b"isocenter case\0" + raw).hexdigest()[:8].upper()


def stem(path: Path) -> str:
    """Return a file's name without the suffixes of image formats (``a.nii.gz`` -> ``a``)."""
    name = path.name
    name = re.sub(r"\.(gz|bz2|xz)$", "", name, flags=re.IGNORECASE)
    known = r"\.(seg\.nrrd|ome\.tiff?|nii|hdr|img|nrrd|nhdr|mha|mhd|png|jpe?g|tiff?|bmp|webp|svs|edf|bdf|npy|csv|tsv|(ome\.)?zarr|dcm|zip|tar|tgz|tbz2|txz)$"
    return re.sub(known, "", name, flags=re.IGNORECASE) or name
