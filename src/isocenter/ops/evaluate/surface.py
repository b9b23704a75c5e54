"""How far the outlines of a prediction and the truth lie apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from isocenter.core.families import Metric
from isocenter.core.operation import Context
from isocenter.core.results import Score
from isocenter.kernels.surface_distance import boundary_distances

__all__ = ["Surface"]


class Surface(Metric):
    """Distances in mm between the outlines of a prediction and the truth.

    ``hausdorff`` is the largest distance from a boundary sample of one to the nearest of the other; ``hausdorff_95`` the
    larger of the two directions' 95th percentiles; ``assd`` the mean over both boundaries (average symmetric surface
    distance); ``surface_dice`` the share of both boundaries that lies within the tolerance. Two empty masks agree
    perfectly; where just one is empty, distances are the diagonal of the image and the share is 0.

    Parameters
    ----------
    label
        Label to compare, by name or value; None compares all labels together with the background.
    tolerance
        Distance in mm up to which two outlines count as the same, for ``surface_dice``.

    References
    ----------
    Nikolov et al. Clinically applicable segmentation of head and neck anatomy for radiotherapy. JMIR 23 (2021) e26151.
    Maier-Hein et al. Metrics reloaded: recommendations for image analysis validation. Nature Methods 21 (2024).
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    needs_mm: ClassVar[bool] = True
    bounds: ClassVar[Mapping[str, tuple[float, float | None]]] = {
        "hausdorff": (0.0, None),
        "hausdorff_95": (0.0, None),
        "assd": (0.0, None),
        "surface_dice": (0.0, 1.0),
    }
    higher_is_better: ClassVar[Mapping[str, bool]] = {name: name == "surface_dice" for name in bounds}
    symmetric: ClassVar[tuple[str, ...]] = tuple(bounds)
    ns_per_sample: ClassVar[float] = 20.0

    label: str | int | None = None
    tolerance: float = Field(1.0, ge=0)

    def compute(self, array: Any, context: Context) -> Mapping[str, Score]:
        """Return the scores."""
        truth = context.reference
        assert truth is not None  # the family hands it over
        found, there = bool(array.any()), bool(truth.any())
        if not (found and there):
            apart = 0.0 if found == there else context.geometry.diagonal
            distances = {name: Score(apart, "mm") for name in ("hausdorff", "hausdorff_95", "assd")}
            return distances | {"surface_dice": Score(float(found == there))}
        one, two = boundary_distances(array, truth, context.geometry, context.threads)
        # float32 distances: a boundary that lies at exactly the tolerance is within it.
        within = self.tolerance * (1 + 1e-6) + 1e-9
        total = one.size + two.size
        return {
            "hausdorff": Score(float(max(one.max(), two.max())), "mm"),
            "hausdorff_95": Score(float(max(np.percentile(one, 95), np.percentile(two, 95))), "mm"),
            "assd": Score(float((one.sum() + two.sum()) / total), "mm"),
            "surface_dice": Score(float((np.count_nonzero(one <= within) + np.count_nonzero(two <= within)) / total)),
        }
