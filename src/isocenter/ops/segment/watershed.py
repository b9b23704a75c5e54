"""Part objects that touch, or an image into its basins."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from isocenter.core.families import Segmenter
from isocenter.core.image import Image
from isocenter.core.operation import Context
from isocenter.kernels.flooding import watershed
from isocenter.kernels.labels import components, distance_inside
from isocenter.kernels.otsu import otsu
from isocenter.kernels.smooth import gaussian
from isocenter.ops.segment._examples import spots
from isocenter.ops.segment._values import finite

__all__ = ["Watershed"]


class Watershed(Segmenter):
    """Give every object, or every basin of the gradient, a label of its own.

    ``distance`` takes what is above Otsu's threshold (or the region), puts one marker on every maximum of the distance to
    its outline, and parts objects at their waists. ``gradient`` labels everything: markers are the basins of the smoothed
    gradient. Maxima (or basins) that are shallower than `depth` count as one, which decides how finely is parted: a larger
    `depth` joins more. It fails on objects that overlap without a waist, and splits long ones where their width varies.

    Parameters
    ----------
    markers
        ``distance`` or ``gradient``.
    sigma
        Standard deviation in mm of the smoothing beforehand; 0 for none.
    depth
        Waist in mm, from either side, that parts two objects (``distance``).
    share
        Depth of a basin of the gradient as a fraction of the largest gradient (``gradient``).

    References
    ----------
    Vincent, Soille. Watersheds in digital spaces. IEEE Trans. PAMI 13 (1991) 583-598. Malpica et al. Applying watershed
    algorithms to the segmentation of clustered nuclei. Cytometry 28 (1997) 289-297.
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    needs_mm: ClassVar[bool] = True
    instances: ClassVar[str | None] = "region"
    ns_per_sample: ClassVar[float] = 600.0
    bytes_per_sample: ClassVar[float] = 60.0

    markers: Literal["distance", "gradient"] = "distance"
    sigma: float = Field(0.0, ge=0)
    depth: float = Field(0.75, ge=0)
    share: float = Field(0.05, ge=0, le=1)

    @classmethod
    def examples(cls) -> tuple[Watershed, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(markers="gradient", sigma=1.5))

    def example_inputs(self) -> tuple[tuple[Image, ...], ...]:
        """Return round things of which two touch."""
        from isocenter.core.geometry import Geometry

        image = spots()
        return ((image.replace(geometry=Geometry.regular(image.shape, (0.5, 0.5))),),)

    def compute(self, array: Any, context: Context) -> npt.NDArray[np.int32]:
        """Return the numbered objects."""
        data = finite(self.name, array)
        if self.sigma:
            data = gaussian(data, [self.sigma / s for s in context.spacing], threads=context.threads)
        if context.region is not None and not context.region.any():
            context.note(f"{self.name}: the region is empty, and so is the result.")
            return np.zeros(data.shape, np.int32)
        if self.markers == "distance":
            found = self._parted(data, context)
        else:
            found = self._basins(data, context)
        context.note(f"{self.name}: {int(found.max(initial=0))} regions.")
        return _numbered(found, context)

    def _parted(self, data: npt.NDArray[Any], context: Context) -> npt.NDArray[np.int32]:
        """Return objects parted at their waists."""
        mask = data > otsu(data, context.region, threads=context.threads)
        if context.region is not None:
            mask &= context.region
        depth = distance_inside(np.pad(mask, 1), context.spacing, context.threads)[(slice(1, -1),) * mask.ndim]
        markers = _peaks(depth, self.depth).astype(np.int64)
        # An object that is no deeper than `depth` is one all the same.
        parts, count = components(mask, 6)
        bare = np.ones(count + 1, np.bool_)
        bare[np.unique(parts[markers > 0])] = False
        bare[0] = False
        markers[bare[parts]] = parts[bare[parts]].astype(np.int64) + int(markers.max(initial=0))
        return watershed(-depth, markers, mask)

    def _basins(self, data: npt.NDArray[Any], context: Context) -> npt.NDArray[np.int32]:
        """Return the basins of the gradient."""
        steep = np.zeros(data.shape, np.float32)
        for axis, step in enumerate(context.spacing):
            if data.shape[axis] > 1:
                steep += np.gradient(data, step, axis=axis).astype(np.float32) ** 2
        steep = np.sqrt(steep)
        return watershed(steep, _peaks(-steep, self.share * float(steep.max(initial=0.0)), context.region), context.region)


def _numbered(labels: npt.NDArray[np.int32], context: Context) -> npt.NDArray[np.int32]:
    """Return labels numbered by size, the largest first, and by place in the world where sizes are equal."""
    count = int(labels.max(initial=0))
    flat = labels.ravel()
    size = np.bincount(flat, minlength=count + 1)[1:]
    middle = np.zeros((count, labels.ndim))
    for axis, length in enumerate(labels.shape):
        place = np.arange(length, dtype=np.float64).reshape([-1 if k == axis else 1 for k in range(labels.ndim)])
        total = np.bincount(flat, np.broadcast_to(place, labels.shape).ravel(), minlength=count + 1)[1:]
        middle[:, axis] = total / np.maximum(size, 1)
    world = np.round(context.geometry.to_world(middle), 6)
    order = np.lexsort((world[:, 0], world[:, 1], world[:, 2], -size))
    rank = np.zeros(count + 1, np.int32)
    rank[order[size[order] > 0] + 1] = np.arange(1, int((size > 0).sum()) + 1)
    return rank[labels]


def _peaks(height: npt.NDArray[Any], depth: float, where: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.uint32]:
    """Return numbered maxima that rise by more than `depth` above the highest pass to a higher one."""
    from skimage.morphology import local_maxima, reconstruction

    data = height.astype(np.float64)
    if where is not None:
        data = np.where(where, data, data.min())
    if depth > 0:
        # Lowering by the depth and growing back under the image fills every lesser dip between maxima.
        data = reconstruction(data - depth, data, method="dilation")
    peaks = local_maxima(data, connectivity=data.ndim, allow_borders=True)
    if data.min() == data.max():
        peaks = np.ones(data.shape, np.bool_)
    return components(peaks if where is None else peaks & where)[0]
