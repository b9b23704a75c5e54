"""Mixing within a batch: mix-up adds two cases, cut-mix pastes a block of one into the other.

References
----------
H. Zhang et al., mixup, ICLR (2018). S. Yun et al., CutMix, ICCV (2019) 6023-6032.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["cut_mix", "mix_up"]


def mix_up(
    images: npt.NDArray[np.float32], alpha: float, rng: np.random.Generator
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """Return mixed images, the partner of each, and the share of each that is its own (0.5 to 1).

    The target of case k is ``share[k] * target[k] + (1 - share[k]) * target[partner[k]]``.
    """
    partner = rng.permutation(len(images)).astype(np.intp)
    share = rng.beta(alpha, alpha, len(images)).astype(np.float32)
    share = np.maximum(share, 1 - share)
    wide = share.reshape((-1,) + (1,) * (images.ndim - 1))
    return (wide * images + (1 - wide) * images[partner]).astype(np.float32), partner, share


def cut_mix(
    images: npt.NDArray[np.float32], truths: npt.NDArray[Any] | None, alpha: float, rng: np.random.Generator
) -> tuple[npt.NDArray[np.float32], npt.NDArray[Any] | None, npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """Return images with one block each from a partner, their class indices likewise, the partners and the own shares.

    Parameters
    ----------
    images, truths
        (cases, channels, *spatial) and (cases, *spatial).
    alpha
        Of the beta distribution of the own share.
    rng
        Decides.
    """
    partner = rng.permutation(len(images)).astype(np.intp)
    mixed, labels = images.copy(), None if truths is None else truths.copy()
    shape = images.shape[2:]
    share = np.ones(len(images), np.float32)
    for k, other in enumerate(partner):
        side = (1 - rng.beta(alpha, alpha)) ** (1 / len(shape))
        size = [round(float(side) * n) for n in shape]
        start = [int(rng.integers(0, n - s + 1)) for n, s in zip(shape, size, strict=True)]
        block: Any = (..., *(slice(a, a + s) for a, s in zip(start, size, strict=True)))
        mixed[k][block] = images[other][block]
        if labels is not None and truths is not None:
            labels[k][block] = truths[other][block]
        share[k] = 1 - np.prod(size) / np.prod(shape)
    return mixed, labels, partner, share
