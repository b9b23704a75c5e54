"""The nouns of learning: a labelled case, and a cohort of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.provenance import digest_json

if TYPE_CHECKING:
    from isocenter.core.image import Image
    from isocenter.core.labels import LabelMap, MaskStack

__all__ = ["TASKS", "Cohort", "Sample", "Task"]

Value = TypeVar("Value", bound="Image | LabelMap | MaskStack")

Task = Literal["classification", "regression", "segmentation", "detection", "landmarks", "survival"]
TASKS: tuple[str, ...] = get_args(Task)

#: HU that some samples of every CT lie below: air, lung, fat.
_FAT = -50.0
#: Names of classes that say that there is nothing, and beginnings of such names.
_NOTHING = frozenset(
    {"normal", "healthy", "negative", "neg", "no", "none", "control", "controls", "benign", "absent", "false", "well"}
)
_WITHOUT = ("no ", "no_", "no-", "non ", "non_", "non-", "not ", "not_", "without ", "without_")

#: Tasks whose label is a number.
NUMERIC = frozenset({"regression", "survival"})


def _nothing(name: str) -> bool:
    return name.lower() in _NOTHING or name.lower().startswith(_WITHOUT)


@dataclass(frozen=True)
class Sample:
    """One labelled case.

    Parameters
    ----------
    identifier
        Unique within the cohort.
    path
        Its image (a file, or the folder of a series); None for a row of a table.
    label
        A class, a number (for survival the time under observation), the path of a mask, of boxes or of points;
        None where unknown.
    patient
        Whose case it is: cases of one patient never stand on both sides of a split.
    site
        Where it was acquired; None where unknown.
    subgroups
        Name to value, for instance ``{"sex": "F"}``; figures are also given for each of them.
    values
        Tabular features, name to number (NaN where missing); for survival ``event`` among them, 1 where it happened.
    """

    identifier: str
    path: Path | None
    label: str | float | Path | None
    patient: str
    site: str | None = None
    subgroups: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.identifier or not self.patient:
            raise ParameterError(
                f"Sample '{self.identifier}' of patient '{self.patient}': expected an identifier and a patient; "
                "a case whose patient is unknown takes its own identifier."
            )
        object.__setattr__(self, "subgroups", dict(self.subgroups))
        object.__setattr__(self, "values", dict(self.values))


@dataclass(frozen=True, eq=False)
class Cohort:
    """Labelled cases that are learnt from or judged on, in a fixed order.

    Parameters
    ----------
    samples
        The cases.
    task
        What is to be predicted.
    name
        For messages and reports.
    root
        The folder that all paths lie below; None for a table.
    notes
        What was assumed when it was read, one sentence each.
    segments
        Value -> name of what masks show, where the data set says so; else the masks' own names hold.
    directions
        What the axes of every image and mask are turned to when it is read (`Geometry.directions`); None leaves them as they are stored.
    modality
        What the data set says that its images are, for files that do not say it themselves: values of ``CT`` are HU then, if some lie
        where fat and air do.

    Raises
    ------
    ParameterError
        If two samples share an identifier, or the task is unknown.
    """

    samples: tuple[Sample, ...]
    task: Task
    name: str = "cohort"
    root: Path | None = None
    notes: tuple[str, ...] = ()
    segments: Mapping[int, str] = field(default_factory=dict)
    directions: str | None = None
    modality: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "samples", tuple(self.samples))
        object.__setattr__(self, "notes", tuple(self.notes))
        if self.task not in TASKS:
            raise ParameterError(f"Task '{self.task}' of cohort '{self.name}': expected one of {', '.join(TASKS)}.")
        seen: set[str] = set()
        for sample in self.samples:
            if sample.identifier in seen:
                raise ParameterError(
                    f"Cohort '{self.name}' holds two samples named '{sample.identifier}': expected each case once; "
                    "remove the second one or give it a name of its own."
                )
            seen.add(sample.identifier)

    def __len__(self) -> int:
        return len(self.samples)

    def __repr__(self) -> str:
        return f"<Cohort {self.name}: {len(self)} cases of {len(set(self.groups))} patients, {self.task}>"

    @cached_property
    def labels(self) -> npt.NDArray[Any]:
        """One label a sample: floats for numbers (NaN where unknown), else an array of objects."""
        if self.task in NUMERIC:
            return np.array([math.nan if s.label is None else float(s.label) for s in self.samples], dtype=np.float64)  # type: ignore[arg-type]  # the task says that it is a number
        labels = np.empty(len(self), dtype=object)
        labels[:] = [s.label for s in self.samples]
        return labels

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The classes that occur, sorted; empty unless the task is classification.

        Of two classes the second is the positive one: it is never the one whose name says that there is nothing (``normal``, ``no mass``).
        """
        if self.task != "classification":
            return ()
        found = tuple(sorted({str(s.label) for s in self.samples if s.label is not None}))
        return found[::-1] if len(found) == 2 and _nothing(found[1]) and not _nothing(found[0]) else found

    @cached_property
    def targets(self) -> npt.NDArray[np.int64]:
        """Position of each sample's class in `classes`, -1 where the label is unknown."""
        place = {name: k for k, name in enumerate(self.classes)}
        return np.array([-1 if s.label is None else place.get(str(s.label), -1) for s in self.samples], dtype=np.int64)

    @cached_property
    def identifiers(self) -> tuple[str, ...]:
        """Name of each sample."""
        return tuple(s.identifier for s in self.samples)

    @cached_property
    def groups(self) -> npt.NDArray[np.str_]:
        """Patient of each sample."""
        return np.array([s.patient for s in self.samples], dtype=np.str_)

    @cached_property
    def sites(self) -> npt.NDArray[np.str_]:
        """Site of each sample, an empty text where unknown."""
        return np.array([s.site or "" for s in self.samples], dtype=np.str_)

    @cached_property
    def subgroups(self) -> dict[str, npt.NDArray[np.str_]]:
        """Name of each subgroup to its value for each sample, an empty text where unknown."""
        names = sorted({name for s in self.samples for name in s.subgroups})
        return {name: np.array([s.subgroups.get(name, "") for s in self.samples], dtype=np.str_) for name in names}

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Names of the tabular features, in order of first appearance."""
        return tuple(dict.fromkeys(name for s in self.samples for name in s.values))

    def matrix(self, names: Sequence[str] | None = None) -> npt.NDArray[np.float64]:
        """Return tabular features as rows of numbers, NaN where missing.

        Parameters
        ----------
        names
            The features; None for all of `features`.

        Returns
        -------
        numpy.ndarray
            Shape (samples, names).
        """
        names = self.features if names is None else names
        rows = [[s.values.get(name, math.nan) for name in names] for s in self.samples]
        return np.array(rows, dtype=np.float64).reshape(len(self), len(names))

    def take(self, indices: Iterable[int]) -> Cohort:
        """Return the cohort of the samples at `indices`, in that order."""
        return replace(self, samples=tuple(self.samples[int(i)] for i in indices))

    def image(self, index: int) -> Image:
        """Read the image of one sample; a volume of one slice is a picture.

        Raises
        ------
        ContentError
            If the sample is a row of a table.
        InputError
            If the image cannot be read, with the reason.
        """
        from isocenter.io import door

        return self._told(self._turned(door.read(self.file(index))))

    def _told(self, image: Image) -> Image:
        """Return an image with what the data set says of it, where its file says nothing."""
        if self.modality is None or image.modality not in (None, self.modality):
            return image
        measured = image.quantity
        # Values that were shifted or scaled by somebody are no HU, whatever they once were.
        if self.modality == "CT" and measured is None and float(np.nanmin(image.array)) < _FAT:
            measured = "HU"
        return image.replace(modality=self.modality, quantity=measured)

    def _turned(self, value: Value) -> Value:
        """Return an image or labels with their axes in the order of the cohort."""
        from isocenter.learn.data.pictures import as_picture
        from isocenter.learn.data.turned import towards

        return towards(as_picture(value), self.directions)

    def file(self, index: int) -> Path:
        """Return the path of one sample's image.

        Raises
        ------
        ContentError
            If the sample is a row of a table.
        """
        sample = self.samples[index]
        if sample.path is None:
            raise ContentError(
                f"Sample '{sample.identifier}' of cohort '{self.name}' is a row of a table: expected an image; use its values."
            )
        return sample.path

    def mask(self, index: int) -> LabelMap | MaskStack:
        """Read the mask of one sample of a segmentation cohort.

        A DICOM segmentation or structure set is read with its image, whose grid it is drawn on.

        Raises
        ------
        ContentError
            If the sample's label is no file, or holds no mask.
        InputError
            If it cannot be read, with the reason.
        """
        from isocenter.core.labels import Segment
        from isocenter.io import door

        path, label = self.file(index), self.samples[index].label
        if not isinstance(label, Path):
            raise ContentError(f"Sample '{self.samples[index].identifier}': its label is no file of a mask; expected one.")
        found = self._turned(door.read_labels(label, path))
        if not self.segments:
            return found
        named = (Segment(s.value, self.segments[s.value]) if s.value in self.segments else s for s in found.segments)
        return replace(found, segments=tuple(named))

    def spelled(self, path: Path) -> str:
        """Return a path as it is written in records: relative to the root, with forward slashes."""
        if self.root is not None and path.is_relative_to(self.root):
            return path.relative_to(self.root).as_posix()
        return path.as_posix() if self.root is None else path.name

    @cached_property
    def digest(self) -> str:
        """Digest of the table of cases: names, labels, patients, sites, subgroups and values, not of the pixels."""
        rows = [
            [
                s.identifier,
                None if s.path is None else self.spelled(s.path),
                self._plain(s.label),
                s.patient,
                s.site,
                dict(s.subgroups),
                {name: self._plain(value) for name, value in s.values.items()},
            ]
            for s in self.samples
        ]
        return digest_json(["cohort", self.task, rows])

    def _plain(self, value: str | float | Path | None) -> str | float | None:
        if isinstance(value, Path):
            return self.spelled(value)
        if isinstance(value, float | int):
            return float(value) if math.isfinite(value) else str(float(value))
        return value
