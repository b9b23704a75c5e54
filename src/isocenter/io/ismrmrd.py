"""ISMRM raw data (HDF5): k-space sorted by its encoding counters, with the geometry of its acquisition.

Reversed readouts are turned round, discarded samples dropped, and lines and samples put where their centre says, so that
the sample of index n // 2 along every encoded axis is the centre of k-space; what was not measured is 0. Noise scans come
as a `Raw` of their own; navigators, phase correction and dummies are counted and left out. The flags of every line are
kept. What the header knows of the person is not read.

References
----------
S.J. Inati et al., ISMRM Raw data format: A proposed standard for MRI raw datasets, Magn. Reson. Med. 77 (2017) 411-421.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, FormatError, UnsupportedError
from isocenter.core.extras import require
from isocenter.core.geometry import Geometry
from isocenter.core.operation import Spec
from isocenter.core.provenance import Provenance
from isocenter.core.raw import Raw
from isocenter.io.budget import Budget
from isocenter.io.file_child import FileChild
from isocenter.io.inventory import Item, Problem
from isocenter.io.ismrmrd_header import Encoding, Heads, encoding_of, image_grid
from isocenter.io.plain_xml import leaves

__all__ = ["NAME", "SIGNATURE", "SUFFIXES", "inspect", "sniff"]

NAME = "ismrmrd"
SUFFIXES: tuple[str, ...] = (".h5", ".hdf5", ".mrd", ".ismrmrd")
SIGNATURE = b"\x89HDF\r\n\x1a\n"
MOST_ROWS = 1 << 22
#: Loop counters in the order in which the file stores them (`ismrmrd_header.Heads.loops`); ``line`` and ``partition`` are encoded.
LOOPS = ("line", "partition", "average", "slice", "echo", "phase", "repetition", "set", "segment")
#: Axes of the result, slowest first; those of one sample are left out but for the last three.
AXES = ("repetition", "set", "phase", "echo", "average", "slice", "partition", "coil", "line", "readout")
#: Flags count from 1.
NOISE, CALIBRATION, REVERSE = 1 << 18, 1 << 19, 1 << 21
#: Navigators, phase correction, feedback, dummies, surface coil correction, phase stabilisation.
PASSED = sum(1 << (n - 1) for n in (23, 24, 26, 27, 28, 29, 30, 31))


def sniff(head: bytes, path: Path) -> bool:
    """Return whether a file's first bytes are those of HDF5 (MINC 2, which is too, is told by its name).

    Parameters
    ----------
    head
        The first bytes of the file.
    path
        The file.
    """
    return head[:8] == SIGNATURE and not path.name.lower().endswith(".mnc")


def _header(path: Path, budget: Budget) -> tuple[bytes, Heads, bool]:
    """Return the XML header, the headers of all acquisitions, and whether there are waveforms."""
    with FileChild(
        "hdf5_worker", {"mode": "ismrmrd-header", "most": MOST_ROWS}, path, "ISMRM raw data", seconds=budget.seconds
    ) as child:
        messages = child.messages(1 << 24)
        facts, xml = next(messages, ({}, bytearray()))
        whole, real = [], []
        for part, data in messages:
            n = int(part["rows"])
            split = n * Heads.WHOLE * 8
            if len(data) != split + n * Heads.REAL * 8:
                raise FormatError(
                    f"{path.name}: headers of {n} acquisitions in {len(data)} bytes: expected whole ones; get a sound copy."
                )
            whole.append(np.frombuffer(data[:split], "<i8").reshape(n, Heads.WHOLE))
            real.append(np.frombuffer(data[split:], "<f8").reshape(n, Heads.REAL))
    if not whole:
        raise ContentError(f"{path.name}: holds no acquisitions: expected k-space; get a whole copy.")
    return bytes(xml), Heads(np.concatenate(whole), np.concatenate(real)), bool(facts.get("waveforms"))


@dataclass(frozen=True)
class _Plan:
    """Where every acquisition goes, before its samples are read."""

    path: Path
    heads: Heads
    encoding: Encoding
    rows: npt.NDArray[np.int64]
    places: dict[str, npt.NDArray[np.int64]]
    starts: npt.NDArray[np.int64]
    sizes: dict[str, int]
    notes: tuple[str, ...]
    acquisition: dict[str, Any]
    geometry: Geometry | None

    @property
    def axes(self) -> tuple[str, ...]:
        """Axes of the result."""
        return tuple(a for a in AXES if self.sizes[a] > 1 or a in AXES[-3:])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the result."""
        return tuple(self.sizes[a] for a in self.axes)

    @property
    def lines(self) -> tuple[str, ...]:
        """Axes that tell one acquisition from another."""
        return tuple(a for a in self.axes if a not in ("coil", "readout"))

    def index(self, k: int) -> tuple[int, ...]:
        """Return the place of acquisition number k of this plan along `lines`."""
        return tuple(int(self.places[a][k]) for a in self.lines)

    def __call__(self) -> Raw:
        array = np.zeros(self.shape, np.complex64)
        by_line = np.moveaxis(array, self.axes.index("coil"), -2)
        shape = tuple(self.sizes[a] for a in self.lines)
        flags = np.zeros(shape, np.uint64)
        curved = self.encoding.trajectory != "cartesian"
        dims = int(self.heads.trajectory[self.rows].max(initial=0)) if curved else 0
        trajectory = np.zeros((*shape, self.sizes["readout"], dims), np.float32) if curved else None
        order = {int(row): k for k, row in enumerate(self.rows)}
        for row, (samples, places) in enumerate(_acquisitions(self.path, self.heads)):
            k = order.get(row)
            if k is None:
                continue
            a, b = self.heads.kept(row)
            reverse = -1 if self.heads.flags[row] & REVERSE else 1
            start = int(self.starts[k])
            at: Any = (*self.index(k), slice(None), slice(start, start + b - a))
            by_line[at] = samples[:, a:b][:, ::reverse]
            flags[self.index(k)] = np.uint64(self.heads.flags[row])
            if trajectory is not None:
                along: Any = (*self.index(k), slice(start, start + b - a))
                trajectory[along] = places[a:b][::reverse]
        facts = {**self.acquisition, "flags": flags, "flag_axes": list(self.lines)}
        facts["trajectory"] = self.encoding.per_mm(trajectory) if trajectory is not None else "cartesian"
        value = Raw(array, "kspace", self.axes, facts, self.geometry, "MR")
        return dataclasses.replace(value, provenance=Provenance.read(value.digest, NAME, self.notes))


