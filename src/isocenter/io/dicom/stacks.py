"""Frames to stacks: sorted along the normal, evenly spaced, or refused with the slice and the gap in mm.

Measured on peers: a series with three slices missing is silently loaded as a wrong volume. Here the positions
decide, never names or instance numbers, and whatever is not a regular grid is refused unless a repair was asked
for, which is then recorded.

References
----------
DICOM PS3.3 C.7.6.2.1.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import GeometryError
from isocenter.core.geometry import Geometry
from isocenter.io.dicom.frame import Frame
from isocenter.io.inventory import Problem, Repair

__all__ = ["Recipe", "Stack", "build_stack", "groups_by_position", "require_same_place"]

_SAME_PLACE = 1e-3  # mm within which two planes are at one position
_LOOSE = 0.05  # mm by which a slice may lie off the regular grid (rounded headers)


#: How one slice of the result is made: frames (index, weight) of the sorted list; several only after a repair.
Recipe = tuple[tuple[int, float], ...]


@dataclass(slots=True)
class Stack:
    """A regular grid of frames.

    Attributes
    ----------
    frames
        Sorted by position; each appears once.
    recipes
        Of every slice of the result.
    geometry
        Its grid: two axes where there is one slice only, else three.
    problems
        What should be known about it.
    """

    frames: list[Frame]
    recipes: list[Recipe]
    geometry: Geometry
    problems: list[Problem]

    @property
    def repaired(self) -> bool:
        """Whether slices were made that were not there."""
        return any(len(r) != 1 for r in self.recipes)


def groups_by_position(frames: Sequence[Frame]) -> list[list[Frame]]:
    """Return frames grouped by their distance along the normal of the first one, in ascending order."""
    normal = frames[0].plane.normal
    order = sorted(frames, key=lambda f: (float(f.plane.position @ normal), f.number, f.pixels.path.name, f.index))
    groups: list[list[Frame]] = []
    last = 0.0
    for frame in order:
        distance = float(frame.plane.position @ normal)
        if groups and distance - last < _SAME_PLACE:
            groups[-1].append(frame)
        else:
            groups.append([frame])
            last = distance
    return groups


def build_stack(frames: Sequence[Frame], name: str, frame_uid: str | None, repair: Repair | None = None) -> Stack:
    """Sort frames into a regular grid.

    Parameters
    ----------
    frames
        Parallel planes.
    name
        What the series is called in messages.
    frame_uid
        Frame-of-reference UID.
    repair
        How missing, duplicate and uneven slices are dealt with; None refuses them.

    Raises
    ------
    GeometryError
        With the positions, the gap in mm, the files and the option that repairs it.
    """
    _same_grid(frames, name)
    groups = groups_by_position(frames)
    problems: list[Problem] = []
    duplicates = [g for g in groups if len(g) > 1]
    require_same_place(duplicates, name)
    # Where most positions repeat, these are volumes of several times or kinds: averaging them is no repair.
    if 2 * len(duplicates) > len(groups) > 1:
        raise _repeated(groups, frames, name)
    if duplicates and repair is None:
        raise _duplicates(duplicates, frames, name)
    chosen = [g[0] for g in groups]
    layers: list[Recipe] = []
    ordered: list[Frame] = []
    for group in groups:
        base = len(ordered)
        members = group if repair == "interpolate" else group[:1]
        ordered.extend(members)
        layers.append(tuple((base + k, 1.0 / len(members)) for k in range(len(members))))
    if duplicates:
        how = "averaged" if repair == "interpolate" else "reduced to the lowest instance number"
        problems.append(
            Problem(
                f"{name}: {len(duplicates)} position(s) held several slices, which were {how} (repair {repair}).",
                "Values there are not as acquired.",
            )
        )
    if len(chosen) == 1:
        return Stack(ordered, [layers[0]], _flat(chosen[0], frame_uid), problems)
    places = np.stack([f.plane.position for f in chosen])
    recipes, step, first = _regular(places, chosen, layers, name, repair, problems)
    geometry = _grid(chosen[0], len(recipes), step, first, frame_uid)
    problems.extend(_tilt(chosen[0], geometry, name))
    return Stack(ordered, recipes, geometry, problems)


def require_same_place(groups: Sequence[Sequence[Frame]], name: str) -> None:
    """Refuse planes at one distance along the normal that do not lie on top of each other.

    Raises
    ------
    GeometryError
        With both files and their distance.
    """
    for group in groups:
        apart = [float(np.linalg.norm(f.plane.position - group[0].plane.position)) for f in group]
        if max(apart) > _LOOSE:
            other = group[int(np.argmax(apart))]
            raise GeometryError(
                f"{name}: {group[0].where} and {other.where} lie at one distance along the normal of their planes but {max(apart):.2f} mm apart "
                "within them: expected a stack of slices that face each other; separate the images."
            )


def _flat(frame: Frame, frame_uid: str | None) -> Geometry:
    affine = np.zeros((4, 3))
    affine[:3, :2] = frame.plane.steps()
    affine[:3, 2] = frame.plane.position
    affine[3, 2] = 1.0
    return Geometry(frame.size, affine, frame_uid)


def _grid(
    frame: Frame, count: int, step: npt.NDArray[np.float64], first: npt.NDArray[np.float64], frame_uid: str | None
) -> Geometry:
    affine = np.zeros((4, 4))
    affine[:3, 0] = step
    affine[:3, 1:3] = frame.plane.steps()
    affine[:3, 3] = first
    affine[3, 3] = 1.0
    return Geometry((count, *frame.size), affine, frame_uid)


def _same_grid(frames: Sequence[Frame], name: str) -> None:
    first = frames[0]
    for frame in frames[1:]:
        a, b = first.size, frame.size
        if a != b:
            raise GeometryError(
                f"{name}: {frame.where} (at {_at(frame, first)}) has {b[0]} x {b[1]} pixels, {first.where} has {a[0]} x {a[1]}: "
                "expected one size in a stack; separate them."
            )
        worst = max(abs(p - q) for p, q in zip(first.plane.spacing, frame.plane.spacing, strict=True))
        if worst > 1e-4 * max(first.plane.spacing):
            raise GeometryError(
                f"{name}: {frame.where} (at {_at(frame, first)}) has a PixelSpacing of {_mm(frame.plane.spacing)} mm, {first.where} of "
                f"{_mm(first.plane.spacing)} mm: expected one spacing in a stack; separate them."
            )


def _mm(pair: tuple[float, float]) -> str:
    return f"{pair[0]:g} x {pair[1]:g}"


def _at(frame: Frame, first: Frame) -> str:
    return f"{float(frame.plane.position @ first.plane.normal):.2f} mm"


def _duplicates(groups: list[list[Frame]], frames: Sequence[Frame], name: str) -> GeometryError:
    group = groups[0]
    files = ", ".join(f.where for f in group[:4]) + (" ..." if len(group) > 4 else "")
    more = f" ({len(groups)} positions in all)" if len(groups) > 1 else ""
    return GeometryError(
        f"{name}: {len(group)} slices lie at one position, {_at(group[0], frames[0])} along the normal (gap 0.00 mm): {files}{more}, and nothing "
        "in their headers orders them in time: expected one slice a position; repair with --repair nearest (keeps one) or "
        "--repair interpolate (averages them)."
    )


def _repeated(groups: list[list[Frame]], frames: Sequence[Frame], name: str) -> GeometryError:
    """Return the error of volumes that share their positions and cannot be told apart, or of which one lacks a slice."""
    counts = [len(g) for g in groups]
    usual = max(set(counts), key=counts.count)
    odd = next((g for g in groups if len(g) != usual), None)
    if odd is not None:
        return GeometryError(
            f"{name}: {len(odd)} slice(s) lie at {_at(odd[0], frames[0])} along the normal ({odd[0].where}) where {usual} are usual: expected as many at "
            "every position (one for each time, echo ...); find the missing files or take the extra ones away."
        )
    return GeometryError(
        f"{name}: {usual} slices lie at each of {len(groups)} positions (the first: {', '.join(f.where for f in groups[0][:4])} at "
        f"{_at(groups[0][0], frames[0])}, gap 0.00 mm), and nothing in their headers orders them in time: expected one slice a position, or times; "
        "separate them."
    )


def _regular(
    places: npt.NDArray[np.float64],
    chosen: list[Frame],
    layers: list[Recipe],
    name: str,
    repair: Repair | None,
    problems: list[Problem],
) -> tuple[list[Recipe], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the recipes of a regular grid along the stack, its step and its first position."""
    normal = chosen[0].plane.normal
    along = (places - places[0]) @ normal
    gaps = np.diff(along)
    usual = float(np.median(gaps))
    count = len(places)
    step = (places[-1] - places[0]) / (count - 1)
    off = places - (places[0] + np.arange(count)[:, None] * step)
    allowed = max(0.01 * usual, min(_LOOSE, 0.1 * usual))
    worst = float(np.abs(off @ normal).max())
    sideways = np.linalg.norm(off - (off @ normal)[:, None] * normal, axis=1)
    if worst <= allowed and float(sideways.max()) <= max(allowed, _LOOSE):
        deviation = max(worst, float(sideways.max()))
        if deviation > 1e-2:
            problems.append(
                Problem(
                    f"{name}: slice positions deviate from an even grid by up to {deviation:.3f} mm.",
                    "They were placed on the even grid.",
                )
            )
        return list(layers), step, places[0]
    if repair is None:
        raise _uneven(along, gaps, usual, sideways, chosen, name)
    return _resampled(along, places, chosen, layers, usual, name, repair, problems)


