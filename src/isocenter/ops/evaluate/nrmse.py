"""Root mean squared error of an image as a fraction of what the truth spans."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np

from isocenter.core.errors import ContentError
from isocenter.core.families import Metric
from isocenter.core.operation import Context
from isocenter.core.results import Score
from isocenter.kernels.fidelity import mean_squared_error, value_range

__all__ = ["Nrmse"]


class Nrmse(Metric):
    """Root mean squared error of an image as a fraction of the truth's range, mean or norm.

    Comparable between images of different units. Samples that are not finite in both images are left out.

    Parameters
    ----------
    by
        What the error is divided by: ``range`` of the truth, its ``mean``, or its ``norm`` (root mean square).
    label
        Images have no labels to choose from: None.

    References
    ----------
    Fienup. Invariant error metrics for image reconstruction. Applied Optics 36 (1997) 8352-8357.
    """

    compares: ClassVar[str] = "images"
    higher_is_better: ClassVar[Mapping[str, bool]] = {"nrmse": False}
    ns_per_sample: ClassVar[float] = 8.0

    by: Literal["range", "mean", "norm"] = "range"
    label: None = None

    @classmethod
    def examples(cls) -> tuple[Nrmse, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(by="mean"), cls(by="norm"))

    def compute(self, array: Any, context: Context) -> Mapping[str, Score]:
        """Return the score."""
        truth = context.reference
        assert truth is not None  # the family hands it over
        error, count = mean_squared_error(array, truth, self.name)
        if error == 0.0:
            return {"nrmse": Score(0.0, n=count)}
        return {"nrmse": Score(math.sqrt(error) / self._scale(truth), n=count)}

    def _scale(self, truth: Any) -> float:
        finite = truth[np.isfinite(truth)].astype(np.float64)
        if self.by == "range":
            scale = value_range(truth, None, self.name) if finite.size and np.ptp(finite) > 0 else 0.0
        elif self.by == "mean":
            scale = abs(float(finite.mean()))
        else:
            scale = math.sqrt(float((finite**2).mean()))
        if scale == 0.0:
            raise ContentError(
                f"{self.name} was given a truth whose {self.by} is 0: expected something to divide by; choose another 'by'."
            )
        return scale
