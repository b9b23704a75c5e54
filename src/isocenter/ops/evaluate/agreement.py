"""How far two readers agree beyond chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from isocenter.core.families import Metric
from isocenter.core.labels import LabelMap
from isocenter.core.operation import Context
from isocenter.core.results import Score
from isocenter.kernels.agreement import cohen_kappa, generalised_dice

__all__ = ["Agreement"]


class Agreement(Metric):
    """Agreement of two readers: Cohen's kappa over all labels, and the generalised Dice overlap.

    Neither reader counts as the truth. ``kappa`` takes chance into account and sees the background as one more category;
    ``generalised_dice`` weighs samples, ``balanced_dice`` weighs every label alike whatever its volume. Two readers who
    both label nothing agree perfectly; where just one does, every score is 0. For more than two readers, and for numbers
    such as volumes, `isocenter.kernels.agreement` has Fleiss' kappa, the generalised Dice among all of them and the
    intraclass correlation.

    Parameters
    ----------
    label
        Label to compare, by name or value; None compares every label with its like.

    References
    ----------
    Cohen. A coefficient of agreement for nominal scales. Educational and Psychological Measurement 20 (1960) 37-46.
    Crum, Camara, Hill. Generalized overlap measures for evaluation and validation in medical image analysis. IEEE Trans.
    Med. Imaging 25 (2006) 1451-1461.
    """

    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {
        "kappa": (-1.0, 1.0),
        "generalised_dice": (0.0, 1.0),
        "balanced_dice": (0.0, 1.0),
    }
    higher_is_better: ClassVar[Mapping[str, bool]] = dict.fromkeys(bounds, True)
    symmetric: ClassVar[tuple[str, ...]] = tuple(bounds)
    ns_per_sample: ClassVar[float] = 60.0
    bytes_per_sample: ClassVar[float] = 48.0

    label: str | int | None = None

    def _mask(self, labels: LabelMap) -> npt.NDArray[Any]:
        """Return the labels themselves, unless one of them is asked for."""
        return np.asarray(labels.array) if self.label is None else super()._mask(labels).astype(np.uint8)

    def compute(self, array: Any, context: Context) -> Mapping[str, Score]:
        """Return the scores."""
        assert context.reference is not None  # the family hands it over
        both = np.stack([array, context.reference])
        labelled = [bool((part > 0).any()) for part in both]
        if not all(labelled):
            return {name: Score(float(labelled[0] == labelled[1])) for name in self.bounds}
        return {
            "kappa": Score(cohen_kappa(both[0], both[1])),
            "generalised_dice": Score(generalised_dice(both)),
            "balanced_dice": Score(generalised_dice(both, "volume")),
        }
