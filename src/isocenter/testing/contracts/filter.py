"""What a filter promises: the grid and axes stay, the sample type follows the policy, and tiles equal the whole."""

from __future__ import annotations

from typing import Any

import numpy as np

from isocenter.core.dtype import working_dtype
from isocenter.core.families import Filter
from isocenter.core.image import Image
from isocenter.core.tiles import run_tiled
from isocenter.testing.contracts.base import ContractViolation, check, expect
from isocenter.testing.contracts.inputs import dtypes_for, image, inputs_for, richest
from isocenter.testing.contracts.running import cast, describe, run
from isocenter.testing.contracts.values import larger_image

#: Grids on which halos are tried: the same mm are other samples on each.
_SPACINGS: dict[int, tuple[tuple[float, ...], ...]] = {
    1: ((1.5,), (0.5,)),
    2: ((1.25, 0.75), (0.6, 2.4)),
    3: ((2.5, 1.25, 0.75), (0.9, 1.1, 3.0)),
}


def _tileable(operation: Filter) -> bool:
    return operation.halo(larger_image(operation).geometry) is not None


@check("Filter")
def grid_and_meaning_kept(operation: Filter) -> None:
    """Dims, grid, modality, channels and times stay; the quantity stays or is the declared one."""
    dims = richest(operation)
    extras = [d for d in ("t", "c") if d not in dims and operation.core_dims((d, *dims)) is not None]
    cases = [inputs_for(operation)] + [inputs_for(operation, (d, *dims)) for d in extras]
    for before, *_ in cases:
        after = run(operation, (before,))
        expect(type(after) is Image, f"{type(after).__name__} came out: expected an Image")
        for name in ("dims", "shape", "geometry", "modality", "channels", "times"):
            expect(
                getattr(after, name) == getattr(before, name),
                f"{name} changed from {getattr(before, name)} to {getattr(after, name)}",
            )
        wanted = operation.gives_quantity or before.quantity
        expect(after.quantity == wanted, f"the quantity is {after.quantity}: expected {wanted}")


@check("Filter", "ReferenceFilter")
def dtype_policy(operation: Filter) -> None:
    """Rank filters keep the sample type; all others give float32, or float64 for float64."""
    inputs = inputs_for(operation)
    for dtype in dtypes_for(operation):
        after = run(operation, cast(inputs, dtype))
        wanted = np.dtype(dtype) if getattr(operation, "keeps_dtype", False) else working_dtype(dtype)
        expect(after.dtype == wanted, f"{dtype} samples came out as {after.dtype}: expected {wanted}")


@check("Filter")
def layout_does_not_matter(operation: Filter) -> None:
    """Strided, reversed and big-endian arrays give what contiguous ones give."""
    (plain,) = inputs_for(operation)
    expected = np.asarray(run(operation, (plain,)).array)
    array = np.asarray(plain.array)
    padded = np.zeros(tuple(2 * n for n in array.shape), array.dtype)
    strided = padded[tuple(slice(None, None, 2) for _ in array.shape)]
    strided[...] = array
    for what, other in (
        ("strided", strided),
        ("column-first", np.asfortranarray(array)),
        ("reversed", array[..., ::-1].copy()[..., ::-1]),
        ("big-endian", array.astype(array.dtype.newbyteorder(">"))),
    ):
        seen = np.asarray(run(operation, (plain.replace(array=other),)).array)
        expect(np.array_equal(seen, expected, equal_nan=True), f"a {what} array gives other values than a contiguous one")


@check("Filter", when=_tileable)
def tiled_equals_whole(operation: Filter) -> None:
    """Run tile by tile with the declared halo, the result is that of the whole image."""
    dims = richest(operation)
    for spacing in _SPACINGS[sum(d in "zyx" for d in dims)]:
        whole_image = larger_image(operation, spacing)
        whole = run(operation, (whole_image,))
        shape = whole_image.geometry.shape
        for tile in (
            tuple(max(1, n // 2) for n in shape),
            tuple(max(1, n // 3 - k) for k, n in enumerate(shape)),
            (*shape[:-1], 5),
        ):
            tiled = _tiles(operation, whole_image, tile)
            apart = np.abs(np.asarray(tiled.array, dtype=np.float64) - np.asarray(whole.array, dtype=np.float64))
            worst = float(apart.max(initial=0.0))
            expect(
                worst <= operation.reproducible_within and tiled.dtype == whole.dtype and tiled.quantity == whole.quantity,
                f"in tiles of {tile} with its halo {operation.halo(whole_image.geometry)} samples on voxels of {spacing} mm, "
                f"{int((apart > 0).sum())} samples differ from the whole image, by up to {worst:.3g}",
            )


def _tiles(operation: Filter, whole: Image, tile: tuple[int, ...]) -> Image:
    try:
        return run_tiled(operation, whole, tile, threads=1)
    except Exception as problem:  # the border of somebody else's code: whatever it raises is reported
        raise ContractViolation(f"{type(problem).__name__} in tiles of {tile}: {problem}") from problem


@check("Filter", when=_tileable)
def nothing_beyond_the_halo(operation: Filter) -> None:
    """Changing one sample changes nothing farther away than the declared halo."""
    dims = richest(operation)
    for spacing in _SPACINGS[sum(d in "zyx" for d in dims)]:
        before = larger_image(operation, spacing)
        halo = operation.halo(before.geometry)
        assert halo is not None  # _tileable
        expect(
            len(halo) == before.geometry.ndim and all(isinstance(h, int) and h >= 0 for h in halo),
            f"the halo is {halo}: expected samples per axis",
        )
        first = np.asarray(run(operation, (before,)).array)
        shape = before.geometry.shape
        for place in (tuple(n // 2 for n in shape), (0,) * len(shape)):
            _only_near(operation, before, first, place, halo)


def _only_near(operation: Filter, before: Image, first: Any, place: tuple[int, ...], halo: tuple[int, ...]) -> None:
    spatial = before.spatial_axes
    array = np.array(before.array)
    where: list[Any] = [slice(None)] * array.ndim
    for axis, k in zip(spatial, place, strict=True):
        where[axis] = k
    low, high = float(array.min()), float(array.max())
    # To the far side of the range from where it is now, so that rank filters notice it as well.
    array[tuple(where)] = np.where(array[tuple(where)] > (low + high) / 2, low - (high - low), high + (high - low))
    second = np.asarray(run(operation, (before.replace(array=array),)).array)
    near = np.zeros(array.shape, dtype=bool)
    for axis, k, h in zip(spatial, place, halo, strict=True):
        where[axis] = slice(max(0, k - h), k + h + 1)
    near[tuple(where)] = True
    changed = np.argwhere((first != second) & ~near)
    expect(
        not len(changed),
        f"changing sample {place} changed {len(changed)} samples beyond the halo {halo}, {changed[0].tolist() if len(changed) else ''} for one",
    )


@check("Filter")
def whole_numbers_are_enough(operation: Filter) -> None:
    """Integer samples give what the same values give as floats, to within rounding."""
    dims = richest(operation)
    as_integers = image(operation, dims, dtype="int16")
    one = np.asarray(run(operation, (as_integers,)).array, dtype=np.float64)
    two = np.asarray(run(operation, cast((as_integers,), "float64")).array, dtype=np.float64)
    span = float(np.ptp(two)) or 1.0
    apart = float(np.abs(one - two).max())
    expect(
        apart <= max(1e-4 * span, 0.5 if getattr(operation, "keeps_dtype", False) else 0.0),
        f"{describe((as_integers,))} gives values {apart:.3g} off those of float64",
    )
