"""Convert a cohort into the layout of a data set: nnU-Net's, MONAI's, or a derivative after BIDS."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from isocenter.core.errors import ContentError, IsocenterError, ParameterError
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack, Segment
from isocenter.core.study import Study
from isocenter.io import door
from isocenter.io.layouts.write_bids import BidsWriter
from isocenter.io.layouts.write_dataset import CASE, DatasetWriter, require_empty
from isocenter.jobs.options import parse_repair

__all__ = ["LAYOUTS", "convert_cohort"]

LAYOUTS = ("nnunet", "monai", "bids")


def convert_cohort(source: Path | str, target: Path | str, layout: str, repair: str | None = None) -> list[str]:
    """Read every case of an input and write all of them as one data set.

    Cases with labels are for training, those without for the test. Every case gives the images that all of them have, each on
    one grid; its labels become one label map whose values mean the same in every case.

    Parameters
    ----------
    source
        Folder or archive with several cases.
    target
        A new or empty folder.
    layout
        ``nnunet``, ``monai``, or ``bids``: there every image and every label map of a case is kept as a file of its own.
    repair
        ``interpolate`` or ``nearest`` for missing slices.

    Returns
    -------
    list of str
        What was written, and each case that was set aside with its reason.

    Raises
    ------
    ParameterError
        If there is no such layout.
    ContentError
        If the cases have no image in common.
    """
    if layout not in LAYOUTS:
        raise ParameterError(f"Layout '{layout}': expected one of {', '.join(LAYOUTS)}.")
    if layout == "bids":
        return _as_bids(Path(source), Path(target), repair)
    kind: Literal["nnunet", "monai"] = "nnunet" if layout == "nnunet" else "monai"
    inventory = door.inspect(source, repair=parse_repair(repair))
    cases = door.cases(inventory)
    aside = [f"set aside {refusal.path.name}: {refusal.reason}" for refusal in inventory.refusals]
    channels = _common(cases)
    if not channels:
        raise ContentError(
            f"'{source}' holds {len(cases)} cases that have no image in common: expected one of a name in every case."
        )
    names = _segment_names(cases, aside)
    writer = DatasetWriter(require_empty(Path(target)), kind, Path(target).name, channels, dict(enumerate(names, 1)))
    for case in cases:
        try:
            study = door.load_case(case)
            writer.add(_name(case), [_image(study, slot) for slot in channels], _labels(study, names))
        except IsocenterError as error:
            aside.append(f"set aside {case.pseudonym}: {error}")
    count = sum(map(len, writer.rows.values()))
    if not count:
        raise ContentError(f"No case of '{source}' fits the layout {layout}: {aside[0] if aside else 'it holds none'}")
    path = writer.finish()
    return [f"wrote {len(writer.rows['training'])} cases with labels and {len(writer.rows['test'])} without: {path}", *aside]


def _as_bids(source: Path, target: Path, repair: str | None) -> list[str]:
    """Write every case of an input as a derivative data set, and return what was written and what was set aside."""
    inventory = door.inspect(source, repair=parse_repair(repair))
    aside = [f"set aside {refusal.path.name}: {refusal.reason}" for refusal in inventory.refusals]
    writer = BidsWriter(require_empty(target), source.name)
    count = 0
    for case in door.cases(inventory):
        try:
            study = door.load_case(case)
            if not study.images:
                raise ContentError("It holds no image: expected one or more.")
            writer.add(_name(case), study.images, study.labels)
            count += 1
        except IsocenterError as error:
            aside.append(f"set aside {case.pseudonym}: {error}")
    if not count:
        raise ContentError(f"No case of '{source}' can be written: {aside[0] if aside else 'it holds none'}")
    return [f"wrote {count} subjects: {writer.begin()}", *aside]


def _common(cases: Sequence[door.Case]) -> list[str]:
    """Return the names of the images that every case has, in the order of the first."""
    held = [[item.name for item in case.items if item.kind == "image"] for case in cases]
    held = [names for names in held if names]
    return [name for name in (held[0] if held else []) if all(name in names for names in held)]


def _segment_names(cases: Sequence[door.Case], aside: list[str]) -> list[str]:
    """Return the names of everything that labels of any case show, sorted."""
    names: set[str] = set()
    for case in cases:
        if not any(item.kind in ("labels", "contours") for item in case.items):
            continue
        try:
            names.update(segment.name for value in door.load_case(case).labels.values() for segment in value.segments)
        except IsocenterError as error:
            aside.append(f"set aside {case.pseudonym}: {error}")
    return sorted(names)


def _name(case: door.Case) -> str:
    """Return what the layout it came from calls a case, else its pseudonym."""
    given = next((str(item.identity["LayoutCase"]) for item in case.items if "LayoutCase" in item.identity), "")
    return given if CASE.fullmatch(given) else case.pseudonym


def _image(study: Study, slot: str) -> Image:
    value: Image = study[slot]
    return value


def _labels(study: Study, names: Sequence[str]) -> LabelMap | None:
    """Return all labels of a case as one map over common values; None where it has none.

    Raises
    ------
    ContentError
        If two of them claim one sample, which these layouts cannot say.
    """
    values = {name: k for k, name in enumerate(names, 1)}
    merged: Any = None
    first: LabelMap | MaskStack | None = None
    for labels in study.labels.values():
        if first is None:
            first = labels
            merged = np.zeros(labels.array.shape[1:] if isinstance(labels, MaskStack) else labels.array.shape, np.uint16)
        else:
            first.geometry.require_match(labels.geometry, ("the first labels", "other labels"), 0.1)
        for k, segment in enumerate(labels.segments):
            mask = np.asarray(labels.array[k]) if isinstance(labels, MaskStack) else np.asarray(labels.array) == segment.value
            if (merged[mask] != 0).any():
                raise ContentError(
                    f"'{segment.name}' overlaps other labels: expected one label a sample, as the layout holds no more."
                )
            merged[mask] = values[segment.name]
    if first is None:
        return None
    dims = tuple(d for d in first.dims if d in "tzyx")
    return LabelMap(merged, dims, first.geometry, tuple(Segment(k, name) for name, k in values.items()))
