"""A finder of places as a classifier of one place that it found: why the network sees an object here, or puts the landmark there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from isocenter.core.errors import ContentError, ParameterError, UnknownNameError, did_you_mean
from isocenter.core.image import SPATIAL, Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.learn.explain.native import network_grid, window_image
from isocenter.learn.explain.region import map_before_scores
from isocenter.learn.places.model import PlaceModel
from isocenter.learn.places.places import Places
from isocenter.learn.train.detection import TrainedDetector
from isocenter.learn.train.fingerprint import channel_first
from isocenter.learn.train.frames import Framed
from isocenter.learn.train.landmarks import TrainedLandmarks, within
from isocenter.nets.boxes import pairwise_iou

__all__ = ["LandmarkScore", "ObjectScore", "PlaceNetworks", "marked_place", "place_networks", "reach_of", "true_place"]

FloatArray = npt.NDArray[np.float32]

#: Samples of the heat map around the place of a landmark that count as it: two deviations of what the network was trained to give.
_NEAR = 3.0


class ObjectScore(nn.Module):
    """A detector whose scores are those of one candidate: nothing, or an object of its class.

    Parameters
    ----------
    net
        A `OneStageDetector`.
    level, place, label
        Level of its pyramid that the candidate came from, its place there, and its class.
    """

    def __init__(self, net: Any, level: int, place: int, label: int) -> None:
        super().__init__()
        self.net, self.level, self.place, self.label = net, level, place, label

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores, shape (batch, 2): their soft maximum is the network's own probability."""
        logit = self.net.classified(self.net.pyramid(x)[self.level])[:, self.place, self.label]
        return torch.stack([torch.zeros_like(logit), logit], 1)


