"""RoIAlign by grid sampling: the features within boxes, on a fixed grid, in two and three dimensions, with gradients."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["roi_align"]


def roi_align(features: Tensor, boxes: Sequence[Tensor], size: Sequence[int], stride: float = 1.0, samples: int = 2) -> Tensor:
    """Return the features within boxes.

    Parameters
    ----------
    features
        Shape (batch, channels, *spatial).
    boxes
        For each image of the batch, rows of (low ..., high ...) in samples of the image, array order.
    size
        Bins along each axis.
    stride
        Samples of the image per sample of the features.
    samples
        Points per bin along each axis, whose linear interpolations are averaged.

    Returns
    -------
    Tensor
        Shape (all boxes, channels, *size), image by image.

    References
    ----------
    He et al. (2017) Mask R-CNN. ICCV.
    """
    axes = features.ndim - 2
    spatial = torch.tensor(features.shape[2:], dtype=features.dtype, device=features.device)
    found = []
    for k, own in enumerate(boxes):
        if len(own) == 0:
            found.append(features.new_zeros((0, features.shape[1], *size)))
            continue
        low, high = own.to(features.dtype).chunk(2, dim=1)
        lines = []
        for axis, bins in enumerate(size):
            step = (torch.arange(bins * samples, dtype=features.dtype, device=features.device) + 0.5) / (bins * samples)
            place = low[:, axis, None] + (high - low)[:, axis, None] * step
            index = (place + 0.5) / stride - 0.5
            lines.append((2.0 * index + 1.0) / spatial[axis] - 1.0)
        shape = [len(own), *(n * samples for n in size)]
        grids = []
        for axis in reversed(range(axes)):  # grid_sample names the last axis first
            view = [len(own)] + [1] * axes
            view[axis + 1] = size[axis] * samples
            grids.append(lines[axis].reshape(view).expand(shape))
        grid = torch.stack(grids, dim=-1)
        # All boxes of an image stand one after the other along the first axis of one grid, so that its features are not copied.
        flat = grid.reshape(1, shape[0] * shape[1], *shape[2:], axes)
        picked = functional.grid_sample(features[k : k + 1], flat, mode="bilinear", padding_mode="border", align_corners=False)
        picked = picked[0].reshape(features.shape[1], *shape).transpose(0, 1)
        pool = functional.avg_pool2d if axes == 2 else functional.avg_pool3d
        found.append(pool(picked, samples))
    return torch.cat(found)
