"""Training a detector: images and boxes in, something that finds objects in a new image out."""

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
from isocenter.learn.evaluate.detection import evaluate_detection, findings_of
from isocenter.learn.places.places import Places
from isocenter.learn.train.engine import fit
from isocenter.learn.train.frames import check_alike, framed
from isocenter.learn.train.history import EpochRow
from isocenter.learn.train.holding import held_out
from isocenter.learn.train.place_batches import PlaceBatches
from isocenter.learn.train.place_net import PlaceNet, new_net, saved
from isocenter.learn.train.place_plan import PlacePlan, detection_plan
from isocenter.learn.train.plan_file import kept_plan
from isocenter.learn.train.settings import FitSettings
from isocenter.learn.train.start import require_kind
from isocenter.learn.train.start_plan import place_plan_from
from isocenter.nets.boxes import Targets

__all__ = ["LEAST", "MOST", "OVERLAP", "TrainedDetector", "read_detector", "train_detector"]

#: Candidates of an image, at most, the least probability of one, and the overlap (IoU) above which the surer of two stays.
MOST, LEAST, OVERLAP = 20, 0.02, 0.3


class TrainedDetector(PlaceNet):
    """A detector with what images are brought to."""

    def predict(self, image: Image) -> Places:
        """Return the candidates of an image, the surest first, in its samples.

        Raises
        ------
        ContentError
            If the image has other axes or channels than those of the training, or is not finite.
        """
        return self.candidates(image)[0]

    def candidates(self, image: Image) -> tuple[Places, npt.NDArray[np.int64]]:
        """Return the same, and which place of the network's output each candidate is."""
        net: Any = self.network
        seen, data = self.seen(image)
        with torch.inference_mode():
            found = net.detect(data, least=LEAST, overlap=OVERLAP, most=MOST)[0]
        limit, axes = np.array(image.geometry.shape) - 0.5, image.geometry.ndim
        boxes = np.clip(seen.outside(found.boxes.double().numpy()), -0.5, np.concatenate([limit, limit]))
        whole = (boxes[:, axes:] - boxes[:, :axes] > 1e-6).all(axis=1)
        names = tuple(self.names[int(k)] for k in found.labels[torch.from_numpy(whole)])
        places = Places("boxes", boxes[whole], names, image.geometry, found.scores.double().numpy()[whole])
        return places, found.places.numpy()[whole]


def read_detector(folder: Path | str) -> TrainedDetector:
    """Read what `PlaceNet.save` wrote."""
    return TrainedDetector(*saved(folder))


def train_detector(
    images: Sequence[Image],
    truth: Sequence[Places],
    *,
    names: Sequence[str] | None = None,
    validation: Sequence[int] | float = 0.15,
    plan: PlacePlan | None = None,
    seconds: float | None = None,
    settings: FitSettings | None = None,
    start: TrainedDetector | None = None,
    folder: Path | str | None = None,
    seed: int = 0,
    progress: Callable[[EpochRow], None] | None = None,
    groups: Sequence[str] | None = None,
) -> TrainedDetector:
    """Train a detector.

    Parameters
    ----------
    images, truth
        The training fold, in the same order; an image without objects has places without rows.
    names
        Of the cases, for messages.
    validation
        Indices of the cases that choose the best epoch (by the average precision), or the part to draw; 0 keeps the last epoch. Cases of
        one patient must not stand on both sides: give the indices then.
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
    classes = _checked(images, truth, cases)
    folder = None if folder is None else Path(folder)
    if start is not None:
        require_kind(images[0], len(start.plan.spacing), start.plan.channels)

    def planned() -> PlacePlan:
        if start is not None:
            return place_plan_from(start.plan, images, truth, classes, seconds, settings)
        return detection_plan(images, truth, classes, seconds, settings)

    plan = kept_plan(PlacePlan, plan, folder, planned)
    seen = [framed(image, plan.spacing, plan.channels, plan.quantity) for image in images]
    held = held_out(validation, len(images), seed, groups)
    learning = [k for k in range(len(images)) if k not in held]
    batches = PlaceBatches(
        [seen[k].data for k in learning],
        [seen[k].inside(truth[k].samples) for k in learning],
        [np.array([plan.names.index(n) for n in truth[k].names], np.int64) for k in learning],
        [cases[k] for k in learning], plan.size, plan.spacing, plan.batch, plan.augment, plan.mirror, seed, plan.quantity,
    )  # fmt: skip
    net = new_net(plan, seed, start)
    checked = [(images[k], truth[k]) for k in held]
    fitted = fit(
        net,
        batches,
        loss=_Loss(net, plan.size),
        settings=plan.settings,
        validate=_Score(plan, checked) if any(len(t) for _, t in checked) else None,
        folder=folder,
        progress=progress,
    )
    return TrainedDetector(plan, fitted.net, fitted.history)


class _Loss:
    """The summed losses of a batch whose boxes come as rows (low ..., high ..., class), NaN behind the last one."""

    def __init__(self, net: Any, size: Sequence[int]) -> None:
        self.net = net
        self.shapes = [[n // s for n in size] for s in net.pyramid.strides]

    def __call__(self, output: tuple[Tensor, Tensor], truth: Tensor) -> Tensor:
        targets = []
        for rows in truth:
            rows = rows[torch.isfinite(rows).all(1)]
            targets.append(Targets(rows[:, :-1], rows[:, -1].long()))
        return torch.stack(list(self.net.judged(*output, self.shapes, targets).values())).sum()


class _Score:
    """Average precision on the cases that nothing is learned from."""

    def __init__(self, plan: PlacePlan, cases: Sequence[tuple[Image, Places]]) -> None:
        self.plan, self.cases = plan, cases

    def __call__(self, net: nn.Module) -> dict[str, float]:
        trained = TrainedDetector(self.plan, net)
        images = [
            findings_of(*_pair(trained.predict(image), truth), str(k)) for k, (image, truth) in enumerate(self.cases)
        ]  # fmt: skip
        found = evaluate_detection(images, draws=0)
        return {"average_precision": float(found["average_precision"]), "cpm": float(found["cpm"])}


def _pair(found: Places, truth: Places) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    scores = np.zeros(len(found)) if found.scores is None else found.scores
    return found.millimetres(), scores, truth.millimetres()


def _checked(images: Sequence[Image], truth: Sequence[Places], cases: Sequence[str]) -> tuple[str, ...]:
    """Return the classes of objects, sorted."""
    if not images or len(images) != len(truth):
        raise ParameterError(
            f"{len(images)} images with {len(truth)} sets of boxes: expected at least one, and one for each image."
        )
    check_alike(images, cases)
    for image, t, name in zip(images, truth, cases, strict=True):
        if t.kind != "boxes" or t.geometry.shape != image.geometry.shape:
            raise ContentError(f"{name}: its {t.kind} are not boxes on the grid of its image; expected boxes.")
    classes = sorted({n for t in truth for n in t.names})
    if not classes:
        raise ContentError(f"No object in any of {len(images)} training images: expected one or more.")
    return tuple(classes)
