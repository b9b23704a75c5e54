"""Arranging: which files belong to one case, which of them are masks, and what each slot is called.

DICOM says in its headers what belongs together. Other formats say it by names, and the conventions of the field
are followed: ``a.nii.gz`` with ``a_mask.nii.gz``, ``images/a.png`` with ``masks/a.png``, ``ct.nii.gz`` beside
``pet.nii.gz``. A mask joins an image only where both lie on one grid.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocenter.core.geometry import Geometry
from isocenter.core.operation import Spec
from isocenter.io.arrange_listed import arrange_listed
from isocenter.io.inventory import Item, Problem
from isocenter.io.labelling import as_labels
from isocenter.io.layouts.bids import Entities, entities
from isocenter.io.layouts.bids_facts import BidsFacts
from isocenter.io.layouts.dataset_json import Listing
from isocenter.io.text import one_line, slot_name, stem, unique
from isocenter.io.zarr_store import MARKS

__all__ = ["arrange"]

MASKS = {
    "mask", "masks", "seg", "segm", "segmentation", "segmentations", "label", "labels", "labelmap", "roi", "rois", "annotation",
    "annotations", "groundtruth",
}  # fmt: skip
MASK_FOLDERS = MASKS | {"labelstr", "labelsts"}
IMAGES = {"image", "images", "img", "volume", "scan"}
IMAGE_FOLDERS = IMAGES | {"imagestr", "imagests"}
MODALITIES = {
    "ct": "CT", "cbct": "CT", "pet": "PT", "pt": "PT", "suv": "PT", "mr": "MR", "mri": "MR", "t1": "MR", "t2": "MR", "t1w": "MR",
    "t2w": "MR", "t1c": "MR", "t1ce": "MR", "t1gd": "MR", "flair": "MR", "adc": "MR", "dwi": "MR", "pd": "MR", "mra": "MR",
    "us": "US", "nm": "NM", "spect": "NM",
}  # fmt: skip
SLOTS = {"CT": "ct", "PT": "pet", "MR": "mr", "US": "us", "NM": "nm", "MG": "mg", "XA": "xa", "CR": "xray", "DX": "xray"}
#: mm by which a mask's samples may lie off the image's and still be taken for its mask.
SAME_GRID = 0.1

Words = tuple[str, ...]


@dataclass(frozen=True)
class _File:
    """A file-based item and what its name says."""

    item: Item
    place: Path
    words: Words
    mask: bool

    @property
    def base(self) -> Words:
        """The words that name the subject: without those that say image, mask or modality."""
        words = _without(self.words, MASKS if self.mask else IMAGES)
        return _without(words, set(MODALITIES)) if not self.mask else words

    @property
    def modality_words(self) -> Words:
        words = _without(self.words, IMAGES)
        return words[len(_without(words, set(MODALITIES))) :]


def _without(words: Words, last: set[str]) -> Words:
    while words and words[-1] in last:
        words = words[:-1]
    return words


def _subject(item: Item) -> Path:
    """Return the path that names an item: its first file, or the folder where the format is one."""
    path = item.paths[0]
    return path.parent if path.name in MARKS else path


def _file(item: Item, folders: bool = True) -> _File:
    path = _subject(item)
    words = tuple(w for w in re.split(r"[^a-z0-9]+", stem(path).lower()) if w)
    folder = path.parent.name.lower()
    if folder == "imagestr" or folder == "imagests":  # nnU-Net numbers the channels of a case
        words = words[:-1] if len(words) > 1 and re.fullmatch(r"\d{4}", words[-1]) else words
    said = (folders and folder in MASK_FOLDERS) or bool(words and words[-1] in MASKS)
    mask = item.kind == "labels" or (item.kind == "image" and said)
    place = path.parent.parent if folder in MASK_FOLDERS | IMAGE_FOLDERS else path.parent
    return _File(item, place, words, mask)


# -- masks ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _LabelsOf:
    """Loads an item and takes its whole numbers for labels (a class, so that it can be pickled)."""

    item: Item
    name: str

    def __call__(self) -> Any:
        return as_labels(self.item.load(), self.name, self.item.paths[0].name)


def as_mask(item: Item, name: str) -> Item:
    """Return an item of kind ``labels`` that loads a label map."""
    if item.kind == "labels":
        return dataclasses.replace(item, name=slot_name(name, "mask"))
    spec = item.spec.replace(kind="LabelMap", dims=tuple(d for d in item.spec.dims if d != "c"))
    load = _LabelsOf(item, one_line(name.replace("_", " "), 64))
    return dataclasses.replace(item, name=slot_name(name, "mask"), kind="labels", spec=spec, load=load)


def _same_grid(a: Spec, b: Spec) -> bool:
    if a.geometry is None or b.geometry is None:
        return False
    one, other = a.geometry, b.geometry
    if one.unit != other.unit:  # a mask drawn without its pixel size: the samples must at least correspond
        return one.shape == other.shape and "px" in (one.unit, other.unit)
    return bool(_unframed(one).matches(_unframed(other), SAME_GRID))


def _unframed(geometry: Geometry) -> Geometry:
    return geometry.with_frame(None) if geometry.frame else geometry


class _Groups:
    """The images of a folder, gathered into cases, and found again by the words of a mask's name."""

    def __init__(self, images: Iterable[_File]) -> None:
        self.cases: list[list[_File]] = []
        self._by_base: dict[tuple[Path, Words], int] = {}
        self._by_file: dict[Path, int] = {}
        self._by_words: dict[tuple[Path, Words], list[tuple[int, _File]]] = {}
        self._at: dict[Path, set[int]] = {}
        for image in images:
            self._add(image)

    def _add(self, image: _File) -> None:
        # Images of one subject are told apart by their modality; without one they are different subjects.
        # What one file holds (the channels of a recording at two rates) is of one subject.
        number = self._by_file.get(image.item.paths[0])
        if number is None and image.modality_words:
            number = self._by_base.get((image.place, image.base))
        if number is None:
            number = len(self.cases)
            self.cases.append([])
            if image.modality_words:
                self._by_base[image.place, image.base] = number
        self.cases[number].append(image)
        self._by_file[image.item.paths[0]] = number
        self._at.setdefault(image.place, set()).add(number)
        for words in {image.words, _without(image.words, IMAGES), image.base}:
            self._by_words.setdefault((image.place, words), []).append((number, image))

    def of(self, mask: _File) -> tuple[int, str] | None:
        """Return the number of the case a mask belongs to and the mask's name, None where no image claims it."""
        inside = self._by_file.get(mask.item.paths[0])
        if inside is not None:  # one store holds both
            return inside, mask.item.name
        alone = len(self._at.get(mask.place, ())) == 1
        for length in range(len(mask.base), -1, -1):
            found = self._by_words.get((mask.place, mask.base[:length]), [])
            if not length:  # nothing in the names tells them apart: only where there is one case in the folder
                found = [(n, image) for n in self._at[mask.place] for image in self.cases[n]] if alone else []
            for number, image in found:
                if _same_grid(mask.item.spec, image.item.spec):
                    return number, self._name(mask, mask.base[length:], image, len(self.cases[number]))
        return None

    @staticmethod
    def _name(mask: _File, rest: Words, image: _File, count: int) -> str:
        word = "mask" if not mask.words or mask.words[-1] not in MASKS else mask.words[-1]
        word = {"masks": "mask", "segmentation": "seg", "label": "labels"}.get(word, word)
        lead = "_".join(image.modality_words) if count > 1 else ""
        return "_".join(part for part in (lead, "_".join(rest) or word) if part)


