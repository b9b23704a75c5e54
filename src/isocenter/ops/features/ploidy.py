"""features.ploidy: DNA content of nuclei from transmitted light."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from isocenter.core.errors import ContentError
from isocenter.core.families import Extractor
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack
from isocenter.core.operation import Context
from isocenter.core.provenance import Provenance
from isocenter.core.results import Column, Features
from isocenter.kernels.labels import dilate
from isocenter.kernels.ploidy import diploid_peak, exceeding_rate, focus, optical_density

__all__ = ["Ploidy"]


class Ploidy(Extractor):
    """Integrated optical density and DNA index of each nucleus, and what the population says.

    Every segment of the region is one nucleus. Its stain is the optical density summed over its samples, above that of
    the ground around it; the 2c peak is the lowest high peak of the population, and the DNA index is the stain over that
    peak (1 is diploid, 2 tetraploid). ``diploid_peak`` and ``exceeding_rate_5c`` are of the population and the same in each
    row. An image whose quantity is ``optical density`` is taken as it is.

    Parameters
    ----------
    clear
        Light of the clear field, in the unit of the image; null takes the median of the samples outside all nuclei.
    channel
        Index of the channel that is measured; null takes their mean.
    ring
        Width in samples of the ring around a nucleus whose median density is the ground; 0 subtracts nothing.
    diploid
        Integrated density of reference nuclei, a number in density times samples; null finds the peak.

    References
    ----------
    Bocking et al., Anal. Cell. Pathol. 8 (1995) 67-74. Haroske et al., Cell. Oncol. 23 (2001) 89-95 (5c exceeding rate).
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "cyx")
    ns_per_sample: ClassVar[float] = 100.0

    clear: float | None = Field(None, gt=0)
    channel: int | None = Field(None, ge=0)
    ring: int = Field(3, ge=0, le=100)
    diploid: float | None = Field(None, gt=0)

    @classmethod
    def examples(cls) -> tuple[Ploidy, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(clear=1000.0, ring=0, diploid=20.0))

    def example_inputs(self) -> tuple[tuple[Any, ...], ...]:
        """Return a bright field with stained discs of one, two and four times the DNA."""
        y, x = np.indices((48, 60))
        light = np.full(y.shape, 1000.0)
        labels = np.zeros(y.shape, np.uint8)
        for k, (cy, cx, density) in enumerate(((12, 12, 0.2), (12, 40, 0.2), (34, 14, 0.4), (34, 42, 0.8)), start=1):
            disc = (y - cy) ** 2 + (x - cx) ** 2 <= 36
            labels[disc] = k
            light[disc] *= 10.0**-density
        grid = Geometry.regular(y.shape, 0.5e-3)
        image = Image(np.rint(light).astype(np.float32), ("y", "x"), grid, modality="SM")
        region = LabelMap(labels, ("y", "x"), grid)
        image = image.replace(provenance=Provenance.read(image.digest, "example"))
        return ((image, region.replace(provenance=Provenance.read(region.digest, "example"))),)

    def columns(self, context: Context) -> tuple[Column, ...]:
        """Return the columns."""
        return (
            Column("nucleus_samples", "1", "", "number of samples of the nucleus"),
            Column("integrated_optical_density", "1", "", "sum of optical density above the ground"),
            Column("optical_density_mean", "1", "", "mean optical density"),
            Column("focus", "1", "", "squared gradient of the density over its square, with the border; low where out of focus"),
            Column("dna_index", "1", "", "integrated density over that of the 2c peak: 1 is diploid"),
            Column("diploid_peak", "1", "", "integrated density of the 2c peak of the population"),
            Column("exceeding_rate_5c", "1", "", "fraction of the population with more than 5c"),
        )

    def __call__(self, image: Image, region: LabelMap | MaskStack, /, *, seed: int = 0, threads: int | None = None) -> Features:
        """Return one row per nucleus."""
        table = super().__call__(image, region, seed=seed, threads=threads)
        stain = np.array([row[table.names.index("integrated_optical_density")] for row in table.rows], dtype=np.float64)
        peak = self.diploid or diploid_peak(stain)
        with np.errstate(invalid="ignore", divide="ignore"):
            index = stain / peak if peak > 0 else np.full(stain.shape, np.nan)
        rate = exceeding_rate(index)
        rows = [(*row[:4], float(i), float(peak), rate) for row, i in zip(table.rows, index, strict=True)]
        return Features(table.columns, tuple(rows), table.regions, table.provenance)

    def masks(self, region: LabelMap | MaskStack) -> Iterator[tuple[str, npt.NDArray[np.bool_], None]]:
        """Yield every nucleus together with all of them, as a pair of masks."""
        found = [(name, np.asarray(mask)) for name, mask, _ in super().masks(region)]
        every = np.logical_or.reduce([m for _, m in found]) if found else None
        for name, mask in found:
            yield name, np.stack([mask, every]), None  # type: ignore[list-item]  # None only where nothing is yielded

    def compute(self, array: Any, context: Context) -> dict[str, float]:
        """Return what one nucleus, ``context.region[0]``, says by itself."""
        assert context.region is not None  # masks gives a pair
        mask, every = context.region
        result = {"nucleus_samples": float(mask.sum())}
        if not mask.any():
            return result
        margin = max(self.ring, 2) + 1
        box = tuple(slice(max(0, int(w.min()) - margin), int(w.max()) + margin + 1) for w in np.nonzero(mask))
        density = self._density(array, context, every, box)
        own, others = mask[box], every[box]
        ground = 0.0
        if self.ring:
            around = dilate(own, float(self.ring), (1.0, 1.0)) & ~others
            ground = float(np.median(density[around])) if around.any() else 0.0
        values = density[own] - ground
        result["integrated_optical_density"] = float(values.sum())
        result["optical_density_mean"] = float(values.mean())
        border = dilate(own, 2.0, (1.0, 1.0)) & (own | ~others)
        result["focus"] = focus(density - ground, border)
        return result

    def _density(self, array: Any, context: Context, every: Any, box: tuple[slice, ...]) -> npt.NDArray[np.float64]:
        """Return the optical density in a box."""
        data = np.asarray(array, dtype=np.float64)
        if data.ndim == 3:
            if self.channel is not None and self.channel >= len(data):
                raise ContentError(f"{self.name}: channel {self.channel} of an image of {len(data)}: expected a lower index.")
            data = data.mean(axis=0) if self.channel is None else data[self.channel]
        if context.quantity == "optical density":
            return np.asarray(data[box])
        clear = self.clear
        if clear is None:
            outside = data[~every]
            clear = float(np.median(outside)) if outside.size else float(data.max())
            if not clear > 0.0:
                raise ContentError(
                    f"{self.name}: the ground outside the nuclei has a median of {clear:g}: expected transmitted light, which is "
                    "bright there; give 'clear', or an image of optical density."
                )
        return optical_density(data[box], clear)
