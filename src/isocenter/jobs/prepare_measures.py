"""What the voxels of an image say about how it was made: noise, unevenness, sharpness, contrast, artefacts, motion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from isocenter.core.errors import IsocenterError
from isocenter.core.image import Image
from isocenter.core.registry import operations
from isocenter.kernels.artifacts import contrast_of
from isocenter.kernels.content import fundus_like, stained_like
from isocenter.kernels.noise import NoiseModel, guess_noise
from isocenter.kernels.realign import rigid_motion
from isocenter.kernels.speckle import speckle_variation

__all__ = ["CALIBRATED", "Measures", "calibrated", "measure"]

#: Quantities whose values mean something by themselves, so that no filter may stand between them and a measurement.
CALIBRATED = (
    "HU",
    "SUVbw",
    "SUVlbm",
    "SUVibw",
    "SUVbsa",
    "Bq/ml",
    "mm2/s",
    "um2/s",
    "ms",
    "s",
    "Hz",
    "optical density",
    "1/s",
    "%",
)

#: Volumes of a series that are compared with the middle one, at most.
_VOLUMES = 9
#: Samples along the longest axis where motion is looked for: a hint needs no more.
_MOTION_SIZE = 64


def calibrated(quantity: str | None) -> bool:
    """Return whether values of a quantity are measured for themselves (HU, SUV, Bq/ml, diffusion, relaxation times)."""
    return quantity in CALIBRATED or (quantity or "").startswith("SUV")


@dataclass(frozen=True)
class Measures:
    """What was measured; fractions are of the contrast.

    Attributes
    ----------
    noise
        Model and strength; None where samples are not finite or too few.
    noise_share
        Standard deviation of the noise over the contrast.
    contrast
        Distance of the dark and the bright part, in the unit of the image.
    sharpness, bias
        As of `evaluate.sharpness` and `evaluate.bias`; None where they say why they cannot be told.
    artifacts
        As of `evaluate.artifacts`; empty where it does not apply.
    speckle
        Coefficient of variation in the most even parts.
    motion
        Largest displacement (mm) and rotation (degrees) within a series; None without one.
    metal
        Fraction of voxels above 2500 HU; 0 where values are no HU.
    holes
        Samples that are not finite.
    content
        ``fundus``, ``stained section`` or empty.
    """

    noise: NoiseModel | None
    noise_share: float
    contrast: float
    sharpness: float | None
    bias: float | None
    artifacts: dict[str, float]
    speckle: float
    motion: tuple[float, float] | None
    metal: float
    holes: int
    content: str


def measure(image: Image) -> Measures:
    """Return what the voxels of an image say."""
    array = np.asarray(image.array)
    floats = array.dtype.kind == "f"
    holes = int(array.size - np.isfinite(array).sum()) if floats else 0
    spatial = len(image.geometry.shape)
    blocks = array.reshape(-1, *array.shape[array.ndim - spatial :])
    middle = blocks[len(blocks) // 2].astype(np.float32) if array.dtype.kind in "iufb" else blocks[0]
    if image.dims[0] == "c" or "c" in image.dims[:2]:  # of a colour picture the channel of most contrast counts
        middle = max((b.astype(np.float32) for b in blocks[:4]), key=contrast_of)
    contrast = contrast_of(middle)
    noise = guess_noise(middle) if not holes and middle.size >= 64 else None
    one = image.at(t=image.shape[0] // 2) if "t" in image.dims and image.shape[0] else image  # one volume tells of all
    artifacts = {} if holes else _scores("evaluate.artifacts", one)
    if noise is not None and noise.name == "none":
        artifacts["clipped"] = 0.0  # drawn, not acquired: nothing was cut off
    below = bool(middle.size) and float(middle.min()) < 0  # a field multiplies a signal; there is none below 0
    return Measures(
        noise=noise,
        noise_share=noise.sigma / contrast if noise is not None and contrast > 0 else 0.0,
        contrast=contrast,
        sharpness=None if holes else _scores("evaluate.sharpness", one).get("sharpness"),
        bias=None if holes or calibrated(image.quantity) or below else _scores("evaluate.bias", one).get("bias"),
        artifacts=artifacts,
        speckle=speckle_variation(middle) if not holes and middle.size and float(middle.min()) >= 0 else 0.0,
        motion=None if holes else _motion(image),
        metal=float((middle > 2500).mean()) if image.quantity == "HU" else 0.0,
        holes=holes,
        content=_content(image),
    )


def _scores(operation: str, image: Image) -> dict[str, float]:
    """Return what a measure says, nothing where it refuses the image."""
    try:
        found = operations().load(operation)()(image)
    except IsocenterError:
        return {}
    return {name: float(score) for name, score in found.items()}


def _motion(image: Image) -> tuple[float, float] | None:
    """Return the largest displacement in mm and rotation in degrees between the middle volume and some others."""
    if "t" not in image.dims or "c" in image.dims or image.geometry.unit != "mm" or len(image.geometry.shape) not in (2, 3):
        return None
    array = np.asarray(image.array)
    if array.shape[0] < 2 or max(array.shape[1:]) < 16:
        return None
    steps = [max(1, n // _MOTION_SIZE) for n in array.shape[1:]]
    cut = tuple(slice(None, None, s) for s in steps)
    spacing = [s * d for s, d in zip(steps, image.geometry.spacing, strict=True)]
    volumes = np.unique(np.linspace(0, len(array) - 1, _VOLUMES).astype(int))
    fixed = array[len(array) // 2][cut].astype(np.float64)
    found = [rigid_motion(fixed, array[k][cut].astype(np.float64), spacing, levels=2, iterations=12) for k in volumes]
    return max(m.distance for m in found), max(m.degrees for m in found)


def _content(image: Image) -> str:
    if image.dims != ("c", "y", "x") or image.shape[0] != 3:
        return ""
    array: Any = np.asarray(image.array)
    if fundus_like(array):
        return "fundus"
    return "stained section" if stained_like(array) else ""
