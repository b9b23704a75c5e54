"""Siemens raw data (meas.dat of software VB, VD and VE): Cartesian k-space as `Raw`; the last measurement of a file.

Noise scans, phase correction and synchronisation are passed over; reflected readouts are turned round. The readout
keeps its oversampling, which is stated. What the file knows of the patient is not read.

References
----------
Siemens has published no description; the layout of the measurement data header is that which M. Hansen and T. Sorensen,
Gadgetron, Magn. Reson. Med. 69 (2013) 1768-1776, and the ISMRM raw data converter use.
"""

from __future__ import annotations

import dataclasses
import math
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from isocenter.core.errors import ContentError, FormatError, UnsupportedError
from isocenter.core.operation import Spec
from isocenter.core.provenance import Provenance
from isocenter.core.raw import Raw
from isocenter.io.budget import Budget
from isocenter.io.inventory import Item, Problem

__all__ = ["NAME", "SUFFIXES", "inspect", "sniff"]

NAME = "siemens-raw"
SUFFIXES: tuple[str, ...] = ()
#: Loop counters of a readout in their stored order; ``average`` is Siemens' "acquisition".
LOOPS = ("line", "average", "slice", "partition", "echo", "phase", "repetition", "set", "segment")
#: Axes of the result, slowest first; those of one sample are left out but for the last three.
AXES = ("repetition", "set", "phase", "echo", "average", "slice", "partition", "coil", "line", "readout")
END, NOISE, PHASE_CORRECTION, REFLECTED = 1 << 0, 1 << 25, 1 << 21, 1 << 24
#: Readouts that are no image data: feedback, synchronisation, phase correction, noise, dummies.
PASSED = 1 << 1 | 1 << 2 | 1 << 5 | PHASE_CORRECTION | NOISE | 1 << 51
LARGEST_HEADER, MOST_SETS = 1 << 26, 64


def sniff(head: bytes, path: Path) -> bool:
    """Return whether a file ends in ``.dat`` and begins as one of the two layouts does.

    Parameters
    ----------
    head
        The first bytes of the file.
    path
        The file.
    """
    if not path.name.lower().endswith(".dat") or len(head) < 32:
        return False
    first, second = struct.unpack_from("<II", head)
    if first < 10_000 and 0 < second <= MOST_SETS:
        offset, length = struct.unpack_from("<QQ", head, 16)
        return bool(offset % 512 == 0 and offset + length <= path.stat().st_size and length)
    return bool(first < LARGEST_HEADER and b"Config" in head[:64])


@dataclass(frozen=True)
class _Layout:
    """Where the fields of a readout's header lie: its own length, that of each channel's, and the first fields."""

    header: int
    channel: int
    flags: int
    counts: int
    offset: int


#: VB repeats the whole header before each channel; VD has one of 192 bytes and a short one for each channel.
VB, VD = _Layout(0, 128, 20, 28, 32), _Layout(192, 32, 40, 48, 52)


@dataclass(frozen=True)
class _Readout:
    """Where the samples of one readout begin, and its place along every loop."""

    at: int
    loops: tuple[int, ...]
    reflected: bool


