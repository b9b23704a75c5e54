"""Mask R-CNN in two and three dimensions: proposals, then class, box and mask of each."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocenter.nets.blocks import convolution, transposed
from isocenter.nets.boxes import Detections, Targets, clipped, generalised_iou, pairwise_iou, suppressed, volume
from isocenter.nets.one_stage_detector import OneStageDetector
from isocenter.nets.roi_align import roi_align

__all__ = ["MaskRcnn"]


class MaskRcnn(nn.Module):
    """Mask R-CNN: what may be an object is proposed, looked at again on a grid of its own, classified, fitted and outlined.

    Proposals come from an anchor-free head (each place says whether it lies in an object and how far the sides are), so that no
    sizes of anchors have to be chosen. The boxes of one class serve as automatic cropping, too.

    Parameters
    ----------
    in_channels, out_channels
        Channels of the image; classes of objects, without background.
    dimensions
        2 or 3. Each axis of an input is a multiple of 2 to the number of stages less one.
    channels, levels, features
        As of `OneStageDetector`.
    bins
        Grid on which a proposal is classified and fitted; its mask has twice as many samples along each axis.
    proposals
        At most so many an image.

    References
    ----------
    He et al. (2017) Mask R-CNN. ICCV.
    Tian et al. (2019) FCOS: fully convolutional one-stage object detection. ICCV.
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
        bins: int = 7,
        proposals: int = 50,
    ) -> None:
        super().__init__()
        self.axes, self.classes, self.bins, self.proposals = dimensions, out_channels, bins, proposals
        self.proposer = OneStageDetector(in_channels, 1, dimensions, channels=channels, levels=levels, features=features)
        self.divisor = self.proposer.divisor
        hidden = 4 * features
        self.box_body = nn.Sequential(
            nn.Flatten(), nn.Linear(features * bins**dimensions, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()
        )
        self.class_head = nn.Linear(hidden, out_channels + 1)  # 0 is background
        self.shift_head = nn.Linear(hidden, 2 * dimensions)
        self.mask_head = nn.Sequential(
            convolution(dimensions, features, features),
            nn.ReLU(),
            convolution(dimensions, features, features),
            nn.ReLU(),
            transposed(dimensions, features, features, 2),
            nn.ReLU(),
            convolution(dimensions, features, out_channels, 1),
        )
        nn.init.zeros_(self.shift_head.weight)
        nn.init.zeros_(self.shift_head.bias)

    def forward(self, x: Tensor) -> list[Detections]:
        """Return what is found in each image of (batch, channels, *spatial)."""
        return self.detect(x)

    def losses(self, x: Tensor, targets: Sequence[Targets]) -> dict[str, Tensor]:
        """Return the losses of a batch by name; their sum is to be minimised.

        Parameters
        ----------
        x
            Shape (batch, channels, *spatial).
        targets
            Boxes, labels and, where they are known, masks of each image.
        """
        levels = self.proposer.pyramid(x)
        blind = [Targets(t.boxes, torch.zeros_like(t.labels)) for t in targets]
        found = {f"proposal {k}": v for k, v in self.proposer.losses_of(levels, blind).items()}
        with torch.no_grad():
            proposed = self._proposed(levels, x.shape[2:])
        # The true boxes are looked at as well: early proposals seldom fit.
        boxes = [torch.cat([p, t.boxes.to(p)]) for p, t in zip(proposed, targets, strict=True)]
        owners, overlaps = zip(*(_owners(b, t) for b, t in zip(boxes, targets, strict=True)), strict=True)
        features = self.box_body(self._look(levels, boxes, self.bins))
        overlap = torch.cat(overlaps)
        true = torch.cat([t.boxes.to(b)[o] if len(t.boxes) else b for b, t, o in zip(boxes, targets, owners, strict=True)])
        labels = torch.cat(
            [t.labels.long()[o] if len(t.boxes) else torch.zeros_like(o) for t, o in zip(targets, owners, strict=True)]
        )
        hit = overlap >= 0.5
        found["class"] = functional.cross_entropy(self.class_head(features), torch.where(hit, labels + 1, 0))
        fitted = _shifted(torch.cat(boxes), self.shift_head(features))
        count = max(int(hit.sum()), 1)
        found["box"] = (1.0 - generalised_iou(fitted[hit], true[hit])).sum() / count
        found["mask"] = self._mask_loss(levels, boxes, owners, overlaps, targets)
        return found

    def detect(self, x: Tensor, *, least: float = 0.05, overlap: float = 0.3, most: int = 50) -> list[Detections]:
        """Return what is found in each image; parameters as of `OneStageDetector.detect`."""
        levels = self.proposer.pyramid(x)
        boxes = self._proposed(levels, x.shape[2:])
        features = self.box_body(self._look(levels, boxes, self.bins))
        counts = [len(b) for b in boxes]
        chances = self.class_head(features).float().softmax(1)[:, 1:].split(counts)
        fitted = clipped(_shifted(torch.cat(boxes), self.shift_head(features).float()), x.shape[2:]).split(counts)
        kept = []
        for chance, rows in zip(chances, fitted, strict=True):
            score, label = chance.max(1) if len(chance) else (chance.sum(1), chance.sum(1).long())
            good = ((score >= least) & (volume(rows) > 0)).nonzero()[:, 0]
            good = good[suppressed(rows[good], score[good], label[good], overlap, most)]
            kept.append(Detections(rows[good], score[good], label[good]))
        logits = self.mask_head(self._look(levels, [d.boxes for d in kept], self.bins)).split([len(d.boxes) for d in kept])
        return [
            Detections(d.boxes, d.scores, d.labels, _pasted(own, d, x.shape[2:])) for d, own in zip(kept, logits, strict=True)
        ]

    def _proposed(self, levels: Sequence[Tensor], spatial: Sequence[int]) -> list[Tensor]:
        logits, boxes = self.proposer.read(levels)
        found = self.proposer.detected(logits, boxes, spatial, 0.0, 0.7, self.proposals)
        return [d.boxes.detach() for d in found]

    def _look(self, levels: Sequence[Tensor], boxes: Sequence[Tensor], bins: int) -> Tensor:
        """Return the features within boxes from the finest level that detects: the objects of images are small."""
        return roi_align(levels[0], boxes, (bins,) * self.axes, self.proposer.pyramid.strides[0])

    def _mask_loss(
        self,
        levels: Sequence[Tensor],
        boxes: Sequence[Tensor],
        owners: Sequence[Tensor],
        overlaps: Sequence[Tensor],
        targets: Sequence[Targets],
    ) -> Tensor:
        chosen = [b[o >= 0.5] if t.masks is not None else b[:0] for b, o, t in zip(boxes, overlaps, targets, strict=True)]
        logits = self.mask_head(self._look(levels, chosen, self.bins))
        if len(logits) == 0:
            return logits.sum()
        wanted, labels = [], []
        for own, owner, overlap, target in zip(chosen, owners, overlaps, targets, strict=True):
            if target.masks is None or len(own) == 0:
                continue
            who = owner[overlap >= 0.5]
            masks = target.masks[who].to(own.dtype).unsqueeze(1)
            wanted.append(roi_align(masks, list(own.unsqueeze(1)), (2 * self.bins,) * self.axes, 1.0)[:, 0])
            labels.append(target.labels.long()[who])
        picked = logits[torch.arange(len(logits), device=logits.device), torch.cat(labels)]
        return functional.binary_cross_entropy_with_logits(picked.float(), torch.cat(wanted).float())


def _owners(boxes: Tensor, target: Targets) -> tuple[Tensor, Tensor]:
    """Return which object each box overlaps most, and by how much."""
    if len(target.boxes) == 0:
        return torch.zeros(len(boxes), dtype=torch.long, device=boxes.device), torch.zeros(len(boxes), device=boxes.device)
    overlap, owner = pairwise_iou(boxes, target.boxes.to(boxes)).max(1)
    return owner, overlap


def _shifted(boxes: Tensor, shifts: Tensor) -> Tensor:
    """Return boxes whose sides are moved by parts of their size."""
    axes = boxes.shape[1] // 2
    size = boxes[:, axes:] - boxes[:, :axes]
    return boxes + shifts.to(boxes.dtype).tanh() * 0.5 * torch.cat([size, size], 1)


def _pasted(logits: Tensor, found: Detections, spatial: Sequence[int]) -> Tensor:
    """Return the masks of one image's objects on its grid."""
    masks = torch.zeros((len(found.boxes), *spatial), dtype=torch.bool, device=logits.device)
    for k, (box, label) in enumerate(zip(found.boxes, found.labels, strict=True)):
        low, high = box.chunk(2)
        first = (low + 0.5).floor().long().clamp(min=0).tolist()
        last = [min(int(h), n) for h, n in zip((high + 0.5).ceil().long().tolist(), spatial, strict=True)]
        if any(b <= a for a, b in zip(first, last, strict=True)):
            continue
        lines = [
            2.0 * (torch.arange(a, b, dtype=torch.float32, device=logits.device) - lo) / (hi - lo).clamp(min=1e-6) - 1.0
            for a, b, lo, hi in zip(first, last, low, high, strict=True)
        ]
        grid = torch.stack(list(reversed(torch.meshgrid(*lines, indexing="ij"))), -1)
        values = functional.grid_sample(
            logits[k : k + 1, int(label)].unsqueeze(0).float(), grid.unsqueeze(0), padding_mode="border", align_corners=False
        )
        masks[(k, *(slice(a, b) for a, b in zip(first, last, strict=True)))] = values[0, 0] > 0.0
    return masks
