"""What a network says of a whole image, and how it learns to say it: a class, or a number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from isocenter.core.results import Prediction
from isocenter.learn.loading.augment import USUAL, Augment
from isocenter.learn.standard import Standard

__all__ = ["ClassHead", "Head", "NumberHead", "head_from"]

FloatArray = npt.NDArray[np.float64]

# Half the usual turning and scaling: the whole image is seen, and what leaves it is lost.
_CLASSES = replace(USUAL, angle=USUAL.angle / 2, scale=USUAL.scale / 2)
# A number is often a size or a contrast: an image that was scaled or changed in contrast would carry another one.
_NUMBERS = replace(_CLASSES, size=0.0, gain=0.0, gamma=0.0)


class Head(Protocol):
    """All that differs between networks of classes and of numbers."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the answers; empty for numbers."""
        ...

    @property
    def outputs(self) -> int:
        """Outputs of the network."""
        ...

    @property
    def usual(self) -> Augment:
        """What may be done to an image of training without changing its truth."""
        ...

    def targets(self, truth: npt.ArrayLike) -> npt.NDArray[Any]:
        """Return what the loss compares outputs with."""
        ...

    def strata(self, targets: npt.NDArray[Any]) -> npt.NDArray[np.int64] | None:
        """Return what batches are drawn evenly by; None draws all cases alike."""
        ...

    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        """Return what is made small."""
        ...

    def scores(self, outputs: FloatArray, targets: npt.NDArray[Any]) -> dict[str, float]:
        """Return how good outputs are; the first score chooses the epoch, greater is better."""
        ...

    def answer(self, output: Tensor) -> Tensor:
        """Return probabilities (n, classes), or numbers (n,) in their unit, of outputs (n, outputs)."""
        ...

    def averaged(self, answers: Sequence[FloatArray]) -> FloatArray:
        """Return the mean answer of several networks on one image."""
        ...

    def prediction(self, answer: FloatArray, unit: str = "1") -> Prediction:
        """Return the answer on one image as a prediction."""
        ...

    def exported(self, net: nn.Module) -> nn.Module:
        """Return a network as it is to be used without this project."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        ...


@dataclass(frozen=True)
class ClassHead:
    """One output for each class; cross-entropy.

    Attributes
    ----------
    classes
        Names, in the order of the outputs.
    """

    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(map(str, self.classes)))

    @property
    def outputs(self) -> int:
        """One for each class."""
        return len(self.classes)

    @property
    def usual(self) -> Augment:
        """Turned, scaled, changed in brightness."""
        return _CLASSES

    def targets(self, truth: npt.ArrayLike) -> npt.NDArray[Any]:
        """Return the indices of the classes."""
        return np.asarray(truth, np.int64)

    def strata(self, targets: npt.NDArray[Any]) -> npt.NDArray[np.int64] | None:
        """Return the classes: each is drawn equally often."""
        return np.asarray(targets, np.int64)

    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        """Return the cross-entropy."""
        return nn.functional.cross_entropy(output, targets)

    def scores(self, outputs: FloatArray, targets: npt.NDArray[Any]) -> dict[str, float]:
        """Return the mean log probability of the truth (each class counts alike), and the balanced accuracy."""
        logs = torch.from_numpy(outputs).log_softmax(1).numpy()
        present = np.unique(targets)
        likelihood = [logs[targets == k, k].mean() for k in present]
        right = [(logs[targets == k].argmax(1) == k).mean() for k in present]
        return {"log_likelihood": float(np.mean(likelihood)), "balanced_accuracy": float(np.mean(right))}

    def answer(self, output: Tensor) -> Tensor:
        """Return probabilities."""
        return output.softmax(1)

    def averaged(self, answers: Sequence[FloatArray]) -> FloatArray:
        """Return the mean of the probabilities."""
        mean = np.mean(answers, axis=0)
        return np.asarray(mean / mean.sum())

    def prediction(self, answer: FloatArray, unit: str = "1") -> Prediction:
        """Return the probability of each class."""
        return Prediction(self.classes, tuple(float(p) for p in answer))

    def exported(self, net: nn.Module) -> nn.Module:
        """Return the network itself, which gives scores."""
        return net

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {"classes": list(self.classes)}


@dataclass(frozen=True)
class NumberHead:
    """One output, the number in standard units; Huber's loss, so that one odd case does not lead.

    Attributes
    ----------
    standard
        The units, of the numbers of the training part.

    References
    ----------
    Huber. Robust estimation of a location parameter. Annals of Mathematical Statistics 35 (1964) 73-101.
    """

    standard: Standard

    @property
    def classes(self) -> tuple[str, ...]:
        """None."""
        return ()

    @property
    def outputs(self) -> int:
        """One."""
        return 1

    @property
    def usual(self) -> Augment:
        """Turned, shifted in brightness, made noisier: what leaves sizes and contrasts as they are."""
        return _NUMBERS

    def targets(self, truth: npt.ArrayLike) -> npt.NDArray[Any]:
        """Return the numbers in standard units."""
        return self.standard.into(truth).astype(np.float32)

    def strata(self, targets: npt.NDArray[Any]) -> npt.NDArray[np.int64] | None:
        """Return None: every case is drawn as often."""
        return None

    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        """Return Huber's loss, quadratic within one standard deviation."""
        return nn.functional.huber_loss(output[:, 0].float(), targets)

    def scores(self, outputs: FloatArray, targets: npt.NDArray[Any]) -> dict[str, float]:
        """Return the mean absolute error in standard units, turned so that greater is better, and R2 (NaN where all are one number)."""
        error, spread = outputs[:, 0] - targets, float(np.var(targets, dtype=np.float64))
        r2 = 1.0 - float(np.mean(error**2)) / spread if spread > 1e-12 else math.nan
        return {"negative_error": -float(np.abs(error).mean()), "r2": r2}

    def answer(self, output: Tensor) -> Tensor:
        """Return numbers in their unit."""
        values = output[:, 0] * self.standard.scale + self.standard.centre
        return values.exp() if self.standard.logarithm else values

    def averaged(self, answers: Sequence[FloatArray]) -> FloatArray:
        """Return the mean of the numbers."""
        return np.asarray(np.mean(answers, axis=0))

    def prediction(self, answer: FloatArray, unit: str = "1") -> Prediction:
        """Return the number."""
        return Prediction(value=float(answer), unit=unit)

    def exported(self, net: nn.Module) -> nn.Module:
        """Return the network with what brings its output to the unit of the numbers."""
        return _Answering(net, self)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {"centre": self.standard.centre, "scale": self.standard.scale, "logarithm": self.standard.logarithm}


class _Answering(nn.Module):
    """A network that gives numbers in their unit, shape (batch, 1)."""

    def __init__(self, net: nn.Module, head: NumberHead) -> None:
        super().__init__()
        self.net, self.head = net, head

    def forward(self, x: Tensor) -> Tensor:
        """Return the numbers."""
        return self.head.answer(self.net(x))[:, None]


def head_from(plain: Mapping[str, Any]) -> ClassHead | NumberHead:
    """Return the head that `to_dict` described.

    Raises
    ------
    ValueError
        If its numbers make no sense.
    """
    if "classes" in plain:
        return ClassHead(tuple(map(str, plain["classes"])))
    standard = Standard(float(plain["centre"]), float(plain["scale"]), bool(plain["logarithm"]))
    if not (math.isfinite(standard.centre) and math.isfinite(standard.scale) and standard.scale > 0):
        raise ValueError(f"numbers about {standard.centre:g} of spread {standard.scale:g}")
    return NumberHead(standard)
