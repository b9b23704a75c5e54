"""EDF, EDF+ and BDF: recordings of many channels (EEG, ECG, breathing, sleep), read.

Channels of one rate and one unit become one signal, because a `Signal` has one of each; a file of several gives
several items. Person and recording fields are never shown; equal persons are found again by the digest of the field.

References
----------
B. Kemp et al., A simple format for exchange of digitized polygraphic recordings, Electroenceph. clin. Neurophysiol.
82 (1992) 391-393; B. Kemp, J. Olivan, European data format 'plus' (EDF+), Clin. Neurophysiol. 114 (2003) 1755-1761;
BioSemi, the BDF format (24-bit samples).
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, FormatError
from isocenter.core.operation import Spec
from isocenter.core.provenance import Provenance
from isocenter.core.signal import Signal
from isocenter.io.budget import Budget
from isocenter.io.inventory import Item, Problem
from isocenter.io.text import one_line, slot_name, terminal

__all__ = ["NAME", "SUFFIXES", "inspect", "sniff"]

NAME = "edf"
SUFFIXES: tuple[str, ...] = (".edf", ".bdf")
#: First bytes -> bytes of one sample.
VERSIONS = {b"0       ": 2, b"\xffBIOSEMI": 3}
#: Widths in characters of the fields that every channel has, in their order.
WIDTHS = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)
ANNOTATIONS = ("EDF Annotations", "BDF Annotations")
MOST_CHANNELS, CHUNK = 4096, 1 << 23
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_ONSET = re.compile(rb"([+-]\d+(?:\.\d+)?)(?:\x15[\d.]*)?\x14")


def sniff(head: bytes, path: Path) -> bool:
    """Return whether a file's first bytes are those of an EDF or BDF header.

    Parameters
    ----------
    head
        The first bytes of the file.
    path
        The file.
    """
    return head[:8] in VERSIONS and len(head) >= 256 and head[168:176].count(b".") == 2


@dataclass(frozen=True)
class _Channel:
    """One channel: its name and unit, the samples in a record, where they begin, and how they become physical."""

    label: str
    unit: str
    samples: int
    start: int
    slope: float
    offset: float

    @property
    def annotates(self) -> bool:
        return self.label in ANNOTATIONS


@dataclass(frozen=True)
class _Header:
    """Everything before the data records."""

    path: Path
    width: int
    size: int
    records: int
    seconds: float
    channels: tuple[_Channel, ...]
    person: str
    kind: str
    problems: tuple[Problem, ...]

    @property
    def record_bytes(self) -> int:
        return sum(c.samples for c in self.channels) * self.width


class _Fields:
    """The fixed-width text fields of a header, each one checked."""

    def __init__(self, raw: bytes, name: str) -> None:
        self.raw, self.name, self.at = raw, name, 0

    def text(self, width: int) -> str:
        part = self.raw[self.at : self.at + width]
        self.at += width
        return part.decode("latin-1").strip(" \0")

    def number(self, width: int, what: str) -> float:
        text = self.text(width)
        if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
            raise FormatError(f"{self.name}: {what} is '{terminal(text)}': expected a number; get a sound copy.")
        return float(text)

    def whole(self, width: int, what: str, least: int, most: int) -> int:
        value = self.number(width, what)
        if value != int(value) or not least <= value <= most:
            raise FormatError(
                f"{self.name}: {what} is {value:g}: expected a whole number from {least} to {most}; get a sound copy."
            )
        return int(value)


def _header(path: Path) -> _Header:
    """Read and check the header; nothing of the data is looked at but their length."""
    total = path.stat().st_size
    with path.open("rb") as handle:
        head = handle.read(256)
        if len(head) < 256 or head[:8] not in VERSIONS:
            raise FormatError(f"{path.name}: does not begin as an EDF or BDF file does: expected its version; get a sound copy.")
        width = VERSIONS[head[:8]]
        fields = _Fields(head, path.name)
        fields.at = 8
        person = fields.text(80)
        fields.at = 184
        size = fields.whole(8, "the length of the header", 512, 256 * (MOST_CHANNELS + 1))
        kind = fields.text(44)
        records = fields.whole(8, "the number of data records", -1, 10**8)
        seconds = fields.number(8, "the duration of a data record")
        count = fields.whole(4, "the number of channels", 1, MOST_CHANNELS)
        if size != 256 * (count + 1) or size > total:
            raise FormatError(
                f"{path.name}: a header of {size} bytes for {count} channels in a file of {total}: expected {256 * (count + 1)}; "
                "get a sound copy."
            )
        channels = _channels(_Fields(handle.read(size - 256), path.name), count, width)
    result = _Header(path, width, size, records, seconds, channels, person, kind, ())
    return _counted(result, total)


def _channels(fields: _Fields, count: int, width: int) -> tuple[_Channel, ...]:
    texts: list[list[Any]] = []
    names = ("physical minimum", "physical maximum", "digital minimum", "digital maximum")
    for k, size in enumerate(WIDTHS):
        if 3 <= k <= 6:
            texts.append([fields.number(size, f"the {names[k - 3]} of channel {n + 1}") for n in range(count)])
        elif k == 8:
            texts.append([fields.whole(size, f"the samples of channel {n + 1} in a record", 1, 1 << 26) for n in range(count)])
        else:
            texts.append([fields.text(size) for _ in range(count)])
    found: list[_Channel] = []
    start = 0
    for label, unit, low, high, least, most, samples in zip(texts[0], *(texts[k] for k in (2, 3, 4, 5, 6, 8)), strict=True):
        annotates = label in ANNOTATIONS
        if not annotates and (least >= most or low == high):
            raise FormatError(
                f"{fields.name}: channel '{terminal(label)}' maps {least:g} .. {most:g} to {low:g} .. {high:g}: "
                "expected two different ends of both ranges; its values have no physical meaning."
            )
        slope = 1.0 if annotates else (high - low) / (most - least)
        name, of = one_line(label, 64) or f"channel {len(found) + 1}", one_line(unit, 16)
        found.append(_Channel(name, of, samples, start * width, slope, low - least * slope))
        start += samples
    return tuple(found)


def _counted(header: _Header, total: int) -> _Header:
    """Compare the number of records with the length of the file."""
    problems = []
    there, rest = divmod(total - header.size, header.record_bytes)
    records = header.records
    if records == -1:
        problems.append(Problem(f"The recording was not closed; {there} whole data records are there and are read."))
        records = there
    if there < records:
        raise FormatError(
            f"{header.path.name}: its header promises {records} data records, but only {there} are there: "
            "expected a whole file; get a fresh copy."
        )
    surplus = total - header.size - records * header.record_bytes
    if surplus and header.records != -1:
        problems.append(Problem(f"Passed over after the last data record: {surplus:,} bytes."))
    elif rest and header.records == -1:
        problems.append(Problem(f"Passed over after the last whole data record: {rest:,} bytes."))
    if records < 1 or not any(not c.annotates for c in header.channels):
        raise ContentError(f"{header.path.name}: holds no samples: expected at least one data record of a measured channel.")
    if header.seconds <= 0:
        raise FormatError(f"{header.path.name}: data records of {header.seconds:g} s: expected more than 0; no rate can be told.")
    return dataclasses.replace(header, records=records, problems=tuple(problems))


# -- EDF+ time keeping ------------------------------------------------------------------------------------


def _onset(handle: BinaryIO, header: _Header, channel: _Channel, record: int) -> float | None:
    """Return the second at which a record begins, as its first annotation says."""
    handle.seek(header.size + record * header.record_bytes + channel.start)
    found = _ONSET.match(handle.read(min(64, channel.samples * header.width)))
    return float(found[1]) if found else None


def _start(header: _Header) -> float:
    """Return the time of the first sample; refuse a recording with interruptions."""
    keeper = next((c for c in header.channels if c.annotates), None)
    if keeper is None or header.kind[:5] not in ("EDF+C", "EDF+D", "BDF+C", "BDF+D"):
        return 0.0
    with header.path.open("rb") as handle:
        first = _onset(handle, header, keeper, 0) or 0.0
        if header.kind[4:5] == "D":
            for record in range(1, header.records):
                onset = _onset(handle, header, keeper, record)
                expected = first + record * header.seconds
                if onset is None or abs(onset - expected) > 1e-4 * header.seconds:
                    at = "no time" if onset is None else f"{onset:g} s"
                    raise ContentError(
                        f"{header.path.name}: the recording is interrupted (data record {record + 1} states {at}, the one before it "
                        f"ends at {expected:g} s): expected one without gaps; split it where it is interrupted."
                    )
    return first


# -- loading ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Channels:
    """Loads the channels of one rate and unit."""

    header: _Header
    channels: tuple[_Channel, ...]
    start: float
    problems: tuple[Problem, ...]

    @property
    def rate(self) -> float:
        return self.channels[0].samples / self.header.seconds

    @property
    def dtype(self) -> np.dtype[Any]:
        # 24-bit samples fill the mantissa of float32: their scaled values would not all stay apart.
        return np.dtype(np.float32 if self.header.width == 2 else np.float64)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.channels), self.channels[0].samples * self.header.records

    def __call__(self) -> Signal:
        header, n = self.header, self.channels[0].samples
        array = np.empty(self.shape, self.dtype)
        step = max(1, CHUNK // header.record_bytes)
        with header.path.open("rb") as handle:
            handle.seek(header.size)
            for first in range(0, header.records, step):
                count = min(step, header.records - first)
                raw = handle.read(count * header.record_bytes)
                if len(raw) < count * header.record_bytes:
                    raise FormatError(f"{header.path.name}: ends within a data record: expected a whole file; get a fresh copy.")
                block = np.frombuffer(raw, np.uint8).reshape(count, header.record_bytes)
                for k, channel in enumerate(self.channels):
                    part = block[:, channel.start : channel.start + n * header.width]
                    values = _integers(part, header.width) * channel.slope + channel.offset
                    array[k, first * n : (first + count) * n] = values.reshape(-1)
        names = tuple(c.label for c in self.channels)
        signal = Signal(array, self.rate, names, self.channels[0].unit or None, self.start)
        notes = [p.sentence() for p in self.problems]
        return dataclasses.replace(signal, provenance=Provenance.read(signal.digest, NAME, notes))


def _integers(part: npt.NDArray[np.uint8], width: int) -> npt.NDArray[Any]:
    """Return little-endian 16-bit or 24-bit samples as numbers of double precision."""
    if width == 2:
        return np.ascontiguousarray(part).view("<i2").astype(np.float64)
    three = np.ascontiguousarray(part).reshape(len(part), -1, 3)
    low = three[..., 0].astype(np.int32) | (three[..., 1].astype(np.int32) << 8)
    return (low | (three[..., 2].view(np.int8).astype(np.int32) << 16)).astype(np.float64)


def inspect(path: Path, budget: Budget) -> list[Item]:
    """Return what a recording holds: one item for all channels of one rate and unit.

    Parameters
    ----------
    path
        The file.
    budget
        Limits.

    Raises
    ------
    FormatError, ContentError, BudgetError
        If it cannot be used, with the reason.
    """
    header = _header(path)
    start = _start(header)
    groups: dict[tuple[int, str], list[_Channel]] = {}
    for channel in header.channels:
        if not channel.annotates:
            groups.setdefault((channel.samples, channel.unit), []).append(channel)
    # "X" stands for what is not told; such recordings are not all of one person.
    person = header.person if header.person.strip("Xx ") else ""
    patient = "edf:" + hashlib.sha256(person.encode()).hexdigest() if person else ""
    items = []
    for (_, unit), channels in groups.items():
        load = _Channels(header, tuple(channels), start, header.problems)
        budget.check_bytes(header.record_bytes, path, "one data record")
        budget.check_shape(load.shape, load.dtype.itemsize, path, "the recording")
        name = "signal" if len(groups) == 1 else slot_name(f"signal {load.rate:g} hz {unit}", "signal")
        facts = {"channels": len(channels), "rate_hz": load.rate, "seconds": header.records * header.seconds}
        spec = Spec("Signal", dtype=load.dtype.str, quantity=unit or None, samples=math.prod(load.shape))
        items.append(Item(name, "signal", NAME, spec, (path,), load, patient=patient, problems=header.problems, attributes=facts))
    return items
