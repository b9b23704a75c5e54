"""features.objects: how many separate objects each segment holds, how large they are and how far apart."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field
from scipy.spatial import cKDTree

from isocenter.core.families import Extractor
from isocenter.core.operation import Context
from isocenter.core.results import Column
from isocenter.kernels.labels import components, sizes

__all__ = ["Objects"]


class Objects(Extractor):
    """Count the connected objects of each segment: number, sizes and distances of neighbours.

    For a table with one row per object, measure the objects of an instance label map: `features.shape`,
    `features.intensity` and `features.ploidy` give a row to each of its segments.

    Parameters
    ----------
    connectivity
        Neighbours that belong together: 6, 18 or 26 in space (4, 8 and 8 in a plane).
    minimum
        Objects of fewer samples are not counted.

    References
    ----------
    Clark and Evans, Distance to nearest neighbor as a measure of spatial relationships in populations, Ecology 35 (1954)
    445-453.
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    uses_values: ClassVar[bool] = False
    ns_per_sample: ClassVar[float] = 20.0

    connectivity: Literal[6, 18, 26] = 26
    minimum: int = Field(1, ge=1)

    @classmethod
    def examples(cls) -> tuple[Objects, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(connectivity=6, minimum=2))

    def columns(self, context: Context) -> tuple[Column, ...]:
        """Return the columns, in mm where the image has a pixel size."""
        unit = context.geometry.unit
        size = f"{unit}^{len(context.dims)}"
        return (
            Column("object_count", "1", "", "number of separate objects"),
            Column("object_size_mean", size, "", "mean size"),
            Column("object_size_median", size, "", "median size"),
            Column("object_size_deviation", size, "", "standard deviation of the sizes"),
            Column("object_size_least", size, "", "smallest size"),
            Column("object_size_most", size, "", "largest size"),
            Column("neighbour_distance_mean", unit, "", "mean distance from a centroid to the nearest other one"),
            Column("neighbour_distance_least", unit, "", "smallest of these distances"),
        )

    def compute(self, array: Any, context: Context) -> dict[str, float]:
        """Return the statistics of the objects of ``context.region``."""
        assert context.region is not None  # the family hands one to every extractor
        labels, count = components(context.region, self.connectivity)
        volumes = np.asarray(sizes(labels, count), dtype=np.float64)[-count:] if count else np.zeros(0)
        kept = np.flatnonzero(volumes >= self.minimum)
        result = {"object_count": float(len(kept))}
        if not len(kept):
            return result
        values = volumes[kept] * float(np.prod(context.spacing))
        result |= {
            "object_size_mean": float(values.mean()),
            "object_size_median": float(np.median(values)),
            "object_size_deviation": float(values.std()),
            "object_size_least": float(values.min()),
            "object_size_most": float(values.max()),
        }
        if len(kept) > 1:
            places = np.argwhere(labels > 0)
            owner = np.asarray(labels[labels > 0], dtype=np.int64) - 1
            sums = np.stack([np.bincount(owner, places[:, k], count) for k in range(places.shape[1])], axis=1)
            centres = context.geometry.to_world((sums / volumes[:, None])[kept])
            near = cKDTree(centres).query(centres, k=2)[0][:, 1]
            result |= {"neighbour_distance_mean": float(near.mean()), "neighbour_distance_least": float(near.min())}
        return result
