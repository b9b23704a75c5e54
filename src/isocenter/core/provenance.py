"""Provenance: what was done to which pixels, as a value that travels with every result.

A provenance is a small directed graph flattened in order: the sources (digests of what was read) and the
steps (operation, version, parameters, digests of the inputs, seed, notes). Two results merge by joining
their graphs. Digests of contents are computed when first asked for and remembered.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["Provenance", "Source", "StepRecord", "canonical_json", "digest_array", "digest_bytes", "digest_json"]


def canonical_json(value: Any) -> str:
    """Return one spelling of plain JSON values: sorted keys, no spaces, no NaN.

    Raises
    ------
    ValueError
        For NaN and infinities, which JSON does not have.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_bytes(data: bytes | memoryview) -> str:
    """Return the SHA-256 of `data` as ``sha256:`` and 64 hexadecimal digits."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def digest_json(value: Any) -> str:
    """Return the digest of plain JSON values in their canonical spelling."""
    return digest_bytes(canonical_json(value).encode())


def digest_array(array: Any, *context: Any) -> str:
    """Return the digest of an array's dtype, shape and values, and of further plain values.

    Parameters
    ----------
    array
        Any array; the digest does not depend on memory layout or byte order.
    context
        Plain JSON values that belong to the content (geometry, dims, segment table).
    """
    data = np.asarray(array)
    if data.dtype.byteorder == ">":
        data = data.astype(data.dtype.newbyteorder("<"))
    hasher = hashlib.sha256(canonical_json([str(data.dtype.str), list(data.shape), list(context)]).encode())
    hasher.update(np.ascontiguousarray(data).data.cast("B") if data.size else b"")
    return "sha256:" + hasher.hexdigest()


@dataclass(frozen=True)
class Source:
    """One thing that was read.

    Attributes
    ----------
    digest
        Digest of the voxels and geometry as read (not of the file, whose header may hold names).
    format
        The format's name: ``dicom``, ``nifti`` ...
    notes
        Problems found while reading, and how they were repaired, one sentence each.
    """

    digest: str
    format: str
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"digest": self.digest, "format": self.format, "notes": list(self.notes)}


@dataclass(frozen=True)
class StepRecord:
    """One operation that was applied.

    Attributes
    ----------
    operation
        Registered name, for instance ``denoise.median``.
    version
        Version of the operation's algorithm.
    parameters
        Plain JSON values, defaults included.
    inputs
        Digests of the inputs, in port order.
    seed
        Seed of its randomness, None where it uses none.
    notes
        Quality flags it raised, one sentence each.
    """

    operation: str
    version: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    seed: int | None = None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "operation": self.operation,
            "version": self.version,
            "parameters": dict(self.parameters),
            "inputs": list(self.inputs),
            "seed": self.seed,
            "notes": list(self.notes),
        }

    @property
    def key(self) -> str:
        """Digest of everything that decides the result: the cache key (notes are a result, so they are left out)."""
        plain = self.to_dict()
        plain.pop("notes")
        return digest_json(plain)


@dataclass(frozen=True)
class Provenance:
    """Where a value came from: sources first, then steps in the order they ran."""

    sources: tuple[Source, ...] = ()
    steps: tuple[StepRecord, ...] = ()

    @classmethod
    def read(cls, digest: str, format: str, notes: Iterable[str] = ()) -> Provenance:
        """Return the provenance of something just read."""
        return cls((Source(digest, format, tuple(notes)),))

    @classmethod
    def merged(cls, many: Iterable[Provenance]) -> Provenance:
        """Return the union of several provenances, each entry once, in order of first appearance."""
        sources: dict[Source, None] = {}
        steps: dict[str, StepRecord] = {}
        for one in many:
            for source in one.sources:
                sources.setdefault(source)
            for step in one.steps:
                steps.setdefault(step.key, step)
        return cls(tuple(sources), tuple(steps.values()))

    def then(self, step: StepRecord) -> Provenance:
        """Return this provenance with one more step."""
        return Provenance(self.sources, (*self.steps, step))

    def noted(self, *notes: str) -> Provenance:
        """Return this provenance with notes added to its last entry."""
        if not notes:
            return self
        if self.steps:
            last = self.steps[-1]
            new = StepRecord(last.operation, last.version, last.parameters, last.inputs, last.seed, (*last.notes, *notes))
            return Provenance(self.sources, (*self.steps[:-1], new))
        if self.sources:
            source = self.sources[-1]
            return Provenance((*self.sources[:-1], Source(source.digest, source.format, (*source.notes, *notes))), ())
        return self

    @property
    def notes(self) -> tuple[str, ...]:
        """Every note of every source and step, in order."""
        found: dict[str, None] = {}
        entries: tuple[Source | StepRecord, ...] = (*self.sources, *self.steps)
        for entry in entries:
            for note in entry.notes:
                found.setdefault(note)
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"sources": [s.to_dict() for s in self.sources], "steps": [s.to_dict() for s in self.steps]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Provenance:
        """Return the provenance that `to_dict` described."""
        sources = tuple(Source(s["digest"], s["format"], tuple(s["notes"])) for s in data["sources"])
        steps = tuple(
            StepRecord(s["operation"], s["version"], s["parameters"], tuple(s["inputs"]), s["seed"], tuple(s["notes"]))
            for s in data["steps"]
        )
        return cls(sources, steps)
