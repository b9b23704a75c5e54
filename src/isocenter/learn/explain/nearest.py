"""Which training cases a held-out case resembles in the features of a model, and whether it resembles any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.image import Image
from isocenter.learn.explain.case import NetworkModel
from isocenter.nets.attribution.features import frozen, last_feature_map, module_named, watched

__all__ = ["Neighbour", "Resemblance", "nearest_cases", "network_features"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Neighbour:
    """One training case.

    Attributes
    ----------
    case
        Its pseudonym.
    label
        Its class; empty where it was not given.
    distance
        In standard deviations of the training features, per feature (root mean square).
    """

    case: str
    label: str
    distance: float


@dataclass(frozen=True)
class Resemblance:
    """What a held-out case resembles.

    Attributes
    ----------
    case
        Its pseudonym.
    neighbours
        The nearest training cases, nearest first.
    usual
        Share of the training cases whose own nearest case (of another patient) is at least as far: a small share means that
        the case is unlike the training data.
    """

    case: str
    neighbours: tuple[Neighbour, ...]
    usual: float

    @property
    def sentence(self) -> str:
        """The finding in words."""
        names = ", ".join(f"{n.case}{f' ({n.label})' if n.label else ''}" for n in self.neighbours)
        text = f"Nearest training cases of {self.case}: {names}."
        if self.usual < 0.05:
            text += f" Warning: it is farther from them than {100 * (1 - self.usual):.0f} % of the training cases are from each other."
        return text


def nearest_cases(
    training: npt.ArrayLike,
    held_out: npt.ArrayLike,
    *,
    training_cases: Sequence[str],
    held_out_cases: Sequence[str],
    training_patients: Sequence[str] | None = None,
    held_out_patients: Sequence[str] | None = None,
    labels: Sequence[str] = (),
    count: int = 5,
) -> tuple[Resemblance, ...]:
    """Find the training cases that held-out cases resemble.

    Parameters
    ----------
    training, held_out
        Features, shapes (n, features) and (m, features); of a network those of `network_features`, of a table model what it
        sees (`FittedRecipe.prepared`).
    training_cases, held_out_cases
        Pseudonyms.
    training_patients, held_out_patients
        Patient of each case; the case itself when None.
    labels
        Classes of the training cases.
    count
        Neighbours of each case.

    Raises
    ------
    ContentError
        If a patient stands on both sides: a case would resemble itself.
    """
    a, b = np.asarray(training, np.float64), np.asarray(held_out, np.float64)
    own = [str(p) for p in (training_cases if training_patients is None else training_patients)]
    other = [str(p) for p in (held_out_cases if held_out_patients is None else held_out_patients)]
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or len(a) < 2:
        raise ParameterError(f"Features of shapes {a.shape} and {b.shape}: expected the same features, and two training cases.")
    if not (len(a) == len(training_cases) == len(own) and len(b) == len(held_out_cases) == len(other)):
        raise ParameterError("Cases, patients and features differ in number: expected one of each.")
    if labels and len(labels) != len(a):
        raise ParameterError(f"{len(labels)} labels for {len(a)} training cases: expected one each, or none.")
    both = sorted(set(own) & set(other))
    if both:
        raise ContentError(
            f"Patient '{both[0]}' is in training and held out ({len(both)} patients in all): expected whole patients on one side."
        )
    mean, spread = a.mean(axis=0), a.std(axis=0)
    varies = spread > 1e-9 * np.maximum(1.0, np.abs(mean))
    if not varies.any():
        raise ContentError("No feature varies among the training cases: expected one or more that does.")
    z, y = ((v[:, varies] - mean[varies]) / spread[varies] for v in (a, b))
    among = _distances(z, z)
    names = np.asarray(own)
    among[names[:, None] == names[None]] = np.inf
    usual = among.min(axis=1)
    usual = usual[np.isfinite(usual)]
    found = []
    for name, row in zip(held_out_cases, _distances(y, z), strict=True):
        order = np.argsort(row, kind="stable")[:count]
        near = tuple(Neighbour(str(training_cases[i]), str(labels[i]) if labels else "", float(row[i])) for i in order)
        share = float((usual >= row.min() - 1e-12).mean()) if usual.size else 1.0
        found.append(Resemblance(str(name), near, share))
    return tuple(found)


def _distances(first: FloatArray, second: FloatArray) -> FloatArray:
    square = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1) - 2.0 * first @ second.T
    return np.asarray(np.sqrt(np.maximum(square, 0.0) / first.shape[1]))


def network_features(model: NetworkModel, images: Sequence[Image], layer: str | None = None) -> FloatArray:
    """Return the features of images in the first network of a classifier: the mean of a feature map over its places.

    Parameters
    ----------
    model
        A trained classifier.
    images
        Of its kind.
    layer
        Name of the layer; None takes the last one whose output still has places.

    Returns
    -------
    numpy.ndarray
        Shape (images, features).
    """
    net: nn.Module = model.networks[0]
    rows = []
    with frozen(net), torch.no_grad():
        for image in images:
            x = torch.from_numpy(np.array(model.seen(image), np.float32))[None]
            layer = layer or last_feature_map(net, x)
            with watched(module_named(net, layer)) as found:
                net(x)
            rows.append(found[-1][0].flatten(1).mean(1).double().numpy())
    return np.array(rows)
