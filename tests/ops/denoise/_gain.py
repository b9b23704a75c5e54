"""What a denoiser wins, in dB of PSNR, on the head phantom and on a real head, each with noise of a known model."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import nibabel
import numpy as np

from isocenter.core.families import Filter
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.testing.phantoms.brain_mr import brain_mr

Shared = Callable[[str], Path]
DIMS = ("z", "y", "x")


@lru_cache(maxsize=4)
def clean(which: str, path: Path | None) -> tuple[np.ndarray, Geometry]:
    """Return samples without noise: the phantom, or a part of the average of many T1 scans of one head."""
    if which == "phantom":
        phantom = brain_mr(noise=0.0)
        return np.asarray(phantom.clean.array, np.float64), phantom.image.geometry
    real = np.asarray(nibabel.load(path).dataobj)[40:136, 40:170, 50:110].astype(np.float64)
    return real, Geometry.regular(real.shape, (1.0, 1.0, 1.0))


def add(model: str, truth: np.ndarray, strength: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    sigma = strength * float(np.ptp(truth))
    if model == "gaussian":
        return truth + sigma * rng.standard_normal(truth.shape)
    if model == "rician":
        return np.hypot(truth + sigma * rng.standard_normal(truth.shape), sigma * rng.standard_normal(truth.shape))
    if model == "poisson":  # the strength is the count at the brightest
        return rng.poisson(truth * (strength / truth.max())) * (truth.max() / strength)
    if model == "salt and pepper":
        chance = rng.random(truth.shape)
        return np.where(chance < strength / 2, truth.min(), np.where(chance > 1 - strength / 2, truth.max(), truth))
    if model == "speckle":
        return truth * rng.gamma(strength**-2, strength**2, truth.shape)
    if model == "bright specks":
        return np.where(rng.random(truth.shape) < strength, truth.max(), truth)
    raise ValueError(model)


def psnr(array: np.ndarray, truth: np.ndarray) -> float:
    return float(20 * np.log10(np.ptp(truth) / np.sqrt(((array - truth) ** 2).mean())))


def gain(operation: Filter, which: str, shared: Shared, model: str = "gaussian", strength: float = 0.05) -> tuple[float, float]:
    """Return the dB won and how far the mean moved from that of the noisy image, as a fraction.

    Specks move the mean themselves: with them it is held against that of the truth.
    """
    truth, geometry = clean(which, None if which == "phantom" else shared("brain_mr") / "ch2.nii.gz")
    if model in ("speckle", "poisson"):
        truth = truth + (0.1 if model == "speckle" else 0.02) * float(np.ptp(truth))
    noisy = add(model, truth, strength).astype(np.float32)
    found = np.asarray(operation(Image(noisy, DIMS, geometry)).array, np.float64)
    kept = truth.mean() if model == "salt and pepper" else noisy.mean(dtype=np.float64)
    return psnr(found, truth) - psnr(noisy, truth), float(found.mean() / kept - 1)
