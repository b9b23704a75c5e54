"""Give a stained section the colours of another one."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from isocenter.core.errors import ContentError
from isocenter.core.families import ReferenceFilter
from isocenter.core.operation import Context
from isocenter.kernels.finite import require_finite
from isocenter.kernels.stains import color_statistics, concentrations, from_lab, macenko, optical_density, to_lab, vahadane

__all__ = ["Stain"]


class Stain(ReferenceFilter):
    """Give a section stained with haematoxylin and eosin the colours of a reference: Macenko, Vahadane or Reinhard.

    For sections of several laboratories before learning or comparing. Macenko's and Vahadane's methods find the two stains
    and how much of each is there, and exchange their colours and strengths; Reinhard's matches means and deviations of
    colours and may tint the glass. Not for other stains, and not before measuring optical density. What no stain
    explains stays as it is, so that an image after itself is unchanged.

    Parameters
    ----------
    method
        ``macenko``, ``vahadane`` (sparse factoring, keeps structure best, slower) or ``reinhard``.
    white
        Value of empty glass, in the unit of the image (255 for 8-bit images).

    References
    ----------
    Macenko et al. A method for normalizing histology slides for quantitative analysis. ISBI (2009) 1107-1110.
    Vahadane et al. Structure-preserving color normalization and sparse stain separation for histological images. IEEE Trans.
    Med. Imaging 35 (2016) 1962-1971.
    Reinhard, Ashikhmin, Gooch, Shirley. Color transfer between images. IEEE Comput. Graph. Appl. 21 (2001) 34-41.
    """

    dims: ClassVar[tuple[str, ...]] = ("cyx",)
    ns_per_sample: ClassVar[float] = 150.0
    bytes_per_sample: ClassVar[float] = 80.0

    method: Literal["macenko", "vahadane", "reinhard"] = "macenko"
    white: float = Field(255.0, gt=0)

    @classmethod
    def examples(cls) -> tuple[Stain, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(white=1000.0), cls(method="vahadane", white=1000.0), cls(method="reinhard", white=1000.0))

    def compute(self, array: Any, context: Context) -> Any:
        """Return the section in the colours of the reference."""
        reference = context.reference
        assert reference is not None  # the family hands it over
        if array.shape[0] != 3 or reference.ndim != 3 or reference.shape[0] != 3:
            raise ContentError(
                f"{self.name} takes sections of three colours, but was given shapes {array.shape} and {reference.shape}: "
                "expected red, green and blue in both."
            )
        require_finite(array, self.name)
        require_finite(reference, self.name)
        pixels, wanted = array.reshape(3, -1), reference.reshape(3, -1)
        if pixels.shape == wanted.shape and np.array_equal(pixels, wanted):
            return array.copy()
        done = self._reinhard(pixels, wanted) if self.method == "reinhard" else self._stains(pixels, wanted, context)
        return np.clip(done, 0.0, self.white).reshape(array.shape).astype(array.dtype)

    def _reinhard(self, pixels: Any, wanted: Any) -> Any:
        one, two = to_lab(np.clip(pixels / self.white, 0.0, None)), to_lab(np.clip(wanted / self.white, 0.0, None))
        (mean, spread), (goal, width) = color_statistics(one), color_statistics(two)
        return self.white * from_lab((one - mean) * (width / np.where(spread > 1e-9, spread, 1.0)) + goal)

    def _stains(self, pixels: Any, wanted: Any, context: Context) -> Any:
        find = macenko if self.method == "macenko" else vahadane
        one, two = optical_density(pixels, self.white), optical_density(wanted, self.white)
        colors, goal = find(one), find(two)
        if colors is None or goal is None:
            which = "the image" if colors is None else "the reference"
            context.note(f"{self.name}: {which} shows no stained tissue; the colours were left as they are.")
            return pixels
        amounts, rest = concentrations(one, colors)
        most, full = (np.percentile(v, 99, axis=1, keepdims=True) for v in (amounts, concentrations(two, goal)[0]))
        scale = np.where(most > 1e-9, full / np.where(most > 1e-9, most, 1.0), 1.0)
        return self.white * np.exp(-(goal @ (amounts * scale) + rest))
