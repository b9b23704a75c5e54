"""Consensus of readers, each weighed by how good it turns out to be."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from isocenter.core.families import Fuser
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.core.operation import Context, Spec
from isocenter.kernels.agreement import staple
from isocenter.ops.fuse._readers import check_kinds, readers, resolved, with_table

__all__ = ["Staple"]


class Staple(Fuser):
    """Estimate the true labels and each reader's sensitivity and specificity together (STAPLE).

    The notes name each reader's rates. Readers count as independent, and the share of each label in the whole field as its
    probability before anyone looked: in a wide, mostly empty field crop around the structures first, else specificities are
    near 1 and a single reader's outline may win.

    Parameters
    ----------
    iterations
        Most iterations of the estimation.
    tolerance
        Largest change of a rate, as a fraction, at which the estimate counts as found.

    References
    ----------
    Warfield, Zou, Wells. Simultaneous truth and performance level estimation (STAPLE). IEEE Trans. Med. Imaging 23 (2004)
    903-921.
    """

    dims: ClassVar[tuple[str, ...]] = ("x", "yx", "zyx")
    ns_per_sample: ClassVar[float] = 150.0
    bytes_per_sample: ClassVar[float] = 40.0

    iterations: int = Field(200, ge=1)
    tolerance: float = Field(1e-7, gt=0)

    def example_inputs(self) -> tuple[tuple[Image, ...], ...]:
        """Return three readers."""
        return (readers(),)

    def __call__(self, *images: Image, seed: int = 0, threads: int | None = None) -> Image:
        """Return the consensus of two or more label maps."""
        check_kinds(self.name, [type(i).__name__ for i in images])
        return super().__call__(*images, seed=seed, threads=threads)

    def compute(self, array: Any, context: Context) -> Any:
        """Return the consensus."""
        found = staple(array, self.iterations, self.tolerance)
        assert found.confusion is not None  # it always comes with the estimate
        for reader, rates in enumerate(found.confusion, start=1):
            hits = ", ".join(f"label {v}: {rates[k, k]:.4f}" for k, v in enumerate(found.values) if v)
            context.note(f"{self.name}: reader {reader} has specificity {rates[0, 0]:.4f} and sensitivity {hits or 'undefined'}.")
        if found.iterations >= self.iterations:
            context.note(f"{self.name}: the estimate had not settled after {self.iterations} iterations.")
        return found.labels

    def assemble(self, images: tuple[Image, ...], array: Any) -> LabelMap:
        """Return the labels with every reader's rows."""
        return with_table(self.name, images, array)

    def resolve(self, *specs: Spec) -> Spec:
        """Return the spec of the consensus."""
        return resolved(self, specs)
