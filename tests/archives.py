"""Archives of shared test data, unpacked."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

__all__ = ["unpack"]


def unpack(path: Path, folder: Path) -> Path:
    """Unpack a tar archive below a folder and return it."""
    # Debian 12 has Python 3.11.2, whose tarfile knows no filters yet; from 3.12 on none is a warning.
    options: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    with tarfile.open(path) as archive:
        archive.extractall(folder, **options)
    return folder
