"""The front door: every input passes here, and leaves as items that can be loaded or as a reason why not.

`inspect` reads headers (and check sums), `cases` groups what belongs together, `load_case` reads it; `read`,
`read_study`, `read_labels` and `open` are these three in one call; `write` chooses the format by the suffix.
No decoder stands outside of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocenter.core.errors import (
    AmbiguousInputError,
    BudgetError,
    ContentError,
    FormatError,
    GeometryError,
    InputError,
    IsocenterError,
    UnsupportedError,
    WriteError,
)  # fmt: skip
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack
from isocenter.core.points import Mesh
from isocenter.core.pyramid import Pyramid
from isocenter.core.results import Features, Scores
from isocenter.core.signal import Signal
from isocenter.core.study import Study
from isocenter.io import formats
from isocenter.io.budget import Budget
from isocenter.io.cases import Case, cases, load_case
from isocenter.io.inspection import inspect
from isocenter.io.inventory import Inventory, Item, Repair
from isocenter.io.labelling import as_labels
from isocenter.io.lazy import LazyArray, sourced
from isocenter.io.text import stem, terminal

__all__ = ["Case", "cases", "inspect", "load_case", "open", "read", "read_labels", "read_study", "whole", "write"]

#: Suffixes of formats that are written under others.
_READ_ONLY = (".svs", ".hdr", ".img", ".nii.bz2", ".m4v", ".mov", ".qt", ".avi", ".mkv", ".webm", ".mpg", ".mpeg")
_ERRORS: dict[str, type[InputError]] = {
    "geometry": GeometryError, "budget": BudgetError, "unsupported": UnsupportedError, "content": ContentError,
    "format": FormatError,
}  # fmt: skip


# -- reading ----------------------------------------------------------------------------------------------


def _raise(inventory: Inventory, what: str) -> None:
    """Raise why nothing can be read."""
    if inventory.refusals:
        first = inventory.refusals[0]
        more = len(inventory.refusals) - 1
        rest = f" ({more} more {'file was' if more == 1 else 'files were'} refused.)" if more else ""
        raise _ERRORS[first.kind](first.reason + rest)
    kinds = sorted({item.kind for item in inventory.items})
    there = f" but {' and '.join(kinds)} (read_study gives them)" if kinds else ""
    raise ContentError(
        f"{terminal(inventory.path.name)}: holds no {what}{there}: expected one; 'isocenter info' lists what is there."
    )


def _one(inventory: Inventory, items: Sequence[Item], what: str, instead: str) -> Item:
    if not items:
        _raise(inventory, what)
    if len(items) > 1:
        names = ", ".join(f"{item.name} ({_facts(item)})" for item in items[:8])
        raise AmbiguousInputError(
            f"{terminal(inventory.path.name)}: holds {len(items)} {what}s: {names}{' ...' if len(items) > 8 else ''}: "
            f"expected one; name one file or folder, or use {instead}."
        )
    return items[0]


def _facts(item: Item) -> str:
    shape = "" if item.spec.geometry is None else " x ".join(str(n) for n in item.spec.geometry.shape)
    where = item.paths[0].parent.name if len(item.paths) > 1 else item.paths[0].name
    return " ".join(part for part in (item.spec.modality or "", shape, "in", terminal(where, 60)) if part)


def _reading() -> Budget:
    """Return the budget of an inspection that is followed by loading at once: what loading verifies is not read twice."""
    return Budget(verify_bytes=0)


def read(path: str | Path, repair: Repair | None = None) -> Image:
    """Read one image.

    Parameters
    ----------
    path
        A file, the folder of a series, or an archive; masks that lie beside the image are passed over. A file is an image, unless its
        format or its own name says that it is a mask.
    repair
        ``interpolate`` or ``nearest`` fills missing slices; None refuses such a series.

    Raises
    ------
    InputError
        If it cannot be read, with the reason; or if there are several images.
    """
    inventory = inspect(path, repair=repair, budget=_reading(), image=True)
    images = [item for item in inventory.items if item.kind == "image"]
    labels = [item for item in inventory.items if item.kind == "labels"]
    pyramids = [item for item in inventory.items if item.kind == "pyramid"]
    value = _one(inventory, images or labels or pyramids, "image", "read_study").load()
    if isinstance(value, Pyramid):
        return whole(value, inventory.path)
    return value.to_labels() if isinstance(value, MaskStack) else value


def whole(pyramid: Pyramid, path: Path) -> Image:
    """Return the finest level of a pyramid as an image.

    Parameters
    ----------
    pyramid
        The pyramid.
    path
        Where it was read, for the message.

    Raises
    ------
    BudgetError
        If it does not fit: regions of it are read one at a time then.
    """
    size = math.prod(pyramid.geometry.shape)
    budget = Budget()
    if size > min(budget.max_bytes, budget.max_voxels):  # at one byte a sample at least
        raise BudgetError(
            f"{terminal(path.name)}: a picture of {' x '.join(str(n) for n in pyramid.geometry.shape)} samples is too large to hold: "
            "expected a region of it; use read_study and region(bounds, level) of its pyramid."
        )
    image = pyramid.region(tuple((0, n) for n in pyramid.geometry.shape), level=0)
    notes = pyramid.provenance.notes
    return sourced(image, pyramid.provenance.sources[0].format if pyramid.provenance.sources else "", notes)


def read_study(path: str | Path, repair: Repair | None = None) -> Study:
    """Read everything that belongs to one imaging study.

    Parameters
    ----------
    path
        A folder or archive (or one file).
    repair
        ``interpolate`` or ``nearest`` fills missing slices; None refuses such a series.

    Raises
    ------
    InputError
        If nothing can be read, or there are several studies.
    """
    inventory = inspect(path, repair=repair, budget=_reading())
    found = cases(inventory)
    if not found:
        _raise(inventory, "image")
    if len(found) > 1:
        raise AmbiguousInputError(
            f"{terminal(inventory.path.name)}: holds {len(found)} studies: expected one; name the folder of one, "
            "or use 'isocenter run' for a cohort."
        )
    return load_case(found[0])


def read_labels(path: str | Path, image: str | Path | None = None) -> LabelMap | MaskStack:
    """Read a segmentation.

    Parameters
    ----------
    path
        A label map or mask of any format (whole numbers; one that is no mask by its name is taken for one), a
        DICOM SEG, a structure set, or a folder with a structure set and the image that it was drawn on.
    image
        Where the image that it was drawn on lies: a DICOM SEG or structure set comes on its grid. A structure set needs it, a SEG
        alone comes on the grid that its own frames span.

    Raises
    ------
    InputError
        If it cannot be read, holds no labels, or several of them.
    """
    inventory = inspect(path, budget=_reading(), over=image)
    by_kind: dict[str, list[Item]] = {}
    for item in inventory.items:
        by_kind.setdefault(item.kind, []).append(item)
    if not by_kind.get("labels") and by_kind.get("contours"):
        raise ContentError(
            f"{terminal(inventory.path.name)}: holds structures drawn as contours, which need the grid of their image: "
            "expected both in one folder, or the image named beside it; use read_study on the folder."
        )
    item = _one(inventory, by_kind.get("labels") or by_kind.get("image", []), "segmentation", "read_study")
    source = item.paths[0]
    return as_labels(item.load(), stem(source).replace("_", " "), source.name)


def open(path: str | Path) -> Image:
    """Open one image without reading its samples: they are read when the array is first sliced.

    Parameters
    ----------
    path
        As of `read`.

    Raises
    ------
    InputError
        If it cannot be read, with the reason; or if there are several images.
    """
    inventory = inspect(path, budget=_reading(), image=True)
    item = _one(inventory, [item for item in inventory.items if item.kind == "image"], "image", "read_study")
    spec = item.spec
    if spec.geometry is None or spec.dtype is None:
        return item.load()
    spatial = iter(spec.geometry.shape)
    shape = [next(spatial) if d in "zyx" else 0 for d in spec.dims]
    known = spec.geometry.size
    for k, d in enumerate(spec.dims):
        if d in "tc":
            shape[k] = spec.samples // known if sum(n == 0 for n in shape) == 1 else 0
    if 0 in shape:  # time and channels together: the spec alone does not tell how many there are of each
        return item.load()
    samples = LazyArray(tuple(shape), spec.dtype, _Samples(item))
    return Image(samples, spec.dims, spec.geometry, modality=spec.modality, quantity=spec.quantity)


@dataclass(frozen=True)
class _Samples:
    item: Item

    def __call__(self) -> Any:
        return self.item.load().array


# -- writing ----------------------------------------------------------------------------------------------


def write(value: Any, path: str | Path) -> None:
    """Write a value in the format that the suffix names.

    Images and labels: ``.nii``, ``.nii.gz``, ``.nrrd``, ``.mha``, ``.mhd``, ``.png``, ``.tif``, ``.ome.zarr``, ``.mp4`` (for viewing); meshes: ``.glb``;
    features and scores: ``.csv``, ``.parquet``; signals: ``.csv``; anything: ``.isocenter``.

    Parameters
    ----------
    value
        The value.
    path
        The file; its folder must exist. An earlier file of that name is replaced when the new one is whole.

    Raises
    ------
    UnsupportedError
        If the format cannot hold the value, or the suffix names no format.
    WriteError
        If the disk refuses.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix == ".isocenter":
        from isocenter.io import store

        store.save(value, target)
        return
    if suffix == ".glb":
        from isocenter.io import glb

        glb.write_meshes([value] if isinstance(value, Mesh) else list(value), target)
        return
    if isinstance(value, Signal) and suffix == ".csv":
        from isocenter.io import time_series

        time_series.write(value, target)
        return
    if isinstance(value, Features | Scores):
        from isocenter.io import table

        if isinstance(value, Features):
            table.write_features(value, target)
        else:
            table.write_scores(value, target)
        return
    chosen = formats.by_suffix(target)
    if chosen is None:
        endings = ", ".join(_endings(formats.FORMATS))
        raise UnsupportedError(
            f"{target.name}: no format is written under that suffix: expected one of {endings}, .glb, .csv, .isocenter."
        )
    try:
        chosen.module().write(value, target)
    except OSError as error:
        if isinstance(error, IsocenterError):
            raise
        raise WriteError(f"{target}: could not be written ({error.strerror or error}): check the disk and run again.") from error


def _endings(known: Iterable[formats.Format]) -> list[str]:
    return [suffix for one in known if one.writes for suffix in one.suffixes if suffix not in _READ_ONLY]