@dataclass(frozen=True)
class _Scan:
    """One measurement before its samples are read."""

    path: Path
    layout: _Layout
    readouts: tuple[_Readout, ...]
    samples: int
    coils: int
    facts: dict[str, Any]
    problems: tuple[Problem, ...]

    @property
    def sizes(self) -> dict[str, int]:
        """Samples along every axis."""
        most = {name: max(r.loops[k] for r in self.readouts) + 1 for k, name in enumerate(LOOPS)}
        return {**most, "coil": self.coils, "readout": self.samples}

    @property
    def axes(self) -> tuple[str, ...]:
        """Axes of the result."""
        sizes = self.sizes
        return tuple(a for a in AXES if sizes[a] > 1 or a in AXES[-3:])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the result."""
        return tuple(self.sizes[a] for a in self.axes)

    def __call__(self) -> Raw:
        array = np.zeros(self.shape, np.complex64)
        lead = self.axes[: self.axes.index("coil")]
        step = self.layout.channel + 8 * self.samples
        size = self.coils * step
        with self.path.open("rb") as handle:
            for readout in self.readouts:
                handle.seek(readout.at)
                raw = handle.read(size)
                if len(raw) < size:
                    raise FormatError(f"{self.path.name}: ends within a readout: expected a whole file; get a fresh copy.")
                block = np.frombuffer(raw, np.uint8).reshape(self.coils, step)[:, self.layout.channel :]
                values = np.ascontiguousarray(block).view("<c8")
                place = dict(zip(LOOPS, readout.loops, strict=True))
                index: Any = (*[place[a] for a in lead], slice(None), place["line"])
                array[index] = values[:, ::-1] if readout.reflected else values
        raw_value = Raw(array, "kspace", self.axes, {"trajectory": "cartesian", **self.facts}, modality="MR")
        notes = [p.sentence() for p in self.problems]
        return dataclasses.replace(raw_value, provenance=Provenance.read(raw_value.digest, NAME, notes))


def _start(handle: BinaryIO, size: int, name: str) -> tuple[_Layout, int, int]:
    """Return the layout, and where the last measurement begins and ends."""
    head = handle.read(16)
    if len(head) < 16:
        raise FormatError(f"{name}: {len(head)} bytes: expected the header of a Siemens measurement; get a whole copy.")
    first, count = struct.unpack_from("<II", head)
    if not (first < 10_000 and 0 < count <= MOST_SETS):
        return VB, 0, size
    handle.seek(8 + 152 * (count - 1))
    entry = handle.read(24)
    if len(entry) < 24:
        raise FormatError(f"{name}: its list of measurements ends early: expected {count}; get a whole copy.")
    offset, length = struct.unpack_from("<QQ", entry, 8)
    if offset + length > size or length < 16:
        raise FormatError(
            f"{name}: a measurement from byte {offset} to {offset + length} of {size}: expected it inside the file."
        )
    return VD, offset, offset + length


def _number(text: bytes, key: bytes) -> float | None:
    found = re.search(re.escape(key) + rb"\s{0,8}=\s{0,8}(0x[0-9a-fA-F]{1,8}|-?[0-9.]{1,20}(?:[eE][+-]?\d{1,3})?)", text)
    if found is None:
        return None
    try:
        value = float(int(found[1], 16)) if found[1][:2] == b"0x" else float(found[1])
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _protocol(text: bytes, name: str) -> dict[str, Any]:
    """Return what the protocol says of the acquisition; refuse trajectories other than Cartesian ones."""
    kind = _number(text, b"sKSpace.ucTrajectory")
    if kind not in (None, 1.0):
        raise UnsupportedError(
            f"{name}: trajectory {kind:g} (radial, spiral ...): expected a Cartesian one; convert it to ISMRMRD."
        )
    facts: dict[str, Any] = {}
    for key, field in (
        ("field_of_view_readout", b"dReadoutFOV"),
        ("field_of_view_phase", b"dPhaseFOV"),
        ("thickness", b"dThickness"),
    ):
        value = _number(text, b"sSliceArray.asSlice[0]." + field)
        if value is not None and value > 0:
            facts[key] = value
    for key, field in (("base_resolution", b"sKSpace.lBaseResolution"), ("lines", b"sKSpace.lPhaseEncodingLines")):
        value = _number(text, field)
        if value is not None and 0 < value < 1e5:
            facts[key] = int(value)
    return facts


def _walk(
    handle: BinaryIO, scan: _Layout, at: int, end: int, path: Path, budget: Budget
) -> tuple[list[_Readout], tuple[int, int], bool]:
    """Return every readout of image data, samples and coils of each, and whether the measurement was ended."""
    found: list[_Readout] = []
    shape, passed, seen = (0, 0), 0, 0
    head = 128 if scan is VB else 192
    while at + head <= end:
        handle.seek(at)
        raw = handle.read(head)
        if len(raw) < head:
            break
        (length,) = struct.unpack_from("<I", raw)
        length &= 0x1FFFFFF
        (flags,) = struct.unpack_from("<Q", raw, scan.flags)
        samples, coils = struct.unpack_from("<HH", raw, scan.counts)
        if flags & END:
            return found, shape, True
        if flags & 1 << 5:  # synchronisation: its length is its own
            size = length
        else:
            size = scan.header + coils * (scan.channel + 8 * samples)
        if not head <= size <= end - at:
            raise FormatError(
                f"{path.name}: a readout of {size} bytes at byte {at} of {end}: expected it inside; get a whole copy."
            )
        seen += 1
        budget.check_files(seen, path, "the measurement")
        if not flags & PASSED and samples:
            if found and (samples, coils) != shape:
                raise UnsupportedError(
                    f"{path.name}: readouts of {shape[0]} and of {samples} samples: expected one kind; split the measurement."
                )
            shape = (samples, coils)
            loops = struct.unpack_from("<9H", raw, scan.offset)
            found.append(_Readout(at + scan.header, loops, bool(flags & REFLECTED)))
        else:
            passed += 1
        at += size
    return found, shape, False


def inspect(path: Path, budget: Budget) -> list[Item]:
    """Return the k-space of a measurement.

    Parameters
    ----------
    path
        The file.
    budget
        Limits.

    Raises
    ------
    FormatError, UnsupportedError, ContentError, BudgetError
        If it cannot be used, with the reason.
    """
    size = path.stat().st_size
    with path.open("rb") as handle:
        layout, begin, end = _start(handle, size, path.name)
        handle.seek(begin)
        raw = handle.read(4)
        length = struct.unpack("<I", raw)[0] if len(raw) == 4 else 0
        if not 16 <= length <= min(LARGEST_HEADER, end - begin):
            raise FormatError(f"{path.name}: a protocol of {length} bytes: expected it inside the file; get a whole copy.")
        facts = _protocol(handle.read(length - 4), path.name)
        readouts, (samples, coils), ended = _walk(handle, layout, begin + length, end, path, budget)
    if not readouts:
        raise ContentError(f"{path.name}: holds no image data: expected readouts besides noise and corrections.")
    problems = [] if ended else [Problem("The measurement was not ended; the readouts that are there are read.")]
    scan = _Scan(path, layout, tuple(readouts), samples, coils, facts, tuple(problems))
    budget.check_shape(scan.shape, 8, path, "the k-space")
    lines = len({r.loops for r in readouts})
    if lines < len(readouts):
        scan = dataclasses.replace(
            scan,
            problems=(
                *problems,
                Problem(f"{len(readouts) - lines} readouts come at a place that has one already; the last one counts."),
            ),
        )
    places = math.prod(n for a, n in scan.sizes.items() if a not in ("coil", "readout", "segment"))
    filled = len({tuple(v for v, a in zip(r.loops, LOOPS, strict=True) if a != "segment") for r in readouts})
    if filled < places:
        scan = dataclasses.replace(
            scan,
            problems=(
                *scan.problems,
                Problem(f"{places - filled} of {places} lines were not measured; they are 0 (parallel or partial imaging)."),
            ),
        )
    known = facts.get("base_resolution")
    if known:
        facts["readout_oversampling"] = samples / known
    spec = Spec("Raw", dtype="<c8", modality="MR", samples=math.prod(scan.shape))
    shown = {**facts, "axes": ", ".join(f"{a} {n}" for a, n in zip(scan.axes, scan.shape, strict=True))}
    return [Item("kspace", "raw", NAME, spec, (path,), scan, problems=scan.problems, attributes=shown)]
