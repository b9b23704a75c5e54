"""Tests of the tests of the other families: honest operations pass, and each planted bug is caught by the check named for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
import pytest
from pydantic import Field

from isocenter.core.families import (
    Detector,
    Editor,
    Fittable,
    Fuser,
    Predictor,
    Reconstructor,
    ReferenceFilter,
    Registrar,
    Resampler,
    Segmenter,
    SignalFilter,
    Surfacer,
)
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.operation import Context, Operation
from isocenter.core.points import Points
from isocenter.core.raw import Raw
from isocenter.core.results import Column, Features, Prediction
from isocenter.core.transform import Affine
from isocenter.kernels.mesh import mask_surface
from isocenter.testing.contracts import ContractViolation, checks_for, parametrize_with_checks


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


class Mesh(OpenSurface):
    __doc__ = OpenSurface.__doc__

    def compute(self, array: Any, context: Context) -> Any:
        return mask_surface(array)


class InsideOut(Mesh):
    __doc__ = OpenSurface.__doc__

    def compute(self, array: Any, context: Context) -> Any:
        vertices, faces = mask_surface(array)
        return vertices, faces[:, ::-1]


class CornerForCentre(Mesh):
    __doc__ = OpenSurface.__doc__

    def compute(self, array: Any, context: Context) -> Any:
        vertices, faces = mask_surface(array)
        return vertices + 0.5, faces


class Match(ReferenceFilter):
    """Give an image the mean of another.

    References
    ----------
    None.
    """

    def compute(self, array: Any, context: Context) -> Any:
        assert context.reference is not None
        return array + (context.reference.mean() - array.mean())


class ChangesOnItself(Match):
    __doc__ = Match.__doc__

    def compute(self, array: Any, context: Context) -> Any:
        return super().compute(array, context) * np.float32(1.01)


class Mean(Fuser):
    """Average images.

    References
    ----------
    None.
    """

    def compute(self, array: Any, context: Context) -> Any:
        return array.mean(axis=0, dtype=array.dtype)


class FusesAnything(Mean):
    __doc__ = Mean.__doc__

    def __call__(self, *images: Image, seed: int = 0, threads: int | None = None) -> Image:
        return super().__call__(images[0], *[i.replace(geometry=images[0].geometry) for i in images[1:] or images])


class Fourier(Reconstructor):
    """Transform Cartesian k-space.

    References
    ----------
    None.
    """

    def reconstruct(self, raw: Raw, context: Context) -> Image:
        image = np.abs(np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(raw.array)))).astype(np.float32)
        return Image(image, ("y", "x"), raw.geometry or Geometry.pixels(image.shape))

    def phantom_and_raw(self) -> tuple[Image, Raw]:
        truth = np.zeros((16, 18), np.float32)
        truth[4:9, 5:11] = 1.0
        spectrum = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(truth)))
        grid = Geometry.regular(truth.shape, 1.0)
        raw = Raw(spectrum, "kspace", ("line", "readout"), {"trajectory": "cartesian"}, grid)
        return Image(truth, ("y", "x"), grid), raw


class ForgetsToShift(Fourier):
    __doc__ = Fourier.__doc__

    def reconstruct(self, raw: Raw, context: Context) -> Image:
        image = np.abs(np.fft.ifft2(raw.array)).astype(np.float32)
        return Image(image, ("y", "x"), raw.geometry or Geometry.pixels(image.shape))


class LeavesComplex(Fourier):
    __doc__ = Fourier.__doc__

    def reconstruct(self, raw: Raw, context: Context) -> Image:
        image = np.fft.ifft2(raw.array).astype(np.complex64)
        return Image(image, ("y", "x"), raw.geometry or Geometry.pixels(image.shape))


class Half(Predictor):
    """Say that both are equally likely.

    References
    ----------
    None.
    """

    def example_inputs(self) -> tuple[tuple[Features, ...], ...]:
        return ((Features((Column("volume", "mm^3"),), ((5.0,),), ("lesion",)),),)

    def predict(self, value: Any, seed: int, notes: list[str]) -> Prediction:
        return Prediction(("benign", "malignant"), (0.5, 0.5))


class NegativeProbability(Half):
    __doc__ = Half.__doc__

    def predict(self, value: Any, seed: int, notes: list[str]) -> Prediction:
        return Prediction(("benign", "malignant"), (1.5, -0.5))


class NoNumber(Half):
    __doc__ = Half.__doc__

    def predict(self, value: Any, seed: int, notes: list[str]) -> Prediction:
        return Prediction(value=float("nan"), unit="year")


class Brightest(Detector):
    """Find the brightest sample.

    References
    ----------
    None.
    """

    def place(self, array: Any, context: Context) -> Any:
        seen = array if context.region is None else np.where(context.region, array, -np.inf)
        return context.geometry.to_world(np.array(np.unravel_index(np.argmax(seen), array.shape)))[None]

    def compute(self, array: Any, context: Context) -> Any:
        if context.region is not None and not context.region.any():
            return Points(np.zeros((0, 3)), frame=context.geometry.frame)
        return Points(self.place(array, context), frame=context.geometry.frame)


class FindsInSamples(Brightest):
    __doc__ = Brightest.__doc__

    def place(self, array: Any, context: Context) -> Any:
        index = np.array(np.unravel_index(np.argmax(array), array.shape), dtype=float)
        return np.pad(index, (3 - len(index), 0))[None]


class IgnoresTheRegion(Brightest):
    __doc__ = Brightest.__doc__

    def compute(self, array: Any, context: Context) -> Any:
        corner = context.geometry.to_world(np.asarray(array.shape) - 1.0)
        return Points(corner[None], frame=context.geometry.frame)


class LowPass(SignalFilter):
    """Keep slow changes.

    Parameters
    ----------
    cutoff
        Highest frequency in Hz that is kept.

    References
    ----------
    None.
    """

    cutoff: float = Field(30.0, gt=0)

    def rate(self, context: Context) -> float:
        return 1.0 / context.spacing[0]

    def compute(self, array: Any, context: Context) -> Any:
        spectrum = np.fft.rfft(array, axis=1)
        spectrum[:, np.fft.rfftfreq(array.shape[1], 1.0 / self.rate(context)) > self.cutoff] = 0
        return np.fft.irfft(spectrum, array.shape[1], axis=1).astype(array.dtype)


class AssumesARate(LowPass):
    __doc__ = LowPass.__doc__

    def rate(self, context: Context) -> float:
        return 256.0


class WidensTheSamples(LowPass):
    __doc__ = LowPass.__doc__

    def compute(self, array: Any, context: Context) -> Any:
        return super().compute(array, context).astype(np.float64)


class Above(Segmenter):
    """Label what is brighter than a level.

    Parameters
    ----------
    level
        Smallest value that is labelled.

    References
    ----------
    None.
    """

    level: float = 500.0

    def compute(self, array: Any, context: Context) -> Any:
        return array > self.level


class LearnLevel(Fittable):
    """Learn the mean of a cohort.

    References
    ----------
    None.
    """

    def fit(self, cohort: Iterable[Any], /, *, seed: int = 0) -> Operation:
        return Above(level=float(np.mean([np.asarray(i.array).mean() for i in cohort])))


class SpoilsTheCohort(LearnLevel):
    __doc__ = LearnLevel.__doc__

    def fit(self, cohort: Iterable[Any], /, *, seed: int = 0) -> Operation:
        for case in cohort:
            case.array.base[...] = 0
        return Above()


class FitsByChance(LearnLevel):
    __doc__ = LearnLevel.__doc__

    def fit(self, cohort: Iterable[Any], /, *, seed: int = 0) -> Operation:
        return Above(level=float(np.random.default_rng().random()))


BUGS: list[tuple[type[Operation], str]] = [
    (HalfASampleOff, "positions_stay"),
    (OtherGrid, "requested_grid_exactly"),
    (MixesLabels, "labels_stay_whole"),
    (InventsLabels, "nothing_from_nothing"),
    (AlwaysMoves, "identity_on_equal_images"),
    (OpenSurface, "closed_where_the_mask_is"),
    (InsideOut, "size_and_place_in_mm"),
    (CornerForCentre, "size_and_place_in_mm"),
    (ChangesOnItself, "identity_on_itself"),
    (FusesAnything, "grids_must_match"),
    (ForgetsToShift, "forward_then_inverse"),
    (LeavesComplex, "image_comes_out"),
    (NegativeProbability, "probabilities_sum_to_one"),
    (NoNumber, "probabilities_sum_to_one"),
    (FindsInSamples, "found_inside_the_image"),
    (FindsInSamples, "moves_with_the_patient"),
    (IgnoresTheRegion, "searches_in_the_region"),
    (AssumesARate, "hertz_mean_hertz"),
    (WidensTheSamples, "channels_and_rate_kept"),
    (SpoilsTheCohort, "fitting_mutates_nothing"),
    (FitsByChance, "fitted_is_an_operation"),
]

HONEST: list[type[Operation]] = [Repeat, Shrink, Stay, Mesh, Match, Mean, Fourier, Half, Brightest, LowPass, LearnLevel]


@parametrize_with_checks(HONEST)
def test_honest_operations_pass(check: Any) -> None:
    check()


@pytest.mark.parametrize("operation, name", BUGS, ids=lambda v: v if isinstance(v, str) else v.__name__)
def test_planted_bug_is_caught_by_its_check(operation: type[Operation], name: str) -> None:
    checks = {c.name: c for c in checks_for(operation)}
    assert name in checks, f"{name} does not apply to {operation.family}"
    with pytest.raises(ContractViolation, match=operation.__name__):
        checks[name]()
