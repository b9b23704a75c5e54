"""The outlines that were judged, as files: whoever doubts a score opens them on their images."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from isocenter.core.labels import LabelMap
from isocenter.io import door
from isocenter.io.text import file_name, stem

__all__ = ["PREDICTED", "write_predicted"]

#: Folder below that of the results.
PREDICTED = "predicted"


def write_predicted(root: Path, outlines: Iterable[tuple[str, LabelMap]]) -> dict[str, str]:
    """Write predicted outlines, each on the grid of its image, and take away those that the table of a former run names.

    Parameters
    ----------
    root
        Folder of the results.
    outlines
        Name of the case, what was predicted.

    Returns
    -------
    dict
        Name of the case -> file below `root`.
    """
    files: dict[str, str] = {}
    taken: set[str] = set()
    (root / PREDICTED).mkdir(parents=True, exist_ok=True)
    former = _former(root / "tables" / "cases.csv")
    for case, outline in outlines:
        whole = PurePosixPath(case)
        name = _free(file_name((whole.parent / stem(Path(whole.name))).as_posix(), "case"), taken)
        files[case] = f"{PREDICTED}/{name}.nii.gz"
        door.write(outline, root / files[case])
    for name in former - set(files.values()):
        (root / name).unlink(missing_ok=True)
    return files


def _former(path: Path) -> set[str]:
    """Return the outlines that a former run wrote, by its table: other files in that folder are somebody else's."""
    if not path.is_file():
        return set()
    with path.open(newline="", encoding="utf-8", errors="replace") as handle:
        named = {str(row.get("predicted") or "") for row in csv.DictReader(handle)}
    return {
        name for name in named if name.endswith(".nii.gz") and PurePosixPath(name).parts == (PREDICTED, PurePosixPath(name).name)
    }


def _free(name: str, taken: set[str]) -> str:
    """Return a name that no other case has; case does not count, as it does not on every system."""
    number, free = 1, name
    while free.lower() in taken:
        number += 1
        free = f"{name}-{number}"
    taken.add(free.lower())
    return free
