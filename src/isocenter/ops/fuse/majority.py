"""Consensus of readers by majority."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from isocenter.core.families import Fuser
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.core.operation import Context, Spec
from isocenter.kernels.agreement import majority
from isocenter.ops.fuse._readers import check_kinds, readers, resolved, with_table

__all__ = ["Majority"]


class Majority(Fuser):
    """Give every sample the label that most readers gave it.

    Where several labels lead alike, background wins if it is one of them, else the lowest value: an even number of readers
    that are split labels nothing. A note says how many samples no two readers saw alike.

    References
    ----------
    Kittler, Hatef, Duin, Matas. On combining classifiers. IEEE Trans. PAMI 20 (1998) 226-239 (majority vote).
    """

    dims: ClassVar[tuple[str, ...]] = ("x", "yx", "zyx")
    ns_per_sample: ClassVar[float] = 20.0

    def example_inputs(self) -> tuple[tuple[Image, ...], ...]:
        """Return three readers."""
        return (readers(),)

    def __call__(self, *images: Image, seed: int = 0, threads: int | None = None) -> Image:
        """Return the consensus of two or more label maps."""
        check_kinds(self.name, [type(i).__name__ for i in images])
        return super().__call__(*images, seed=seed, threads=threads)

    def compute(self, array: Any, context: Context) -> Any:
        """Return the consensus."""
        split = int((np.asarray(array) != array[:1]).any(axis=0).sum())
        context.note(f"{self.name}: {len(array)} readers disagree in {split} of {array[0].size} samples.")
        return majority(array).labels

    def assemble(self, images: tuple[Image, ...], array: Any) -> LabelMap:
        """Return the labels with every reader's rows."""
        return with_table(self.name, images, array)

    def resolve(self, *specs: Spec) -> Spec:
        """Return the spec of the consensus."""
        return resolved(self, specs)
