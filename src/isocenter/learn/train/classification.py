"""Training a classifier of whole images: baselines that are simpler should stand beside it, as it is easily flattered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from isocenter import nets
from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.image import Image
from isocenter.core.provenance import digest_array
from isocenter.core.results import Prediction
from isocenter.kernels.interpolate import sample_affine
from isocenter.kernels.smooth import gaussian
from isocenter.learn.loading.augment import USUAL
from isocenter.learn.loading.loader import Loader, Recipe
from isocenter.learn.train import cases, distributed
from isocenter.learn.train.engine import fit
from isocenter.learn.train.feed import Feed
from isocenter.learn.train.fingerprint import channel_first, channels_of
from isocenter.learn.train.history import EpochRow, History
from isocenter.learn.train.holding import held_out
from isocenter.learn.train.preparation import normalised
from isocenter.learn.train.settings import FitSettings

__all__ = ["TrainedClassifier", "sized", "train_classifier", "train_prepared"]

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class TrainedClassifier:
    """One network, or several whose probabilities are averaged, with what images are brought to.

    Attributes
    ----------
    classes
        In the order of the probabilities.
    size
        Samples along each spatial axis.
    channels
        Of an image.
    networks
        One of each training.
    histories
        Their histories, where they were trained here.
    """

    classes: tuple[str, ...]
    size: tuple[int, ...]
    channels: int
    networks: tuple[nn.Module, ...]
    histories: tuple[History, ...] = ()

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
        return sized(image, self.size)

    def predict(self, image: Image) -> Prediction:
        """Return the probability of each class."""
        return Prediction(self.classes, tuple(float(p) for p in self.probabilities([image])[0]))

    def probabilities(self, images: Sequence[Image]) -> npt.NDArray[np.float64]:
        """Return the probabilities of images, shape (images, classes)."""
        return self.probabilities_prepared([self.seen(image) for image in images])

    def probabilities_prepared(self, data: Sequence[FloatArray]) -> npt.NDArray[np.float64]:
        """Return the same of what `seen` gave of each image."""
        rows = []
        for one in data:
            seen = torch.from_numpy(one[None])
            with torch.inference_mode():
                chances = [net(seen).double().softmax(1)[0].numpy() for net in self.networks]
            mean = np.mean(chances, axis=0)
            rows.append(mean / mean.sum())
        return np.array(rows)


def train_classifier(
    images: Sequence[Image],
    labels: Sequence[str],
    *,
    names: Sequence[str] | None = None,
    validation: Sequence[int] | float = 0.2,
    network: str = "resnet",
    parameters: Mapping[str, Any] | None = None,
    size: Sequence[int] | None = None,
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
) -> TrainedClassifier:
    """Train a classifier.

    Parameters
    ----------
    images, labels
        The training fold, in the same order.
    names
        Of the cases, for messages.
    validation
        Indices of the cases that choose the best epoch (by the mean log probability of the truth), or the part to draw, stratified by
        class; 0 keeps the last epoch.
    network, parameters
        Name in `isocenter.nets` and its further parameters.
    size
        Samples that images are brought to along each spatial axis. Default: the median size, at most 224 (64 in three dimensions).
    batch
        Images a batch; classes are drawn equally often.
    settings
        Of the engine. Default: `FitSettings()`.
    mirror
        Spatial axes along which an image may be mirrored.
    augment
        Strength of the augmentation, 0 to 1.
    folder
        Where checkpoints and curves go; a broken training goes on from there.
    seed
        Of the split, weights and batches.
    progress
        Called with the row of each epoch.
    groups, workers, cache
        As for `isocenter.learn.train.segmentation.train_segmenter`.

    Raises
    ------
    ContentError
        If there is one class only, a class has a single case, or an image cannot be used.
    """
    names = [str(n) for n in names] if names is not None else [f"case {k + 1}" for k in range(len(images))]
    classes = _checked(images, labels, names)
    axes = images[0].geometry.ndim
    if size is None:
        median = np.median([i.geometry.shape for i in images], axis=0)
        size = [int(min(n, 224 if axes == 2 else 64)) for n in median]
    return train_prepared(
        [sized(image, size) for image in images], [classes.index(str(label)) for label in labels], classes, names=names,
        validation=validation, network=network, parameters=parameters, batch=batch, settings=settings, mirror=mirror, augment=augment,
        folder=folder, seed=seed, progress=progress, groups=groups, workers=workers, cache=cache,
    )  # fmt: skip


def train_prepared(
    data: Sequence[FloatArray],
    truth: npt.ArrayLike,
    classes: Sequence[str],
    *,
    names: Sequence[str] | None = None,
    validation: Sequence[int] | float = 0.2,
    network: str = "resnet",
    parameters: Mapping[str, Any] | None = None,
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
) -> TrainedClassifier:
    """Train a classifier on images that `sized` has brought to one size already.

    Parameters
    ----------
    data
        Each of shape (channels, *size).
    truth, classes
        Index of the class of each, and the names.
    names, validation, network, parameters, batch, settings, mirror, augment, folder, seed, progress, groups, workers, cache
        As for `train_classifier`.
    """
    names = [f"case {k + 1}" for k in range(len(data))] if names is None else names
    target = np.asarray(truth, np.int64)
    channels, *size = data[0].shape
    distributed.joined()
    held = held_out(validation, len(data), seed, groups, target)
    learning = [k for k in range(len(data)) if k not in held]
    # Half the usual turning and scaling: the whole image is seen, and what leaves it is lost.
    usual = replace(USUAL, angle=USUAL.angle / 2, scale=USUAL.scale / 2, mirror=tuple(mirror), strength=augment)
    steps = max(-(-len(learning) // batch), 1)
    recipe = Recipe(tuple(size), batch, augment=usual, seed=seed, steps=steps)
    _, place = cases.forecast(
        recipe, channels, 4 * data[0].size * len(data), workers, cache, None if folder is None else Path(folder)
    )
    kept = cases.kept(names, place, lambda k: digest_array(data[k]), lambda k: (data[k], None))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = nets.build(
            network,
            **{"in_channels": channels, "out_channels": len(classes), "dimensions": len(size), **(parameters or {})},
        )
    part = (distributed.rank(), distributed.world())
    with Loader([kept[k] for k in learning], recipe, workers, strata=target[learning].tolist(), part=part) as loader:
        fitted = fit(
            net,
            Feed(loader, [names[k] for k in learning], target[learning]),
            loss=nn.functional.cross_entropy,
            settings=settings,
            validate=_Score([kept[k].open().image for k in held], target[held]) if held else None,
            folder=folder,
            progress=progress,
        )
    return TrainedClassifier(tuple(classes), tuple(size), channels, (fitted.net,), (fitted.history,))


class _Score:
    """Mean log probability of the truth (each class counts alike), and the balanced accuracy beside it."""

    def __init__(self, images: Sequence[FloatArray], truth: npt.NDArray[np.int64]) -> None:
        self.images, self.truth = images, truth

    def __call__(self, net: nn.Module) -> dict[str, float]:
        logs = np.stack([net(torch.from_numpy(i[None])).double().log_softmax(1)[0].numpy() for i in self.images])
        present = np.unique(self.truth)
        likelihood = [logs[self.truth == k, k].mean() for k in present]
        right = [(logs[self.truth == k].argmax(1) == k).mean() for k in present]
        return {"log_likelihood": float(np.mean(likelihood)), "balanced_accuracy": float(np.mean(right))}


def sized(image: Image, size: Sequence[int]) -> FloatArray:
    """Return an image of `size` samples over its whole extent, smoothed before it gets coarser, and normalised.

    Parameters
    ----------
    image
        Without time. Samples that are not finite become the median of the others of their channel.
    size
        Samples along each spatial axis.

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
    return normalised(channels, "zscore", [{}] * len(channels))


def _middle(channel: FloatArray) -> np.float32:
    finite = channel[np.isfinite(channel)]
    return np.float32(np.median(finite)) if finite.size else np.float32(0.0)


def _checked(images: Sequence[Image], labels: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
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
    counts = Counter(str(label) for label in labels)
    if len(counts) < 2:
        raise ContentError(
            f"All {len(labels)} training cases are of class '{next(iter(counts))}': expected at least two classes."
        )
    alone = sorted(name for name, count in counts.items() if count < 2)
    if alone:
        raise ContentError(
            f"Class '{alone[0]}' has a single training case: expected at least two, so that one can be learnt and another can check it."
        )
    return tuple(sorted(counts))
