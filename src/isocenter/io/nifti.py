"""NIfTI-1 and NIfTI-2: read and written; the only place where RAS becomes LPS and back.

Files count positions in millimetres to the Right, Anterior and Superior, and list axes as i j k with i
fastest. Here the first two world axes change sign, and the axes are listed in array order (k j i): ``z y x``.

References
----------
R.W. Cox et al., NIfTI-1 data format (nifti1.h), sections "3D image (volume) orientation and location in space".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from isocenter.core.errors import FormatError, UnsupportedError
from isocenter.core.geometry import Geometry
from isocenter.core.image import DIMS, SPATIAL, Image
from isocenter.core.labels import LabelMap, MaskStack
from isocenter.core.operation import Spec
from isocenter.io import nifti_extension
from isocenter.io.budget import Budget
from isocenter.io.facts import segments as segments_of
from isocenter.io.inventory import Item, Problem
from isocenter.io.lazy import sourced
from isocenter.io.nifti_header import LABEL_INTENT, SIZES, Header, parse, size_of
from isocenter.io.nifti_space import to_grid
from isocenter.io.nifti_voxels import Voxels
from isocenter.io.nifti_write import write
from isocenter.io.streams import Stream, coding_of
from isocenter.io.text import slot_name, stem

__all__ = ["NAME", "SUFFIXES", "inspect", "sniff", "write"]

NAME = "nifti"
SUFFIXES: tuple[str, ...] = (".nii", ".nii.gz", ".nii.bz2", ".hdr", ".hdr.gz", ".img", ".img.gz")
SPACES = {1: "scanner", 2: "aligned", 3: "talairach", 4: "mni", 5: "template"}
SECONDS = {8: 1.0, 16: 1e-3, 24: 1e-6}
LARGEST_EXTENSION = 1 << 28


def sniff(head: bytes, path: Path) -> bool:
    """Return whether a file's first bytes are those of a NIfTI header, or its name ends as one does.

    Parameters
    ----------
    head
        The first bytes of the file (4096, or all).
    path
        The file.
    """
    if path.name.lower().endswith((".nii", ".nii.gz", ".nii.bz2")):
        return True
    try:
        with Stream(path, coding_of(head)) as stream:
            start = stream.read(348)
    except (FormatError, OSError):
        return False
    if size_of(start) is None or len(start) < 348:
        return path.name.lower().endswith((".img", ".img.gz")) and _twin(path, (".hdr", ".hdr.gz")) is not None
    return start[344:347] in (b"n+1", b"ni1") or start[4:7] in (b"n+2", b"ni2") or path.name.lower().endswith((".hdr", ".hdr.gz"))


def _twin(path: Path, suffixes: tuple[str, ...]) -> Path | None:
    """Return the other file of a header and voxels pair, which must stand beside it."""
    for suffix in suffixes:
        other = path.with_name(stem(path) + suffix)
        if other.is_file() and not other.is_symlink():
            return other
    return None


@dataclass(frozen=True)
class _Volume:
    """One NIfTI image before its voxels are read."""

    header: Header
    voxels: Voxels
    facts: dict[str, Any]
    dims: tuple[str, ...]
    geometry: Geometry
    problems: tuple[Problem, ...]
    paths: tuple[Path, ...]

    @property
    def sizes(self) -> dict[str, int]:
        """Samples along every axis, the missing ones included."""
        i, j, k, nt, nc = (*self.header.shape, 1, 1, 1, 1, 1)[:5]
        return {"t": nt, "c": max(nc, self.header.samples if self.header.samples > 1 else 1), "z": k, "y": j, "x": i}

    @property
    def kind(self) -> str:
        """Noun that loading gives."""
        whole = self.voxels.dtype.kind in "iu" and "c" not in self.dims
        if self.facts.get("masks") and segments_of(self.facts):
            return "MaskStack"
        labelled = self.header.intent == LABEL_INTENT or segments_of(self.facts) is not None
        return "LabelMap" if labelled and whole and self.voxels.dtype.itemsize <= 4 else "Image"

    @property
    def spec(self) -> Spec:
        sizes = self.sizes
        samples = int(np.prod([sizes[d] for d in self.dims], dtype=np.int64))
        dims = tuple(d for d in self.dims if d in SPATIAL) if self.kind == "MaskStack" else self.dims
        quantity, modality = self.facts.get("quantity"), self.facts.get("modality")
        return Spec(self.kind, dims, self.voxels.dtype.str, self.geometry, modality, quantity, samples)

    def times(self) -> tuple[float, ...] | None:
        """Seconds of every sample along t, None where the header does not say."""
        if "t" not in self.dims:
            return None
        count, stated = self.sizes["t"], self.facts.get("times")
        if stated is not None and len(stated) == count:
            return tuple(stated)
        step = self.header.pixdim[4] * SECONDS.get(self.header.units & 0x38, 0.0)
        start = self.header.toffset * SECONDS.get(self.header.units & 0x38, 0.0)
        if not step > 0 or not np.isfinite([step, start]).all():
            return None
        return tuple(float(start + n * step) for n in range(count))

    def channels(self) -> tuple[str, ...] | None:
        stated = self.facts.get("channels")
        if "c" not in self.dims:
            return None
        if stated is not None and len(stated) == self.sizes["c"]:
            return tuple(stated)
        return ("red", "green", "blue", "alpha")[: self.sizes["c"]] if self.header.samples > 1 else None

    def load(self) -> Image | LabelMap | MaskStack:
        """Read the voxels."""
        array, notes = self.voxels.read()
        full = dict(zip(DIMS, array.shape, strict=True))
        array = array.reshape([full[d] for d in self.dims])
        notes = [*[p.sentence() for p in self.problems], *notes]
        table = segments_of(self.facts)
        if self.kind == "MaskStack" and table is not None and "c" in self.dims and len(table) == full["c"]:
            masks = MaskStack(array != 0, tuple(d for d in self.dims if d != "c"), self.geometry, table)
            return sourced(masks, NAME, notes)
        modality, quantity, times = self.facts.get("modality"), self.facts.get("quantity"), self.times()
        if self.kind != "LabelMap":
            image = Image(
                array, self.dims, self.geometry, modality=modality, quantity=quantity, channels=self.channels(), times=times
            )
            return sourced(image, NAME, notes)
        if table is not None:  # a table that lacks a value that occurs says nothing about it
            known = {s.value for s in table}
            table = table if all(v in known for v in np.unique(array).tolist() if v > 0) else None
        rows: Any = table  # None lets the label map make its own table
        labels = LabelMap(array, self.dims, self.geometry, rows, modality=modality, quantity=quantity, times=times)
        return sourced(labels, NAME, notes)


def _paths(path: Path) -> tuple[Path, Path]:
    """Return the file of the header and that of the voxels (the same one, or the twin beside it)."""
    name = path.name.lower()
    if name.endswith((".img", ".img.gz")):
        header = _twin(path, (".hdr", ".hdr.gz"))
        if header is None:
            raise FormatError(
                f"{path.name}: voxels without their header: expected {stem(path)}.hdr beside it; put both in one folder."
            )
        return header, path
    if name.endswith((".hdr", ".hdr.gz")):
        return path, _twin(path, (".img", ".img.gz")) or path
    return path, path


def _open(path: Path, budget: Budget) -> _Volume:
    """Read and check everything but the voxels."""
    head_path, data_path = _paths(path)
    with head_path.open("rb") as handle:
        coding = coding_of(handle.read(16))
    with Stream(head_path, coding) as stream:
        start = stream.read(SIZES[1] + 4)
        found = size_of(start)
        if found is not None and found[0] == 2:
            start += stream.read(SIZES[2] - SIZES[1])
        header = parse(start, path.name)
        if not header.single and data_path == head_path:
            raise FormatError(
                f"{path.name}: a header without voxels: expected {stem(path)}.img beside it; put both in one folder."
            )
        _check_size(header, path, budget)
        extension = b""
        if header.extended and header.offset > len(start):
            if header.offset > LARGEST_EXTENSION:
                raise FormatError(f"{path.name}: vox_offset {header.offset}: expected header extensions of at most 256 MiB.")
            extension = stream.read(header.offset - len(start))
    if not header.single:
        with data_path.open("rb") as handle:
            coding = coding_of(handle.read(16))
    facts = nifti_extension.find(extension, header.order, path.name)
    voxels = Voxels(data_path if not header.single else head_path, coding, header, path.name)
    voxels.check_length()
    dims = _dims(header, facts, path.name)
    geometry, problems = to_grid(header, dims, path.name, facts.get("unit"))
    paths = (head_path,) if header.single else (head_path, data_path)
    return _Volume(header, voxels, facts, dims, geometry, (*problems, *_remarks(header, dims)), paths)


def _check_size(header: Header, path: Path, budget: Budget) -> None:
    if len(header.shape) > 5 and max(header.shape[5:]) > 1:
        raise UnsupportedError(
            f"{path.name}: {len(header.shape)} axes {header.shape}: expected at most five (x y z, time, vector)."
        )
    if header.samples > 1 and len(header.shape) > 4 and header.shape[4] > 1:
        raise UnsupportedError(f"{path.name}: colour voxels with a vector axis besides: expected one or the other.")
    if len(header.shape) > 3:
        budget.check_frames(header.shape[3], path)
    budget.check_shape((*header.shape, header.samples), max(header.dtype.itemsize, 4 if header.slope else 1), path)


def _dims(header: Header, facts: dict[str, Any], name: str) -> tuple[str, ...]:
    i, j, k, nt, nc = (*header.shape, 1, 1, 1, 1, 1)[:5]
    sizes = {"t": nt, "c": max(nc, header.samples), "z": k, "y": j, "x": i}
    stated = facts.get("dims")
    if stated and "x" in stated and all(sizes[d] == 1 for d in DIMS if d not in stated):
        return tuple(stated)
    spatial = SPATIAL[3 - min(len(header.shape), 3) :]
    return (*[d for d in ("t", "c") if sizes[d] > 1], *spatial)


def _remarks(header: Header, dims: tuple[str, ...]) -> Iterator[Problem]:
    if header.dtype.kind == "c":
        yield Problem("Voxels are complex numbers.", "Most operations refuse them.", "take the magnitude or the real part first")
    if "t" in dims and header.units & 0x38 not in SECONDS and header.pixdim[4] > 0:
        yield Problem("The unit of the fourth axis is not stated, so its samples carry no times.")


def inspect(path: Path, budget: Budget) -> list[Item]:
    """Return what a NIfTI file holds.

    Parameters
    ----------
    path
        The file; of a pair either one.
    budget
        Limits; voxels are read through once up to ``budget.verify_bytes``.

    Raises
    ------
    FormatError, UnsupportedError, GeometryError, BudgetError
        If it cannot be used, with the reason.
    """
    volume = _open(path, budget)
    problems = list(volume.problems)
    if volume.header.nbytes <= budget.verify_bytes:
        problems += [Problem(text) for text in volume.voxels.verify()]
    kind = volume.kind
    attributes = {"space": SPACES.get(volume.header.sform or volume.header.qform, "unknown")}
    return [
        Item(
            slot_name(stem(path)) if kind != "Image" else "image",
            "image" if kind == "Image" else "labels",
            NAME,
            volume.spec,
            volume.paths,
            volume.load,
            problems=tuple(problems),
            attributes=attributes,
        )
    ]
