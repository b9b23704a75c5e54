"""Analyses: which study is run on which images of a case."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from isocenter import studies
from isocenter.core.errors import ContentError, GridMismatchError, MissingInputError, SpecError
from isocenter.io.door import Case, inspect
from isocenter.io.inventory import Item
from isocenter.jobs.choose import Candidate, choose, load_study
from isocenter.jobs.signal_choice import of_signals, wants_signal
from isocenter.jobs.slide import wants_slide
from isocenter.jobs.words import describe_modality
from isocenter.pipeline.spec import Input, Pipeline, load

__all__ = ["Analysis", "analyses_of", "find_study", "give_masks", "image_of"]


@dataclass(frozen=True)
class Analysis:
    """One study to be run on one case.

    Attributes
    ----------
    name
        Folder name: the pseudonym, with the image's name where a case has several analyses.
    case
        The items to load, named as the slots they fill.
    study
        Name of a shipped study or path of a YAML file.
    why
        Why this study, in words.
    masks
        Slot -> mask file, from ``--mask``.
    """

    name: str
    case: Case
    study: str
    why: str
    masks: Mapping[str, Path] = field(default_factory=dict)

    @cached_property
    def pipeline(self) -> Pipeline:
        """The study as a pipeline."""
        return find_study(self.study)


def find_study(name: str) -> Pipeline:
    """Return a study by its shipped name, or by the path of a YAML file."""
    if name in studies.names():
        return load_study(name)
    path = Path(name)
    if path.suffix in (".yaml", ".yml", ".json"):
        if not path.is_file():
            raise SpecError(
                f"No study file at '{name}': expected the path of a YAML file, or one of {', '.join(studies.names())}."
            )
        return load(path)
    studies.path(name)  # raises with the names it may have been meant for
    raise AssertionError("unreachable")


def analyses_of(
    case: Case, study: str | None = None, masks: Mapping[str, Path] | None = None
) -> tuple[list[Analysis], list[str]]:
    """Return the analyses of a case, and a sentence for everything in it that none of them uses.

    Parameters
    ----------
    case
        Items of one imaging study.
    study
        A study to use whatever the images are; None chooses by modality, body part and content.
    """
    images = [item for item in case.items if item.kind == "image"]
    marks = [item for item in case.items if item.kind in ("labels", "contours")]
    others = [item for item in case.items if item.kind not in ("image", "labels", "contours", "signal", "pyramid")]
    left = [f"{item.name} ({item.format}, {item.kind}) is no image and was not analysed." for item in others]
    alone, more = _bind_alone(case, study)
    left += more
    if not images or (study is not None and _takes(find_study(study)) != "image"):
        left += [f"{item.name} ({item.format}) is a mask without its image: add the image to the input." for item in marks]
        return [_alone(case, item, name, why, len(alone)) for item, name, why in alone], left
    bound = _bind_given(images, study) if study is not None else _bind(images)
    result = []
    used: set[int] = set()
    for slots, name, why in bound:
        own = [mark for mark in marks if _belongs(mark, list(slots.values()), images)]
        used.update(id(mark) for mark in own)
        items = tuple(dataclasses.replace(item, name=slot) for slot, item in slots.items()) + tuple(own)
        label = case.pseudonym if len(bound) == 1 else f"{case.pseudonym}-{'-'.join(i.name for i in slots.values())}"
        result.append(Analysis(label.replace("_", "-"), Case(case.pseudonym, items), name, why))
    result += [_alone(case, item, name, why, len(bound) + len(alone)) for item, name, why in alone]
    left += [
        f"{mark.name} ({mark.format}) refers to no image of this input and was not measured."
        for mark in marks
        if id(mark) not in used
    ]
    return result, left


def _takes(pipeline: Pipeline) -> str:
    """Return what a study is run on: ``image``, ``signal`` or ``pyramid``."""
    return "signal" if wants_signal(pipeline) else "pyramid" if wants_slide(pipeline) else "image"


def _bind_alone(case: Case, study: str | None) -> tuple[list[tuple[Item, str, str]], list[str]]:
    """Return (item, study, why) of every signal and whole slide that a study takes, and a sentence for each of the others."""
    asked = "" if study is None else _takes(find_study(study))
    found, left = of_signals(case, study if asked == "signal" else None, study is not None)
    for item in case.items:
        if item.kind != "pyramid":
            continue
        grid = item.spec.geometry
        colour = grid is not None and item.spec.samples == 3 * grid.size
        if study is not None and asked == "pyramid":
            found.append((item, study, "you asked for it"))
        elif study is None and colour and grid is not None and grid.unit == "mm":
            found.append((item, "slide", "the input is a whole slide in colour that states the size of its pixels"))
        else:
            reason = (
                "the study is for other inputs" if study is not None else "a slide in colour with a stated pixel size is expected"
            )
            left.append(f"{item.name} ({item.format}, whole slide) was not analysed: {reason}; isocenter info says what it is.")
    return found, left


def _alone(case: Case, item: Item, study: str, why: str, count: int) -> Analysis:
    """Return the analysis of one signal or whole slide."""
    label = case.pseudonym if count == 1 else f"{case.pseudonym}-{item.name}"
    slot = "signal" if item.kind == "signal" else "slide"
    return Analysis(label.replace("_", "-"), Case(case.pseudonym, (dataclasses.replace(item, name=slot),)), study, why)


Bound = tuple[dict[str, Item], str, str]


def _bind(images: Sequence[Item]) -> list[Bound]:
    """Return (slot -> image, study, why) for studies of several images first, then for every image left."""
    rest = list(images)
    found: list[Bound] = []
    several = [name for name in studies.names() if load_study(name).inputs and _takes(load_study(name)) == "image"]
    for name in sorted(several, key=lambda n: -int(load_study(n).applies.get("priority", 0))):
        while True:
            slots = _match_inputs(load_study(name).inputs, rest)
            if slots is None:
                break
            shown = " and ".join(describe_modality(i.spec.modality) for i in slots.values())
            found.append((slots, name, f"the images are {shown} of one frame of reference"))
            rest = [i for i in rest if all(i is not s for s in slots.values())]
    for item in rest:
        choice = choose(Candidate(item.spec, str(item.attributes.get("body_part", "")).upper(), item.load))
        found.append(({"image": item}, choice.name, choice.why))
    return found


def _match_inputs(inputs: Mapping[str, Input], images: Sequence[Item]) -> dict[str, Item] | None:
    """Return an image for every named input, all of one frame of reference, None where there are none."""
    slots: dict[str, Item] = {}
    for name, wanted in inputs.items():
        frame = next((i.spec.geometry.frame for i in slots.values() if i.spec.geometry is not None), None)
        for item in images:
            if any(item is s for s in slots.values()) or item.spec.modality not in wanted.modality or item.spec.geometry is None:
                continue
            if slots and (item.spec.geometry.frame is None or item.spec.geometry.frame != frame):
                continue
            slots[name] = item
            break
        else:
            return None
    return slots


def _bind_given(images: Sequence[Item], study: str) -> list[Bound]:
    """Return the images that a study the user named is run on."""
    pipeline = find_study(study)
    why = "you asked for it"
    if pipeline.inputs:
        slots = _match_inputs(pipeline.inputs, images)
        if slots is None:
            wanted = ", ".join(f"{name} ({' or '.join(v.modality or ('any',))})" for name, v in pipeline.inputs.items())
            have = ", ".join(describe_modality(i.spec.modality) for i in images)
            raise SpecError(f"Study {pipeline.name} needs {wanted} in one frame of reference, but the case has {have}.")
        return [(slots, study, why)]
    modalities = pipeline.applies.get("modality", ())
    fitting = [i for i in images if i.spec.modality in modalities] or list(images)
    return [({"image": item}, study, why) for item in fitting]


def _belongs(mark: Item, chosen: Sequence[Item], images: Sequence[Item]) -> bool:
    """Return whether a mask belongs to one of the chosen images.

    The series it names decides; else its frame of reference; else the grid it lies on; else only that there is no
    other image it could belong to.
    """
    named = [image for image in images if image.uid and image.uid in mark.references]
    if named:
        return any(image is one for image in named for one in chosen)
    grids = [image.spec.geometry for image in chosen if image.spec.geometry is not None]
    if mark.references:
        return any(grid.frame is not None and grid.frame in mark.references for grid in grids)
    if mark.spec.geometry is not None and any(grid.matches(mark.spec.geometry) for grid in grids):
        return True
    return len(images) == len(chosen)


def image_of(case: Case) -> Path | None:
    """Return where the images of a case lie, for masks that are drawn on them; None where they have no files of their own."""
    paths = [path for item in case.items if item.kind == "image" for path in item.paths]
    if not paths or not all(path.exists() for path in paths):
        return None
    return paths[0] if len(paths) == 1 else Path(os.path.commonpath([path.parent for path in paths]))


def give_masks(analyses: Sequence[Analysis], masks: Mapping[str, Path]) -> list[Analysis]:
    """Return the analyses with every mask file given to those whose image it lies on.

    Raises
    ------
    MissingInputError
        If a mask file does not exist.
    InputError
        If a mask cannot be read, or lies on the grid of none of the images.
    """
    given: list[dict[str, Path]] = [{} for _ in analyses]
    for name, path in masks.items():
        if not path.exists():
            raise MissingInputError(f"No mask file at '{path}' (--mask {name}=...): expected the path of a label image.")
        found = inspect(path)
        if not found.items:
            reason = found.refusals[0].reason if found.refusals else "it holds no labels"
            raise ContentError(f"Mask '{path}' (--mask {name}=...) cannot be read: {reason}")
        grid = found.items[0].spec.geometry
        used = False
        for analysis, own in zip(analyses, given, strict=True):
            if found.items[0].format == "dicom" and (source := image_of(analysis.case)) is not None:
                grid = inspect(path, over=source).items[0].spec.geometry
            images = [i.spec.geometry for i in analysis.case.items if i.kind == "image" and i.spec.geometry is not None]
            if grid is not None and any(one.with_frame(None).matches(grid.with_frame(None), mm=0.1) for one in images):
                own[name] = path
                used = True
        if not used and analyses:
            first = next((i.spec.geometry for i in analyses[0].case.items if i.kind == "image"), "none: there is no image")
            raise GridMismatchError(
                f"Mask '{path}' (--mask {name}=...) lies on another grid ({grid}) than the image ({first}): expected one grid; "
                "resample it with: isocenter apply resample.to_grid MASK IMAGE -o NEW"
            )
    return [dataclasses.replace(analysis, masks=own) for analysis, own in zip(analyses, given, strict=True)]
