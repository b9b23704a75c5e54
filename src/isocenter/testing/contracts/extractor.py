"""What an extractor promises: a unit per column, every region answered, and numbers that do not depend on where it lies."""

from __future__ import annotations

from typing import Any

import numpy as np

from isocenter.core.families import Extractor
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack
from isocenter.core.results import Features
from isocenter.testing.contracts.base import check, expect
from isocenter.testing.contracts.inputs import inputs_for
from isocenter.testing.contracts.running import attempt, run, values


def _with_mask(inputs: tuple[Any, ...], mask: np.ndarray[Any, Any]) -> tuple[Any, ...]:
    region = inputs[1]
    table = tuple(s for s in region.segments if s.value == region.segments[0].value)
    return (inputs[0], region.replace(array=mask.astype(np.uint8) * table[0].value, segments=table), *inputs[2:])


@check("Extractor")
def columns_have_units(operation: Extractor) -> None:
    """Every column has a name of its own and a unit (an empty one for text alone), and every segment a row."""
    inputs = inputs_for(operation)
    table = run(operation, inputs)
    expect(isinstance(table, Features) and table.columns, f"{type(table).__name__} without columns came out")
    for k, column in enumerate(table.columns):
        cells = [row[k] for row in table.rows]
        text = all(isinstance(c, str) for c in cells)
        expect(
            column.name == column.name.lower() and " " not in column.name,
            f"column '{column.name}': expected lower case with underscores",
        )
        expect(column.unit or text, f"column '{column.name}' holds numbers but has no unit ('1' for a plain number)")
        expect(text or all(isinstance(c, int | float | np.number) for c in cells), f"column '{column.name}' mixes kinds: {cells}")
    expect(
        table.regions == tuple(s.name for s in inputs[1].segments),
        f"rows {table.regions}: expected one per segment, in the table's order",
    )


@check("Extractor")
def empty_and_tiny_regions(operation: Extractor) -> None:
    """A region of no sample or of one gives a row: NaN or a number, never an infinity, never an error."""
    inputs = inputs_for(operation)
    empty = np.zeros(inputs[1].geometry.shape, bool)
    one = empty.copy()
    one[tuple(n // 2 for n in one.shape)] = True
    for what, mask in (("an empty region", empty), ("a region of one sample", one)):
        table = run(operation, _with_mask(inputs, mask))
        expect(len(table.rows) == 1, f"{what} gives {len(table.rows)} rows")
        infinite = [name for name, v in values(table).items() if v.dtype.kind == "f" and np.isinf(v).any()]
        expect(not infinite, f"{what} gives infinities in {infinite}")


@check("Extractor")
def mask_stack_like_label_map(operation: Extractor) -> None:
    """Masks in a stack are measured as the same masks in a label map are."""
    inputs = inputs_for(operation)
    region = inputs[1]
    stack = MaskStack(np.stack([region.mask(s.value) for s in region.segments]), region.dims, region.geometry, region.segments)
    one, two = run(operation, inputs), run(operation, (inputs[0], stack, *inputs[2:]))
    same = all(np.array_equal(a, values(two)[name], equal_nan=a.dtype.kind == "f") for name, a in values(one).items())
    expect(one.regions == two.regions and same, "a mask stack and a label map of the same masks give different numbers")


@check("Extractor")
def independent_of_place(operation: Extractor) -> None:
    """Moving the patient in the world, or adding image around the region, changes no number (positions move along)."""
    inputs = inputs_for(operation)
    first = run(operation, inputs)
    shift = np.array([40.0, -25.0, 10.0])
    for what, moved in (("the origin moved", _moved(inputs, shift)), ("image added all around", _padded(inputs))):
        second = run(operation, moved)
        for column, before, after in zip(first.columns, values(first).values(), values(second).values(), strict=True):
            if before.dtype.kind not in "fiu" or _is_position(column.name):
                continue
            span = float(np.nanmax(np.abs(before), initial=0.0)) or 1.0
            close = np.allclose(before, after, rtol=1e-5, atol=1e-6 * span, equal_nan=True)
            expect(close, f"'{column.name}' is {before.tolist()}, and {after.tolist()} with {what}")


def _is_position(name: str) -> bool:
    return any(word in name for word in ("position", "centroid", "center", "centre", "moment_location"))


def _moved(inputs: tuple[Any, ...], shift: Any) -> tuple[Any, ...]:
    def move(value: Any) -> Any:
        affine = np.array(value.geometry.affine)
        affine[:3, -1] += shift
        return value.replace(geometry=Geometry(value.geometry.shape, affine, value.geometry.frame, value.geometry.unit))

    return tuple(move(v) if isinstance(v, Image) else v for v in inputs)


def _padded(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    def pad(value: Any) -> Any:
        count = value.geometry.ndim
        width = [(0, 0)] * (len(value.dims) - count) + [(3, 2)] * count
        array = np.asarray(value.array)
        array = np.pad(array, width) if isinstance(value, LabelMap) else np.pad(array, width, mode="edge")
        return value.replace(array=array, geometry=value.geometry.pad((3,) * count, (2,) * count))

    return tuple(pad(v) if isinstance(v, Image) else v for v in inputs)


@check("Extractor")
def other_grids_refused(operation: Extractor) -> None:
    """A region on another grid is refused in one sentence that names both."""
    inputs = inputs_for(operation)
    moved = _moved(inputs, np.array([5.0, 0.0, 0.0]))
    expect(
        attempt(operation, (inputs[0], moved[1], *inputs[2:])) is None,
        "it measured in a region that lies 5 mm off the image's grid",
    )
