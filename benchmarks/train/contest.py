"""What the contestants of a training share: the job, the cases as arrays, and what they answer about their cost.

A contestant is a module that is run as ``python -m MODULE JOB.json``. It reads the cases, trains for the number of rounds that
the job states (an epoch, of whatever size suits it), labels the test cases, and writes ``facts.json`` and one array a case.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Job:
    """What one process is to do.

    Attributes
    ----------
    cases
        Folder with ``cases.json`` and the arrays of each case.
    out
        Folder for what the contestant leaves.
    rounds
        Rounds of training; the learning rate comes down within them.
    seed
        Of weights, order and augmentation, where the contestant takes one.
    predict
        Whether the test cases are to be labelled; a training that is only timed leaves them.
    mirror
        Axes along which the anatomy may be mirrored.
    options
        The contestant's own.
    """

    cases: Path
    out: Path
    rounds: int
    seed: int = 0
    predict: bool = True
    mirror: tuple[int, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Job:
        """Return the job of a file."""
        plain = json.loads(path.read_text(encoding="utf-8"))
        plain |= {"cases": Path(plain["cases"]), "out": Path(plain["out"]), "mirror": tuple(plain["mirror"])}
        return cls(**plain)

    def write(self, path: Path) -> None:
        """Write the job to a file."""
        plain = self.__dict__ | {"cases": str(self.cases), "out": str(self.out), "mirror": list(self.mirror)}
        path.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")

    def fold(self) -> dict[str, list[int]]:
        """Return the numbers of the cases: ``train``, ``held`` (of these, for whoever validates) and ``test``."""
        found: dict[str, list[int]] = json.loads((self.cases / "cases.json").read_text(encoding="utf-8"))
        return found

    def image(self, case: int) -> Array:
        """Return the samples (channels, rows, columns) of a case."""
        loaded: Array = np.load(self.cases / f"image-{case:03d}.npy")
        return loaded

    def truth(self, case: int) -> Array:
        """Return the classes (rows, columns) of a case."""
        loaded: Array = np.load(self.cases / f"truth-{case:03d}.npy")
        return loaded


def write_cases(folder: Path, images: Sequence[Array], truths: Sequence[Array], fold: dict[str, list[int]]) -> None:
    """Write what `Job.fold`, `Job.image` and `Job.truth` read."""
    folder.mkdir(parents=True, exist_ok=True)
    for case, (image, truth) in enumerate(zip(images, truths, strict=True)):
        np.save(folder / f"image-{case:03d}.npy", image if image.ndim == 3 else image[None])
        np.save(folder / f"truth-{case:03d}.npy", truth)
    (folder / "cases.json").write_text(json.dumps(fold) + "\n", encoding="utf-8")


class Clock:
    """CPU seconds (user and system) of this process and its children since it was born: imports and loading count."""

    def __init__(self) -> None:
        self.marks: list[float] = []
        self.mark()  # of what comes before the first round

    def mark(self) -> None:
        """Note the end of a round."""
        waited = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.marks.append(time.process_time() + waited.ru_utime + waited.ru_stime)


def answer(job: Job, clock: Clock, predictions: dict[int, Array], **facts: Any) -> None:
    """Write the labels of the test cases and the facts; the peak of the memory is taken where training has ended."""
    for case, labels in predictions.items():
        np.save(job.out / f"labels-{case:03d}.npy", labels.astype(np.uint8))
    text = json.dumps({"marks": clock.marks, **facts}, indent=1) + "\n"
    (job.out / "facts.json").write_text(text, encoding="utf-8")


def peak_mib() -> float:
    """Return the most memory that this process has held so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def given_job() -> Job:
    """Return the job that the command line names."""
    return Job.read(Path(sys.argv[1]))
