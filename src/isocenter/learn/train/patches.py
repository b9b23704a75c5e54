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
        matrix = self._matrix(centre, generator)
        channels = [sample_affine(channel, matrix, self.patch, "linear", None) for channel in image]
        labels = sample_affine(truth, matrix, self.patch, "nearest", None)
        patch = np.stack(channels).astype(np.float32, copy=False)
        return (_intensity(patch, generator, self.augment) if self.augment else patch), labels

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

    def _matrix(self, centre: npt.NDArray[np.float64], generator: np.random.Generator) -> npt.NDArray[np.float64]:
        """Return the map from indices of the patch to indices of the case."""
        axes = len(self.patch)
        turn = np.eye(axes)
        if self.augment:
            if generator.random() < 0.5:
                turn = turn @ _rotation(axes, generator, np.pi / 6.0 * self.augment)
            if generator.random() < 0.5:
                turn = turn * generator.uniform(1.0 - 0.25 * self.augment, 1.0 + 0.25 * self.augment)
            flips = np.array([-1.0 if k in self.mirror and generator.random() < 0.5 else 1.0 for k in range(axes)])
            turn = turn * flips
            step = np.array(self.spacing if self.spacing is not None else [1.0] * axes)
            turn = turn * step[None, :] / step[:, None]
        half = (np.array(self.patch, dtype=np.float64) - 1.0) / 2.0
        start = centre - turn @ half
        if np.array_equal(turn, np.eye(axes)):
            start = np.round(start)  # whole samples are copied, not mixed
        return np.column_stack([turn, start])


def _classes(flat: npt.NDArray[np.uint8]) -> list[int]:
    return [int(k) for k in np.flatnonzero(np.bincount(flat)) if k > 0]


def _rotation(axes: int, generator: np.random.Generator, most: float) -> npt.NDArray[np.float64]:
    """Return a rotation by up to `most` radians in each plane."""
    result = np.eye(axes)
    for a in range(axes):
        for b in range(a + 1, axes):
            angle = generator.uniform(-most, most)
            plane = np.eye(axes)
            plane[a, a] = plane[b, b] = np.cos(angle)
            plane[a, b], plane[b, a] = -np.sin(angle), np.sin(angle)
            result = result @ plane
    return result


def _intensity(patch: FloatArray, generator: np.random.Generator, strength: float) -> FloatArray:
    """Return a patch with other brightness, contrast, gamma and noise, each with its chance; per channel where that makes sense."""
    if generator.random() < 0.3:
        patch = patch * np.float32(generator.uniform(1.0 - 0.3 * strength, 1.0 + 0.3 * strength))
    if generator.random() < 0.3:
        patch = patch + generator.normal(0.0, 0.2 * strength, (len(patch),) + (1,) * (patch.ndim - 1)).astype(np.float32)
    if generator.random() < 0.3:
        low, high = float(patch.min()), float(patch.max())
        span = max(high - low, 1e-6)
        gamma = np.exp(generator.uniform(-0.4, 0.4) * strength)
        patch = (((patch - low) / span) ** np.float32(gamma) * span + low).astype(np.float32)
    if generator.random() < 0.15:
        patch = patch + generator.normal(0.0, generator.uniform(0.0, 0.2 * strength), patch.shape).astype(np.float32)
    return patch.astype(np.float32, copy=False)
