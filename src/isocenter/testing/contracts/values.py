"""What every operation promises of its numbers: repeatable, finite, and the same however the work is cut up."""

from __future__ import annotations

from typing import Any

import numpy as np

from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.core.operation import Operation
from isocenter.testing.contracts.base import check, expect
from isocenter.testing.contracts.inputs import dims_of, image, inputs_for, richest
from isocenter.testing.contracts.running import attempt, cast, describe, difference, run, same, values

_ON_GRIDS = (
    "Filter", "ReferenceFilter", "Resampler", "Registrar", "Fuser", "Segmenter", "Editor", "Surfacer", "Extractor", "Measure", "Metric",
    "Detector",
)  # fmt: skip

#: Large enough that work is really divided among threads.
_LARGER = {1: (4000,), 2: (96, 101), 3: (24, 33, 31)}


def _undefined(result: Any) -> int:
    """Return how many numbers of a result are not finite (a feature may be undefined for a region: NaN is its word for it)."""
    if type(result).__name__ == "Features":
        return sum(int(np.isinf(v).sum()) for v in values(result).values() if v.dtype.kind == "f")
    if type(result).__name__ == "Prediction" and result.value is None:
        return int((~np.isfinite(np.asarray(result.probabilities))).sum())
    return sum(int((~np.isfinite(v)).sum()) for v in values(result).values() if v.dtype.kind in "fc")


@check(when=lambda operation: operation.family != "Fittable")
def deterministic(operation: Operation) -> None:
    """The same inputs and seed give bit-equal results."""
    inputs = inputs_for(operation)
    first = run(operation, inputs, seed=5)
    for _ in range(2):
        expect(same(first, run(operation, inputs, seed=5)), "two runs with the same inputs and seed differ")


@check(
    when=lambda operation: operation.family not in ("Fittable", "Predictor", "Reconstructor", "SignalExtractor", "SignalFilter")
)
def same_on_two_threads(operation: Operation) -> None:
    """One and two threads give bit-equal results, or ones within `reproducible_within`."""
    larger = inputs_for(operation, richest(operation), shape=_LARGER[_spatial(operation)])
    for inputs in (inputs_for(operation), larger):
        one = attempt(operation, inputs, threads=1)
        if one is None:
            continue
        for _ in range(3):  # a race does not show every time
            two = run(operation, inputs, threads=2)
            apart = difference(one, two)
            within = operation.reproducible_within
            expect(apart <= within, f"1 and 2 threads differ by {apart:.3g} on {describe(inputs)}: declared are {within:g}")


def _spatial(operation: Operation) -> int:
    return sum(d in "zyx" for d in richest(operation))


@check(when=lambda operation: operation.family not in ("Fittable", "Predictor"))
def finite_from_finite(operation: Operation) -> None:
    """Finite inputs of every sample type, with outliers too, give no NaN and no infinity."""
    base = inputs_for(operation)
    for dtype in ("uint8", "int16", "float32", "float64"):
        inputs = cast(base, dtype)
        result = attempt(operation, inputs)
        if result is not None:
            expect(not _undefined(result), f"{_undefined(result)} numbers are not finite on {describe(inputs)}")
    spiked = tuple(_spiked(v) for v in base)
    result = attempt(operation, spiked)
    if result is not None:
        expect(not _undefined(result), f"{_undefined(result)} numbers are not finite on an image with outliers of a million")


