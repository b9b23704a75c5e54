"""Tests of the tests: an operation that keeps its promises passes, and each planted bug is caught by the check named for it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pytest
from pydantic import Field
from scipy import ndimage

from isocenter.core.families import Editor, Extractor, Filter, Measure, Metric, Registrar, Resampler, Segmenter, Surfacer
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.operation import Context, Operation, Spec
from isocenter.core.results import Column, Score
from isocenter.core.transform import Affine
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


class Bright(Segmenter):
    """Label what is brighter than the mean.

    References
    ----------
    None.
    """

    def compute(self, array: Any, context: Context) -> Any:
        found = array > array.mean()
        return found if context.region is None else found & context.region


class LabelsOutsideTable(Bright):
    __doc__ = Bright.__doc__

    def compute(self, array: Any, context: Context) -> Any:
        return super().compute(array, context).astype(np.uint8) * 2


class LabelsNothing(Bright):
    __doc__ = Bright.__doc__

    def compute(self, array: Any, context: Context) -> Any:
        return np.zeros(array.shape, bool)


class LeavesTheRegion(Bright):
    __doc__ = Bright.__doc__

    def compute(self, array: Any, context: Context) -> Any:
        return array > array.mean()


class Overlap(Metric):
    """Dice similarity coefficient.

    Parameters
    ----------
    label
        Label to compare, a name or value.

    References
    ----------
    Dice. Measures of the amount of ecologic association between species. Ecology 26 (1945).
    """

    symmetric: ClassVar[tuple[str, ...]] = ("dice",)
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {"dice": (0.0, 1.0)}
    label: str | int | None = None

    def compute(self, array: Any, context: Context) -> Any:
        truth = context.reference
        assert truth is not None
        total = int(array.sum() + truth.sum())
        return {"dice": Score(self.empty() if total == 0 else 2 * int((array & truth).sum()) / total)}

    def empty(self) -> float:
        return 1.0


class EmptyUndefined(Overlap):
    __doc__ = Overlap.__doc__

    def empty(self) -> float:
        return float("nan")


class MissScoresBetter(Overlap):
    """Distance between centres, nothing for a miss.

    Parameters
    ----------
    label
        Label to compare, a name or value.

    References
    ----------
    None.
    """

    higher_is_better: ClassVar[Mapping[str, bool]] = {"distance": False}
    symmetric: ClassVar[tuple[str, ...]] = ()
    bounds: ClassVar[Mapping[str, Any]] = {"distance": (0.0, None)}

    def compute(self, array: Any, context: Context) -> Any:
        truth = context.reference
        assert truth is not None
        if not array.any() or not truth.any():
            return {"distance": Score(0.0, "mm")}
        gap = (np.argwhere(array).mean(axis=0) - np.argwhere(truth).mean(axis=0)) * context.spacing
        return {"distance": Score(float(np.linalg.norm(gap)), "mm")}


class DistanceInSamples(MissScoresBetter):
    __doc__ = MissScoresBetter.__doc__

    def compute(self, array: Any, context: Context) -> Any:
        truth = context.reference
        assert truth is not None
        gap = np.argwhere(array).mean(axis=0) - np.argwhere(truth).mean(axis=0)
        return {"distance": Score(float(np.linalg.norm(gap)), "mm")}


class PercentClaimedAsFraction(Overlap):
    __doc__ = Overlap.__doc__

    def compute(self, array: Any, context: Context) -> Any:
        return {k: Score(100 * float(v)) for k, v in super().compute(array, context).items()}


class SymmetryClaimed(Overlap):
    __doc__ = Overlap.__doc__

    def compute(self, array: Any, context: Context) -> Any:
        truth = context.reference
        assert truth is not None
        return {"dice": Score(int((array & truth).sum()) / max(1, int(truth.sum())))}


class Repeat(Resampler):
    """Take the nearest sample.

    References
    ----------
    None.
    """

    shift: ClassVar[float] = 0.0

    def target(self, geometry: Geometry, grid: Geometry | None) -> Geometry:
        return grid or geometry

    def compute(self, array: Any, context: Context) -> Any:
        assert context.target is not None
        index = np.stack(np.meshgrid(*[np.arange(n) for n in context.target.shape], indexing="ij"), axis=-1)
        points = context.target.to_world(index)
        points = points if context.transform is None else context.transform(points)
        where = np.rint(context.geometry.to_index(points) + self.shift).astype(int)
        where = np.clip(where, 0, np.asarray(array.shape) - 1)
        return array[tuple(np.moveaxis(where, -1, 0))]


class HalfASampleOff(Repeat):
    __doc__ = Repeat.__doc__
    shift: ClassVar[float] = 0.5


class OtherGrid(Repeat):
    __doc__ = Repeat.__doc__

    def target(self, geometry: Geometry, grid: Geometry | None) -> Geometry:
        wanted = grid or geometry
        return wanted.with_frame(None)


class MixesLabels(Repeat):
    __doc__ = Repeat.__doc__

    def compute(self, array: Any, context: Context) -> Any:
        result = super().compute(array, context)
        return np.where(result == 3, 2, result).astype(array.dtype) if context.labels else result


class Shrink(Editor):
    """Remove the first sample.

    References
    ----------
    None.
    """

    def compute(self, array: Any, context: Context) -> Any:
        result = np.array(array)
        result.reshape(-1)[0] = 0
        return result


class InventsLabels(Shrink):
    __doc__ = Shrink.__doc__

    def compute(self, array: Any, context: Context) -> Any:
        result = np.array(array)
        result.reshape(-1)[0] = 1
        return result


class Volume(Extractor):
    """Volume and mean.

    References
    ----------
    None.
    """

    def columns(self, context: Context) -> tuple[Column, ...]:
        return (Column("volume", "mm^3"), Column("mean", "1"))

    def compute(self, array: Any, context: Context) -> Any:
        region = context.region
        assert region is not None
        mean = {"mean": float(array[region].astype(np.float64).mean())} if region.any() else {}
        return {"volume": float(region.sum()) * context.geometry.voxel_size, **mean}


class VolumeInSamples(Volume):
    __doc__ = Volume.__doc__

    def compute(self, array: Any, context: Context) -> Any:
        return super().compute(array, context) | {"volume": float(context.region.sum())}  # type: ignore[union-attr]  # never None here


class DividesByNothing(Volume):
    __doc__ = Volume.__doc__

    def compute(self, array: Any, context: Context) -> Any:
        assert context.region is not None
        return {"volume": 0.0, "mean": float(array.sum()) / int(context.region.sum())}


class WithoutUnits(Volume):
    __doc__ = Volume.__doc__

    def columns(self, context: Context) -> tuple[Column, ...]:
        return (Column("volume", ""), Column("mean", "1"))


class Noise(Measure):
    """Standard deviation.

    References
    ----------
    None.
    """

    scaling: ClassVar[str] = "linear"

    def compute(self, array: Any, context: Context) -> Any:
        return {"noise": Score(float(array.std(dtype=np.float64)), "a.u.")}


class WrongScaling(Noise):
    __doc__ = Noise.__doc__
    scaling: ClassVar[str] = "invariant"


class Stay(Registrar):
    """Find no motion.

    References
    ----------
    None.
    """

    def align(self, fixed: Image, moving: Image, context: Context) -> Any:
        return Affine(np.eye(4))


class AlwaysMoves(Stay):
    __doc__ = Stay.__doc__

    def align(self, fixed: Image, moving: Image, context: Context) -> Any:
        return Affine.translation((1.0, 0.0, 0.0))


class OpenSurface(Surfacer):
    """One triangle.

    Parameters
    ----------
    label
        Label to mesh, a name or value.

    References
    ----------
    None.
    """

    dims: ClassVar[tuple[str, ...]] = ("zyx",)
    label: str | int | None = None

    def compute(self, array: Any, context: Context) -> Any:
        return np.eye(3), np.array([[0, 1, 2]])


OTHER_BUGS: list[tuple[type[Operation], str]] = [
    (LabelsOutsideTable, "labels_in_the_table"),
    (LabelsNothing, "labels_in_the_table"),
    (LeavesTheRegion, "stays_in_the_region"),
    (EmptyUndefined, "empty_sets_defined"),
    (MissScoresBetter, "miss_never_better_than_hit"),
    (DistanceInSamples, "same_in_a_larger_world"),
    (PercentClaimedAsFraction, "within_bounds"),
    (SymmetryClaimed, "symmetric_where_declared"),
    (HalfASampleOff, "positions_stay"),
    (OtherGrid, "requested_grid_exactly"),
    (MixesLabels, "labels_stay_whole"),
    (InventsLabels, "nothing_from_nothing"),
    (VolumeInSamples, "same_in_a_larger_world"),
    (DividesByNothing, "empty_and_tiny_regions"),
    (WithoutUnits, "columns_have_units"),
    (WrongScaling, "scales_as_declared"),
    (AlwaysMoves, "identity_on_equal_images"),
    (OpenSurface, "closed_where_the_mask_is"),
]


@parametrize_with_checks([Smooth, Bright, Overlap, Repeat, Shrink, Volume, Noise, Stay])
def test_honest_operations_pass(check: Any) -> None:
    check()


@pytest.mark.parametrize("operation, name", [*FILTER_BUGS, *OTHER_BUGS], ids=lambda v: v if isinstance(v, str) else v.__name__)
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
