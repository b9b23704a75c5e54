"""segment.hot_spots: where a PET image shows high uptake."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from isocenter.core.families import Segmenter
from isocenter.core.operation import Context
from isocenter.kernels.labels import bounding_box, components, sizes


class HotSpots(Segmenter):
    """Hot spots of a PET image in SUV: by a fixed threshold, or by a share of each spot's own maximum.

    ``fixed`` joins all samples of at least `threshold` that touch. ``relative`` then cuts each of these at `share` of
    its maximum and keeps the piece that holds it, the usual delineation of a single lesion; within a given region
    there is no fixed threshold, and each piece of the region is cut at the share of its own maximum.

    Spots are numbered by their maximum, the hottest first. Uptake is not disease: brain, heart, kidneys, bladder
    and inflammation are found as well; restrict the search by a region. A note says how many were found where
    that is implausible.

    Parameters
    ----------
    method : {"fixed", "relative"}
        How spots are delineated.
    threshold : float
        SUV from which a sample is hot.
    share : float
        Fraction of the maximum, for ``relative``.
    minimum_volume : float
        mm^3; smaller spots are left out.
    connectivity : {6, 18, 26}
        Neighbours that join samples to one spot.

    References
    ----------
    Boellaard et al., FDG PET/CT: EANM procedure guidelines for tumour imaging: version 2.0, European Journal of Nuclear
    Medicine and Molecular Imaging 42 (2015) 328-354 (41 % isocontour).
    """

    dims: ClassVar[tuple[str, ...]] = ("zyx",)
    needs_mm: ClassVar[bool] = True
    quantities: ClassVar[tuple[str, ...] | None] = ("SUVbw", "SUVlbm", "SUVbsa", "SUVibw")
    instances: ClassVar[str | None] = "hot spot"
    ns_per_sample: ClassVar[float] = 12.0
    bytes_per_sample: ClassVar[float] = 8.0

    method: Literal["fixed", "relative"] = "fixed"
    threshold: Annotated[float, Field(gt=0.0)] = 2.5
    share: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.41
    minimum_volume: Annotated[float, Field(ge=0.0)] = 300.0
    connectivity: Literal[6, 18, 26] = 18

    def compute(self, array: Any, context: Context) -> npt.NDArray[Any]:
        """Return the spots, numbered from the hottest."""
        uptake = np.asarray(array)
        if self.method == "relative" and context.region is not None:
            hot = context.region & np.isfinite(uptake)
        else:
            hot = uptake >= self.threshold
            hot = hot if context.region is None else hot & context.region
        spots, count = components(hot, self.connectivity)
        if self.method == "relative":
            spots, count = self._cut(uptake, spots, count)
        volume = sizes(spots, count) * context.geometry.voxel_size
        keep = np.flatnonzero(volume >= self.minimum_volume)
        keep = keep[keep > 0]
        maximum = np.full(count + 1, -np.inf)
        where = spots > 0
        np.maximum.at(maximum, spots[where], uptake[where].astype(np.float64))
        order = keep[np.argsort(-maximum[keep], kind="stable")]
        rank: npt.NDArray[Any] = np.zeros(count + 1, dtype=np.uint16 if order.size < 65536 else np.uint32)
        rank[order] = np.arange(1, order.size + 1)
        if not order.size:
            context.note(f"No hot spot of at least {self.minimum_volume:g} mm^3 was found.")
        elif order.size > 50:
            context.note(f"{order.size} hot spots were found: the threshold may be too low for this image, or the image noisy.")
        return rank[spots]

    def _cut(self, uptake: npt.NDArray[Any], spots: npt.NDArray[Any], count: int) -> tuple[npt.NDArray[np.uint32], int]:
        """Return each spot cut at the share of its maximum: the piece that holds the maximum."""
        result = np.zeros(spots.shape, dtype=np.uint32)
        for label in range(1, count + 1):
            box = bounding_box(spots == label)
            assert box is not None  # the component has samples
            own = spots[box] == label
            values = np.where(own, uptake[box], -np.inf)
            top = np.unravel_index(int(values.argmax()), values.shape)
            if not values[top] > 0.0:
                continue
            pieces, _ = components(values >= self.share * values[top], self.connectivity)
            result[box][pieces == pieces[top]] = label
        return result, count