def _uneven(
    along: npt.NDArray[np.float64],
    gaps: npt.NDArray[np.float64],
    usual: float,
    sideways: npt.NDArray[np.float64],
    chosen: list[Frame],
    name: str,
) -> GeometryError:
    base = float(chosen[0].plane.position @ chosen[0].plane.normal)
    k = int(np.argmax(np.abs(gaps - usual)))
    a, b = chosen[k], chosen[k + 1]
    between = f"between {a.where} at {base + along[k]:.2f} mm and {b.where} at {base + along[k + 1]:.2f} mm"
    irregular = int((np.abs(gaps - usual) > max(0.01 * usual, 0.05)).sum())
    if abs(gaps[k] - usual) <= max(0.01 * usual, _LOOSE):
        side = int(np.argmax(sideways))
        return GeometryError(
            f"{name}: {chosen[side].where} at {base + along[side]:.2f} mm is shifted sideways by {sideways[side]:.2f} mm against the other slices: "
            "expected slices on one straight line; resample them outside, or repair with --repair nearest if the shift does not matter."
        )
    ratio = gaps[k] / usual
    if ratio > 1.5 and abs(ratio - round(ratio)) < 0.1:
        what = f"{round(ratio) - 1} slice(s) missing {between}"
    elif ratio < 1:
        what = f"slices overlap or are uneven {between}"
    else:
        what = f"slices are unevenly spaced {between}"
    more = f", {irregular} irregular gaps in all" if irregular > 1 else ""
    return GeometryError(
        f"{name}: {what}: the gap is {gaps[k]:.2f} mm where {usual:.2f} mm is usual{more}; expected evenly spaced slices; find the missing files, or "
        "repair with --repair interpolate or --repair nearest."
    )


