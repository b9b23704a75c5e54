"""features.lbp: local binary patterns of each region."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from isocenter.core.families import Extractor
from isocenter.core.operation import Context
from isocenter.core.results import Column
from isocenter.kernels.texture.binary_patterns import binary_patterns

__all__ = ["Lbp"]


class Lbp(Extractor):
    """Shares of the rotation-invariant uniform local binary patterns in each region, slice by slice.

    ``lbp_0`` is a spot darker than its neighbours ... ``lbp_4`` (of 8 points) a straight edge, and the last one all that
    is not one arc. Brightness and contrast do not matter, only order. Neighbours may lie outside the region.

    Parameters
    ----------
    radius
        Radius of the circle of neighbours, in samples.
    points
        Number of neighbours on the circle.

    References
    ----------
    Ojala, Pietikainen, Maenpaa, IEEE Trans. PAMI 24 (2002) 971-987.
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    ns_per_sample: ClassVar[float] = 60.0

    radius: float = Field(1.0, ge=1, le=50)
    points: int = Field(8, ge=4, le=32)

    @classmethod
    def examples(cls) -> tuple[Lbp, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(radius=2.0, points=12))

    def columns(self, context: Context) -> tuple[Column, ...]:
        """Return one column per pattern, and their entropy."""
        arcs = [
            Column(f"lbp_{k}", "1", "", f"share of samples with {k} neighbours as bright, in one arc")
            for k in range(self.points + 1)
        ]
        rest = Column(f"lbp_{self.points + 1}", "1", "", "share of samples whose brighter neighbours are several arcs")
        return (*arcs, rest, Column("lbp_entropy", "bit", "", "entropy of the shares"))

    def compute(self, array: Any, context: Context) -> dict[str, float]:
        """Return the shares in ``context.region``."""
        assert context.region is not None  # the family hands one to every extractor
        if not context.region.any():
            return {}
        margin = int(np.ceil(self.radius)) + 1
        where = np.nonzero(context.region)
        box = tuple(
            slice(max(0, int(w.min()) - margin), int(w.max()) + margin + 1)
            if axis >= array.ndim - 2
            else slice(int(w.min()), int(w.max()) + 1)
            for axis, w in enumerate(where)
        )
        found = binary_patterns(np.asarray(array[box]), radius=self.radius, points=self.points, threads=context.threads)
        shares = np.bincount(found[context.region[box]], minlength=self.points + 2) / len(where[0])
        present = shares[shares > 0]
        result = {f"lbp_{k}": float(s) for k, s in enumerate(shares)}
        return result | {"lbp_entropy": float(-np.sum(present * np.log2(present))) + 0.0}
