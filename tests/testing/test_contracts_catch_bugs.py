"""Tests of the tests: an operation that keeps its promises passes, and each planted bug is caught by the check named for it."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

import numpy as np
import pytest
from pydantic import Field
from scipy import ndimage

from isocenter.core.families import Filter
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.operation import Context, Operation, Spec
from isocenter.testing.contracts import ContractViolation, checks_for, parametrize_with_checks


class Smooth(Filter):
    """Smooth by a Gaussian.

    Parameters
    ----------
    sigma
        Standard deviation in mm.

    References
    ----------
    Any book on signals.
    """

    needs_mm: ClassVar[bool] = True
    sigma: float = Field(1.0, gt=0)

    def widths(self, geometry: Geometry) -> list[float]:
        return [self.sigma / s for s in geometry.spacing]

    def halo(self, geometry: Geometry) -> tuple[int, ...] | None:
        return tuple(int(4 * w + 0.5) for w in self.widths(geometry))

    def compute(self, array: Any, context: Context) -> Any:
        return ndimage.gaussian_filter(array, self.widths(context.geometry), mode="nearest", truncate=4.0)


class IgnoresSpacing(Smooth):
    """Takes sigma for samples."""

    __doc__ = Smooth.__doc__

    def widths(self, geometry: Geometry) -> list[float]:
        return [self.sigma] * geometry.ndim


class ReversedSpacing(Smooth):
    __doc__ = Smooth.__doc__

    def widths(self, geometry: Geometry) -> list[float]:
        return [self.sigma / s for s in geometry.spacing[::-1]]


class MeanSpacing(Smooth):
    __doc__ = Smooth.__doc__

    def widths(self, geometry: Geometry) -> list[float]:
        return [self.sigma / float(np.mean(geometry.spacing))] * geometry.ndim


class TakesPixelsForMm(Smooth):
    __doc__ = Smooth.__doc__
    needs_mm: ClassVar[bool] = False


class WrongHalo(Smooth):
    __doc__ = Smooth.__doc__

    def halo(self, geometry: Geometry) -> tuple[int, ...] | None:
        return tuple(int(2 * w) for w in self.widths(geometry))


class HaloOfOtherSpacing(Smooth):
    __doc__ = Smooth.__doc__

    def halo(self, geometry: Geometry) -> tuple[int, ...] | None:
        return (4,) * geometry.ndim


class MutatesInput(Smooth):
    __doc__ = Smooth.__doc__

    def compute(self, array: Any, context: Context) -> Any:
        array -= array.mean()
        return super().compute(array, context)


class MutatesInputByTheBackDoor(Smooth):
    __doc__ = Smooth.__doc__

    def compute(self, array: Any, context: Context) -> Any:
        result = super().compute(array, context)
        if array.base is not None and isinstance(array.base, np.ndarray):
            array.base[...] = 0
        return result


class DiffersOnTwoThreads(Smooth):
    __doc__ = Smooth.__doc__

    def compute(self, array: Any, context: Context) -> Any:
        return super().compute(array, context) + np.float32(1e-3 * (context.threads - 1))


class GivesNan(Smooth):
    __doc__ = Smooth.__doc__

    def compute(self, array: Any, context: Context) -> Any:
        result = super().compute(array, context)
        with np.errstate(all="ignore"):
            return (result - result.min()) / (result.max() - result.min())

    def halo(self, geometry: Geometry) -> tuple[int, ...] | None:
        return None


_CALLS = iter(range(10**9))


class NotRepeatable(Smooth):
    __doc__ = Smooth.__doc__

    def compute(self, array: Any, context: Context) -> Any:
        return super().compute(array, context) + np.float32(next(_CALLS))


class WrongDtypePromised(Smooth):
    __doc__ = Smooth.__doc__

    def resolve(self, *specs: Spec) -> Spec:
        return specs[0]


class WrongQuantityPromised(Smooth):
    __doc__ = Smooth.__doc__

    def resolve(self, *specs: Spec) -> Spec:
        return super().resolve(*specs).replace(quantity="HU")


class LooksAtNeighbouringTimes(Smooth):
    __doc__ = Smooth.__doc__

    def __call__(self, image: Image, /, *, seed: int = 0, threads: int | None = None) -> Image:
        result = super().__call__(image, seed=seed, threads=threads)
        if "t" in image.dims:
            return result.replace(array=np.asarray(result.array) + np.asarray(result.array).mean(axis=0))
        return result


class FailsOnOneVoxel(Smooth):
    __doc__ = Smooth.__doc__

    def compute(self, array: Any, context: Context) -> Any:
        return super().compute(array, context) + 0 * array[1].mean()


class MovesTheGrid(Smooth):
    __doc__ = Smooth.__doc__

    def __call__(self, image: Image, /, *, seed: int = 0, threads: int | None = None) -> Image:
        result = super().__call__(image, seed=seed, threads=threads)
        return result.replace(geometry=image.geometry.crop((1,) * image.geometry.ndim, image.geometry.shape))


class ForgetsLineage(Smooth):
    __doc__ = Smooth.__doc__

    def __call__(self, image: Image, /, *, seed: int = 0, threads: int | None = None) -> Image:
        result = super().__call__(image, seed=seed, threads=threads)
        return result.replace(provenance=image.provenance)


class LineageOfOtherInput(Smooth):
    __doc__ = Smooth.__doc__

    def __call__(self, image: Image, /, *, seed: int = 0, threads: int | None = None) -> Image:
        result = super().__call__(image, seed=seed, threads=threads)
        return result.replace(provenance=image.provenance.then(self.record(("sha256:0",), seed)))


class ReadsMemoryNotStrides(Smooth):
    __doc__ = Smooth.__doc__

    def compute(self, array: Any, context: Context) -> Any:
        return super().compute(np.ravel(array, order="K").reshape(array.shape), context)


class TracebackInsteadOfSentence(Smooth):
    __doc__ = Smooth.__doc__

    def __call__(self, image: Image, /, *, seed: int = 0, threads: int | None = None) -> Image:
        if not isinstance(image, Image):
            raise KeyError("image")
        return super().__call__(image, seed=seed, threads=threads)


class HoldsALock(Smooth):
    __doc__ = Smooth.__doc__

    def __getstate__(self) -> Any:
        return {"lock": threading.Lock()}


class Undocumented(Smooth):
    """Smooth"""


class WithoutUnit(Smooth):
    """Smooth by a Gaussian.

    Parameters
    ----------
    sigma
        How much to smooth.

    References
    ----------
    Any book on signals.
    """


class UsesSpacingUndeclared(Filter):
    """Divide by the spacing.

    References
    ----------
    None.
    """

    def compute(self, array: Any, context: Context) -> Any:
        return array / np.float32(context.spacing[0])


FILTER_BUGS = [
    (IgnoresSpacing, "mm_parameters_see_the_spacing"),
    (IgnoresSpacing, "same_in_a_larger_world"),
    (IgnoresSpacing, "one_object_on_two_samplings"),
    (ReversedSpacing, "axes_may_be_stored_in_any_order"),
    (MeanSpacing, "one_object_on_two_samplings"),
    (TakesPixelsForMm, "mm_needs_calibration"),
    (UsesSpacingUndeclared, "samples_ignore_the_spacing"),
    (WrongHalo, "tiled_equals_whole"),
    (WrongHalo, "nothing_beyond_the_halo"),
    (HaloOfOtherSpacing, "tiled_equals_whole"),
    (MutatesInput, "input_untouched"),
    (MutatesInputByTheBackDoor, "input_untouched"),
    (DiffersOnTwoThreads, "same_on_two_threads"),
    (GivesNan, "constant_image"),
    (NotRepeatable, "deterministic"),
    (WrongDtypePromised, "resolve_is_true"),
    (WrongQuantityPromised, "resolve_is_true"),
    (LooksAtNeighbouringTimes, "looped_axes_are_independent"),
    (FailsOnOneVoxel, "one_voxel"),
    (MovesTheGrid, "grid_and_meaning_kept"),
    (ForgetsLineage, "lineage_recorded"),
    (LineageOfOtherInput, "lineage_recorded"),
    (ReadsMemoryNotStrides, "layout_does_not_matter"),
    (TracebackInsteadOfSentence, "refuses_wrong_kinds"),
    (Undocumented, "documented_whole"),
    (WithoutUnit, "documented_whole"),
]


@parametrize_with_checks([Smooth])
def test_an_honest_filter_passes(check: Any) -> None:
    check()


@pytest.mark.parametrize("operation, name", FILTER_BUGS, ids=lambda v: v if isinstance(v, str) else v.__name__)
def test_planted_bug_is_caught_by_its_check(operation: type[Operation], name: str) -> None:
    checks = {c.name: c for c in checks_for(operation)}
    assert name in checks, f"{name} does not apply to {operation.family}"
    with pytest.raises(ContractViolation, match=operation.__name__):
        checks[name]()


def test_an_operation_that_needs_parameters_must_give_examples() -> None:
    class Needy(Smooth):
        __doc__ = Smooth.__doc__
        other: float

    (check,) = checks_for(Needy)
    assert check.name == "has_examples"
    with pytest.raises(ContractViolation, match="needs the parameter 'other'"):
        check()


def test_checks_of_one_instance_have_readable_names() -> None:
    ids = [c.id for c in checks_for(Smooth(sigma=2.0))]
    assert "Smooth-input_untouched" in ids
    assert len(ids) == len(set(ids))
    assert all(c.summary.endswith(".") for c in checks_for(Smooth))
