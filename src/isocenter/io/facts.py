"""What a simple header has no field for, as one JSON object of known shape: modality, channels, times, segments.

NIfTI keeps it in an extension, NRRD in a key, MetaImage in its comment. A file may claim anything, so only values
of the expected kind are taken over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from isocenter.core.geometry import Geometry
from isocenter.core.image import DIMS
from isocenter.core.labels import Segment
from isocenter.core.provenance import canonical_json
from isocenter.io.text import one_line

__all__ = ["MARK", "decode", "describe", "encode", "geometry", "segments"]

MARK = "isocenter:"
LIMIT = 1 << 20


def describe(value: Any, dims: tuple[str, ...]) -> dict[str, Any]:
    """Return the facts about an image, label map or mask stack that a simple header has no field for."""
    facts: dict[str, Any] = {"dims": list(dims)}
    for key in ("modality", "quantity"):
        if getattr(value, key, None):
            facts[key] = getattr(value, key)
    if getattr(value, "channels", None):
        facts["channels"] = list(value.channels)
    if getattr(value, "times", None):
        facts["times"] = [float(t) for t in value.times]
    if value.geometry.unit == "px":
        facts["unit"] = "px"
    if hasattr(value, "segments"):
        facts["segments"] = [row.to_dict() for row in value.segments]
    return facts


def encode(facts: Mapping[str, Any]) -> str:
    """Return facts as one line of text with its mark."""
    return MARK + canonical_json(dict(facts))


def decode(raw: str | bytes) -> dict[str, Any]:
    """Return the facts of a line that `encode` wrote, as far as they have the expected shape; nothing of any other text."""
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
    if not text.startswith(MARK) or len(text) > LIMIT:
        return {}
    try:
        facts = json.loads(text[len(MARK) :])
    except (ValueError, RecursionError):
        return {}
    if not isinstance(facts, dict):
        return {}
    kept: dict[str, Any] = {}
    for key in ("modality", "quantity"):
        if isinstance(facts.get(key), str):
            kept[key] = one_line(facts[key], 64)
    dims = facts.get("dims")
    if isinstance(dims, list) and [d for d in DIMS if d in dims] == dims:
        kept["dims"] = tuple(dims)
    if isinstance(facts.get("channels"), list):
        kept["channels"] = tuple(one_line(c, 64) for c in facts["channels"])
    times = facts.get("times")
    if isinstance(times, list) and all(isinstance(t, int | float) for t in times):
        kept["times"] = tuple(float(t) for t in times)
    if facts.get("unit") == "px":
        kept["unit"] = "px"
    if isinstance(facts.get("pages"), list):
        kept["pages"] = facts["pages"]
    if isinstance(facts.get("geometry"), dict):
        kept["geometry"] = facts["geometry"]
    if isinstance(facts.get("segments"), list):
        kept["segments"] = facts["segments"]
        kept["masks"] = facts.get("masks") is True
    return kept


def geometry(facts: Mapping[str, Any], shape: Sequence[int]) -> Geometry | None:
    """Return the grid that decoded facts state (pictures have no field for one), None where it does not fit `shape`."""
    try:
        found = Geometry.from_dict({**facts["geometry"], "frame": None})
    except (LookupError, TypeError, ValueError):
        return None
    return found if found.shape == tuple(shape) else None


def segments(facts: Mapping[str, Any]) -> tuple[Segment, ...] | None:
    """Return the segment table of decoded facts, None where there is none or an unusable one."""
    rows = facts.get("segments")
    if rows is None:
        return None
    try:
        table = tuple(Segment.from_dict({**row, "name": one_line(row["name"], 128)}) for row in rows)
    except (LookupError, TypeError, ValueError):
        return None
    return table if len({s.value for s in table}) == len(table) else None