def _acquisitions(path: Path, heads: Heads) -> Iterator[tuple[npt.NDArray[np.complex64], npt.NDArray[np.float32]]]:
    """Give the samples (coils, samples) and the trajectory (samples, dims) of every acquisition."""
    most = 4 * int((2 * heads.samples * heads.coils + heads.samples * heads.trajectory).max(initial=1))
    total = 8 * int((heads.samples * heads.coils).sum())
    with FileChild(
        "hdf5_worker", {"mode": "ismrmrd-samples"}, path, "ISMRM raw data", seconds=60.0 + total / (8 << 20), memory=1 << 31
    ) as child:
        row = -1
        for row, (facts, data) in enumerate(child.messages(most)):
            n, coils, dims = (
                (int(heads.samples[row]), int(heads.coils[row]), int(heads.trajectory[row])) if row < len(heads) else (0, 0, 0)
            )
            values = np.frombuffer(data, "<f4")
            if (facts.get("samples"), facts.get("trajectory")) != (2 * n * coils, n * dims) or len(
                values
            ) != 2 * n * coils + n * dims:
                raise FormatError(
                    f"{path.name}: acquisition {row + 1} holds {facts.get('samples')} numbers and {facts.get('trajectory')} of a trajectory: expected "
                    f"{2 * n * coils} and {n * dims}, as its header says; get a sound copy."
                )
            yield values[: 2 * n * coils].view("<c8").reshape(coils, n), values[2 * n * coils :].reshape(n, dims)
    if row + 1 != len(heads):
        raise FormatError(f"{path.name}: {row + 1} of {len(heads)} acquisitions can be read: expected all; get a whole copy.")


@dataclass(frozen=True)
class _Noise:
    """Loads the noise scans."""

    path: Path
    heads: Heads
    rows: npt.NDArray[np.int64]

    def __call__(self) -> Raw:
        wanted = set(self.rows.tolist())
        found = [samples for row, (samples, _) in enumerate(_acquisitions(self.path, self.heads)) if row in wanted]
        facts = {"trajectory": "none", "noise": True, "dwell_time": float(self.heads.dwell[self.rows[0]]) * 1e-6}
        value = Raw(np.stack(found), "kspace", ("scan", "coil", "readout"), facts, None, "MR")
        return dataclasses.replace(value, provenance=Provenance.read(value.digest, NAME, ()))


def _kinds(heads: Heads, path: Path) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], int]:
    """Return the rows of image data and of noise, and how many others there are."""
    noise = (heads.flags & NOISE) != 0
    calibration = ((heads.flags & CALIBRATION) != 0) & ((heads.flags & (CALIBRATION << 1)) == 0)
    passed = ((heads.flags & PASSED) != 0) | calibration | (heads.samples == 0)
    image = np.flatnonzero(~noise & ~passed)
    if not len(image):
        raise ContentError(f"{path.name}: holds no image data: expected acquisitions besides noise and corrections.")
    spaces = np.unique(heads.space[image])
    if len(spaces) > 1:
        raise UnsupportedError(
            f"{path.name}: acquisitions of {len(spaces)} encoding spaces: expected one; split the measurement."
        )
    return image, np.flatnonzero(noise), int((passed & ~noise).sum())