# -- groups and names -------------------------------------------------------------------------------------


def _content_key(item: Item) -> str:
    """Return a key of a file's content, so that a case keeps its pseudonym when its folder is moved or renamed."""
    path = item.paths[0]
    hasher = hashlib.sha256(str(path.stat().st_size).encode())
    # The description of a store is the same for many images: its first chunks tell them apart.
    for one in item.paths[:16] if path.name in MARKS else [path]:
        with one.open("rb") as handle:
            hasher.update(handle.read(1 << 20))
    return "file:" + hasher.hexdigest()


def _files(items: Sequence[Item], alone: bool) -> list[_File]:
    """Return what the names of files say; that of a folder says nothing of a file that was named as an image."""
    files = [_file(item) for item in items]
    own = [_file(item, folders=False) for item in items]
    # Masks that say so by their own names, beside files that do not, and no image elsewhere: "seg" is what the project is called.
    project = all(file.mask for file in files) and any(file.words and file.words[-1] in MASKS for file in own)
    return own if alone or project else files


def _arrange_files(items: Sequence[Item], alone: bool = False) -> list[Item]:
    files = _files(items, alone)
    groups = _Groups(file for file in files if not file.mask)
    members = [[_named(image, len(case)) for image in case] for case in groups.cases]
    for file in files:
        if file.mask:
            found = groups.of(file)
            if found is None:
                members.append([as_mask(file.item, "labels")])
            else:
                members[found[0]].append(as_mask(file.item, found[1]))
    used: set[str] = set()
    result = []
    for group in members:
        key = unique(_content_key(group[0]), used)
        result += [dataclasses.replace(item, group=key, patient=item.patient or key) for item in group]
    return result


