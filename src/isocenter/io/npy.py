"""NumPy's .npy: samples of a signal, where a file beside it states the rate; anything else is refused with what to do.

An array file says nothing about where samples lie or how fast they came, and none of it is made up here. The
sidecar is that of the Brain Imaging Data Structure for recordings: ``x.json`` with ``SamplingFrequency``, and
``StartTime``, ``Columns`` and ``Units`` where they are known.

References
----------
NumPy Enhancement Proposal 1 (the format); BIDS specification, physiological recordings.
"""

from __future__ import annotations

import ast
import dataclasses
import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from isocenter.core.errors import ContentError, FormatError, UnsupportedError
from isocenter.core.operation import Spec
from isocenter.core.provenance import Provenance
from isocenter.core.signal import Signal
from isocenter.io.budget import Budget
from isocenter.io.inventory import Item
from isocenter.io.samples import Block
from isocenter.io.text import one_line

__all__ = ["NAME", "SUFFIXES", "inspect", "sniff"]

NAME = "npy"
SUFFIXES: tuple[str, ...] = (".npy",)
MAGIC = b"\x93NUMPY"
LONGEST_HEADER, LONGEST_SIDECAR = 1 << 16, 1 << 20
INSTEAD = (
    "for a signal, put a JSON file of the same name beside it that states SamplingFrequency in Hz; for an image, write "
    "isocenter.Image(array, dims, geometry) as .nii.gz"
)


def sniff(head: bytes, path: Path) -> bool:
    """Return whether a file's first bytes are those of a NumPy array.

    Parameters
    ----------
    head
        The first bytes of the file.
    path
        The file.
    """
    return head.startswith(MAGIC)


def _header(path: Path) -> tuple[np.dtype[Any], tuple[int, ...], bool, int]:
    """Return type, shape, order and the byte at which the samples begin; nothing is evaluated but literals."""
    with path.open("rb") as handle:
        head = handle.read(12)
        if len(head) < 12 or not head.startswith(MAGIC) or head[6] not in (1, 2, 3):
            raise FormatError(f"{path.name}: does not begin as a NumPy array does: expected version 1, 2 or 3; get a sound copy.")
        code, start = ("<H", 10) if head[6] == 1 else ("<I", 12)
        (length,) = struct.unpack_from(code, head, 8)
        if length > LONGEST_HEADER:
            raise FormatError(f"{path.name}: a header of {length} bytes: expected at most {LONGEST_HEADER}; get a sound copy.")
        handle.seek(start)
        text = handle.read(length).decode("latin-1")
    try:
        fields = ast.literal_eval(text.strip())
        kind, shape, fortran = fields["descr"], fields["shape"], fields["fortran_order"]
        dtype = np.dtype(kind) if isinstance(kind, str) and len(kind) <= 8 else np.dtype(object)
    except (ValueError, SyntaxError, LookupError, TypeError, MemoryError, RecursionError):
        raise FormatError(
            f"{path.name}: its header is no dictionary of type, order and shape: expected one; get a sound copy."
        ) from None
    if not isinstance(shape, tuple) or any(type(n) is not int or n < 0 for n in shape) or type(fortran) is not bool:
        raise FormatError(f"{path.name}: a shape of {one_line(shape, 60)}: expected sizes of at least 0; get a sound copy.")
    return dtype, shape, fortran, start + length


def _sidecar(path: Path) -> Mapping[str, Any]:
    """Return what the JSON file beside an array says, nothing where there is none."""
    beside = path.with_suffix(".json")
    if not beside.is_file() or beside.is_symlink() or beside.stat().st_size > LONGEST_SIDECAR:
        return {}
    try:
        facts = json.loads(beside.read_bytes())
    except (ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


@dataclass(frozen=True)
class _Samples:
    """Loads the signal."""

    block: Block
    fortran: bool
    shape: tuple[int, int]
    facts: Mapping[str, Any]

    def __call__(self) -> Signal:
        array, _ = self.block.read()
        array = array.reshape(self.shape[::-1]).T if self.fortran else array.reshape(self.shape)
        names, unit = self.facts.get("Columns"), self.facts.get("Units")
        named = isinstance(names, list) and len(names) == self.shape[0]
        channels = tuple(one_line(n, 64) for n in names) if named and names is not None else ()
        start = self.facts.get("StartTime", 0.0)
        start = float(start) if isinstance(start, int | float) and math.isfinite(start) else 0.0
        unit = one_line(unit, 16) if isinstance(unit, str) else None
        signal = Signal(np.ascontiguousarray(array), float(self.facts["SamplingFrequency"]), channels, unit, start)
        return dataclasses.replace(signal, provenance=Provenance.read(signal.digest, NAME))


def inspect(path: Path, budget: Budget) -> list[Item]:
    """Return the signal of an array of one channel, or of (channels, samples).

    Parameters
    ----------
    path
        The file; ``SamplingFrequency`` stands in the JSON file of the same name beside it.
    budget
        Limits.

    Raises
    ------
    FormatError, UnsupportedError, ContentError, BudgetError
        If it cannot be used, with the reason.
    """
    dtype, shape, fortran, start = _header(path)
    if dtype.kind == "c":
        raise UnsupportedError(
            f"{path.name}: complex samples that do not say how they were acquired: expected real ones; make an isocenter.Raw of "
            "them in Python, with its axes and trajectory."
        )
    if dtype.kind not in "iuf":
        raise UnsupportedError(
            f"{path.name}: an array of type {dtype}: expected whole or real numbers; objects are never unpickled."
        )
    budget.check_shape(shape, dtype.itemsize, path, "the array")
    size = " x ".join(str(n) for n in shape)
    if len(shape) not in (1, 2) or 0 in shape:
        raise UnsupportedError(
            f"{path.name}: a NumPy array of {size or 'no'} samples without a geometry: expected an image format; {INSTEAD}."
        )
    facts = _sidecar(path)
    rate = facts.get("SamplingFrequency")
    if not isinstance(rate, int | float) or isinstance(rate, bool) or not math.isfinite(rate) or rate <= 0:
        raise UnsupportedError(f"{path.name}: a NumPy array of {size} samples without a rate or a geometry: {INSTEAD}.")
    full = (1, shape[0]) if len(shape) == 1 else (shape[0], shape[1])
    names = facts.get("Columns")
    if isinstance(names, list) and len(names) != full[0]:
        raise ContentError(
            f"{path.name}: {full[0]} rows of samples for {len(names)} column names beside it: expected (channels, samples); transpose the array."
        )
    block = Block(path, "raw", start, 0, full, dtype, path.name)
    block.check_length()
    spec = Spec("Signal", dtype=dtype.str, samples=math.prod(full))
    attributes = {"channels": full[0], "rate_hz": float(rate), "seconds": full[1] / rate}
    return [Item("signal", "signal", NAME, spec, (path,), _Samples(block, fortran, full, facts), attributes=attributes)]