class LandmarkScore(nn.Module):
    """A landmark net whose scores are those of one landmark: elsewhere, or where it was put.

    Parameters
    ----------
    net
        Gives heat maps (batch, landmarks, *spatial).
    landmark
        Which.
    near
        Samples of the heat map that count as the place, booleans of shape (*spatial).
    limit
        Where the image ends in samples of the heat map.
    """

    near: Tensor

    def __init__(self, net: nn.Module, landmark: int, near: Tensor, limit: npt.NDArray[np.float64]) -> None:
        super().__init__()
        self.net, self.landmark, self.limit = net, landmark, limit
        self.register_buffer("near", near)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores, shape (batch, 2): their soft maximum is the share of the heat map that lies elsewhere, and here."""
        heat = within(self.net(x)[:, self.landmark, None], self.limit)[:, 0].float()
        return torch.stack([heat[:, ~self.near].logsumexp(1), heat[:, self.near].logsumexp(1)], 1)


@dataclass(frozen=True, eq=False)
class PlaceNetworks:
    """What `explain_case` needs of a model, for one place that it found in one image.

    Attributes
    ----------
    classes
        That the place is none, and its name.
    networks
        The network, with the scores of that place alone.
    image
        What it sees, prepared, on its own grid.
    found
        The place, in samples of the image that was given.
    probability
        That a candidate is an object, calibrated; None for a landmark.
    score
        What is explained, in words.
    layer
        Name of the last map before the scores; empty where no map can be weighed as a whole.
    warnings
        One sentence each.
    """

    classes: tuple[str, str]
    networks: tuple[nn.Module, ...]
    image: Image
    found: Places
    probability: float | None
    score: str
    layer: str = ""
    warnings: tuple[str, ...] = ()

    def seen(self, image: Image) -> FloatArray:
        """Return the samples that the network sees, shape (channels, *size)."""
        return channel_first(image)


def place_networks(model: PlaceModel, image: Image, target: str | None = None, candidate: int | None = None) -> PlaceNetworks:
    """Return a finder of places as a classifier of one place that it found in an image.

    Parameters
    ----------
    model
        Of a network.
    image
        Of its kind.
    target
        Class of the object, or name of the landmark; None takes the surest of all.
    candidate
        Of a detector: which candidate of that class, counted from the surest; None takes the first.

    Raises
    ------
    UnknownNameError
        If there is no such class or landmark.
    ContentError
        If nothing of the kind was found.
    ParameterError
        If there are not so many candidates, or one is asked for of landmarks.
    """
    if target is not None and target not in model.names:
        raise UnknownNameError(f"No class '{target}': there are {', '.join(model.names)}.{did_you_mean(target, model.names)}")
    if isinstance(model.finder, TrainedDetector):
        return _of_detector(model, model.finder, image, target, candidate)
    if not isinstance(model.finder, TrainedLandmarks):
        raise ContentError("The model holds no network: expected one to look into.")
    if candidate is not None:
        raise ParameterError(f"Candidate {candidate} of a model of landmarks: each is found once; name one by its class.")
    return _of_landmarks(model.finder, image, target)


def _of_detector(
    model: PlaceModel, finder: TrainedDetector, image: Image, target: str | None, candidate: int | None
) -> PlaceNetworks:
    found, at = finder.candidates(image)
    found = model.calibrated(found)
    own = [k for k, name in enumerate(found.names) if target in (None, name)]
    words = "an object" if target is None else f"'{target}'"
    rank = 1 if candidate is None else candidate
    if not own:
        raise ContentError(f"The model finds nothing in this image that might be {words}: there is nothing to explain.")
    if not 1 <= rank <= len(own):
        raise ParameterError(f"Candidate {rank} of {len(own)} that might be {words}: expected 1, the surest, to {len(own)}.")
    chosen = own[rank - 1]
    one, name = found.take([chosen]), found.names[chosen]
    assert one.scores is not None  # candidates have scores
    probability = float(one.scores[0])
    warnings = []
    if probability < model.threshold:
        warnings.append(
            f"Warning: the candidate is not called an object: its probability of {probability:.3g} is below the operating point of "
            f"{model.threshold:.3g}."
        )
    net: Any = finder.network
    framed, data = finder.seen(image)
    counts = [int(np.prod([n // stride for n in data.shape[2:]])) for stride in net.pyramid.strides]
    level = int(np.searchsorted(np.cumsum(counts), at[chosen], side="right"))
    score = ObjectScore(net, level, int(at[chosen]) - sum(counts[:level]), finder.names.index(name)).eval()
    middle = ", ".join(f"{v:.1f}" for v in one.centres[0])
    said = f"the score being that of one candidate, '{name}' about sample {middle}, before its calibration"
    shown = _shown(image, framed, data)
    return PlaceNetworks(("nothing", name), (score,), shown, one, probability, said, "", tuple(warnings))


def _of_landmarks(finder: TrainedLandmarks, image: Image, target: str | None) -> PlaceNetworks:
    found = finder.predict(image)
    assert found.scores is not None  # landmarks of a network have the spread of their heat maps
    k = int(np.argmin(found.scores)) if target is None else finder.names.index(target)
    framed, data = finder.seen(image)
    step, limit = int(finder.plan.parameters["step"]), finder.limit(framed)
    place = (framed.inside(found.samples[k]) - (step - 1) / 2.0) / step
    lines = np.meshgrid(*[np.arange(n // step) for n in data.shape[2:]], indexing="ij")
    near = np.linalg.norm(np.stack(lines, -1) - place, axis=-1) <= _NEAR
    if all(last + 0.5 < 2.0 * _NEAR for last in limit):
        raise ContentError(
            f"The image is {' x '.join(map(str, framed.data.shape[1:]))} samples for the network: too small to tell one place from another."
        )
    score = LandmarkScore(finder.network, k, torch.from_numpy(near), limit).eval()
    with torch.no_grad():
        share = float(score(data).softmax(1)[0, 1])
        layer = map_before_scores(score, data)
    reach = _NEAR * step * max(finder.plan.spacing)
    middle = ", ".join(f"{v:.1f}" for v in found.samples[k])
    unit = image.geometry.unit
    said = (
        f"the score being that landmark '{finder.names[k]}' lies within {reach:.3g} {unit} of where it was put, sample {middle}: "
        f"{100 * share:.0f} % of its heat map do"
    )
    warnings = []
    if share < 0.5:
        warnings.append(
            f"Warning: only {100 * share:.0f} % of the heat map of '{finder.names[k]}' lie near where it was put: the network is not sure of it."
        )
    classes = ("elsewhere", finder.names[k])
    return PlaceNetworks(classes, (score,), _shown(image, framed, data), found.take([k]), None, said, layer, tuple(warnings))


def _shown(image: Image, framed: Framed, data: Tensor) -> Image:
    """Return what a network is shown as an image on its own grid, which begins with that of the image and ends behind it."""
    grid = network_grid(image.geometry, data.shape[2:], framed.step.tolist())
    return window_image(np.ascontiguousarray(data[0].numpy()), image, grid)


def reach_of(image: Image) -> float:
    """Return how far about a landmark its surroundings reach, in mm (px): half of the patch that occlusion covers unasked."""
    return max(image.geometry.extent) / 16.0


def marked_place(found: Places, image: Image, name: str) -> LabelMap:
    """Return the samples of one place of an image: those in a box, or those around a point.

    Parameters
    ----------
    found
        One box or point in samples of the image.
    image
        Gives the grid.
    name
        Of the segment.
    """
    grid = image.geometry
    lines = np.stack(np.meshgrid(*[np.arange(n) for n in grid.shape], indexing="ij", sparse=False), -1)
    if found.kind == "points":
        inside = np.linalg.norm((lines - found.samples[0]) * np.asarray(grid.spacing), axis=-1) <= reach_of(image)
    else:
        low, high = np.split(found.samples[0], 2)
        inside = ((lines >= low) & (lines <= high)).all(axis=-1)
    nearest = np.clip(np.round(found.centres[0]).astype(int), 0, np.array(grid.shape) - 1)
    inside[tuple(nearest)] = True  # a box between samples holds none of them
    dims = tuple(d for d in image.dims if d in SPATIAL)
    return LabelMap(inside.astype(np.uint8), dims, grid, (Segment(1, name),))


def true_place(found: Places, truth: Places) -> Places | None:
    """Return the true place that a found one stands for: of its name, and of boxes the one that it overlaps most; None where there is none.

    Parameters
    ----------
    found
        One box or point.
    truth
        All of the image, in samples of the same grid.
    """
    same = [k for k, name in enumerate(truth.names) if name == found.names[0]]
    if not same:
        return None
    if found.kind == "points":
        return truth.take(same[:1])
    own, boxes = torch.from_numpy(found.samples), torch.from_numpy(truth.samples[same])
    shared = pairwise_iou(own, boxes)[0].numpy()
    return truth.take([same[int(shared.argmax())]]) if shared.max() > 0 else None
