"""Training a network that says one thing of a whole image: simpler models should stand beside it, as it is easily flattered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.image import Image
from isocenter.core.provenance import digest_array
from isocenter.core.results import Prediction
from isocenter.kernels.interpolate import sample_affine
from isocenter.kernels.smooth import gaussian
from isocenter.learn.loading.loader import Loader, Recipe
from isocenter.learn.train import cases, distributed
from isocenter.learn.train.architecture import built_net, complete
from isocenter.learn.train.engine import fit
from isocenter.learn.train.feed import Feed
from isocenter.learn.train.fingerprint import channel_first, channels_of
from isocenter.learn.train.heads import Head
from isocenter.learn.train.history import EpochRow, History
from isocenter.learn.train.holding import held_out
from isocenter.learn.train.scale import common_quantity, kept_values, scaled
from isocenter.learn.train.settings import FitSettings
from isocenter.learn.train.start import begun, require_kind

__all__ = ["TrainedNetwork", "TrainingOptions", "require_images", "sized", "train_images", "train_prepared"]

FloatArray = npt.NDArray[np.float32]


class TrainingOptions(TypedDict, total=False):
    """What can be chosen of a training.

    Attributes
    ----------
    validation
        Indices of the cases that choose the best epoch (by the first of the head's scores), or the part to draw, stratified by
        class; 0 keeps the last epoch. Default: 0.2.
    network, parameters
        Name in `isocenter.nets` and its further parameters. Default: those of `start`, else ``resnet``.
    start
        An earlier training, or an imported network, whose (first) network's weights are begun with; its last layers begin at random
        where the classes have other names, as everything does by default. Images are brought to its size.
    batch
        Images a batch; of classes each is drawn equally often. Default: 16.
    settings
        Of the engine. Default: `FitSettings()`.
    mirror
        Spatial axes along which an image may be mirrored.
    augment
        Strength of the augmentation, 0 to 1. Default: 1.
    folder
        Where checkpoints and curves go; a broken training goes on from there.
    seed
        Of the split, weights and batches.
    progress
        Called with the row of each epoch.
    groups, workers, cache
        As for `isocenter.learn.train.segmentation.train_segmenter`.
    """

    validation: Sequence[int] | float
    network: str | None
    parameters: Mapping[str, Any] | None
    start: TrainedNetwork | None
    batch: int
    settings: FitSettings | None
    mirror: Sequence[int]
    augment: float
    folder: Path | str | None
    seed: int
    progress: Callable[[EpochRow], None] | None
    groups: Sequence[str] | None
    workers: int
    cache: Path | str | None


@dataclass(frozen=True)
class TrainedNetwork:
    """One network, or several whose answers are averaged, with what images are brought to.

    Attributes
    ----------
    head
        What the networks say: classes or a number.
    size
        Samples along each spatial axis.
    channels
        Of an image.
    networks
        One of each training.
    histories
        Their histories, where they were trained here.
    network, parameters
        Name in `isocenter.nets`, and what the networks were built with beside channels, outputs and axes.
    quantity
        What samples measure, where they are shown on the scale of it (`scale.SCALES`); None where each image is normalised by itself.
    """

    head: Head
    size: tuple[int, ...]
    channels: int
    networks: tuple[nn.Module, ...]
    histories: tuple[History, ...] = ()
    network: str = "resnet"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    quantity: str | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the probabilities; empty for numbers."""
        return self.head.classes

    def seen(self, image: Image) -> FloatArray:
        """Return what the networks see of an image, shape (channels, *size).

        Raises
        ------
        ContentError
            If the image has other channels than the training.
        """
        if channels_of(image) != self.channels:
            raise ContentError(
                f"An image with {channels_of(image)} channels; expected {self.channels}, as the network was trained with."
            )
        return sized(image, self.size, self.quantity)

    def predict(self, image: Image) -> Prediction:
        """Return the probability of each class, or the number."""
        return self.head.prediction(self.answers([image])[0])

    def answers(self, images: Sequence[Image]) -> npt.NDArray[np.float64]:
        """Return the probabilities of images, shape (images, classes), or their numbers, shape (images,)."""
        return self.answers_prepared([self.seen(image) for image in images])

    def answers_prepared(self, data: Sequence[FloatArray]) -> npt.NDArray[np.float64]:
        """Return the same of what `seen` gave of each image."""
        rows = []
        for one in data:
            seen = torch.from_numpy(one[None])
            with torch.inference_mode():
                said = [self.head.answer(net(seen).double())[0].numpy() for net in self.networks]
            rows.append(self.head.averaged(said))
        return np.array(rows)


def train_images(
    images: Sequence[Image],
    truth: npt.ArrayLike,
    head: Head,
    *,
    names: Sequence[str],
    size: Sequence[int] | None = None,
    **options: Unpack[TrainingOptions],
) -> TrainedNetwork:
    """Train a network on images of one kind.

    Parameters
    ----------
    images, truth
        The training fold; the truth as the head takes it.
    head
        What is learnt.
    names
        Of the cases, for messages.
    size
        Samples that images are brought to along each spatial axis. Default: the median size, at most 224 (64 in three dimensions).
    **options
        See `TrainingOptions`.
    """
    axes, start = images[0].geometry.ndim, options.get("start")
    if start is not None:
        require_kind(images[0], len(start.size), start.channels)
        size = start.size if size is None else size
    if size is None:
        median = np.median([i.geometry.shape for i in images], axis=0)
        size = [int(min(n, 224 if axes == 2 else 64)) for n in median]
    quantity = common_quantity(i.quantity for i in images) if start is None else start.quantity
    data = [sized(image, size, quantity) for image in images]
    return train_prepared(data, truth, head, names=names, quantity=quantity, **options)


def train_prepared(
    data: Sequence[FloatArray],
    truth: npt.ArrayLike,
    head: Head,
    *,
    names: Sequence[str] | None = None,
    quantity: str | None = None,
    validation: Sequence[int] | float = 0.2,
    network: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    start: TrainedNetwork | None = None,
    batch: int = 16,
    settings: FitSettings | None = None,
    mirror: Sequence[int] = (),
    augment: float = 1.0,
    folder: Path | str | None = None,
    seed: int = 0,
    progress: Callable[[EpochRow], None] | None = None,
    groups: Sequence[str] | None = None,
    workers: int = 0,
    cache: Path | str | None = None,
) -> TrainedNetwork:
    """Train a network on images that `sized` has brought to one size already.

    Parameters
    ----------
    data
        Each of shape (channels, *size).
    truth, head
        Index of the class of each, or its number, and what is learnt.
    names
        Of the cases, for messages.
    quantity
        That `sized` was told.
    validation, network, parameters, start, batch, settings, mirror, augment, folder, seed, progress, groups, workers, cache
        As of `TrainingOptions`.
    """
    names = [f"case {k + 1}" for k in range(len(data))] if names is None else names
    target = head.targets(truth)
    strata = head.strata(target)
    channels, *size = data[0].shape
    distributed.joined()
    held = held_out(validation, len(data), seed, groups, strata)
    learning = [k for k in range(len(data)) if k not in held]
    usual = kept_values(replace(head.usual, mirror=tuple(mirror), strength=augment), quantity)
    steps = max(-(-len(learning) // batch), 1)
    recipe = Recipe(tuple(size), batch, augment=usual, seed=seed, steps=steps)
    _, place = cases.forecast(
        recipe, channels, 4 * data[0].size * len(data), workers, cache, None if folder is None else Path(folder)
    )
    kept = cases.kept(names, place, lambda k: digest_array(data[k]), lambda k: (data[k], None))
    network, own = _architecture(network, parameters, start)
    whole = complete(network, {"in_channels": channels, "dimensions": len(size), **own}, head.outputs)
    net = _new(network, whole, head, seed, start)
    part = (distributed.rank(), distributed.world())
    drawn = None if strata is None else strata[learning].tolist()
    with Loader([kept[k] for k in learning], recipe, workers, strata=drawn, part=part) as loader:
        fitted = fit(
            net,
            Feed(loader, [names[k] for k in learning], target[learning]),
            loss=head.loss,
            settings=settings,
            validate=_Score(head, [kept[k].open().image for k in held], target[held]) if held else None,
            folder=folder,
            progress=progress,
        )
    kept_of = {k: v for k, v in whole.items() if k not in ("in_channels", "out_channels", "dimensions")}
    return TrainedNetwork(head, tuple(size), channels, (fitted.net,), (fitted.history,), network, kept_of, quantity)


def _architecture(
    network: str | None, parameters: Mapping[str, Any] | None, start: TrainedNetwork | None
) -> tuple[str, Mapping[str, Any]]:
    """Return what is built: what is asked for, else the network that is begun with, else the usual one."""
    if start is not None and network in (None, start.network):
        return start.network, start.parameters if parameters is None else parameters
    return network or "resnet", parameters or {}


def _new(network: str, whole: Mapping[str, Any], head: Head, seed: int, start: TrainedNetwork | None) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = built_net(network, whole)
    if start is not None:
        if bool(start.classes) != bool(head.classes):
            raise ParameterError(
                "A network of classes to begin one of numbers with, or the reverse: expected one of the same task."
            )
        begun(net, network, whole, start.networks[0], same=start.classes == head.classes)
    return net


class _Score:
    """The head's scores on the cases that choose the epoch."""

    def __init__(self, head: Head, images: Sequence[FloatArray], targets: npt.NDArray[Any]) -> None:
        self.head, self.images, self.targets = head, images, targets

    def __call__(self, net: nn.Module) -> dict[str, float]:
        outputs = np.stack([net(torch.from_numpy(i[None])).double()[0].numpy() for i in self.images])
        return self.head.scores(outputs, self.targets)


def sized(image: Image, size: Sequence[int], quantity: str | None = None) -> FloatArray:
    """Return an image of `size` samples over its whole extent, smoothed before it gets coarser, and normalised.

    Parameters
    ----------
    image
        Without time. Samples that are not finite become the median of the others of their channel.
    size
        Samples along each spatial axis.
    quantity
        What the values measure (`scale.common_quantity` of the training); None normalises each channel by itself.

    Returns
    -------
    array
        Shape (channels, *size), float32.
    """
    data = channel_first(image)
    if not np.isfinite(data).all():
        data = np.stack([np.where(np.isfinite(c), c, _middle(c)) for c in data])
    steps = np.array([n / s for n, s in zip(data.shape[1:], size, strict=True)])
    matrix = np.column_stack([np.diag(steps), (steps - 1.0) / 2.0])
    sigma = np.where(steps > 1.0, 0.4 * np.sqrt(np.maximum(steps**2 - 1.0, 0.0)), 0.0)
    smoothed = [gaussian(channel, [float(s) for s in sigma]) if sigma.any() else channel for channel in data]
    channels = np.stack([sample_affine(c, matrix, tuple(size), "linear", None) for c in smoothed]).astype(np.float32)
    return scaled(channels, quantity)


def _middle(channel: FloatArray) -> np.float32:
    finite = channel[np.isfinite(channel)]
    return np.float32(np.median(finite)) if finite.size else np.float32(0.0)


def require_images(images: Sequence[Image], labels: Sequence[Any], names: Sequence[str]) -> None:
    """Refuse images that one network cannot be trained on.

    Parameters
    ----------
    images, labels, names
        One of each for every case.

    Raises
    ------
    ParameterError
        If there is none, or they differ in number.
    ContentError
        If images are of several kinds, or hold what is not finite.
    """
    if not images or len(images) != len(labels):
        raise ParameterError(
            f"{len(images)} images with {len(labels)} labels: expected at least one, and a label for each image."
        )
    first = images[0]
    for image, name in zip(images, names, strict=True):
        if "t" in image.dims or image.dims != first.dims or channels_of(image) != channels_of(first):
            raise ContentError(
                f"{name}: axes {image.dims}, {channels_of(image)} channels; expected {first.dims} and {channels_of(first)} as in the "
                "first case; train on images of one kind."
            )
        if not np.isfinite(np.asarray(image.array)).all():
            raise ContentError(
                f"{name}: the image holds values that are not finite; expected finite numbers; repair or leave it out."
            )
