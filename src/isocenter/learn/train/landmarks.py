"""Training a landmark net: images and points in, something that points at them in a new image out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.image import Image
from isocenter.learn.places.places import Places
from isocenter.learn.train.engine import fit
from isocenter.learn.train.frames import Framed, check_alike, framed
from isocenter.learn.train.history import EpochRow
from isocenter.learn.train.holding import held_out
from isocenter.learn.train.place_batches import PlaceBatches
from isocenter.learn.train.place_net import PlaceNet, new_net, saved
from isocenter.learn.train.place_plan import PlacePlan, landmark_plan
from isocenter.learn.train.plan_file import kept_plan
from isocenter.learn.train.settings import FitSettings
from isocenter.learn.train.start import require_kind
from isocenter.learn.train.start_plan import place_plan_from
from isocenter.nets.heatmap_landmarks import landmark_loss, soft_argmax

__all__ = ["TrainedLandmarks", "read_landmarks", "train_landmarks", "within"]

FloatArray = npt.NDArray[np.float64]


class TrainedLandmarks(PlaceNet):
    """A landmark net with what images are brought to."""

    def predict(self, image: Image) -> Places:
        """Return the landmarks of an image, in its samples; their scores are the spread of the heat maps in mm, less is surer.

        Raises
        ------
        ContentError
            If the image has other axes or channels than those of the training, or is not finite.
        """
        seen, data = self.seen(image)
        step = int(self.plan.parameters["step"])
        with torch.inference_mode():
            positions, spread = soft_argmax(within(self.network(data), self.limit(seen)))
        places = positions[0].double().numpy() * step + (step - 1) / 2.0
        samples = np.clip(seen.outside(places), -0.5, np.array(image.geometry.shape) - 0.5)
        width = spread[0].double().numpy() * step * np.asarray(self.plan.spacing)
        return Places("points", samples, self.names, image.geometry, np.sqrt((width**2).mean(axis=1)))

    def limit(self, seen: Framed) -> FloatArray:
        """Return where the image ends in samples of the heat maps, along each axis."""
        step = int(self.plan.parameters["step"])
        return (np.array(seen.data.shape[1:]) - 1.0 - (step - 1) / 2.0) / step


def read_landmarks(folder: Path | str) -> TrainedLandmarks:
    """Read what `PlaceNet.save` wrote."""
    return TrainedLandmarks(*saved(folder))


def train_landmarks(
    images: Sequence[Image],
    truth: Sequence[Places],
    *,
    names: Sequence[str] | None = None,
    validation: Sequence[int] | float = 0.15,
    plan: PlacePlan | None = None,
    seconds: float | None = None,
    settings: FitSettings | None = None,
    start: TrainedLandmarks | None = None,
    folder: Path | str | None = None,
    seed: int = 0,
    progress: Callable[[EpochRow], None] | None = None,
    groups: Sequence[str] | None = None,
) -> TrainedLandmarks:
    """Train a landmark net.

    Parameters
    ----------
    images, truth
        The training fold, in the same order; a landmark that an image does not show is left out of its places.
    names
        Of the cases, for messages.
    validation
        Indices of the cases that choose the best epoch (by the mean error), or the part to draw; 0 keeps the last epoch. Cases of one
        patient must not stand on both sides: give the indices then.
    plan
        Default: made from the fold and `seconds`, and kept in the folder.
    seconds
        Budget on the nominal machine; None trains the epochs of the settings.
    settings
        Of the engine.
    start
        An earlier training whose weights are begun with: network, spacing and channels are its own, its last layers begin at random where
        it finds something else, as everything does by default.
    folder
        Where plan, checkpoints and curves go; a broken training goes on from there.
    seed
        Of the split, weights and batches.
    progress
        Called with the row of each epoch.
    groups
        Patient of each case: `validation` never divides one.

    Raises
    ------
    ContentError
        If the data cannot be used; the message names the case.
    ParameterError
        If `start` takes other images.
    """
    cases = [str(n) for n in names] if names is not None else [f"case {k + 1}" for k in range(len(images))]
    marks = _checked(images, truth, cases)
    folder = None if folder is None else Path(folder)
    if start is not None:
        require_kind(images[0], len(start.plan.spacing), start.plan.channels)

    def planned() -> PlacePlan:
        if start is not None:
            return place_plan_from(start.plan, images, truth, marks, seconds, settings)
        return landmark_plan(images, marks, seconds, settings)

    plan = kept_plan(PlacePlan, plan, folder, planned)
    seen = [framed(image, plan.spacing, plan.channels, plan.quantity) for image in images]
    places = []
    for one, t in zip(seen, truth, strict=True):
        rows = np.full((len(plan.names), t.geometry.ndim), np.nan)
        for k, name in enumerate(plan.names):
            if name in t.names:
                rows[k] = one.inside(t.samples[t.names.index(name)])
        places.append(rows)
    held = held_out(validation, len(images), seed, groups)
    learning = [k for k in range(len(images)) if k not in held]
    batches = PlaceBatches(
        [seen[k].data for k in learning], [places[k] for k in learning], None, [cases[k] for k in learning], plan.size,
        plan.spacing, plan.batch, plan.augment, plan.mirror, seed, plan.quantity,
    )  # fmt: skip
    net = new_net(plan, seed, start)
    step = int(plan.parameters["step"])

    def loss(logits: Tensor, wanted: Tensor) -> Tensor:
        return landmark_loss(logits, (wanted - (step - 1) / 2.0) / step)

    fitted = fit(
        net,
        batches,
        loss=loss,
        settings=plan.settings,
        validate=_Score(plan, [images[k] for k in held], [truth[k] for k in held]) if held else None,
        folder=folder,
        progress=progress,
    )
    return TrainedLandmarks(plan, fitted.net, fitted.history)


class _Score:
    """Less than 0: the mean error in mm of the cases that nothing is learned from."""

    def __init__(self, plan: PlacePlan, images: Sequence[Image], truth: Sequence[Places]) -> None:
        self.plan, self.images, self.truth = plan, images, truth

    def __call__(self, net: nn.Module) -> dict[str, float]:
        trained = TrainedLandmarks(self.plan, net)
        errors = []
        for image, t in zip(self.images, self.truth, strict=True):
            away = np.linalg.norm(trained.predict(image).of(self.plan.names) - t.of(self.plan.names), axis=1)
            errors += [float(e) for e in away if np.isfinite(e)]
        return {"closeness": -float(np.mean(errors)) if errors else 0.0}


def within(logits: Tensor, limit: FloatArray) -> Tensor:
    """Return heat maps that are nowhere behind the image: what was padded holds no landmark.

    Parameters
    ----------
    logits
        Shape (batch, landmarks, *spatial).
    limit
        Where the image ends, as `TrainedLandmarks.limit` gives it.
    """
    for axis, last in enumerate(limit):
        line = torch.arange(logits.shape[axis + 2], device=logits.device) > float(last) + 0.5
        shape = [1] * logits.ndim
        shape[axis + 2] = -1
        logits = logits.masked_fill(line.view(shape), -1e4)
    return logits


def _checked(images: Sequence[Image], truth: Sequence[Places], cases: Sequence[str]) -> tuple[str, ...]:
    """Return the names of all landmarks, in the order of their first appearance."""
    if not images or len(images) != len(truth):
        raise ParameterError(
            f"{len(images)} images with {len(truth)} sets of points: expected at least one, and one for each image."
        )
    check_alike(images, cases)
    for image, t, name in zip(images, truth, cases, strict=True):
        if t.kind != "points" or t.geometry.shape != image.geometry.shape:
            raise ContentError(f"{name}: its {t.kind} are not points on the grid of its image; expected points.")
    marks: dict[str, Any] = dict.fromkeys(n for t in truth for n in t.names)
    if not marks:
        raise ContentError(f"No landmark in any of {len(images)} training images: expected one or more.")
    return tuple(marks)
