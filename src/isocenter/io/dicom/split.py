"""A series to its stacks: by orientation, by what was acquired (echo, b-value ...), by time.

A series is split no further than its positions demand: the coarsest division whose parts are all regular is
taken. One unsound part condemns the series, for nobody can tell which part was meant.

References
----------
DICOM PS3.3 C.7.6.16.2 (dimensions), C.8.3.1 (MR image: echoes), C.8.13.5.9 (MR diffusion).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isocenter.core.errors import GeometryError
from isocenter.io.dicom.frame import Frame
from isocenter.io.dicom.stacks import Stack, build_stack, groups_by_position, require_same_place
from isocenter.io.inventory import Problem, Repair

__all__ = ["Volume", "split_series"]

#: Temporal attributes in the order in which they are trusted, and how many seconds one unit is (None: only an order).
CLOCKS: dict[str, float | None] = {
    "TemporalPositionIdentifier": None, "TemporalPositionIndex": None, "TriggerTime": 1e-3, "NominalCardiacTriggerDelayTime": 1e-3,
    "FrameReferenceTime": 1e-3, "AcquisitionDateTime": 1.0, "AcquisitionTime": 1.0, "AcquisitionNumber": None, "ContentTime": 1.0,
}  # fmt: skip


@dataclass(slots=True)
class Volume:
    """One image to be: a stack for every time point, all on one grid.

    Attributes
    ----------
    stacks
        One for each time point.
    times
        Seconds since the first time point, or None.
    label
        What distinguishes it among the volumes of its series (``echo 4.6 ms``), empty where it is the only one.
    problems
        What should be known.
    """

    stacks: list[Stack]
    times: tuple[float, ...] | None
    label: str
    problems: list[Problem]


def split_series(frames: Sequence[Frame], name: str, frame_uid: str | None, repair: Repair | None) -> list[Volume]:
    """Return the volumes of a series.

    Parameters
    ----------
    frames
        All its frames.
    name
        What the series is called in messages.
    frame_uid
        Frame-of-reference UID.
    repair
        How irregular stacks are dealt with; None refuses them.

    Raises
    ------
    GeometryError
        If any part of the series is no regular stack.
    """
    volumes: list[Volume] = []
    parts = _by_orientation(frames)
    for k, part in enumerate(parts):
        found = _part(part, name, frame_uid, repair)
        if len(parts) > 1:
            for volume in found:
                volume.label = ", ".join(w for w in (f"orientation {k + 1}", volume.label) if w)
        volumes.extend(found)
    return volumes


def _by_orientation(frames: Sequence[Frame]) -> list[list[Frame]]:
    parts: list[list[Frame]] = []
    for frame in frames:
        for part in parts:
            plane, other = frame.plane, part[0].plane
            turned = max(np.abs(plane.along_x - other.along_x).max(), np.abs(plane.along_y - other.along_y).max())
            if turned < 2e-3 and frame.pixels.layout.samples == part[0].pixels.layout.samples:
                part.append(frame)
                break
        else:
            parts.append([frame])
    return parts


def _part(frames: list[Frame], name: str, frame_uid: str | None, repair: Repair | None) -> list[Volume]:
    """Return the volumes of frames of one orientation.

    Raises
    ------
    GeometryError
        Of the whole where its positions are distinct (a slice is missing), else of the first unsound kind.
    """
    try:
        return [Volume([build_stack(frames, name, frame_uid)], None, "", [])]
    except GeometryError as error:
        reason = error
    distinct = all(len(g) == 1 for g in groups_by_position(frames))
    kinds = _by_kind(frames)
    for parts in ([kinds] if len(kinds) > 1 else []) + ([] if distinct else [[("", frames)]]):
        try:
            return [_timed(part, name, frame_uid, label) for label, part in parts]
        except GeometryError as error:
            # What is wrong with the finest division says more than "several slices at one position".
            reason = reason if distinct or (parts is not kinds and len(kinds) > 1) else error
    if repair is None:
        raise reason
    parts = [("", frames)] if distinct else kinds
    return [Volume([build_stack(part, name, frame_uid, repair)], None, label, []) for label, part in parts]


def _by_kind(frames: Sequence[Frame]) -> list[tuple[str, list[Frame]]]:
    """Return frames divided by what was acquired, with a label of what differs."""
    parts: dict[tuple[tuple[str, object], ...], list[Frame]] = {}
    for frame in frames:
        parts.setdefault(frame.kind, []).append(frame)
    keys = list(parts)
    varying = [name for name in dict.fromkeys(n for k in keys for n, _ in k) if len({dict(k).get(name) for k in keys}) > 1]
    ordered = sorted(parts, key=lambda k: [str(type(dict(k).get(v))) + _sortable(dict(k).get(v)) for v in varying])
    return [(", ".join(f"{v} {_shown(dict(k).get(v))}" for v in varying), parts[k]) for k in ordered]


def _sortable(value: object) -> str:
    return f"{value:020.6f}" if isinstance(value, int | float) else str(value)


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _timed(frames: list[Frame], name: str, frame_uid: str | None, label: str) -> Volume:
    """Return a volume of one or several time points.

    Raises
    ------
    GeometryError
        If positions repeat unequally, or nothing in the headers orders the repetitions.
    """
    groups = groups_by_position(frames)
    counts = {len(g) for g in groups}
    if counts == {1}:
        return Volume([build_stack(frames, name, frame_uid)], None, label, [])
    if len(counts) > 1:
        build_stack(frames, name, frame_uid)  # raises with the positions that repeat
    require_same_place(groups, name)
    clock, ordered = _clock(groups)
    if clock is None or (len(groups) == 1 and clock in ("InstanceNumber", "AcquisitionNumber")):  # one place, no time: no volume
        build_stack(frames, name, frame_uid)
    points = [[g[t] for g in ordered] for t in range(counts.pop())]
    stacks = [build_stack(point, name, frame_uid) for point in points]
    problems = []
    if clock in ("InstanceNumber", "AcquisitionNumber"):
        problems.append(
            Problem(
                f"{name}: {len(points)} volumes share the same positions and carry no time; they were ordered by {clock}.",
                "The times of the volumes are unknown.",
            )
        )
    return Volume(stacks, _seconds(points, clock), label, problems)


def _clock(groups: list[list[Frame]]) -> tuple[str | None, list[list[Frame]]]:
    """Return the attribute that orders repetitions at every position, and the groups in its order."""
    for clock in CLOCKS:
        if all(len({f.clocks.get(clock) for f in g}) == len(g) and all(clock in f.clocks for f in g) for g in groups):
            return clock, [sorted(g, key=lambda f: f.clocks[clock]) for g in groups]
    # Instance numbers order repetitions where they run volume by volume or position by position.
    if all(len({f.number for f in g}) == len(g) for g in groups):
        ordered = [sorted(g, key=lambda f: f.number) for g in groups]
        points = list(zip(*ordered, strict=True))
        by_volume = all(max(f.number for f in a) < min(f.number for f in b) for a, b in itertools.pairwise(points))
        spans = sorted((g[0].number, g[-1].number) for g in ordered)
        by_position = all(a[1] < b[0] for a, b in itertools.pairwise(spans))
        if by_volume or by_position:
            return "InstanceNumber", ordered
    return None, groups


def _seconds(points: list[list[Frame]], clock: str | None) -> tuple[float, ...] | None:
    """Return seconds since the first time point, where any attribute tells them."""
    if len(points) < 2:
        return None
    for name in (clock, *CLOCKS):
        unit = CLOCKS.get(name or "")
        if name is None or unit is None or not all(name in f.clocks for p in points for f in p):
            continue
        starts = [min(f.clocks[name] for f in p) * unit for p in points]
        if all(b > a for a, b in itertools.pairwise(starts)):
            return tuple(round(s - starts[0], 6) for s in starts)
    resolution = {f.clocks.get("TemporalResolution") for p in points for f in p}
    if len(resolution) == 1 and (only := resolution.pop()):
        return tuple(round(k * only * 1e-3, 6) for k in range(len(points)))
    return None
