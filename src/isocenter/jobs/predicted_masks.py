"""The outlines that were judged, as files: whoever doubts a score opens them on their images."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from isocenter.core.labels import LabelMap
from isocenter.io import door
from isocenter.io.text import file_name, stem
from isocenter.pipeline import lineage

__all__ = ["PREDICTED", "write_predicted"]

#: Folder below that of the results.
PREDICTED = "predicted"


def write_predicted(root: Path, outlines: Iterable[tuple[str, LabelMap]]) -> tuple[dict[str, str], dict[str, lineage.FileOf]]:
    """Write predicted outlines, each on the grid of its image, and take away those of a former run.

    Parameters
    ----------
    root
        Folder of the results.
    outlines
        Name of the case, what was predicted.

    Returns
    -------
    dict, dict
        Name of the case -> file below `root`; what was written, for the lineage.
    """
    files: dict[str, str] = {}
    written: dict[str, lineage.FileOf] = {}
    taken: set[str] = set()
    (root / PREDICTED).mkdir(parents=True, exist_ok=True)
    for case, outline in outlines:
        whole = PurePosixPath(case)
        name = _free(file_name((whole.parent / stem(Path(whole.name))).as_posix(), "case"), taken)
        files[case] = f"{PREDICTED}/{name}.nii.gz"
        door.write(outline, root / files[case])
        written[files[case]] = lineage.FileOf(how="predicted outline of a case that was judged")
    for path in (root / PREDICTED).iterdir():
        if path.relative_to(root).as_posix() not in written:
            path.unlink()
    return files, written


def _free(name: str, taken: set[str]) -> str:
    """Return a name that no other case has; case does not count, as it does not on every system."""
    number, free = 1, name
    while free.lower() in taken:
        number += 1
        free = f"{name}-{number}"
    taken.add(free.lower())
    return free
