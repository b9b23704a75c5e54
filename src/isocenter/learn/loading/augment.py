"""What is done to a patch on the fly: each step with its chance, all drawn from one generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ParameterError
from isocenter.learn.loading import artefacts, intensity
from isocenter.learn.loading.spatial import about, turned

__all__ = ["MICROSCOPY", "MR", "NONE", "PHOTO", "USUAL", "Augment", "Placement"]

FloatArray = npt.NDArray[np.float32]
_SIZES = ("angle", "scale", "bend", "strength")


@dataclass(frozen=True)
class Placement:
    """How a patch is taken out of a case.

    Attributes
    ----------
    linear
        Rotation and size of indices, shape (axes, axes); None where the samples lie as in the case.
    mirror
        Axes that are mirrored.
    bend
        Deviation of a bending field, in samples; 0 for none.
    """

    linear: npt.NDArray[np.float64] | None
    mirror: tuple[int, ...]
    bend: float

    @property
    def copied(self) -> bool:
        """Whether samples are copied, not interpolated."""
        return self.linear is None and not self.bend

    def matrix(self, start: Sequence[float], patch: Sequence[int]) -> npt.NDArray[np.float64]:
        """Return the map from a patch's indices to a case's.

        Parameters
        ----------
        start
            First sample of the patch along each axis, as if nothing were done.
        patch
            Samples along each axis.
        """
        linear = np.eye(len(patch)) if self.linear is None else self.linear
        return about(linear * np.array([-1.0 if k in self.mirror else 1.0 for k in range(len(patch))]), start, patch)


@dataclass(frozen=True)
class Augment:
    """Chances (0 to 1) and strengths. Samples are expected to be normalised, of about unit deviation.

    Parameters
    ----------
    turn, size, elastic
        Chance to turn, to scale, and to bend.
    angle, scale, bend
        At most so many degrees in each plane; relative size; deviation of the bending field in samples.
    mirror
        Axes that are mirrored at even odds: none where left and right differ.
    gain, offset, gamma, noise, blur
        Chances of intensity changes: a factor of 0.7 to 1.3, an offset of deviation 0.2, a power of 0.67 to 1.5, noise of up to 0.2,
        a Gaussian of 0.3 to 1.2 samples.
    bias, ghost, motion, spike
        Chances of MR artefacts.
    strength
        Of all changes, 0 (none) to 1 (as above).
    """

    turn: float = 0.0
    size: float = 0.0
    elastic: float = 0.0
    angle: float = 30.0
    scale: float = 0.25
    bend: float = 2.0
    mirror: tuple[int, ...] = ()
    gain: float = 0.0
    offset: float = 0.0
    gamma: float = 0.0
    noise: float = 0.0
    blur: float = 0.0
    bias: float = 0.0
    ghost: float = 0.0
    motion: float = 0.0
    spike: float = 0.0
    strength: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "mirror", tuple(self.mirror))
        for name, value in self._chances().items():
            if not 0 <= value <= 1:
                raise ParameterError(f"Augment {name} = {value}: expected a chance between 0 and 1.")
        if self.strength < 0 or self.scale * self.strength >= 1:
            raise ParameterError(
                f"Augment strength {self.strength} and scale {self.scale}: expected 0 or more, and a size above nothing."
            )

    @property
    def active(self) -> bool:
        """Whether anything is done at all."""
        return bool(self.strength and (self.mirror or any(self._chances().values())))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    def placed(self, axes: int, rng: np.random.Generator, spacing: Sequence[float] | None = None) -> Placement:
        """Draw how a patch is taken.

        Parameters
        ----------
        axes
            Spatial axes.
        rng
            Decides.
        spacing
            mm per sample, for turning on uneven grids.
        """
        if not self.active:
            return Placement(None, (), 0.0)
        linear: npt.NDArray[np.float64] | None = None
        if rng.random() < self.turn:
            linear = turned(axes, rng, self.angle * self.strength, spacing)
        if rng.random() < self.size:
            linear = (np.eye(axes) if linear is None else linear) * (1.0 + self.scale * self.strength * rng.uniform(-1.0, 1.0))
        mirror = tuple(k for k in self.mirror if k < axes and rng.random() < 0.5)
        return Placement(linear, mirror, self.bend * self.strength if rng.random() < self.elastic else 0.0)

    def changed(self, image: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Return a patch (channels, *spatial) with artefacts and other intensities."""
        return self._intensity(self._artefacts(image, rng), rng) if self.active else image

    def _chances(self) -> dict[str, float]:
        return {name: value for name, value in asdict(self).items() if name not in ("mirror", *_SIZES)}

    def _artefacts(self, image: FloatArray, rng: np.random.Generator) -> FloatArray:
        axes, force = image.ndim - 1, self.strength
        if rng.random() < self.bias:
            image = artefacts.biased(image, force * rng.uniform(0.05, 0.3), rng)
        if rng.random() < self.ghost:
            image = artefacts.ghosted(image, force * rng.uniform(0.1, 0.5), int(rng.integers(2, 6)), int(rng.integers(axes)))
        if rng.random() < self.motion:
            shape = image.shape[1:]
            shift = [force * rng.uniform(-0.02, 0.02) * n for n in shape]
            matrix = about(turned(axes, rng, 4.0 * force), shift, shape)
            image = artefacts.moved(image, matrix, rng.uniform(0.1, 0.45), int(rng.integers(axes)))
        if rng.random() < self.spike:
            image = artefacts.spiked(image, force * rng.uniform(0.1, 0.6), rng)
        return image

    def _intensity(self, image: FloatArray, rng: np.random.Generator) -> FloatArray:
        force = self.strength
        if rng.random() < self.gain:
            image = intensity.gained(image, 1.0 + 0.3 * force * rng.uniform(-1.0, 1.0))
        if rng.random() < self.offset:
            image = intensity.shifted(image, 0.2 * force, rng)
        if rng.random() < self.gamma:
            image = intensity.gamma_changed(image, float(np.exp(force * rng.uniform(-0.4, 0.4))))
        if rng.random() < self.blur:
            image = intensity.blurred(image, force * rng.uniform(0.3, 1.2))
        if rng.random() < self.noise:
            image = intensity.noised(image, rng.uniform(0.0, 0.2 * force), rng)
        return image


NONE = Augment()
USUAL = Augment(turn=0.5, size=0.5, gain=0.3, offset=0.3, gamma=0.3, noise=0.15)
PHOTO = replace(USUAL, blur=0.15)
#: Pictures without an up, whose brightness is a measurement: any angle, no gamma.
MICROSCOPY = replace(USUAL, turn=1.0, angle=180.0, size=1.0, scale=0.3, gain=0.5, gamma=0.0)
MR = replace(PHOTO, elastic=0.2, bias=0.3, ghost=0.1, motion=0.1, spike=0.05)
