"""Compare two masks: agreement map, scores, pictures of what differs, a report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from isocenter._version import __version__
from isocenter.core.errors import ContentError
from isocenter.core.labels import LabelMap
from isocenter.io import atomic, door, table
from isocenter.io.text import stem
from isocenter.jobs.evaluate_one import Judged, Task, judge, load_pair, picture
from isocenter.ops.fuse.compare import Compare
from isocenter.view.html import html
from isocenter.view.report import Figure, Footer, KeyNumber, Lineage, Report, Section, Table

__all__ = ["Result", "compare"]


@dataclass(frozen=True)
class Result:
    """What was written, the scores (name, value, unit), and what the agreement map says in words."""

    files: tuple[Path, ...]
    scores: tuple[tuple[str, float, str], ...]
    notes: tuple[str, ...]


def compare(
    first: Path | str,
    second: Path | str,
    out: Path | str,
    *,
    image: Path | str | None = None,
    label: str = "",
    tolerance: float = 1.0,
) -> Result:
    """Compare two segmentations of one grid; the second is taken as the truth where a score tells them apart.

    Parameters
    ----------
    first, second
        Label maps of any format.
    out
        Folder for ``agreement.nii.gz`` (1 both, 2 only first, 3 only second, 4 other label), ``scores.csv``,
        ``agreement.png`` and ``report.html``.
    image
        What to show the outlines on; None shows the masks alone.
    label
        Name or value of the one label to compare; empty: all.
    tolerance
        mm, of the surface Dice.

    Raises
    ------
    IsocenterError
        If one cannot be read, or they lie on different grids.
    """
    over = None if image is None else Path(image)
    task = Task(f"{stem(Path(first))} and {stem(Path(second))}", Path(first), Path(second), over, label, "components", tolerance)
    one, two = load_pair(task)
    one.geometry.require_match(two.geometry, ("the first mask", "the second"))
    shown = None if image is None else door.read(image)
    if shown is not None:
        shown.geometry.require_match(two.geometry, ("the image", "the masks"))
    agreement = Compare(label=int(label) if label.isdigit() else label or None)(one, two)
    if not isinstance(agreement, LabelMap):
        raise ContentError(f"{task.case}: gave no labels: expected two label maps.")
    judged = judge(one, two, task)
    folder = atomic.make_folder(out)
    files = [folder / name for name in ("agreement.nii.gz", "scores.csv", "agreement.png", "report.html")]
    door.write(agreement, files[0])
    table.write_rows(["score", "value", "unit"], judged.scores, files[1])
    data = picture(one, two, shown, task, f"{stem(Path(first))} against {stem(Path(second))}")
    atomic.write_bytes(files[2], data)
    notes = (*agreement.provenance.steps[-1].notes, *judged.notes)
    atomic.write_bytes(files[3], html(_report(task, agreement, judged, notes, data)))
    return Result(tuple(files), judged.scores, notes)


def _report(task: Task, agreement: LabelMap, judged: Judged, notes: tuple[str, ...], data: bytes) -> Report:
    """Return the page: the key numbers, the picture and every score."""
    keys = [KeyNumber(n.replace("_", " "), v, "" if u == "1" else u) for n, v, u in judged.scores if n in ("dice", "hausdorff_95", "assd", "surface_dice")]  # fmt: skip
    return Report(
        title="Comparison of two masks",
        pseudonym=task.case,
        summary=notes,
        numbers=tuple(keys),
        picture=Figure(data, "Where the two agree, and what only one of them holds (prediction: the first, truth: the second)."),
        sections=(
            Section("Scores", (Table(("Score", "Value", "Unit"), judged.scores),)),
            Section("Lineage", (Lineage.of(agreement.provenance),)),
        ),
        footer=Footer((f"isocenter {__version__}",)),
    )
