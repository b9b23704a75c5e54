"""Object by object: which lesions were found, and how well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from isocenter.core.families import Metric
from isocenter.core.labels import LabelMap
from isocenter.core.operation import Context
from isocenter.core.results import Score
from isocenter.kernels.labels import bounding_box, components
from isocenter.kernels.objects import Matching, compact, match_objects
from isocenter.kernels.surface_distance import boundary_distances

__all__ = ["Lesions"]

Objects = npt.NDArray[np.int64]


class Lesions(Metric):
    """Lesion by lesion: detection (sensitivity, precision, F1), panoptic quality, Dice and distances of each, averaged.

    Predicted and true objects are paired one to one so that the sum of overlaps is largest. ``panoptic_quality`` is
    ``recognition_quality`` (F1 of the pairs that overlap by more than a half) times ``segmentation_quality`` (their mean
    intersection over union). ``lesion_dice``, ``lesion_hausdorff_95`` and ``lesion_assd`` are means over all true lesions
    and all false alarms: one that was missed, or is not there, counts with a Dice of 0 and with the diagonal of the image
    as its distance, so that every further miss makes the mean worse. Two images without objects agree perfectly.

    Parameters
    ----------
    objects
        ``components`` takes connected parts of the mask as objects, ``labels`` every label value as one (instances that
        touch stay apart).
    overlap
        Smallest intersection over union, as a fraction, of a pair that counts as found; 0 asks for one common sample.
    connectivity
        Neighbours that count as joined: 6, 18 or 26 samples (4, 8 and 8 in the plane).
    label
        Label to compare, by name or value; None compares all labels together with the background.

    References
    ----------
    Kirillov, He, Girshick, Rother, Dollar. Panoptic segmentation. CVPR (2019) 9404-9413.
    Maier-Hein et al. Metrics reloaded: recommendations for image analysis validation. Nature Methods 21 (2024).
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    needs_mm: ClassVar[bool] = True
    bounds: ClassVar[Mapping[str, tuple[float, float | None]]] = {
        "lesion_sensitivity": (0.0, 1.0),
        "lesion_precision": (0.0, 1.0),
        "lesion_f1": (0.0, 1.0),
        "recognition_quality": (0.0, 1.0),
        "segmentation_quality": (0.0, 1.0),
        "panoptic_quality": (0.0, 1.0),
        "lesion_dice": (0.0, 1.0),
        "lesion_hausdorff_95": (0.0, None),
        "lesion_assd": (0.0, None),
    }
    higher_is_better: ClassVar[Mapping[str, bool]] = {n: n not in ("lesion_hausdorff_95", "lesion_assd") for n in bounds}
    symmetric: ClassVar[tuple[str, ...]] = tuple(n for n in bounds if n not in ("lesion_sensitivity", "lesion_precision"))
    ns_per_sample: ClassVar[float] = 30.0

    objects: Literal["components", "labels"] = "components"
    overlap: float = Field(0.1, ge=0, le=1)
    connectivity: Literal[6, 18, 26] = 26
    label: str | int | None = None

    @classmethod
    def examples(cls) -> tuple[Lesions, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(objects="labels", overlap=0.0), cls(connectivity=6, overlap=0.5))

    def _mask(self, labels: LabelMap) -> npt.NDArray[Any]:
        """Return the compared mask, or the labels themselves where each is an object."""
        mask = super()._mask(labels)
        return np.where(mask, np.asarray(labels.array), 0) if self.objects == "labels" else mask

    def compute(self, array: Any, context: Context) -> Mapping[str, Score]:
        """Return the scores."""
        assert context.reference is not None  # the family hands it over
        found, there = self._objects(array), self._objects(context.reference)
        pairs = match_objects(found, there, self.overlap)
        missed, false = pairs.second - len(pairs.pairs), pairs.first - len(pairs.pairs)
        context.note(
            f"{self.name}: {len(pairs.pairs)} of {pairs.second} objects were found, {missed} missed, {false} found where none is."
        )
        if not (pairs.first or pairs.second):
            units = {n: "mm" if not better else "1" for n, better in self.higher_is_better.items()}
            return {n: Score(float(better), units[n], n=0) for n, better in self.higher_is_better.items()}
        hits = len(pairs.pairs)
        return {
            "lesion_sensitivity": Score(hits / pairs.second if pairs.second else 0.0, n=pairs.second),
            "lesion_precision": Score(hits / pairs.first if pairs.first else 0.0, n=pairs.first),
            "lesion_f1": Score(2 * hits / (pairs.first + pairs.second), n=pairs.first + pairs.second),
            **_panoptic(pairs),
            **_each(found, there, pairs, context),
        }

    def _objects(self, array: npt.NDArray[Any]) -> Objects:
        """Return the objects numbered without gaps."""
        if self.objects == "labels":
            return compact(array)[0]
        return components(array, self.connectivity)[0].astype(np.int64)


def _panoptic(pairs: Matching) -> dict[str, Score]:
    """Return recognition, segmentation and panoptic quality; pairs above a half are the same in every matching."""
    sure = pairs.overlaps[pairs.overlaps > 0.5]
    recognition = 2 * sure.size / (pairs.first + pairs.second)
    quality = float(sure.mean()) if sure.size else 0.0
    return {
        "recognition_quality": Score(recognition, n=pairs.first + pairs.second),
        "segmentation_quality": Score(quality, n=sure.size),
        "panoptic_quality": Score(recognition * quality, n=pairs.first + pairs.second),
    }


def _each(found: Objects, there: Objects, pairs: Matching, context: Context) -> dict[str, Score]:
    """Return Dice and distances, averaged over true objects and false alarms."""
    total = pairs.first + pairs.second - len(pairs.pairs)
    worst = context.geometry.diagonal
    # Misses and false alarms first: the mean then depends on how many there are, not on where they stand.
    failed = total - len(pairs.pairs)
    dice, far, mean = 0.0, failed * worst, failed * worst
    boxes_one, boxes_two = _boxes(found, pairs.first), _boxes(there, pairs.second)
    for (one, two), share in zip(pairs.pairs, pairs.overlaps, strict=True):
        box = tuple(
            slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(boxes_one[one], boxes_two[two], strict=True)
        )
        geometry = context.geometry.crop([s.start for s in box], [s.stop - s.start for s in box])
        first, second = boundary_distances(found[box] == one, there[box] == two, geometry, context.threads)
        dice += 2.0 * float(share) / (1.0 + float(share))
        far += float(max(np.percentile(first, 95), np.percentile(second, 95)))
        mean += float((first.sum() + second.sum()) / (first.size + second.size))
    return {
        "lesion_dice": Score(dice / total, n=total),
        "lesion_hausdorff_95": Score(far / total, "mm", n=total),
        "lesion_assd": Score(mean / total, "mm", n=total),
    }


def _boxes(labels: Objects, count: int) -> list[tuple[slice, ...]]:
    """Return the box of every object, by label."""
    from scipy import ndimage

    found = ndimage.find_objects(labels, max_label=count) if count else []
    whole = bounding_box(np.ones(labels.shape, np.bool_)) or ()
    return [whole, *(box if box is not None else whole for box in found)]
