"""What is done to a patch on the fly: each step with its chance, all drawn from one generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ParameterError
from isocenter.learn.loading import artefacts, intensity
from isocenter.learn.loading.spatial import random_matrix, warp

__all__ = ["MR", "NONE", "PHOTO", "Augment"]

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Augment:
    """Chances (0 to 1) and strengths.

    Parameters
    ----------
    affine, elastic
        Chance to turn, scale and shift; and to bend.
    angle, scale, bend
        Degrees, relative size, samples.
    mirror
        Axes that may be mirrored: none where left and right differ.
    gamma, brightness, contrast, noise, blur
        Chances of intensity changes.
    bias, ghost, motion, spike
        Chances of MR artefacts.
    """

    affine: float = 0.0
    elastic: float = 0.0
    angle: float = 15.0
    scale: float = 0.15
    bend: float = 2.0
    mirror: tuple[int, ...] = ()
    gamma: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    noise: float = 0.0
    blur: float = 0.0
    bias: float = 0.0
    ghost: float = 0.0
    motion: float = 0.0
    spike: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "mirror", tuple(self.mirror))
        for name, value in asdict(self).items():
            if name not in ("mirror", "angle", "scale", "bend") and not 0 <= value <= 1:
                raise ParameterError(f"Augment {name} = {value}: expected a chance between 0 and 1.")

    @property
    def active(self) -> bool:
        """Whether anything is done at all."""
        return self != NONE

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    def __call__(
        self,
        image: FloatArray,
        truth: npt.NDArray[np.uint8] | None,
        rng: np.random.Generator,
        spacing: Sequence[float] | None = None,
    ) -> tuple[FloatArray, npt.NDArray[np.uint8] | None]:
        """Return a patch (channels, *spatial) and its class indices, augmented."""
        image, truth = self._spatial(image, truth, rng, spacing)
        return self._intensity(self._artefacts(image, rng), rng), truth

    def _spatial(
        self, image: FloatArray, truth: npt.NDArray[np.uint8] | None, rng: np.random.Generator, spacing: Sequence[float] | None
    ) -> tuple[FloatArray, npt.NDArray[np.uint8] | None]:
        turn, bend = rng.random() < self.affine, rng.random() < self.elastic
        if turn or bend:
            angle, scale, shift = (self.angle, self.scale, 0.05) if turn else (0.0, 0.0, 0.0)
            shape = image.shape[1:]
            matrix = random_matrix(shape, rng, angle=angle, scale=scale, shift=shift, mirror=self.mirror, spacing=spacing)
            return warp(image, truth, matrix, rng, bend=self.bend if bend else 0.0)
        axes = [k for k in self.mirror if rng.random() < 0.5]  # alone it needs no interpolation
        if axes:
            image = np.ascontiguousarray(np.flip(image, tuple(k + 1 for k in axes)))
            truth = None if truth is None else np.ascontiguousarray(np.flip(truth, tuple(axes)))
        return image, truth

    def _artefacts(self, image: FloatArray, rng: np.random.Generator) -> FloatArray:
        axes = image.ndim - 1
        if rng.random() < self.bias:
            image = artefacts.biased(image, rng.uniform(0.05, 0.3), rng)
        if rng.random() < self.ghost:
            image = artefacts.ghosted(image, rng.uniform(0.1, 0.5), int(rng.integers(2, 6)), int(rng.integers(axes)))
        if rng.random() < self.motion:
            matrix = random_matrix(image.shape[1:], rng, angle=4.0, scale=0.0, shift=0.02)
            image = artefacts.moved(image, matrix, rng.uniform(0.1, 0.45), int(rng.integers(axes)))
        if rng.random() < self.spike:
            image = artefacts.spiked(image, rng.uniform(0.1, 0.6), rng)
        return image

    def _intensity(self, image: FloatArray, rng: np.random.Generator) -> FloatArray:
        if rng.random() < self.gamma:
            image = intensity.gamma_changed(image, float(np.exp(rng.uniform(-0.4, 0.4))))
        if rng.random() < self.contrast:
            image = intensity.contrasted(image, rng.uniform(0.7, 1.4))
        if rng.random() < self.brightness:
            image = intensity.brightened(image, rng.uniform(-0.3, 0.3))
        if rng.random() < self.blur:
            image = intensity.blurred(image, rng.uniform(0.3, 1.2))
        if rng.random() < self.noise:
            image = intensity.noised(image, rng.uniform(0.0, 0.2), rng)
        return image


NONE = Augment()
PHOTO = Augment(affine=0.5, gamma=0.3, brightness=0.3, contrast=0.3, noise=0.15, blur=0.15)
MR = Augment(
    affine=0.5,
    elastic=0.2,
    gamma=0.3,
    brightness=0.3,
    contrast=0.3,
    noise=0.15,
    blur=0.15,
    bias=0.3,
    ghost=0.1,
    motion=0.1,
    spike=0.05,
)
