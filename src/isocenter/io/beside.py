"""The data file that a header names: it must stand beside the header, under a plain name, and be a regular file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from isocenter.core.errors import FormatError, UnsupportedError
from isocenter.io.text import terminal

__all__ = ["data_beside"]


def data_beside(header: Path, name: str) -> Path:
    """Return the path of the data file that `header` names.

    Parameters
    ----------
    header
        The header file.
    name
        The name as the header states it.

    Raises
    ------
    FormatError
        If the name leads anywhere but beside the header, or nothing regular stands there.
    UnsupportedError
        If the header names several files.
    """
    shown = terminal(name, 80)
    if name.split(" ")[0] == "LIST" or "%" in name:
        raise UnsupportedError(
            f"{header.name}: its samples are spread over several files ('{shown}'): expected one; write it again as one file."
        )
    plain = name.removeprefix("./")
    if not plain or plain in (".", "..") or "/" in plain or "\\" in plain or "\0" in plain or ":" in plain:
        raise FormatError(
            f"{header.name}: its data file is named '{shown}': expected a plain name of a file beside the header; "
            "put both into one folder and correct the name."
        )
    path = header.parent / plain
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        raise FormatError(
            f"{header.name}: its data file '{shown}' is missing: expected it beside the header; put both in one folder."
        ) from None
    if not stat.S_ISREG(mode):
        raise FormatError(
            f"{header.name}: its data file '{shown}' is a link or no regular file: expected the file itself beside the header."
        )
    return path
