"""Atomic folders: a format that is a folder stands under its name whole, or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from isocenter.core.errors import IsocenterError, WriteError
from isocenter.io import seam
from isocenter.io.atomic import failure, temporary_beside

__all__ = ["replacing_folder"]


@contextmanager
def replacing_folder(path: Path, ours: Callable[[Path], bool], what: str) -> Iterator[Path]:
    """Give a temporary folder that takes the place of `path` when the context ends without an error.

    Parameters
    ----------
    path
        The final name; its folder must exist. An earlier folder of that name is set aside for the rename, brought
        back where that fails, and removed after it.
    ours
        Whether an earlier folder of that name is of the kind that may be replaced.
    what
        That kind, for the message.

    Raises
    ------
    WriteError
        If something else stands there, or the disk refuses; nothing new stands under the final name then.
    """
    target = Path(path)
    if target.is_symlink() or (target.exists() and not (target.is_dir() and ours(target))):
        raise WriteError(
            f"{target}: something that is no {what} stands there: expected a free name; choose another or remove it."
        )
    temporary, earlier = temporary_beside(target), temporary_beside(target)
    try:
        try:
            seam.step("open", target)
            temporary.mkdir()
            yield temporary
            seam.step("rename", target)
            if target.exists():
                os.rename(target, earlier)
            try:
                os.rename(temporary, target)
            except OSError:
                if earlier.exists():
                    os.rename(earlier, target)
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(earlier, ignore_errors=True)
    except IsocenterError:
        raise
    except OSError as error:
        raise failure(target, error) from error
