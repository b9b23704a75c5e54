"""How much a prediction and the truth overlap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from isocenter.core.families import Metric
from isocenter.core.operation import Context
from isocenter.core.results import Score

__all__ = ["Dice"]


class Dice(Metric):
    """Overlap of a prediction and the truth: Dice, Jaccard, sensitivity, precision and volume similarity.

    Two empty masks agree perfectly (1 everywhere); where just one is empty every score is 0: a missed object, or one that
    is not there, scores worst.

    Parameters
    ----------
    label
        Label to compare, by name or value; None compares all labels together with the background.

    References
    ----------
    Dice. Measures of the amount of ecologic association between species. Ecology 26 (1945) 297-302.
    Maier-Hein et al. Metrics reloaded: recommendations for image analysis validation. Nature Methods 21 (2024).
    """

    bounds: ClassVar[Mapping[str, tuple[float, float]]] = dict.fromkeys(
        ("dice", "jaccard", "sensitivity", "precision", "volume_similarity"), (0.0, 1.0)
    )
    higher_is_better: ClassVar[Mapping[str, bool]] = dict.fromkeys(bounds, True)
    symmetric: ClassVar[tuple[str, ...]] = ("dice", "jaccard", "volume_similarity")
    ns_per_sample: ClassVar[float] = 2.0

    label: str | int | None = None

    def compute(self, array: Any, context: Context) -> Mapping[str, Score]:
        """Return the scores."""
        assert context.reference is not None  # the family hands it over
        found, there = int(np.count_nonzero(array)), int(np.count_nonzero(context.reference))
        # Slice by slice: no volume is allocated for what is only counted.
        both = sum(int(np.count_nonzero(one & two)) for one, two in zip(array, context.reference, strict=True))
        if found == 0 and there == 0:
            return {name: Score(1.0) for name in self.bounds}

        def share(part: float, whole: float) -> Score:
            return Score(part / whole if whole else 0.0)

        return {
            "dice": share(2 * both, found + there),
            "jaccard": share(both, found + there - both),
            "sensitivity": share(both, there),
            "precision": share(both, found),
            "volume_similarity": Score(1.0 - abs(found - there) / (found + there)),
        }
