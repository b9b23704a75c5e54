"""Losses of segmentation, with stated behaviour where a class is empty.

References
----------
Milletari, Navab, Ahmadi (2016) V-Net. 3DV (soft Dice).
Lin et al. (2017) Focal loss for dense object detection. ICCV.
Isensee et al. (2021) nnU-Net. Nature Methods 18:203-211 (Dice + cross entropy, deep supervision).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocenter.learn.train import distributed

__all__ = ["DeepSupervision", "DiceCrossEntropy", "FocalLoss", "soft_dice"]

#: Label that takes no part in any loss (outside a scribble, beyond the image).
IGNORE = 255

#: Samples that the Dice coefficient of a single patch is smoothed by.
SMOOTH = 50.0


def soft_dice(probabilities: Tensor, truth: Tensor, keep: Tensor | None = None, each: bool = False) -> tuple[Tensor, Tensor]:
    """Return the soft Dice coefficient of every class over the whole batch (of all processes), and which classes count.

    A class that is neither in the truth nor predicted anywhere (mean probability below 1/1000) does not count: its coefficient is
    0/0. One that is absent from the truth but predicted counts with its false positives.

    Parameters
    ----------
    probabilities
        Shape (batch, classes, *spatial).
    truth
        Class of every sample, shape (batch, *spatial).
    keep
        Shape (batch, *spatial): samples that take part. Default: all.
    each
        Take every patch by itself, as a score of single cases does: one with a few samples of a class then counts as much as one that
        is full of it. The coefficients have shape (batch, classes), and `SMOOTH` samples are added to both sides of the fraction, so
        that an empty patch asks for nothing but silence.
    """
    classes = probabilities.shape[1]
    axes = list(range(2, probabilities.ndim))
    hot = torch.zeros_like(probabilities).scatter_(1, truth.clamp(max=classes - 1).unsqueeze(1), 1.0)
    if keep is not None:
        hot = hot * keep.unsqueeze(1)
        probabilities = probabilities * keep.unsqueeze(1)
    both = (probabilities * hot).sum(axes)
    predicted, true = probabilities.sum(axes), hot.sum(axes)
    if each:
        return (2.0 * both + SMOOTH) / (predicted + true + SMOOTH), torch.ones_like(true, dtype=torch.bool)
    both, predicted, true = both.sum(0), predicted.sum(0), true.sum(0)
    samples = probabilities[:, 0].numel()
    if distributed.world() > 1:
        sums = distributed.summed(torch.stack([both, predicted, true]))
        both, predicted, true, samples = sums[0], sums[1], sums[2], samples * distributed.world()
    counted = (true > 0) | (predicted.detach() > 1e-3 * samples)
    return (2.0 * both + 1e-5) / (predicted + true + 1e-5), counted


class DiceCrossEntropy(nn.Module):
    """Soft Dice of the foreground classes plus cross entropy.

    Parameters
    ----------
    weights
        Weight of each class in the cross entropy. Default: equal.
    dice, cross_entropy
        How much each part counts.
    ignore
        Label of samples that take no part.
    each
        Dice of every patch by itself instead of over the batch; see `soft_dice`.
    """

    def __init__(
        self,
        weights: Sequence[float] | None = None,
        dice: float = 1.0,
        cross_entropy: float = 1.0,
        ignore: int = IGNORE,
        each: bool = False,
    ) -> None:
        super().__init__()
        self.register_buffer("weights", None if weights is None else torch.tensor(list(weights), dtype=torch.float32))
        self.dice, self.cross_entropy, self.ignore, self.each = dice, cross_entropy, ignore, each

    def forward(self, logits: Tensor, truth: Tensor) -> Tensor:
        """Return the loss of logits (batch, classes, *spatial) against labels (batch, *spatial)."""
        logits, truth = logits.float(), truth.long()
        total = logits.sum() * 0.0  # a batch without one sample that counts still has a gradient: zero
        keep = truth != self.ignore
        if self.cross_entropy and bool(keep.any()):
            total = total + self.cross_entropy * functional.cross_entropy(
                logits, truth, weight=self.weights, ignore_index=self.ignore
            )
        if self.dice:
            coefficients, counted = soft_dice(logits.softmax(1), truth, None if bool(keep.all()) else keep, self.each)
            counted = counted.clone()
            counted[..., 0] = False
            if bool(counted.any()):
                total = total + self.dice * (1.0 - coefficients[counted].mean())
        return total


class FocalLoss(nn.Module):
    """Cross entropy that fades where the network is already sure.

    Parameters
    ----------
    gamma
        How fast it fades; 0 is cross entropy.
    weights
        Weight of each class. Default: equal.
    ignore
        Label of samples that take no part.
    """

    def __init__(self, gamma: float = 2.0, weights: Sequence[float] | None = None, ignore: int = IGNORE) -> None:
        super().__init__()
        self.register_buffer("weights", None if weights is None else torch.tensor(list(weights), dtype=torch.float32))
        self.gamma, self.ignore = gamma, ignore

    def forward(self, logits: Tensor, truth: Tensor) -> Tensor:
        """Return the loss of logits (batch, classes, *spatial) against labels (batch, *spatial)."""
        logits, truth = logits.float(), truth.long()
        keep = truth != self.ignore
        if not bool(keep.any()):
            return logits.sum() * 0.0
        logs = logits.log_softmax(1)
        held = torch.where(keep, truth, 0)
        chosen = logs.gather(1, held.unsqueeze(1)).squeeze(1)
        loss = -((1.0 - chosen.exp()).clamp(min=0.0) ** self.gamma) * chosen
        if self.weights is not None:
            weight = self.weights[held]
            return (loss * weight)[keep].sum() / weight[keep].sum()
        return loss[keep].mean()


class DeepSupervision(nn.Module):
    """A loss over logits of several resolutions, each half as important as the one finer than it.

    Parameters
    ----------
    loss
        Maps logits and labels of one size to a number.
    """

    def __init__(self, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, logits: Tensor | Sequence[Tensor], truth: Tensor) -> Tensor:
        """Return the weighted mean; labels are brought to each size by their nearest samples."""
        if isinstance(logits, Tensor):
            return self.loss(logits, truth)
        weights = [0.5**k for k in range(len(logits))]
        total = torch.zeros((), device=logits[0].device)
        for weight, level in zip(weights, logits, strict=True):
            size = level.shape[2:]
            labels = truth
            if size != truth.shape[1:]:
                labels = functional.interpolate(truth[:, None].float(), size=size, mode="nearest-exact")[:, 0].to(truth.dtype)
            total = total + weight / sum(weights) * self.loss(level, labels)
        return total
