"""Root of the mean squared error of an image against the truth."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from isocenter.core.families import Metric
from isocenter.core.operation import Context
from isocenter.core.results import Score
from isocenter.kernels.fidelity import mean_squared_error
from isocenter.kernels.units import intensity_unit

__all__ = ["Rmse"]


class Rmse(Metric):
    """Root of the mean squared error of an image against the truth.

    In the unit of the image (HU for CT), so that it can be held against what a later step tolerates.
    Samples that are not finite in both images are left out, and the score counts those it rests on.

    Parameters
    ----------
    label
        Images have no labels to choose from: None.

    References
    ----------
    Wang, Bovik. Mean squared error: love it or leave it? IEEE Signal Process. Mag. 26 (2009) 98-117.
    """

    compares: ClassVar[str] = "images"
    higher_is_better: ClassVar[Mapping[str, bool]] = {"rmse": False}
    symmetric: ClassVar[tuple[str, ...]] = ("rmse",)
    ns_per_sample: ClassVar[float] = 5.0

    label: None = None

    def compute(self, array: Any, context: Context) -> Mapping[str, Score]:
        """Return the score."""
        assert context.reference is not None  # the family hands it over
        error, count = mean_squared_error(array, context.reference, self.name)
        return {"rmse": Score(math.sqrt(error), intensity_unit(context.quantity), n=count)}
