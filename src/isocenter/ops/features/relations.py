"""features.relations: where each region lies to another label."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from isocenter.core.errors import ContentError
from isocenter.core.families import Extractor
from isocenter.core.labels import LabelMap, MaskStack
from isocenter.core.operation import Context
from isocenter.core.results import Column
from isocenter.kernels.relations import relation

__all__ = ["Relations"]


class Relations(Extractor):
    """Distance to, share of, depth in and side of another label, for each region.

    Without `to`, the other label is the union of all other segments. Sides are the patient's: the offset of the centroids
    along the left-right axis, positive to the left; ``side`` says ``left``, ``right`` or ``midline``. Where either is empty,
    and depth where nothing lies inside, is NaN.

    Parameters
    ----------
    to
        Name of the segment that is related to; null takes all others together.
    midline
        Offsets up to this many mm count as midline.

    References
    ----------
    Maurer, Qi, Raghavan, A linear time algorithm for computing exact Euclidean distance transforms, IEEE Trans. PAMI 25
    (2003) 265-270. DICOM PS3.3 C.7.6.2.1.1 (patient axes).
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    needs_mm: ClassVar[bool] = True
    uses_values: ClassVar[bool] = False
    ns_per_sample: ClassVar[float] = 60.0

    to: str | None = None
    midline: float = Field(2.0, ge=0)

    @classmethod
    def examples(cls) -> tuple[Relations, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(to="liver", midline=0.0))

    def columns(self, context: Context) -> tuple[Column, ...]:
        """Return the columns."""
        other = self.to or "all other segments"
        return (
            Column("distance_nearest", "mm", "", f"least distance of the region's samples from {other}; 0 where they overlap"),
            Column("distance_farthest", "mm", "", f"largest distance of the region's samples from {other}"),
            Column("distance_of_centroids", "mm", "", "distance between the two centroids"),
            Column("share_inside", "1", "", f"fraction of the region that lies in {other}"),
            Column("share_of", "1", "", f"fraction of {other} that the region covers"),
            Column("depth_least", "mm", "", "least distance of the part inside from the outside"),
            Column("depth_mean", "mm", "", "mean of these distances"),
            Column("depth_most", "mm", "", "largest of these distances"),
            Column("offset_left", "mm", "", "how far to the patient's left the region's centroid lies"),
            Column("side", "", "", "left, right or midline, of the patient; empty where not defined"),
        )

    def masks(self, region: LabelMap | MaskStack) -> Iterator[tuple[str, npt.NDArray[np.bool_], None]]:
        """Yield every segment together with the other label, as a pair of masks."""
        found = [(name, np.asarray(mask)) for name, mask, _ in super().masks(region)]
        names = [name for name, _ in found]
        if self.to is not None and self.to not in names:
            raise ContentError(f"{self.name}: no segment '{self.to}' to relate to: the region has {', '.join(names) or 'none'}.")
        for k, (name, mask) in enumerate(found):
            other = np.zeros_like(mask)
            for j, (another, part) in enumerate(found):
                if another == self.to or (self.to is None and j != k):
                    other |= part
            yield name, np.stack([mask, other]), None

    def compute(self, array: Any, context: Context) -> dict[str, Any]:
        """Return the relation of ``context.region[0]`` to ``context.region[1]``."""
        assert context.region is not None  # masks gives a pair
        mask, other = context.region
        found = relation(mask, other, context.spacing, context.threads)
        result: dict[str, Any] = {
            "distance_nearest": found.nearest,
            "distance_farthest": found.farthest,
            "share_inside": found.share_inside,
            "share_of": found.share_of,
            "depth_least": found.depth_least,
            "depth_mean": found.depth_mean,
            "depth_most": found.depth_most,
            "side": "",
        }
        if mask.any() and other.any():
            centres = context.geometry.to_world(np.stack([np.argwhere(m).mean(axis=0) for m in (mask, other)]))
            apart = centres[0] - centres[1]
            result["distance_of_centroids"] = float(np.linalg.norm(apart))
            result["offset_left"] = float(apart[0])
            result["side"] = "midline" if abs(apart[0]) <= self.midline else ("left" if apart[0] > 0 else "right")
        return result
