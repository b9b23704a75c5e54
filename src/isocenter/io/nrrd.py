"""NRRD (``.nrrd``, ``.nhdr``, ``.seg.nrrd``): read and written, attached or with a data file beside the header.

References
----------
G. Kindlmann, "Definition of NRRD File Format", teem.sourceforge.net/nrrd/format.html; 3D Slicer documentation,
"Segmentation NRRD file format" (keys ``Segment0_Name`` ...).
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import FormatError, GeometryError, ParameterError, UnsupportedError
from isocenter.core.geometry import Geometry
from isocenter.core.image import SPATIAL
from isocenter.core.labels import Segment
from isocenter.io import facts as facts_of
from isocenter.io.beside import data_beside
from isocenter.io.budget import Budget
from isocenter.io.inventory import Item, Problem
from isocenter.io.nrrd_header import LONGEST, Header, parse
from isocenter.io.nrrd_write import write
from isocenter.io.samples import Block
from isocenter.io.text import one_line
from isocenter.io.volume import Volume

__all__ = ["NAME", "SUFFIXES", "inspect", "sniff", "write"]

NAME = "nrrd"
SUFFIXES: tuple[str, ...] = (".nrrd", ".nhdr")
#: Space name -> the signs that turn its axes into L, P and S.
SPACES = {
    "left-posterior-superior": (1, 1, 1), "lps": (1, 1, 1), "right-anterior-superior": (-1, -1, 1), "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1), "las": (1, -1, 1),
}  # fmt: skip
UNITS = {
    "mm": 1.0,
    "millimeter": 1.0,
    "millimeters": 1.0,
    "cm": 10.0,
    "m": 1000.0,
    "um": 0.001,
    "micron": 0.001,
    "microns": 0.001,
}
TIMES = {"time"}
OTHERS = {"list", "vector", "point", "covariant-vector", "normal", "scalar", "stub", "rgb-color", "hsv-color", "xyz-color",
          "rgba-color", "2-color", "3-color", "4-color", "2-vector", "3-vector", "3-gradient", "3-normal", "4-vector"}  # fmt: skip


def sniff(head: bytes, path: Path) -> bool:
    """Return whether a file's first bytes are those of an NRRD header."""
    return head.startswith(b"NRRD")


def inspect(path: Path, budget: Budget) -> list[Item]:
    """Return what an NRRD file holds.

    Parameters
    ----------
    path
        The file that begins with the header.
    budget
        Limits; samples are read through once up to ``budget.verify_bytes``.

    Raises
    ------
    FormatError, UnsupportedError, GeometryError, BudgetError
        If it cannot be used, with the reason.
    """
    with path.open("rb") as handle:
        header = parse(handle.read(LONGEST), path.name)
    budget.check_shape(header.sizes, header.dtype.itemsize, path)
    axes = _axes(header, path.name)
    content = facts_of.decode(header.keys.get("isocenter", ""))
    axes = _renamed(axes, content.get("dims"))
    geometry, problems = _grid(header, axes, path.name, content.get("unit"))
    data = data_beside(path, header.data_file) if header.data_file else path
    start = 0 if header.data_file else header.end
    skip = header.byte_skip
    block = Block(data, header.coding, start, max(0, skip), header.sizes[::-1], header.dtype, path.name)  # type: ignore[arg-type]  # the parser lets three codings through
    if skip == -1:  # the samples are the last bytes of the file
        if header.coding != "raw":
            raise FormatError(f"{path.name}: byte skip -1 with compressed data: expected it for raw data only.")
        block = Block(data, "raw", max(start, data.stat().st_size - block.nbytes), 0, block.shape, block.dtype, path.name)
    elif skip < 0:
        raise FormatError(f"{path.name}: byte skip {skip}: expected -1 or more.")
    # Our own key holds more of the table (codes) than 3D Slicer's do.
    table, layers = (None, ()) if facts_of.segments(content) else _segments(header, axes)
    paths = (path,) if data == path else (path, data)
    volume = Volume(NAME, block, axes[::-1], geometry, tuple(problems), paths, content, table, layers)
    return [volume.item(budget)]


# -- axes -------------------------------------------------------------------------------------------------


def _axes(header: Header, name: str) -> tuple[str, ...]:
    """Return the name of each axis, fastest first: at most three are spatial, one is time, one holds channels."""
    spatial = [header.directions[k] is not None if header.directions is not None else _spatial(kind, k, header)
               for k, kind in enumerate(header.kinds)]  # fmt: skip
    names, left = [], list("xyz")
    for k, inside in enumerate(spatial):
        kind = header.kinds[k].lower()
        if "complex" in kind or "matrix" in kind or "quaternion" in kind:
            raise UnsupportedError(f"{name}: an axis of kind '{kind}' is not read: expected scalars, vectors or colours.")
        if inside and left:
            names.append(left.pop(0))
        else:
            names.append("t" if kind in TIMES or (kind not in OTHERS and k == len(spatial) - 1) else "c")
    if len(set(names)) < len(names) or not 1 <= sum(n in SPATIAL for n in names) <= 3:
        raise UnsupportedError(
            f"{name}: {len(names)} axes of kinds {list(header.kinds)}: expected one to three spatial ones, "
            "one of time and one of channels at most."
        )
    return tuple(names)


def _spatial(kind: str, k: int, header: Header) -> bool:
    kind = kind.lower()
    if kind in ("domain", "space"):
        return True
    return (not kind and k < 3) or (not kind and math.isfinite(header.spacings[k]) and k < 3)


