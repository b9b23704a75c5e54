"""One-stage detector without anchors: every place says what it lies in and how far the sides are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocenter.nets.blocks import convolution, normalisation
from isocenter.nets.boxes import Detections, Targets, clipped, generalised_iou, suppressed, volume
from isocenter.nets.feature_pyramid import Pyramid

__all__ = ["OneStageDetector"]


class OneStageDetector(nn.Module):
    """One-stage detector: a feature pyramid, and at each place of it a score per class and the distances to the sides of a box.

    Parameters
    ----------
    in_channels, out_channels
        Channels of the image; classes of objects (there is no background class).
    dimensions
        2 or 3. Each axis of an input is a multiple of 2 to the number of stages less one.
    channels
        Features of the stages of the pyramid, the first at full size.
    levels
        The coarsest so many stages detect; the finest of them the smallest objects.
    features
        Of the heads.

    References
    ----------
    Tian et al. (2019) FCOS: fully convolutional one-stage object detection. ICCV.
    Lin et al. (2017) Focal loss for dense object detection. ICCV.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 1,
        dimensions: int = 2,
        *,
        channels: Sequence[int] = (8, 16, 32, 64),
        levels: int = 2,
        features: int = 32,
    ) -> None:
        super().__init__()
        self.axes, self.classes = dimensions, out_channels
        self.divisor = (2 ** (len(channels) - 1),) * dimensions
        self.pyramid = Pyramid(in_channels, dimensions, channels, levels, features)

        def tower() -> nn.Sequential:
            return nn.Sequential(
                convolution(dimensions, features, features), normalisation("group", dimensions, features), nn.ReLU()
            )

        self.class_tower, self.box_tower = tower(), tower()
        self.class_head = convolution(dimensions, features, out_channels)
        self.box_head = convolution(dimensions, features, 2 * dimensions)
        # Objects are rare: start from 1 in 100, so that the many empty places do not drown them at first.
        nn.init.constant_(self.class_head.bias, -math.log(99.0))
        nn.init.zeros_(self.box_head.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return class logits (batch, places, classes) and boxes (batch, places, 2 * axes) of all levels."""
        scores, boxes = self.read(self.pyramid(x))
        return scores, boxes

    def read(self, levels: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return class logits and boxes of the features of all levels."""
        scores, boxes = [], []
        for level, stride in zip(levels, self.pyramid.strides, strict=True):
            logits = self.classified(level)
            sides = functional.softplus(self.box_head(self.box_tower(level)).flatten(2).transpose(1, 2)) * 2.0 * stride
            centre = _places(level.shape[2:], stride, level)
            scores.append(logits)
            boxes.append(torch.cat([centre - sides[..., : self.axes], centre + sides[..., self.axes :]], dim=-1))
        return torch.cat(scores, 1), torch.cat(boxes, 1)

    def classified(self, level: Tensor) -> Tensor:
        """Return the class logits of the features of one level, shape (batch, places, classes)."""
        logits: Tensor = self.class_head(self.class_tower(level)).flatten(2).transpose(1, 2)
        return logits

    def losses(self, x: Tensor, targets: Sequence[Targets]) -> dict[str, Tensor]:
        """Return the losses of a batch by name; their sum is to be minimised."""
        return self.losses_of(self.pyramid(x), targets)

    def losses_of(self, levels: Sequence[Tensor], targets: Sequence[Targets]) -> dict[str, Tensor]:
        """Return the losses of features that were computed already."""
        return self.judged(*self.read(levels), [level.shape[2:] for level in levels], targets)

    def judged(
        self, logits: Tensor, boxes: Tensor, shapes: Sequence[Sequence[int]], targets: Sequence[Targets]
    ) -> dict[str, Tensor]:
        """Return the losses of what `forward` gave, where the levels have these shapes."""
        pairs = list(zip(shapes, self.pyramid.strides, strict=True))
        centres = torch.cat([_places(shape, s, logits) for shape, s in pairs])
        steps = torch.cat([torch.full((math.prod(shape),), float(s)) for shape, s in pairs]).to(centres)
        chosen = [self._assigned(t, centres, steps) for t in targets]
        wanted = torch.zeros_like(logits)
        for k, (own, target) in enumerate(zip(chosen, targets, strict=True)):
            places = (own >= 0).nonzero()[:, 0]
            wanted[k, places, target.labels[own[places]].long()] = 1.0
        count = max(float(sum(int((own >= 0).sum()) for own in chosen)), 1.0)
        kind = _focal(logits, wanted) / count
        found = [boxes[k][own >= 0] for k, own in enumerate(chosen)]
        true = [t.boxes.to(boxes)[own[own >= 0]] for own, t in zip(chosen, targets, strict=True)]
        overlap = generalised_iou(torch.cat(found), torch.cat(true))
        return {"class": kind, "box": (1.0 - overlap).sum() / count}

    def detect(self, x: Tensor, *, least: float = 0.05, overlap: float = 0.3, most: int = 100) -> list[Detections]:
        """Return what is found in each image.

        Parameters
        ----------
        x
            Shape (batch, channels, *spatial).
        least
            Boxes with a smaller score are left out.
        overlap
            Of boxes of one class that overlap by more (IoU), the surest stays.
        most
            At most so many boxes an image.
        """
        return self.detected(*self.read(self.pyramid(x)), x.shape[2:], least, overlap, most)

    def detected(
        self, logits: Tensor, boxes: Tensor, spatial: Sequence[int], least: float, overlap: float, most: int
    ) -> list[Detections]:
        """Return the boxes that stay of what `read` gave."""
        found = []
        for own, rows in zip(logits.float().sigmoid(), boxes.float(), strict=True):
            score, label = own.max(1)
            order = torch.argsort(score, descending=True, stable=True)[: 20 * most]
            order = order[score[order] >= least]
            rows = clipped(rows[order], spatial)
            score, label = score[order], label[order]
            whole = volume(rows) > 0
            rows, score, label, order = rows[whole], score[whole], label[whole], order[whole]
            kept = suppressed(rows, score, label, overlap, most)
            found.append(Detections(rows[kept], score[kept], label[kept], places=order[kept]))
        return found

    def _assigned(self, target: Targets, centres: Tensor, steps: Tensor) -> Tensor:
        """Return the object that each place stands for, -1 for none: near its middle, at the level of its size, the smallest first."""
        if len(target.boxes) == 0:
            return torch.full((len(centres),), -1, dtype=torch.long, device=centres.device)
        boxes = target.boxes.to(centres)
        low, high = boxes.chunk(2, dim=1)
        middle, extent = (low + high) / 2.0, (high - low).amax(1)
        strides = self.pyramid.strides
        # An object belongs to the level whose step is about an eighth of it; the ends of the pyramid take the rest.
        ideal = torch.tensor([min(strides, key=lambda s: abs(math.log2(max(float(e), 1e-3) / (4.0 * s)))) for e in extent])
        near = (centres[:, None] - middle[None]).abs().amax(2) <= 1.5 * steps[:, None]
        within = ((centres[:, None] >= low[None]) & (centres[:, None] <= high[None])).all(2)
        # A tiny object may hold no place of its level: the nearest one stands for it.
        at_level = steps[:, None] == ideal.to(centres)[None]
        distance = (centres[:, None] - middle[None]).square().sum(2) + torch.where(at_level, 0.0, float("inf"))
        inside = near & within & at_level
        inside[distance.argmin(0), torch.arange(len(boxes), device=centres.device)] = True
        sizes = torch.where(inside, volume(boxes)[None], float("inf"))
        smallest, own = sizes.min(1)
        return torch.where(torch.isfinite(smallest), own, -1)


def _places(spatial: Sequence[int], stride: int, like: Tensor) -> Tensor:
    """Return where in the image the centres of a level's samples lie, shape (places, axes)."""
    lines = [(torch.arange(n, device=like.device, dtype=torch.float32) + 0.5) * stride - 0.5 for n in spatial]
    return torch.stack(torch.meshgrid(*lines, indexing="ij"), -1).reshape(-1, len(lines))


def _focal(logits: Tensor, wanted: Tensor, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Return the summed focal loss of independent yes-or-no decisions."""
    cross = functional.binary_cross_entropy_with_logits(logits.float(), wanted.float(), reduction="none")
    probability = logits.float().sigmoid()
    right = probability * wanted + (1.0 - probability) * (1.0 - wanted)
    weight = alpha * wanted + (1.0 - alpha) * (1.0 - wanted)
    return (weight * (1.0 - right) ** gamma * cross).sum()
