"""A segmenter as a classifier of the region that it labelled: why the network calls these samples what it calls them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from isocenter.core.errors import ContentError, UnknownNameError, did_you_mean
from isocenter.core.image import Image
from isocenter.learn.explain.native import window_image
from isocenter.learn.train.fingerprint import channel_first
from isocenter.learn.train.preparation import prepared
from isocenter.learn.train.segmentation import TrainedSegmenter, labels_of
from isocenter.nets.attribution.features import feature_maps

__all__ = ["Region", "RegionModel", "map_before_scores", "region_model"]

FloatArray = npt.NDArray[np.float32]
Scalar = TypeVar("Scalar", bound=np.generic)


class Region(nn.Module):
    """A segmentation network whose scores are their means over a region.

    Parameters
    ----------
    net
        Gives scores of shape (batch, classes, *spatial).
    region
        Booleans of shape (*spatial).
    """

    region: Tensor

    def __init__(self, net: nn.Module, region: Tensor) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("region", region)

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean scores, shape (batch, classes)."""
        scores: Tensor = self.net(x)
        return scores[..., self.region].mean(-1)


@dataclass(frozen=True, eq=False)
class RegionModel:
    """What `explain_case` needs of a model, for one segment of one image.

    Attributes
    ----------
    classes
        Background first.
    networks
        One for each training.
    image
        The window that they see, prepared, on its own grid.
    target
        The segment.
    samples
        Of the segment in the window.
    whole
        Whether the window holds the whole image.
    layer
        Name of the last layer before the scores.
    """

    classes: tuple[str, ...]
    networks: tuple[nn.Module, ...]
    image: Image
    target: str
    samples: int
    whole: bool
    layer: str

    def seen(self, image: Image) -> FloatArray:
        """Return the samples of the window, shape (channels, *size)."""
        return channel_first(image)


def region_model(trained: TrainedSegmenter, image: Image, target: str | None = None) -> RegionModel:
    """Return a segmenter as a classifier of the region that it labelled in an image.

    The region lies in one window of the size that the network was trained on, about the middle of the segment: a larger one
    would not be what the network sees.

    Parameters
    ----------
    trained
        The segmenter.
    image
        Of its kind.
    target
        Name of a segment; None takes the largest one.

    Raises
    ------
    UnknownNameError
        If there is no such segment.
    ContentError
        If the model labels nothing so.
    """
    plan, names = trained.plan, tuple(s.name for s in trained.segments)
    if target is not None and target not in names:
        raise UnknownNameError(f"No segment '{target}': there are {', '.join(names)}.{did_you_mean(target, names)}")
    data, grid = prepared(image, plan.spacing, plan.normalisation, plan.intensity)
    indices = np.asarray(labels_of(data, trained.networks, plan, trained.mirror, trained.quarters))
    counts = np.bincount(indices.ravel(), minlength=len(names) + 1)[1:]
    chosen = int(counts.argmax()) if target is None else names.index(target)
    if not counts[chosen]:
        there = [n for n, c in zip(names, counts, strict=True) if c]
        raise ContentError(
            f"The model labels nothing in this image as '{names[chosen]}': there is nothing to explain"
            f"{'; it found ' + ', '.join(there) if there else ''}."
        )
    region = indices == chosen + 1
    start = _start(region, plan.patch)
    part = tuple(slice(s, s + p) for s, p in zip(start, plan.patch, strict=True))
    window, inside = _padded(data, part, plan.patch), _padded(region[None], part, plan.patch)[0]
    where = grid.crop(start, [min(p, n - s) for p, n, s in zip(plan.patch, data.shape[1:], start, strict=True)])
    where = where.pad([0] * len(start), [p - n for p, n in zip(plan.patch, where.shape, strict=True)])
    shown = window_image(window, image, where)
    mask = torch.from_numpy(inside)
    networks = tuple(Region(net.eval(), mask) for net in trained.networks)
    layer = map_before_scores(networks[0], torch.from_numpy(window)[None])
    whole = all(n <= p for n, p in zip(data.shape[1:], plan.patch, strict=True))
    return RegionModel(("background", *names), networks, shown, names[chosen], int(inside.sum()), whole, layer)


def _start(region: npt.NDArray[np.bool_], patch: Sequence[int]) -> list[int]:
    """Return where a window begins whose middle is the sample of the region that is nearest to the middle of it."""
    places = np.argwhere(region)
    centre = places[((places - np.median(places, axis=0)) ** 2).sum(axis=1).argmin()]
    return [int(min(max(c - p // 2, 0), max(n - p, 0))) for c, p, n in zip(centre, patch, region.shape, strict=True)]


def _padded(data: npt.NDArray[Scalar], part: tuple[slice, ...], patch: Sequence[int]) -> npt.NDArray[Scalar]:
    """Return a part of (channels, *spatial), with zeros, the mean of what networks see, where it reaches beyond the end."""
    found = data[(slice(None), *part)]
    after = [(0, p - n) for p, n in zip(patch, found.shape[1:], strict=True)]
    return np.ascontiguousarray(np.pad(found, [(0, 0), *after]))


def map_before_scores(net: nn.Module, x: Tensor) -> str:
    """Return the name of the last layer with places before the one that gives the scores.

    Parameters
    ----------
    net
        Any segmentation network.
    x
        An input, shape (batch, channels, *spatial).
    """
    found = feature_maps(net, x)
    return next((name for name in reversed(found) if name != found[-1]), "")
