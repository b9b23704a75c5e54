"""Boxes and points from tables: CSV, TSV or JSON, in samples of the image or in mm of the world.

A table has one row for each place and may name it in a column ``label`` (also ``name`` or ``class``). Where it lies is written in one of
these ways, told by the columns:

=====================  ===============================================================================================
points, samples        ``row``, ``column`` and, in a volume, ``slice``: from 0, whole numbers are centres of samples
points, world          ``x``, ``y``, ``z``: mm, to the patient's Left, Posterior, Superior
boxes, samples         ``row_low`` ... ``row_high`` ...: the sides, on the same scale as points (a box that holds samples 3 to
                       5 reaches from 2.5 to 5.5); or ``row``, ``column``[, ``slice``] of the first sample with ``height``,
                       ``width``[, ``depth``] in samples
boxes, world           ``x_low`` ... ``x_high`` ...: the lowest and the highest corner in mm; or ``x``, ``y``, ``z`` of the
                       lowest corner with ``width`` (along x), ``height`` (y) and ``depth`` (z) in mm
=====================  ===============================================================================================

A world axis that a picture does not extend along may be left out; of a picture without pixel size the world is its pixels, x = column and
y = row. ``_min``/``_max`` and ``1``/``2`` are read as ``_low``/``_high``. A table of boxes without rows is an image without objects.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, FormatError, MissingInputError, SpecError
from isocenter.core.geometry import Geometry
from isocenter.core.text import plain
from isocenter.io.rows import LARGEST, rows_of
from isocenter.learn.data.labels import number
from isocenter.learn.places.places import Kind, Places

__all__ = ["read_places"]

FloatArray = npt.NDArray[np.float64]
Row = tuple[str, Mapping[str, str]]

_NAMES = ("label", "name", "class")
_SAMPLES = {1: ("column",), 2: ("row", "column"), 3: ("slice", "row", "column")}
_WORLD = ("x", "y", "z")
_LOW = ("{}_low", "low_{}", "{}_min", "{}min", "min_{}", "{}1")
_HIGH = ("{}_high", "high_{}", "{}_max", "{}max", "max_{}", "{}2")
_SIZES = {
    "x": ("width", "w"), "y": ("height", "h"), "z": ("depth", "d"),
    "column": ("width", "w"), "row": ("height", "h"), "slice": ("depth", "d"),
}  # fmt: skip


def read_places(path: Path | str, geometry: Geometry, kind: Kind) -> Places:
    """Read the places of one image.

    Parameters
    ----------
    path
        ``.csv``, ``.tsv``, ``.txt`` or ``.json`` (a list of rows, or one under ``points`` or ``boxes``).
    geometry
        Of the image.
    kind
        What they are.

    Raises
    ------
    SpecError
        With one sentence for each bad row.
    ContentError
        If a place lies outside of the image.
    FormatError
        If the file is no such table.
    """
    path = Path(path)
    header, rows = _json(path) if path.suffix.lower() == ".json" else _text(path)
    if not header and not rows:
        return Places(kind, np.zeros((0, 1)), (), geometry)
    names = {h.lower().replace(" ", "_"): h for h in header}
    columns = _columns(path, names, geometry, kind)
    found, labels, problems = [], [], []
    title = next((names[n] for n in _NAMES if n in names), None)
    for k, (where, row) in enumerate(rows):
        values = {key: number(row.get(column, "")) for key, column in columns.items()}
        bad = next((key for key, value in values.items() if value is None), None)
        if bad is not None:
            problems.append(
                f"{where}: '{plain(row.get(columns[bad], ''), 60)}' in column '{columns[bad]}' is no finite number; expected one."
            )
            continue
        numbers = {key: float(value) for key, value in values.items() if value is not None}
        try:
            found.append(_point(numbers, geometry) if kind == "points" else _box(numbers, geometry))
        except ContentError as error:
            problems.append(f"{where}: {error}")
            continue
        label = row.get(title, "") if title else ""
        labels.append(label or (f"point {k + 1}" if kind == "points" else "object"))
    if kind == "points":
        twice = sorted({name for name in labels if labels.count(name) > 1})
        problems += [f"point '{plain(name, 60)}' stands there more than once; expected each once." for name in twice]
    if problems:
        raise SpecError(problems, plain(path.name, 200))
    return _inside(Places(kind, np.array(found), tuple(labels), geometry), path)


def _text(path: Path) -> tuple[list[str], list[Row]]:
    if path.is_file() and not path.read_bytes()[:4].strip():
        return [], []
    header, rows = rows_of(path)
    return header, [(f"line {line}", row) for line, row in rows]


def _json(path: Path) -> tuple[list[str], list[Row]]:
    try:
        if path.stat().st_size > LARGEST:
            raise FormatError(f"{path.name}: more than {LARGEST >> 20} MiB of places: expected one row for each.")
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingInputError(f"{plain(path, 300)}: there is no such file: expected a table of boxes or points.") from None
    except (ValueError, OSError, RecursionError) as error:
        raise FormatError(f"{path.name}: is no JSON ({plain(error, 100)}): expected a list of rows.") from error
    if isinstance(data, Mapping):
        data = next((data[key] for key in ("points", "boxes") if key in data), None)
    if not isinstance(data, list) or not all(isinstance(row, Mapping) for row in data):
        raise FormatError(
            f'{path.name}: expected a list of rows such as {{"label": "a", "row": 3, "column": 4}}, or one under \'points\' or \'boxes\'.'
        )
    rows: list[Row] = [(f"row {k + 1}", {str(c): _cell(v) for c, v in row.items()}) for k, row in enumerate(data)]
    return list(dict.fromkeys(c for _, row in rows for c in row)), rows


def _cell(value: Any) -> str:
    return "" if value is None or isinstance(value, bool | list | dict) else str(value)


def _columns(path: Path, names: Mapping[str, str], geometry: Geometry, kind: Kind) -> dict[str, str]:
    """Return what each column that is needed means: ``row``, ``x_low``, ``size_x`` ... -> its name."""
    needed = [a for a, used in zip(_WORLD, _used(geometry), strict=True) if used]
    ways: list[dict[str, str | None]] = []
    for axes, extra in ((_SAMPLES[geometry.ndim], ()), (needed, [a for a in _WORLD if a not in needed])):
        if kind == "points":
            ways.append({a: names.get(a) for a in axes} | {a: names[a] for a in extra if a in names})
            continue
        corners = {f"{a}_low": _one(names, _LOW, a) for a in axes} | {f"{a}_high": _one(names, _HIGH, a) for a in axes}
        sizes = {f"{a}_low": names.get(a) for a in axes} | {f"{a}_size": _one(names, _SIZES[a], a) for a in axes}
        beside = {f"{a}_low": _one(names, _LOW, a) for a in extra} | {f"{a}_high": _one(names, _HIGH, a) for a in extra}
        ways += [corners | {k: v for k, v in beside.items() if v}, sizes | {f"{a}_low": names[a] for a in extra if a in names}]
    whole = [{k: v for k, v in way.items() if v} for way in ways if all(way.values())]
    if not whole:
        wanted = f"{', '.join(_SAMPLES[geometry.ndim])} (samples) or {', '.join(needed)} (mm)"
        words = (
            wanted
            if kind == "points"
            else f"_low and _high of {wanted}, or the first corner with width, height and, in a volume, depth"
        )
        raise FormatError(
            f"{plain(path.name, 200)}: columns {plain(', '.join(names.values()) or 'none', 200)} are not those of {kind} in an image of "
            f"{geometry.ndim} axes: expected {words}."
        )
    return whole[0]


def _one(names: Mapping[str, str], patterns: Sequence[str], axis: str) -> str | None:
    return next((names[p.format(axis)] for p in patterns if p.format(axis) in names), None)


def _used(geometry: Geometry) -> list[bool]:
    """Return along which world axes an image extends."""
    return [bool((np.abs(geometry.direction[k]) > 1e-6).any()) for k in range(3)]


def _point(values: Mapping[str, float], geometry: Geometry) -> FloatArray:
    if "column" in values:
        return np.array([values[a] for a in _SAMPLES[geometry.ndim]])
    return _index(np.array([values.get(a, geometry.origin[k]) for k, a in enumerate(_WORLD)]), geometry)


def _index(world: FloatArray, geometry: Geometry) -> FloatArray:
    """Return the sample of a position; a picture is not asked for what lies before or behind it."""
    index = geometry.to_index(world)
    away = float(np.linalg.norm(geometry.to_world(index) - world))
    if away > max(1.0, *geometry.spacing):
        raise ContentError(f"the position lies {away:.3g} {geometry.unit} off the plane of the image; expected one in it.")
    return index


def _box(values: Mapping[str, float], geometry: Geometry) -> FloatArray:
    if "column_low" in values:
        axes = _SAMPLES[geometry.ndim]
        low = np.array([values[f"{a}_low"] for a in axes])
        if "column_size" in values:  # the first sample and how many: the sides lie half a sample outside
            low = low - 0.5
            high = low + [values[f"{a}_size"] for a in axes]
        else:
            high = np.array([values[f"{a}_high"] for a in axes])
    else:
        low, high = _world_box(values, geometry)
    if not (high > low).all():
        raise ContentError("the box has no extent; expected its high side beyond its low one along every axis.")
    return np.concatenate([low, high])


def _world_box(values: Mapping[str, float], geometry: Geometry) -> tuple[FloatArray, FloatArray]:
    turned = np.sort(np.abs(geometry.direction), axis=0)[:-1].max()
    if turned > 0.02:
        raise ContentError(
            "the image lies obliquely in the world, so that a box in mm is none in its samples; expected row_low, row_high ..."
        )
    corners = []
    for end in ("low", "high"):
        place = np.array(geometry.origin)
        for k, axis in enumerate(_WORLD):
            if f"{axis}_low" not in values:
                continue
            size = values.get(f"{axis}_size", 0.0) if end == "high" else 0.0
            place[k] = values.get(f"{axis}_{end}", values[f"{axis}_low"] + size)
        corners.append(place)
    flat = [k for k, used in enumerate(_used(geometry)) if not used]
    for k in flat:  # the box holds the plane of a picture where it lies between both sides
        low, high = sorted((corners[0][k], corners[1][k]))
        level = float(np.clip(geometry.origin[k], low, high))
        corners[0][k] = corners[1][k] = level
    if (corners[1] < corners[0]).any():
        raise ContentError("the high corner of the box lies below its low one; expected (low, high).")
    ends = np.stack([_index(c, geometry) for c in corners])
    return ends.min(axis=0), ends.max(axis=0)


def _inside(found: Places, path: Path) -> Places:
    """Return the places, boxes cut at the border; refuse what lies outside."""
    limit = np.asarray(found.geometry.shape) - 0.5
    centres, axes = found.centres, found.geometry.ndim
    slack = 1.0 if found.kind == "boxes" else 1e-6
    low = found.samples[:, :axes] if found.kind == "boxes" else centres
    high = found.samples[:, axes:] if found.kind == "boxes" else centres
    out = ((low < -0.5 - slack) | (high > limit + slack)).any(axis=1)
    if out.any():
        k = int(np.flatnonzero(out)[0])
        where = ", ".join(f"{v:.4g}" for v in centres[k])
        size = " x ".join(map(str, found.geometry.shape))
        raise ContentError(
            f"{plain(path.name, 200)}: {int(out.sum())} of {len(found)} {found.kind} lie outside of the image of {size} samples, the first "
            f"('{plain(found.names[k], 60)}') around sample {where}: expected places in it."
        )
    if found.kind == "points":
        return found
    cut = np.clip(found.samples, -0.5, np.concatenate([limit, limit]))
    return Places("boxes", cut, found.names, found.geometry)