def _renamed(axes: tuple[str, ...], dims: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the axes under the names that our own header key states, where they fit."""
    if dims is None or len(dims) != len(axes):
        return axes
    order = (
        [d for d in ("c", "x", "y", "z", "t") if d in dims]
        if axes[0] == "c"
        else [d for d in ("x", "y", "z", "t", "c") if d in dims]
    )
    return tuple(order) if [d in SPATIAL for d in order] == [a in SPATIAL for a in axes] else axes


# -- where the samples lie --------------------------------------------------------------------------------


def _grid(header: Header, axes: tuple[str, ...], name: str, unit: str | None) -> tuple[Geometry, list[Problem]]:
    places = [k for k in reversed(range(len(axes))) if axes[k] in SPATIAL]  # array order: slowest first
    shape = tuple(header.sizes[k] for k in places)
    if header.directions is None:
        return _without_directions(header, places, shape, unit)
    vectors = [v for v in (header.directions[k] for k in places) if v is not None]
    world = len(vectors[0]) if vectors else 0
    if world not in (2, 3) or any(len(v) != world for v in vectors) or len(vectors) != len(shape):
        raise FormatError(f"{name}: space directions of {[len(v) for v in vectors]} components: expected two or three each.")
    origin = header.origin if header.origin is not None else np.zeros(world)
    if len(origin) != world:
        raise FormatError(f"{name}: space origin of {len(origin)} components: expected {world}.")
    affine = np.zeros((4, len(shape) + 1))
    affine[:world, :-1] = np.column_stack(vectors)
    affine[:world, -1] = origin
    problems = []
    signs = SPACES.get(re.sub("-time$", "", header.space))
    if signs is None:
        problems.append(
            Problem(
                f"The space is '{one_line(header.space, 40) or 'not stated'}', which does not say where left is.",
                "Its axes are taken for Left, Posterior and Superior.",
            )
        )
    else:
        affine[:3] *= np.array(signs)[:, None]
    scales = {UNITS.get(u.lower()) for u in header.units} or {1.0}
    if len(scales) > 1 or None in scales:
        problems.append(
            Problem(f"The space units are {list(header.units)}; millimetres are taken.", "Sizes are wrong if that is not so.")
        )
    elif scales != {1.0}:
        affine[:3] *= scales.pop() or 1.0
        problems.append(Problem(f"Lengths are in {header.units[0]}; they were converted to millimetres."))
    affine[3, -1] = 1.0
    geometry = _geometry(shape, affine, name)
    if not geometry.is_orthogonal:
        problems.append(Problem(f"The axes are {geometry.shear:.3g} degrees off a right angle; the sheared grid is kept."))
    return geometry, problems


def _geometry(shape: tuple[int, ...], affine: npt.NDArray[np.float64], name: str) -> Geometry:
    try:
        return Geometry(shape, affine)
    except GeometryError as error:
        raise GeometryError(f"{name}: {error}") from error


def _without_directions(
    header: Header, places: list[int], shape: tuple[int, ...], unit: str | None
) -> tuple[Geometry, list[Problem]]:
    steps = [header.spacings[k] for k in places]
    if unit == "px":
        return Geometry.pixels(shape), []
    if not all(math.isfinite(s) and s > 0 for s in steps):
        if any(not math.isnan(s) for s in steps):
            raise GeometryError(f"spacings {steps}: expected positive values; correct the header.")
        return Geometry.pixels(shape), [Problem("The file states no spacing.", "Nothing can be measured in mm.")]
    text = "Orientation unknown: the file states spacings but no directions."
    return Geometry.regular(shape, steps), [Problem(text, "Left and right, and the position in the patient, are not known.")]


# -- segmentations ----------------------------------------------------------------------------------------


def _segments(header: Header, axes: tuple[str, ...]) -> tuple[tuple[Segment, ...] | None, tuple[tuple[int, int], ...]]:
    """Return the segments that 3D Slicer's keys describe, and the layer and value of each."""
    rows, layers = [], []
    for k in range(10_000):
        if f"Segment{k}_ID" not in header.keys and f"Segment{k}_Name" not in header.keys:
            break
        name = one_line(header.keys.get(f"Segment{k}_Name") or header.keys[f"Segment{k}_ID"], 128)
        value, layer = header.keys.get(f"Segment{k}_LabelValue", "1"), header.keys.get(f"Segment{k}_Layer", "0")
        if not re.fullmatch(r"\d{1,9}", value) or not re.fullmatch(r"\d{1,6}", layer) or not int(value):
            return None, ()
        layers.append((int(layer), int(value)))
        rows.append((name, _color(header.keys.get(f"Segment{k}_Color", ""))))
    if not rows:
        return None, ()
    depth = header.sizes[axes.index("c")] if "c" in axes else 1
    if any(layer >= depth for layer, _ in layers):
        return None, ()
    values = [v for _, v in layers] if "c" not in axes else list(range(1, len(rows) + 1))
    try:
        table = tuple(Segment(v, n, color=c) for v, (n, c) in zip(values, rows, strict=True))
    except ParameterError:
        return None, ()
    return (table, tuple(layers) if "c" in axes else ()) if len(set(values)) == len(values) else (None, ())


def _color(text: str) -> tuple[int, int, int] | None:
    try:
        r, g, b = (round(255 * min(1.0, max(0.0, float(v)))) for v in text.split())
    except (ValueError, OverflowError):
        return None
    return r, g, b