def _arrange_bids(items: Sequence[tuple[Item, Entities]]) -> list[Item]:
    """Return the files of BIDS datasets as one case for each session; masks of derivatives join the image they fit."""
    sessions: dict[tuple[Path, str, str], list[tuple[Item, Entities]]] = {}
    for item, said in items:
        sessions.setdefault((said.root, said.subject, said.session), []).append((item, said))
    used: set[str] = set()
    result: list[Item] = []
    facts = BidsFacts()
    for (root, subject, _), rows in sessions.items():
        images = [_stated(item, said, facts) for item, said in rows if not _is_mask(item, said)]
        members = list(images)
        for item, said in rows:
            if _is_mask(item, said):
                fits = not images or any(_same_grid(item.spec, image.spec) for image in images)
                note = Problem("The mask lies on the grid of no image of its session.", "It may be of another space.")
                kept = item if fits else dataclasses.replace(item, problems=(*item.problems, note))
                members.append(as_mask(kept, slot_name(said.label or said.suffix, "mask")))
        key = unique(_content_key(members[0]), used)
        # Labels of subjects are codes; their digest joins the sessions of one without telling it.
        patient = "bids:" + hashlib.sha256(os.fsencode(root) + b"\0" + subject.encode()).hexdigest()
        result += [dataclasses.replace(item, group=key, patient=item.patient or patient) for item in members]
    return result


def _is_mask(item: Item, said: Entities) -> bool:
    return item.kind == "labels" or (item.kind == "image" and said.mask)


def _stated(item: Item, said: Entities, facts: BidsFacts) -> Item:
    """Return an image under its suffix, with what sidecars and the table of participants say where its format does not."""
    if item.kind != "image":
        return item
    known, modality, problems = facts.of(_subject(item), said.root, said.subject)
    item = dataclasses.replace(
        item,
        name=slot_name(said.suffix, "image"),
        attributes={**known, **item.attributes},
        problems=(*item.problems, *problems),
    )
    source = "sidecar" if modality else "folder"
    modality = modality or said.modality
    if item.spec.modality or modality is None:
        return item
    note = Problem(f"The file does not say its modality; {modality} is taken from its {source} (BIDS).")
    return dataclasses.replace(
        item, spec=item.spec.replace(modality=modality), load=_Named(item, modality), problems=(*item.problems, note)
    )


def _named(file: _File, count: int) -> Item:
    item = file.item
    if item.kind != "image":
        return item
    words = file.modality_words
    if not words or count == 1:
        return dataclasses.replace(item, name="image")
    name = slot_name("_".join(words), "image")
    kinds = {MODALITIES[w] for w in words}
    if item.spec.modality or len(kinds) > 1:
        return dataclasses.replace(item, name=name)
    modality = kinds.pop()
    note = Problem(f"The file does not say its modality; {modality} is taken from its name.")
    return dataclasses.replace(
        item, name=name, spec=item.spec.replace(modality=modality), load=_Named(item, modality), problems=(*item.problems, note)
    )


@dataclass(frozen=True)
class _Named:
    """Loads an image and states the modality that its file name tells (a class, so that it can be pickled)."""

    item: Item
    modality: str

    def __call__(self) -> Any:
        value = self.item.load()
        result = value.replace(modality=self.modality)
        source = dataclasses.replace(result.provenance.sources[0], digest=result.digest) if result.provenance.sources else None
        if source is None:
            return result
        origin = dataclasses.replace(result.provenance, sources=(source,))
        return result.replace(provenance=origin.noted(f"The modality {self.modality} was taken from the file's name."))


def _slots(items: Iterable[Item]) -> list[Item]:
    """Give every item of a case a name of its own: ``image`` where there is one, else by modality; masks by structure."""
    group = list(items)
    images = [item for item in group if item.kind == "image"]
    taken: set[str] = set()
    result: dict[int, Item] = {}
    for item in images:
        name = "image" if len(images) == 1 else item.name
        if len(images) > 1 and name == "image":
            name = SLOTS.get(item.spec.modality or "", "image")
        result[id(item)] = dataclasses.replace(item, name=unique(slot_name(name), taken))
    for item in group:
        if id(item) not in result:
            result[id(item)] = dataclasses.replace(item, name=unique(slot_name(item.name, item.kind), taken))
    return [result[id(item)] for item in group]


def arrange(items: Sequence[Item], listings: Sequence[Listing] = (), alone: bool = False) -> tuple[Item, ...]:
    """Return the items with their case (`group`) and their slot name, masks recognised as such.

    Parameters
    ----------
    items
        As the format modules give them; those with a group (DICOM) keep it.
    listings
        What the ``dataset.json`` files among the input say.
    alone
        Whether they are of one file that was named as an image: what its folder is called does not make it a mask.
    """
    grouped = [item for item in items if item.group]
    listed, rest = arrange_listed([item for item in items if not item.group], listings, as_mask)
    grouped += listed
    loose = [(item, entities(_subject(item))) for item in rest]
    grouped += _arrange_bids([(item, said) for item, said in loose if said is not None])
    grouped += _arrange_files([item for item, said in loose if said is None], alone)
    by_group: dict[str, list[Item]] = {}
    for item in grouped:
        by_group.setdefault(item.group, []).append(item)
    return tuple(item for group in by_group.values() for item in _slots(group))
