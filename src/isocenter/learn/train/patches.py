"""Random patches for segmentation: cut, turned, scaled and mirrored in one interpolation; every step draws from its own seed.

What a step sees depends on (seed, epoch, step) alone, not on what was drawn before, so that a resumed training sees the same
patches as an unbroken one, and so do several processes that share the steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.kernels.interpolate import sample_affine
from isocenter.learn.train.augment import changed, placed

__all__ = ["Patches"]

FloatArray = npt.NDArray[np.float32]


@dataclass
class Patches:
    """Batches of patches from prepared cases.

    Parameters
    ----------
    images
        Prepared samples, each (channels, *spatial).
    truths
        Class indices, each of the spatial shape.
    patch, batch, steps
        Samples along each axis; patches a batch; batches an epoch.
    foreground
        Part of the patches that are centred on a sample of a class.
    augment
        Strength of the augmentation, 0 to 1.
    mirror
        Spatial axes along which an image may be mirrored. Default: none.
    spacing
        mm per sample, so that turning keeps angles on uneven grids. Default: even.
    names
        Of the cases, for messages.
    seed
        Of everything that is drawn.
    """

    images: Sequence[FloatArray]
    truths: Sequence[npt.NDArray[np.uint8]]
    patch: Sequence[int]
    batch: int
    steps: int
    foreground: float = 0.33
    augment: float = 1.0
    mirror: Sequence[int] = ()
    spacing: Sequence[float] | None = None
    names: Sequence[str] = ()
    seed: int = 0
    _places: list[list[npt.NDArray[np.intp]]] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        for truth in self.truths:
            flat = truth.reshape(-1)
            self._places.append([np.flatnonzero(flat == k)[:: max(int((flat == k).sum()) // 5000, 1)] for k in _classes(flat)])

    def __len__(self) -> int:
        return self.steps

    def epoch(self, number: int) -> Iterator[dict[str, Any]]:
        """Yield the batches of an epoch."""
        order = np.random.default_rng([self.seed, number]).permutation(max(len(self.images), self.steps * self.batch))
        for step in range(self.steps):
            generator = np.random.default_rng([self.seed, number, step + 1])
            chosen = [int(order[(step * self.batch + k) % len(order)]) % len(self.images) for k in range(self.batch)]
            pairs = [self._one(case, generator) for case in chosen]
            yield {
                "image": np.stack([p[0] for p in pairs]),
                "truth": np.stack([p[1] for p in pairs]),
                "names": [self.names[c] if self.names else str(c + 1) for c in chosen],
            }

    def _one(self, case: int, generator: np.random.Generator) -> tuple[FloatArray, npt.NDArray[np.uint8]]:
        image, truth = self.images[case], self.truths[case]
        centre = self._centre(case, generator)
        matrix = placed(centre, self.patch, generator, self.augment, self.mirror, self.spacing)
        channels = [sample_affine(channel, matrix, self.patch, "linear", None) for channel in image]
        labels = sample_affine(truth, matrix, self.patch, "nearest", None)
        patch = np.stack(channels).astype(np.float32, copy=False)
        return (changed(patch, generator, self.augment) if self.augment else patch), labels

    def _centre(self, case: int, generator: np.random.Generator) -> npt.NDArray[np.float64]:
        shape = self.truths[case].shape
        half = [(p - 1) / 2.0 for p in self.patch]
        centre = np.array(
            [
                (n - 1) / 2.0 if n <= p else generator.uniform(h, n - 1 - h)
                for n, p, h in zip(shape, self.patch, half, strict=True)
            ]
        )
        classes = self._places[case]
        if classes and generator.random() < self.foreground:
            chosen = classes[int(generator.integers(len(classes)))]
            place = np.unravel_index(int(chosen[int(generator.integers(len(chosen)))]), shape)
            for k, (n, p, h) in enumerate(zip(shape, self.patch, half, strict=True)):
                centre[k] = (n - 1) / 2.0 if n <= p else min(max(float(place[k]), h), n - 1 - h)
        return np.round(centre * 2.0) / 2.0 if not self.augment else centre


def _classes(flat: npt.NDArray[np.uint8]) -> list[int]:
    return [int(k) for k in np.flatnonzero(np.bincount(flat)) if k > 0]