def _placed(
    path: Path, heads: Heads, rows: npt.NDArray[np.int64], encoding: Encoding
) -> tuple[dict[str, npt.NDArray[np.int64]], npt.NDArray[np.int64], dict[str, int]]:
    """Return the place of every acquisition along every loop, where its samples begin, and the size of every axis."""
    places = {name: heads.loops[rows, k].copy() for k, name in enumerate(LOOPS)}
    sizes = {name: int(v.max()) + 1 for name, v in places.items()}
    first, last = heads.ends(rows)
    length = int((last - first).max())
    starts = np.zeros(len(rows), np.int64)
    if encoding.trajectory == "cartesian":
        for axis, name in ((1, "line"), (2, "partition")):
            matrix, centre = encoding.matrix[axis], encoding.centres[axis]
            shifted = places[name] - centre + matrix // 2
            if 0 <= shifted.min() and shifted.max() < matrix:
                places[name], sizes[name] = shifted, matrix
        reverse = (heads.flags[rows] & REVERSE) != 0
        centre = np.where(reverse, last - 1 - heads.centre[rows], heads.centre[rows] - first)
        begin = encoding.matrix[0] // 2 - centre
        if (begin >= 0).all() and (begin + last - first <= encoding.matrix[0]).all():
            starts, length = begin, encoding.matrix[0]
    elif len(set((last - first).tolist())) > 1:
        raise UnsupportedError(
            f"{path.name}: {encoding.trajectory} readouts of several lengths: expected one; split the measurement."
        )
    if encoding.trajectory != "cartesian":  # coordinates say where a readout lies; its counter only tells it from others
        known, places["line"] = np.unique(places["line"], return_inverse=True)
        sizes["line"] = len(known)
    sizes |= {"coil": int(heads.coils[rows].max()), "readout": length}
    return places, starts, sizes


def _problems(plan: _Plan, passed: int, waveforms: bool) -> list[Problem]:
    found = []
    if passed:
        found.append(Problem(f"{passed} acquisitions that are no image data (navigators, corrections, dummies) were left out."))
    if waveforms:
        found.append(Problem("Waveforms (ECG, breathing, gradients) beside the acquisitions are not read."))
    distinct = len({plan.index(k) for k in range(len(plan.rows))})
    if distinct < len(plan.rows):
        found.append(
            Problem(f"{len(plan.rows) - distinct} acquisitions come at a place that has one already; the last one counts.")
        )
    total = math.prod(plan.sizes[a] for a in plan.lines)
    if distinct < total:
        found.append(Problem(f"{total - distinct} of {total} lines were not measured; they are 0 (parallel or partial imaging)."))
    return found


def inspect(path: Path, budget: Budget) -> list[Item]:
    """Return the k-space of a measurement, and its noise scans where there are any.

    Parameters
    ----------
    path
        The file.
    budget
        Limits.

    Raises
    ------
    FormatError, UnsupportedError, ContentError, BudgetError, MissingExtraError
        If it cannot be used, with the reason.
    """
    require("h5py", "Reading ISMRM raw data")
    xml, heads, waveforms = _header(path, budget)
    fields = leaves(xml, path.name)
    heads.check(path)
    rows, noise, passed = _kinds(heads, path)
    encoding = encoding_of(fields, int(heads.space[rows[0]]), path)
    if encoding.trajectory != "cartesian" and not heads.trajectory[rows].all():
        raise UnsupportedError(
            f"{path.name}: a trajectory of kind '{encoding.trajectory}' without its coordinates: expected them beside every readout."
        )
    if len(np.unique(heads.coils[rows])) > 1:
        raise UnsupportedError(
            f"{path.name}: acquisitions of {heads.coils[rows].min()} to {heads.coils[rows].max()} channels: expected one number."
        )
    places, starts, sizes = _placed(path, heads, rows, encoding)
    budget.check_shape([sizes[a] for a in AXES], 8, path, "the k-space")
    geometry = image_grid(heads, rows, places["slice"], encoding)
    plan = _Plan(path, heads, encoding, rows, places, starts, sizes, (), encoding.facts(heads, rows), geometry)
    problems = _problems(plan, passed, waveforms)
    if geometry is None:
        problems.append(
            Problem("The slices lie on no common grid, or their places are not stated; the image's grid is not known.")
        )
    plan = dataclasses.replace(plan, notes=tuple(p.sentence() for p in problems))
    shown = {k: v for k, v in plan.acquisition.items() if isinstance(v, str | int | float)}
    shown |= {
        "trajectory": encoding.trajectory,
        "axes": ", ".join(f"{a} {n}" for a, n in zip(plan.axes, plan.shape, strict=True)),
    }
    spec = Spec("Raw", dtype="<c8", geometry=geometry, modality="MR", samples=math.prod(plan.shape))
    items = [Item("kspace", "raw", NAME, spec, (path,), plan, problems=tuple(problems), attributes=shown)]
    if len(noise) and len(np.unique(heads.samples[noise])) == 1 and len(np.unique(heads.coils[noise])) == 1:
        count = len(noise) * int(heads.samples[noise[0]] * heads.coils[noise[0]])
        budget.check_bytes(8 * count, path, "the noise scans")
        noisy = Spec("Raw", dtype="<c8", modality="MR", samples=count)
        items.append(Item("noise", "raw", NAME, noisy, (path,), _Noise(path, heads, noise)))
    return items
