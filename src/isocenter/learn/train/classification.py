"""Training a classifier of whole images: baselines that are simpler should stand beside it, as it is easily flattered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from isocenter import nets
from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.image import Image
from isocenter.core.results import Prediction
from isocenter.kernels.interpolate import sample_affine
from isocenter.kernels.smooth import gaussian
from isocenter.learn.train.augment import changed, placed
from isocenter.learn.train.engine import fit
from isocenter.learn.train.fingerprint import channel_first, channels_of
from isocenter.learn.train.history import EpochRow, History
from isocenter.learn.train.preparation import normalised
from isocenter.learn.train.settings import FitSettings

__all__ = ["TrainedClassifier", "train_classifier"]

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
        return _sized(image, self.size)

    def predict(self, image: Image) -> Prediction:
        """Return the probability of each class."""
        return Prediction(self.classes, tuple(float(p) for p in self.probabilities([image])[0]))

    def probabilities(self, images: Sequence[Image]) -> npt.NDArray[np.float64]:
        """Return the probabilities of images, shape (images, classes)."""
        rows = []
        for image in images:
            data = torch.from_numpy(self.seen(image)[None])
            with torch.inference_mode():
                chances = [net(data).double().softmax(1)[0].numpy() for net in self.networks]
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
        class; 0 keeps the last epoch. Cases of one patient must not stand on both sides: give the indices then.
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
    data = [_sized(image, size) for image in images]
    truth = np.array([classes.index(str(label)) for label in labels])
    held = _held(validation, truth, seed)
    learning = [k for k in range(len(images)) if k not in held]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = nets.build(
            network,
            **{"in_channels": channels_of(images[0]), "out_channels": len(classes), "dimensions": axes, **(parameters or {})},
        )
    batches = _Whole(
        [data[k] for k in learning], truth[learning], [names[k] for k in learning], batch, tuple(mirror), augment, seed
    )
    fitted = fit(
        net,
        batches,
        loss=nn.functional.cross_entropy,
        settings=settings,
        validate=_Score([data[k] for k in held], truth[held]) if held else None,
        folder=folder,
        progress=progress,
    )
    return TrainedClassifier(classes, tuple(size), channels_of(images[0]), (fitted.net,), (fitted.history,))


@dataclass
class _Whole:
    """Batches of whole images; each class is drawn equally often."""

    images: Sequence[FloatArray]
    truth: npt.NDArray[np.int64]
    names: Sequence[str]
    batch: int
    mirror: tuple[int, ...]
    augment: float
    seed: int
    _members: list[npt.NDArray[np.intp]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._members = [np.flatnonzero(self.truth == k) for k in np.unique(self.truth)]

    def __len__(self) -> int:
        return max(-(-len(self.images) // self.batch), 1)

    def epoch(self, number: int) -> Iterator[dict[str, Any]]:
        """Yield the batches of an epoch."""
        generator = np.random.default_rng([self.seed, number])
        queues = [generator.permutation(np.resize(generator.permutation(m), len(self) * self.batch)) for m in self._members]
        for step in range(len(self)):
            own = np.random.default_rng([self.seed, number, step + 1])
            chosen = [int(queues[(step * self.batch + k) % len(queues)][step * self.batch + k]) for k in range(self.batch)]
            yield {
                "image": np.stack([self._one(self.images[k], own) for k in chosen]),
                "truth": torch.from_numpy(self.truth[chosen]),
                "names": [self.names[k] for k in chosen],
            }

    def _one(self, image: FloatArray, generator: np.random.Generator) -> FloatArray:
        if not self.augment:
            return image
        shape = image.shape[1:]
        matrix = placed((np.array(shape) - 1.0) / 2.0, shape, generator, 0.5 * self.augment, self.mirror)
        moved = np.stack([sample_affine(channel, matrix, shape, "linear", None) for channel in image])
        return changed(moved.astype(np.float32, copy=False), generator, self.augment)


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


def _sized(image: Image, size: Sequence[int]) -> FloatArray:
    """Return an image of `size` samples over its whole extent, smoothed before it gets coarser, and normalised."""
    data = channel_first(image)
    steps = np.array([n / s for n, s in zip(data.shape[1:], size, strict=True)])
    matrix = np.column_stack([np.diag(steps), (steps - 1.0) / 2.0])
    sigma = np.where(steps > 1.0, 0.4 * np.sqrt(np.maximum(steps**2 - 1.0, 0.0)), 0.0)
    smoothed = [gaussian(channel, [float(s) for s in sigma]) if sigma.any() else channel for channel in data]
    channels = np.stack([sample_affine(c, matrix, tuple(size), "linear", None) for c in smoothed]).astype(np.float32)
    return normalised(channels, "zscore", [{}] * len(channels))


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


def _held(validation: Sequence[int] | float, truth: npt.NDArray[np.int64], seed: int) -> list[int]:
    if not isinstance(validation, int | float):
        held = sorted({int(k) for k in validation})
        if held and (held[0] < 0 or held[-1] >= len(truth) or len(held) >= len(truth)):
            raise ParameterError(f"Validation cases {held} of {len(truth)}: expected indices of some of them, not all.")
        return held
    if not 0 <= validation < 1:
        raise ParameterError(f"A validation part of {validation}: expected 0 or more and less than 1, or indices of cases.")
    generator = np.random.default_rng(seed)
    found: list[int] = []
    for k in np.unique(truth):
        members = generator.permutation(np.flatnonzero(truth == k))
        found += [int(m) for m in members[: min(int(np.ceil(validation * len(members))), len(members) - 1)]]
    return sorted(found)
