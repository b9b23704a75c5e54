"""What a prediction and the truth have in common, sample by sample, and how their volumes differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from isocenter.core.families import Metric
from isocenter.core.operation import Context
from isocenter.core.results import Score

__all__ = ["Overlap"]

_UNITS = {1: "mm", 2: "mm^2", 3: "mm^3"}


class Overlap(Metric):
    """Share of samples that agree: Jaccard, sensitivity, precision, specificity, and the difference of volumes.

    ``specificity`` is the share of the samples outside the truth that were left out; in a large field of view it is near 1
    whatever was found, so read it beside ``precision``. ``volume_difference`` is that of the two volumes without sign;
    ``relative_volume_difference`` divides it by their mean (0 to 2). Two empty masks agree perfectly; where just one is
    empty every share is 0, also the specificity that its formula would put at 1: a missed object scores worst.

    Parameters
    ----------
    label
        Label to compare, by name or value; None compares all labels together with the background.

    References
    ----------
    Taha, Hanbury. Metrics for evaluating 3D medical image segmentation. BMC Medical Imaging 15 (2015) 29.
    Maier-Hein et al. Metrics reloaded: recommendations for image analysis validation. Nature Methods 21 (2024).
    """

    bounds: ClassVar[Mapping[str, tuple[float, float | None]]] = {
        "jaccard": (0.0, 1.0),
        "sensitivity": (0.0, 1.0),
        "precision": (0.0, 1.0),
        "specificity": (0.0, 1.0),
        "volume_difference": (0.0, None),
        "relative_volume_difference": (0.0, 2.0),
    }
    higher_is_better: ClassVar[Mapping[str, bool]] = {name: "volume" not in name for name in bounds}
    symmetric: ClassVar[tuple[str, ...]] = ("jaccard", "volume_difference", "relative_volume_difference")
    ns_per_sample: ClassVar[float] = 2.0

    label: str | int | None = None

    def compute(self, array: Any, context: Context) -> Mapping[str, Score]:
        """Return the scores."""
        truth = context.reference
        assert truth is not None  # the family hands it over
        found, there = int(np.count_nonzero(array)), int(np.count_nonzero(truth))
        both = int(np.count_nonzero(array & truth))
        grid = context.geometry
        voxel, unit = (grid.voxel_size, _UNITS[grid.ndim]) if grid.unit == "mm" else (1.0, "samples")
        apart = abs(found - there)
        volumes = {
            "volume_difference": Score(apart * voxel, unit),
            "relative_volume_difference": Score(2.0 * apart / (found + there) if apart else 0.0),
        }
        shares = ("jaccard", "sensitivity", "precision", "specificity")
        if not (found and there):
            return {name: Score(float(found == there)) for name in shares} | volumes
        outside = array.size - there
        right = outside - (found - both)
        return {
            "jaccard": Score(both / (found + there - both)),
            "sensitivity": Score(both / there),
            "precision": Score(both / found),
            # Where the truth fills the image there is nothing to leave out.
            "specificity": Score(right / outside if outside else 1.0),
        } | volumes
