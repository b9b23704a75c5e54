"""OME-Zarr 0.4 and 0.5: images, label maps and pyramids in folders of chunks, read; `ome_zarr_write` writes them.

A multiscale of one level is an image, of several a pyramid whose regions are read chunk by chunk. The format
knows scale and translation of each axis, not which way axes run in the patient: files of isocenter carry the whole
grid beside it, those of others say so or get the default (x to Left, y to Posterior, z to Superior) with a remark.

References
----------
Open Microscopy Environment, Next-generation file formats (NGFF) 0.4 and 0.5, sections axes, coordinateTransformations,
multiscales, omero, labels; RFC 4 (axis anatomical orientation).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from isocenter.core.errors import FormatError, UnsupportedError
from isocenter.core.operation import Spec
from isocenter.io import facts as facts_of
from isocenter.io.budget import Budget
from isocenter.io.inventory import Item, Problem
from isocenter.io.ome_zarr_scene import ResolutionLevel, Scene, axes_of, transforms_of
from isocenter.io.ome_zarr_write import KEY, NAME, SUFFIXES, write
from isocenter.io.text import slot_name, stem
from isocenter.io.zarr_array import open_array
from isocenter.io.zarr_store import attributes, inside, is_store

__all__ = ["NAME", "SUFFIXES", "inspect", "sniff", "write"]

#: Groups within groups (plates hold wells, wells hold fields) are looked into this deep.
DEEPEST, MOST_LEVELS = 4, 40


def sniff(head: bytes, path: Path) -> bool:
    """Return False: a Zarr hierarchy is a folder, which `inspect` is handed whole.

    Parameters
    ----------
    head
        The first bytes of a file.
    path
        The file.
    """
    return False


def _scene(
    root: Path, folder: Path, ome: Mapping[str, Any], facts: dict[str, Any], files: tuple[Path, ...], budget: Budget
) -> Scene:
    name = root.name if folder == root else f"{root.name}/{folder.relative_to(root)}"
    rows = ome["multiscales"]
    first = rows[0] if isinstance(rows, list) and rows and isinstance(rows[0], dict) else {}
    axes = axes_of(first.get("axes"), name)
    datasets = first.get("datasets")
    if not isinstance(datasets, list) or not 1 <= len(datasets) <= MOST_LEVELS or not all(isinstance(d, dict) for d in datasets):
        raise FormatError(f"{name}: its multiscale lists no levels: expected 1 to {MOST_LEVELS} datasets; get a whole copy.")
    outer = transforms_of(first.get("coordinateTransformations"), len(axes), name)
    levels: list[ResolutionLevel] = []
    for row in datasets:
        array = open_array(inside(folder, row.get("path"), "a level"), f"{name}, level {len(levels)}", budget)
        if len(array.shape) != len(axes):
            raise FormatError(f"{array.name}: an array of {len(array.shape)} axes: expected {len(axes)} as its multiscale says.")
        scale, shift = transforms_of(row.get("coordinateTransformations"), len(axes), name)
        levels.append(ResolutionLevel(array, scale * outer[0], shift * outer[0] + outer[1]))
    others = {level.array.dtype for level in levels} | {levels[0].array.dtype}
    if len(others) > 1:
        raise FormatError(f"{name}: levels of types {sorted(str(t) for t in others)}: expected one type for all of them.")
    return Scene(root, folder, axes, tuple(levels), facts, ome, files)


def _item(scene: Scene, budget: Budget) -> Item:
    finest = scene.levels[0].array
    problems = list(scene.problems())
    budget.check_frames(scene.sizes.get("t", 1), scene.root)
    if scene.kind != "Pyramid":
        nbytes = budget.check_shape(finest.shape, finest.dtype.itemsize, scene.root)
        budget.check_files(finest.count, scene.root, "the chunks of the image")
        there, size = finest.stored()
        if finest.inner is None and there < finest.count:
            problems.append(
                Problem(
                    f"{finest.count - there:,} of {finest.count:,} chunks are not stored; the format gives them the value {finest.fill}."
                )
            )
        budget.check_ratio(size, nbytes, scene.root, "reading the chunks")
    geometry = scene.geometry()
    dims = scene.spatial if scene.kind == "MaskStack" else scene.dims
    spec = Spec(
        scene.kind,
        dims,
        finest.dtype.str,
        geometry,
        scene.facts.get("modality"),
        scene.facts.get("quantity"),
        math.prod(finest.shape),
    )
    known = {"Pyramid": "pyramid", "Image": "image"}
    kind: Any = known.get(scene.kind, "labels")
    name = "image" if kind != "labels" else slot_name(stem(scene.folder), "labels")
    facts = {"levels": len(scene.levels)} if kind == "pyramid" else {}
    return Item(name, kind, NAME, spec, scene.files, scene, problems=tuple(problems), attributes=facts)


def _walk(root: Path, folder: Path, files: tuple[Path, ...], budget: Budget, depth: int) -> Iterator[Item]:
    """Give the images of a group and of the groups in it: labels, the fields of a plate, the series of a file."""
    found = attributes(folder)
    ome = found["ome"] if isinstance(found.get("ome"), dict) else found
    if "multiscales" in ome:
        stated = found.get(KEY)
        facts = facts_of.decode(stated) if isinstance(stated, str) else {}
        yield _item(_scene(root, folder, ome, facts, files, budget), budget)
        labels = folder / "labels"
        below = [labels] if depth < DEEPEST and labels.is_dir() and not labels.is_symlink() and is_store(labels) else []
    else:
        below = []
        if depth < DEEPEST and not (folder / ".zarray").is_file():
            below = [Path(e.path) for e in sorted(os.scandir(folder), key=lambda e: e.name) if e.is_dir(follow_symlinks=False)]
    for child in below:
        if is_store(child):
            yield from _walk(root, child, files, budget, depth + 1)


def _files(root: Path, budget: Budget) -> tuple[Path, ...]:
    """Return the regular files of a hierarchy, its own description first."""
    found: list[Path] = []
    for base, folders, names in os.walk(root, followlinks=False):
        folders.sort()
        found += [p for n in sorted(names) if not (p := Path(base) / n).is_symlink() and p.is_file()]
        budget.check_files(len(found), root, "the hierarchy")
    marks = {root / name for name in ("zarr.json", ".zattrs", ".zgroup")}
    return tuple(sorted(found, key=lambda p: (p not in marks, str(p))))


def inspect(path: Path, budget: Budget) -> list[Item]:
    """Return what a Zarr hierarchy holds.

    Parameters
    ----------
    path
        Its root folder.
    budget
        Limits; of a pyramid they hold for each region that is read.

    Raises
    ------
    FormatError, UnsupportedError, GeometryError, BudgetError
        If it cannot be used, with the reason.
    """
    if not path.is_dir():
        raise FormatError(
            f"{path.name}: a file: expected the folder of a Zarr hierarchy; unpack it, or give the archive a .zip suffix."
        )
    items = list(_walk(path, path, _files(path, budget), budget, 0))
    if not items:
        raise UnsupportedError(
            f"{path.name}: a Zarr hierarchy without a multiscale image: expected OME-Zarr 0.4 or 0.5; write it with its axes and scale."
        )
    return items