def _spiked(value: Any) -> Any:
    if not isinstance(value, Image) or isinstance(value, LabelMap):
        return value
    array = np.array(value.array, dtype=np.float32)
    array.reshape(-1)[:: max(7, array.size // 5)] = 1e6
    array.reshape(-1)[3 :: max(11, array.size // 4)] = -1e6
    return value.replace(array=array)


@check(when=lambda operation: operation.family in _ON_GRIDS)
def constant_image(operation: Operation) -> None:
    """An image of one value gives a finite result, or a refusal in one sentence."""
    for dtype in ("float32", "int16"):
        inputs = inputs_for(operation, richest(operation), dtype=dtype, constant=True)
        result = attempt(operation, inputs)
        if result is not None:
            expect(not _undefined(result), f"{_undefined(result)} numbers are not finite on a constant {dtype} image")


@check(when=lambda operation: operation.family in _ON_GRIDS)
def one_voxel(operation: Operation) -> None:
    """An image of a single sample, or a single slice, gives a finite result, or a refusal in one sentence."""
    count = _spatial(operation)
    shapes = [(1,) * count]
    shapes += [tuple(1 if k == axis else n for k, n in enumerate((6, 7, 8)[:count])) for axis in range(count) if count > 1]
    for shape in shapes:
        inputs = inputs_for(operation, richest(operation), shape=shape)
        result = attempt(operation, inputs)
        if result is not None:
            expect(not _undefined(result), f"{_undefined(result)} numbers are not finite on an image of {shape}")


@check(when=lambda operation: operation.family in _ON_GRIDS)
def declared_dims_run(operation: Operation) -> None:
    """Every declared combination of axes runs (one with inputs of its own may refuse others in one sentence)."""
    particular = hasattr(operation, "example_inputs")
    for dims in dims_of(operation):
        inputs = inputs_for(operation, dims)
        if particular:
            attempt(operation, inputs)
        else:
            run(operation, inputs)


@check(when=lambda operation: operation.family in _ON_GRIDS)
def undeclared_dims_refused(operation: Operation) -> None:
    """Axes that are not declared are refused in one sentence."""
    for dims in (("x",), ("y", "x"), ("z", "y", "x")):
        if operation.core_dims(dims) is not None:
            continue
        inputs = inputs_for(operation, dims)
        expect(attempt(operation, inputs) is None, f"it took an image with axes {' '.join(dims)}, which it does not declare")


@check("Filter", "Resampler", "Segmenter", "Editor")
def looped_axes_are_independent(operation: Operation) -> None:
    """Each time point and channel of a larger image gives what it gives alone."""
    for core in dims_of(operation):
        for extra in (("t",), ("c",), ("t", "c")):
            if set(extra) & set(core) or (operation.family == "Segmenter" and "c" in extra):
                continue
            _independent(operation, core, extra)


def _independent(operation: Operation, core: tuple[str, ...], extra: tuple[str, ...]) -> None:
    whole = inputs_for(operation, (*extra, *core))
    seen = operation.core_dims(whole[0].dims)
    if seen is None or set(extra) & set(seen):
        return  # it sees this axis itself under another declared combination
    result = attempt(operation, whole)
    if result is None:
        expect(hasattr(operation, "example_inputs"), f"it refuses {describe(whole)}, though axes {' '.join(core)} are declared")
        return
    sizes = {d: whole[0].shape[whole[0].dims.index(d)] for d in extra}
    for index in np.ndindex(*sizes.values()):
        where: dict[str, Any] = dict(zip(extra, index, strict=True))
        alone = run(operation, (whole[0].at(**where), *_at(whole[1:], where)))
        part = result.at(**where)
        expect(
            np.array_equal(np.asarray(part.array), np.asarray(alone.array), equal_nan=True) and part.dtype == alone.dtype,
            f"sample {where} of {describe(whole)} differs from the result of that sample alone",
        )


def _at(others: tuple[Any, ...], where: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(v.at(**{k: i for k, i in where.items() if k in v.dims}) if isinstance(v, Image) else v for v in others)


@check(when=lambda operation: operation.family in _ON_GRIDS and operation.quantities is not None)
def refuses_other_quantities(operation: Operation) -> None:
    """An image of another quantity than those declared is refused in one sentence."""
    inputs = inputs_for(operation, richest(operation))
    for quantity in ("a.u.", None):
        if quantity in (operation.quantities or ()):
            continue
        other = (inputs[0].replace(quantity=quantity), *inputs[1:])
        expect(attempt(operation, other) is None, f"it took an image of quantity {quantity}: declared are {operation.quantities}")


def larger_image(operation: Operation, spacing: tuple[float, ...] | None = None) -> Image:
    """Return an image whose sides are longer than the halos of the default parameters of most filters."""
    shapes = {1: (61,), 2: (31, 34), 3: (16, 19, 21)}
    return image(operation, richest(operation), shape=shapes[_spatial(operation)], spacing=spacing)
