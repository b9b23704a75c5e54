"""Boxes of any number of axes: rows of (low ..., high ...) in samples, array order; a box around sample i reaches from i - 1/2 to i + 1/2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from monai.data.box_utils import batched_nms
from torch import Tensor

from isocenter.core.errors import ParameterError

__all__ = ["Detections", "Targets", "clipped", "generalised_iou", "pairwise_iou", "suppressed", "volume"]


@dataclass(frozen=True)
class Targets:
    """What one image shows.

    Attributes
    ----------
    boxes
        Shape (objects, 2 * axes).
    labels
        Class of each, from 0.
    masks
        Shape (objects, *spatial), bool; None where only boxes are known.
    """

    boxes: Tensor
    labels: Tensor
    masks: Tensor | None = None

    def __post_init__(self) -> None:
        if self.boxes.ndim != 2 or len(self.boxes) != len(self.labels):
            raise ParameterError(
                f"Boxes of shape {tuple(self.boxes.shape)} with {len(self.labels)} labels: expected rows of (low ..., high ...), "
                "and a label for each."
            )
        axes = self.boxes.shape[1] // 2
        if len(self.boxes) and not bool((self.boxes[:, axes:] > self.boxes[:, :axes]).all()):
            raise ParameterError(
                "A box whose high side is not beyond its low side: expected a size of more than 0 along every axis."
            )


@dataclass(frozen=True)
class Detections:
    """What a network found in one image, the surest first.

    Attributes
    ----------
    boxes, scores, labels
        Shapes (found, 2 * axes), (found,), (found,).
    masks
        Shape (found, *spatial), bool; None from a network without masks.
    places
        Which place of the network's output each is, shape (found,); None from a network that looks again at what it proposed.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor
    masks: Tensor | None = None
    places: Tensor | None = None


def volume(boxes: Tensor) -> Tensor:
    """Return the area or volume of each box in samples."""
    axes = boxes.shape[-1] // 2
    return (boxes[..., axes:] - boxes[..., :axes]).clamp(min=0.0).prod(-1)


def pairwise_iou(first: Tensor, second: Tensor) -> Tensor:
    """Return the overlap (intersection over union) of every box of one set with every box of another."""
    axes = first.shape[-1] // 2
    low = torch.maximum(first[:, None, :axes], second[None, :, :axes])
    high = torch.minimum(first[:, None, axes:], second[None, :, axes:])
    both = (high - low).clamp(min=0.0).prod(-1)
    return both / (volume(first)[:, None] + volume(second)[None] - both).clamp(min=1e-9)


def generalised_iou(first: Tensor, second: Tensor) -> Tensor:
    """Return the generalised overlap of boxes pair by pair, -1 to 1: it has a gradient where boxes do not touch as well.

    References
    ----------
    Rezatofighi et al. (2019) Generalized intersection over union. CVPR.
    """
    axes = first.shape[-1] // 2
    both = (torch.minimum(first[:, axes:], second[:, axes:]) - torch.maximum(first[:, :axes], second[:, :axes])).clamp(min=0.0)
    around = torch.maximum(first[:, axes:], second[:, axes:]) - torch.minimum(first[:, :axes], second[:, :axes])
    shared, hull = both.prod(-1), around.clamp(min=0.0).prod(-1).clamp(min=1e-9)
    union = (volume(first) + volume(second) - shared).clamp(min=1e-9)
    return shared / union - (hull - union) / hull


def clipped(boxes: Tensor, spatial: Sequence[int]) -> Tensor:
    """Return boxes cut at the border of the image."""
    limit = torch.tensor(list(spatial), dtype=boxes.dtype, device=boxes.device) - 0.5
    low, high = boxes.chunk(2, dim=-1)
    return torch.cat([torch.minimum(low.clamp(min=-0.5), limit), torch.minimum(high.clamp(min=-0.5), limit)], dim=-1)


def suppressed(boxes: Tensor, scores: Tensor, labels: Tensor, overlap: float, most: int) -> Tensor:
    """Return the indices of the boxes that stay, the surest first: of those of one class that overlap by more, only the surest."""
    if len(boxes) == 0:
        return torch.zeros(0, dtype=torch.long, device=boxes.device)
    kept: Tensor = batched_nms(boxes, scores, labels, overlap, most)
    return kept
