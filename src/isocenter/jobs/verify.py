"""Check a result folder against its lineage, and on request run every step again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocenter.core import models
from isocenter.core.errors import IsocenterError, MissingInputError, ParameterError
from isocenter.jobs.case import Task, rerun
from isocenter.jobs.options import Options
from isocenter.jobs.run import prepare
from isocenter.pipeline import verify as checks
from isocenter.pipeline.spec import load

__all__ = ["Verification", "verify"]


@dataclass(frozen=True)
class Verification:
    """What the check of a folder gave.

    Attributes
    ----------
    differences
        What was changed or lost, one sentence each, the earliest step first.
    notes
        What proves nothing but should be known (extra files).
    files, steps
        How many were checked.
    recomputed
        Whether the steps were run again.
    """

    out: Path
    differences: tuple[str, ...]
    notes: tuple[str, ...]
    files: int
    steps: int
    recomputed: bool

    @property
    def sound(self) -> bool:
        """Whether nothing differs."""
        return not self.differences

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "out": str(self.out),
            "sound": self.sound,
            "differences": list(self.differences),
            "notes": list(self.notes),
            "files": self.files,
            "steps": self.steps,
            "recomputed": self.recomputed,
        }


def verify(out: Path | str, *, recompute: bool = False, inputs: Sequence[Path] | None = None) -> Verification:
    """Check every file, number and step of a result folder.

    Parameters
    ----------
    out
        A folder that ``isocenter run`` made.
    recompute
        Read the inputs and run every step again, without any cache, and compare the digests.
    inputs
        Where the inputs lie; default: where ``run.json`` says they lay.

    Raises
    ------
    MissingInputError
        If the folder holds no lineage, or the inputs are gone.
    """
    root = Path(out)
    again = _Again(root, inputs) if recompute else None
    found = checks.verify(root, again)
    files, steps = _counts(root)
    return Verification(
        root,
        tuple(d.sentence() for d in found if d.counts),
        tuple(d.sentence() for d in found if not d.counts),
        files,
        steps,
        recompute,
    )


def _counts(root: Path) -> tuple[int, int]:
    """Return the numbers of files and steps that the lineages below a folder list."""
    files = steps = 0
    for path in [root / "lineage.json", *sorted(root.glob("cases/*/lineage.json"))]:
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
            files += len(held["files"])
            steps += len(held.get("steps", ()))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # the check itself has said what is wrong with it
    return files, steps


def _study(root: Path, options: Mapping[str, Any]) -> str | None:
    """Return the study of a run: its name, its file, or, where that is gone or never lay anywhere, the copy beside the results."""
    study: str | None = options["study"]
    if study is None or Path(study).suffix not in (".yaml", ".yml", ".json"):
        return study
    if options.get("verb") != "segment" and Path(study).is_file():
        return study
    kept = [path for path in (root / "pipeline.yaml", *sorted(root.glob("cases/*/pipeline.yaml"))) if path.is_file()]
    if not kept:
        raise MissingInputError(
            f"{root}: neither the study '{study}' nor a copy (pipeline.yaml) beside the results is there any more."
        )
    return str(kept[0])


class _Again:
    """Runs the steps of a case again from its inputs."""

    def __init__(self, root: Path, inputs: Sequence[Path] | None) -> None:
        try:
            facts = json.loads((root / "run.json").read_text(encoding="utf-8"))
            options = facts["options"]
            paths = list(inputs) if inputs else [Path(p) for p in facts["inputs"]]
            masks = {str(name): Path(path) for name, path in options["masks"].items()}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise MissingInputError(
                f"{root}: run.json does not say where the inputs lay ({error}): give them with --input."
            ) from error
        gone = [path for path in paths if not path.exists()]
        if gone:
            raise MissingInputError(f"The input '{gone[0]}' is gone: say where it lies now with --input.")
        if options.get("model"):  # the steps name it by file name and digest
            models.make_known(options["model"])
        chosen = Options(_study(root, options), masks, options["repair"], seed=int(options["seed"]))
        if options.get("verb") == "prepare":
            from isocenter.jobs.prepare import subjects

            tasks = [Task(analysis, chosen.seed) for analysis in subjects(paths, chosen)[0]]
        else:
            tasks = list(prepare(paths, chosen).tasks)
        self.tasks: dict[str, Task] = {task.analysis.name: task for task in tasks}

    def __call__(self, folder: Path, lineage: Mapping[str, Any]) -> Mapping[str, str]:
        """Return slot -> digest of every step of a case."""
        name = lineage["facts"].get("analysis", "")
        task = self.tasks.get(name)
        if task is None:
            raise ParameterError(f"The inputs hold no case '{name}': expected the inputs this folder was made from.")
        try:
            return rerun(task, load(lineage["pipeline"]["spec"]), int(lineage["seed"]))
        except IsocenterError as error:
            raise ParameterError(f"The steps of case '{name}' cannot be run again: {error}") from error
