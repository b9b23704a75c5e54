"""Where two label maps agree, and where they differ."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.families import Fuser
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.core.operation import Context, Spec
from isocenter.ops.fuse._readers import check_kinds, readers, resolved

__all__ = ["Compare"]

#: Okabe and Ito's colours, which readers with colour-vision deficiency tell apart.
_ROWS = (
    Segment(1, "both", color=(0, 158, 115)),
    Segment(2, "only first", color=(230, 159, 0)),
    Segment(3, "only second", color=(86, 180, 233)),
    Segment(4, "other label", color=(204, 121, 167)),
)


class Compare(Fuser):
    """Say of every sample whether two label maps agree on it, or which of them labels it.

    The result labels what ``both`` hold, what ``only first`` and ``only second`` hold, and where both hold something but an
    ``other label``; what is background to both stays 0. The note counts each. Values are compared, so that a value must mean
    the same in both; with `label` just one segment is compared, by name or value in each table.

    Parameters
    ----------
    label
        Segment to compare, by name or value; None compares all. One that a table does not hold is empty there.

    References
    ----------
    Okabe, Ito. Color universal design (2008), for the colours.
    """

    dims: ClassVar[tuple[str, ...]] = ("x", "yx", "zyx")
    ns_per_sample: ClassVar[float] = 5.0

    label: str | int | None = None

    @classmethod
    def examples(cls) -> tuple[Compare, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(label="lesion"))

    def example_inputs(self) -> tuple[tuple[Image, ...], ...]:
        """Return two readers."""
        return (readers()[:2],)

    def __call__(self, *images: Image, seed: int = 0, threads: int | None = None) -> Image:
        """Return the agreement of two label maps."""
        check_kinds(self.name, [type(i).__name__ for i in images])
        self._check_count(len(images))
        if self.label is None:
            _check_meaning(self.name, images)
            return super().__call__(*images, seed=seed, threads=threads)
        masks = [self._only(i) for i in images if isinstance(i, LabelMap)]
        result = super().__call__(*masks, seed=seed, threads=threads)
        # The lineage names what was given, not the masks taken from it on the way.
        return result.replace(provenance=self.traced(images, seed, list(result.provenance.steps[-1].notes)))

    def compute(self, array: Any, context: Context) -> Any:
        """Return 0 to 4 for every sample."""
        first, second = array
        here, there = first > 0, second > 0
        result = np.where(here, np.where(there, 4, 2), np.where(there, 3, 0)).astype(np.uint8)
        result[here & (first == second)] = 1
        counts = np.bincount(result.ravel(), minlength=5)
        words = ", ".join(f"{row.name} {int(counts[row.value])}" for row in _ROWS)
        context.note(f"{self.name}: samples in {words}; {int(counts[2:].sum())} differ.")
        return result

    def assemble(self, images: tuple[Image, ...], array: Any) -> LabelMap:
        """Return the agreement as labels."""
        first = images[0]
        return LabelMap(array, first.dims, first.geometry, _ROWS, modality=first.modality, times=first.times)

    def resolve(self, *specs: Spec) -> Spec:
        """Return the spec of the agreement."""
        self._check_count(len(specs))
        return resolved(self, specs).replace(dtype=np.dtype(np.uint8).str)

    def _check_count(self, count: int) -> None:
        if count != 2:
            raise ParameterError(f"{self.name} was given {count} label maps: expected two; fuse.majority takes more.")

    def _only(self, labels: LabelMap) -> LabelMap:
        """Return the compared segment alone."""
        there = any(self.label in (row.name, row.value) for row in labels.segments)
        mask = labels.mask(self.label) if there else np.zeros(labels.shape, np.bool_)
        return labels.replace(array=mask.astype(np.uint8), segments=(Segment(1, str(self.label)),))


def _check_meaning(who: str, images: tuple[Image, ...]) -> None:
    """Raise where one value means different things."""
    first, second = ({r.value: r.name for r in getattr(i, "segments", ())} for i in images)
    if len(first) == 1 and len(second) == 1:
        return  # a single mask is a mask, whatever its file calls it
    for value in sorted(set(first) & set(second)):
        if first[value] != second[value]:
            raise ContentError(
                f"{who}: label {value} is '{first[value]}' in the first map and '{second[value]}' in the second: "
                "expected one meaning for each value; renumber one of them, or name one label."
            )
