"""Tests of the tests of what measures (labels, features, scores): honest operations pass, and each planted bug is caught by the check named for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pytest

from isocenter.core.families import (
    Extractor,
    Measure,
    Metric,
    Segmenter,
)
from isocenter.core.operation import Context, Operation
from isocenter.core.results import Column, Score
from isocenter.testing.contracts import ContractViolation, checks_for, parametrize_with_checks


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


BUGS: list[tuple[type[Operation], str]] = [
    (LabelsOutsideTable, "labels_in_the_table"),
    (LabelsNothing, "labels_in_the_table"),
    (LeavesTheRegion, "stays_in_the_region"),
    (EmptyUndefined, "empty_sets_defined"),
    (MissScoresBetter, "miss_never_better_than_hit"),
    (DistanceInSamples, "same_in_a_larger_world"),
    (PercentClaimedAsFraction, "within_bounds"),
    (SymmetryClaimed, "symmetric_where_declared"),
    (VolumeInSamples, "same_in_a_larger_world"),
    (DividesByNothing, "empty_and_tiny_regions"),
    (WithoutUnits, "columns_have_units"),
    (WrongScaling, "scales_as_declared"),
]

HONEST: list[type[Operation]] = [Bright, Overlap, Volume, Noise]


@parametrize_with_checks(HONEST)
def test_honest_operations_pass(check: Any) -> None:
    check()


@pytest.mark.parametrize("operation, name", BUGS, ids=lambda v: v if isinstance(v, str) else v.__name__)
def test_planted_bug_is_caught_by_its_check(operation: type[Operation], name: str) -> None:
    checks = {c.name: c for c in checks_for(operation)}
    assert name in checks, f"{name} does not apply to {operation.family}"
    with pytest.raises(ContractViolation, match=operation.__name__):
        checks[name]()