def _resampled(
    along: npt.NDArray[np.float64], places: npt.NDArray[np.float64], chosen: list[Frame], layers: list[Recipe], usual: float, name: str,
    repair: Repair, problems: list[Problem],
) -> tuple[list[Recipe], npt.NDArray[np.float64], npt.NDArray[np.float64]]:  # fmt: skip
    """Return recipes of a grid of the usual gap over the same extent, made of the nearest or of both neighbours."""
    count = max(2, int(np.floor(along[-1] / usual + 0.01)) + 1)
    if count > 4 * len(along) + 16:
        raise GeometryError(
            f"{name}: the slices span {along[-1]:.2f} mm with gaps of {usual:.2f} mm, so {count - len(along)} of {count} would be made up: expected at most "
            "a few missing ones; separate the stacks."
        )
    targets = np.arange(count) * usual
    recipes: list[Recipe] = []
    made = []
    for target in targets:
        upper = int(np.clip(np.searchsorted(along, target), 1, len(along) - 1))
        lower = upper - 1
        share = float(np.clip((target - along[lower]) / (along[upper] - along[lower]), 0.0, 1.0))
        near = lower if share <= 0.5 else upper
        distance = abs(float(along[near]) - float(target))
        if distance < 1e-3:
            recipes.append(layers[near])
            continue
        made.append(distance)
        if repair == "nearest":
            recipes.append(layers[near])
        else:
            recipes.append((*((k, w * (1 - share)) for k, w in layers[lower]), *((k, w * share) for k, w in layers[upper])))
    step = (places[-1] - places[0]) / along[-1] * usual
    base = float(chosen[0].plane.position @ chosen[0].plane.normal)
    worst = float(np.max(np.diff(along)))
    problems.append(
        Problem(
            f"{name}: slices were missing or uneven (largest gap {worst:.2f} mm, usual {usual:.2f} mm, from {base:.2f} mm on); {len(made)} of {count} slices were "
            f"made by repair {repair}.",
            f"Their values come from up to {max(made, default=0.0):.2f} mm away.",
        )
    )
    return recipes, step, places[0]


def _tilt(frame: Frame, geometry: Geometry, name: str) -> list[Problem]:
    step = geometry.affine[:3, 0]
    normal = frame.plane.normal
    along = float(step @ normal)
    sideways = float(np.linalg.norm(step - along * normal))
    degrees = float(np.degrees(np.arctan2(sideways, along)))
    shift = sideways * (geometry.shape[0] - 1)
    if degrees < 0.1 or shift < 1e-2:
        return []
    if degrees > 70:
        raise GeometryError(
            f"{name}: successive slices move {sideways:.2f} mm within their plane and {along:.2f} mm out of it: expected a stack of parallel slices; "
            "separate the images."
        )
    return [
        Problem(
            f"{name}: the stack is tilted by {degrees:.2f} degrees (gantry tilt); the sheared grid was kept.",
            f"Read as an orthogonal volume, its last slice would be {shift:.2f} mm off.",
        )
    ]
