"""Training a segmenter: images and masks in, something that labels a new image on its own grid out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from isocenter.core.errors import ParameterError
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.io.atomic import write_bytes
from isocenter.learn.loading.augment import USUAL, Augment
from isocenter.learn.loading.cache import Case, Prepared
from isocenter.learn.loading.loader import Loader, Recipe
from isocenter.learn.train import cases, distributed
from isocenter.learn.train.architecture import built_net
from isocenter.learn.train.engine import fit
from isocenter.learn.train.feed import Feed
from isocenter.learn.train.fingerprint import Fingerprint, fingerprint
from isocenter.learn.train.history import EpochRow, History
from isocenter.learn.train.holding import held_out
from isocenter.learn.train.losses import DeepSupervision, DiceCrossEntropy
from isocenter.learn.train.plan import Budget, Plan, make_plan, read_plan, write_plan
from isocenter.learn.train.plan_file import kept_plan
from isocenter.learn.train.preparation import class_indices, native_labels, prepared
from isocenter.learn.train.start import begun, require_kind
from isocenter.learn.train.start_plan import plan_from
from isocenter.nets import weights
from isocenter.nets.sliding_window import predict_labels

__all__ = ["TrainedSegmenter", "dice_by_class", "read_segmenter", "train_segmenter"]

#: Beside the plan and the weights: over which copies predictions are averaged.
_COPIES = "copies.json"


@dataclass(frozen=True)
class TrainedSegmenter:
    """One network, or several whose probabilities are averaged, with all that is needed to use it.

    Attributes
    ----------
    plan
        What the images are brought to.
    networks
        One of each training.
    histories
        Their histories, where they were trained here.
    mirror
        Spatial axes along which predictions are averaged over mirrored copies.
    quarters
        Whether they are averaged over quarter turns too: those of pictures that were turned by any angle in the training.
    """

    plan: Plan
    networks: tuple[nn.Module, ...]
    histories: tuple[History, ...] = ()
    mirror: tuple[int, ...] = ()
    quarters: bool = False

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The classes that it labels."""
        return tuple(Segment.from_dict(s) for s in self.plan.segments)

    def predict(self, image: Image) -> LabelMap:
        """Return the labels of an image, on its own grid.

        Raises
        ------
        ContentError
            If the image has other channels than those of the training, or is not finite.
        """
        data, grid = prepared(image, self.plan.spacing, self.plan.normalisation, self.plan.intensity)
        indices = labels_of(data, self.networks, self.plan, self.mirror, self.quarters)
        return native_labels(indices, grid, image, self.segments)

    def save(self, folder: Path | str) -> None:
        """Write the plan, the weights and over which copies it averages; `read_segmenter` reads them."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_plan(self.plan, folder / "plan.yaml")
        copies = {"mirror": list(self.mirror), "quarters": self.quarters}
        write_bytes(folder / _COPIES, (json.dumps(copies) + "\n").encode())
        for k, net in enumerate(self.networks):
            weights.save(net.state_dict(), folder / f"weights-{k + 1}.safetensors")


def read_segmenter(folder: Path | str) -> TrainedSegmenter:
    """Read what `TrainedSegmenter.save` wrote."""
    folder = Path(folder)
    plan = read_plan(folder / "plan.yaml")
    files = sorted(folder.glob("weights-*.safetensors"))
    if not files:
        raise ParameterError(f"{folder}: holds no weights-1.safetensors; expected a folder that TrainedSegmenter.save wrote.")
    networks = []
    for file in files:
        net = built_net(plan.network, plan.parameters)
        net.load_state_dict(weights.load(file))
        networks.append(_laid_out(net, plan).eval())
    copies = json.loads((folder / _COPIES).read_text()) if (folder / _COPIES).exists() else {}
    return TrainedSegmenter(plan, tuple(networks), (), tuple(copies.get("mirror", ())), bool(copies.get("quarters", False)))


def train_segmenter(
    images: Sequence[Image],
    masks: Sequence[LabelMap],
    *,
    names: Sequence[str] | None = None,
    validation: Sequence[int] | float = 0.2,
    plan: Plan | None = None,
    budget: Budget | None = None,
    mirror: Sequence[int] = (),
    augment: Augment = USUAL,
    loss: nn.Module | None = None,
    start: TrainedSegmenter | None = None,
    folder: Path | str | None = None,
    seed: int = 0,
    announce: Callable[[Plan], None] | None = None,
    progress: Callable[[EpochRow], None] | None = None,
    groups: Sequence[str] | None = None,
    workers: int = 0,
    cache: Path | str | None = None,
) -> TrainedSegmenter:
    """Train a segmenter.

    Parameters
    ----------
    images, masks
        The training fold, in the same order. All of it: the part that chooses the best epoch is taken from it.
    names
        Of the cases, for messages.
    validation
        Indices of the cases that choose the best epoch, or the part to draw; 0 or none learns from all and keeps the last epoch.
    plan
        Default: made from the fingerprint and the budget (with `start`, as `start_plan.plan_from` makes it), and kept in the folder.
    budget
        Of time and memory. Default: `Budget()`.
    mirror
        Spatial axes along which the anatomy may be mirrored (augmentation and prediction).
    augment
        What is done to patches, at the plan's strength and mirrored along `mirror`. Pictures that it turns by any angle, mirrored along
        both axes, are predicted as the mean of all eight positions.
    loss
        Default: Dice + cross entropy.
    start
        An earlier training, or an imported network, whose (first) network's weights are begun with; where it has another number of
        classes its last layers begin at random, as everything does by default.
    folder
        Where the plan, checkpoints and curves go; a broken training goes on from there.
    seed
        Of the split, weights and patches.
    announce
        Called with the plan, its expected time and memory and those of loading in it, before anything is prepared or trained.
    progress
        Called with the row of each epoch.
    groups
        Patient of each case: `validation` never divides one.
    workers
        Processes that cut patches beside the training; batches are bit-equal for any number. A script that trains with workers
        keeps its calls under ``if __name__ == "__main__":``.
    cache
        Folder that prepared cases are mapped from. Default: memory, and ``cache`` in `folder` where they do not fit or there are workers.

    Raises
    ------
    ContentError, GridMismatchError
        If the data cannot be used; the message names the case.
    ParameterError
        If `start` is another network than the one that is planned, or takes other images.
    BudgetError
        If loading would take more than half of the free memory.
    """
    distributed.joined()
    folder = None if folder is None else Path(folder)
    found = fingerprint(images, masks, names)
    if start is not None:
        require_kind(images[0], len(start.plan.patch), len(start.plan.intensity))

    def planned() -> Plan:
        return make_plan(found, budget) if start is None else plan_from(start.plan, found, budget)

    plan = distributed.decided(lambda: kept_plan(Plan, plan, folder, planned))
    held = held_out(validation, len(images), seed, groups)
    names = [str(n) for n in names] if names is not None else [f"case {k + 1}" for k in range(len(images))]
    net = _new(plan, seed)
    if start is not None:
        begun(net, plan.network, plan.parameters, start.networks[0])
    recipe = _recipe(plan, found, replace(augment, mirror=tuple(mirror), strength=plan.augment), seed)
    loading, place = cases.forecast(recipe, found.channels, _prepared_bytes(plan, found), workers, cache, folder)
    if announce is not None and distributed.rank() == 0:
        announce(replace(plan, loading=loading))
    kept = _kept(images, masks, names, plan, place)
    learning = [k for k in range(len(images)) if k not in held]
    part = (distributed.rank(), distributed.world())
    with Loader([kept[k] for k in learning], recipe, workers, part=part) as loader:
        fitted = fit(
            net,
            Feed(loader, [names[k] for k in learning]),
            loss=DeepSupervision(loss or DiceCrossEntropy()),
            settings=plan.settings,
            validate=_Validation([kept[k] for k in held], plan) if held else None,
            folder=folder,
            progress=progress,
        )
    return TrainedSegmenter(plan, (fitted.net,), (fitted.history,), tuple(mirror), _any_angle(recipe))


def labels_of(
    data: npt.NDArray[np.float32],
    networks: Sequence[nn.Module],
    plan: Plan,
    mirror: Sequence[int] = (),
    quarters: bool = False,
) -> npt.NDArray[Any]:
    """Return class indices of prepared samples (channels, *spatial): windows, networks, mirrored and turned copies averaged."""
    window = _window(data.shape[1:], plan)
    half = plan.settings.precision == "bfloat16"
    chances = len(networks) > 1 or plan.decide == "foreground"

    def scores(batch: Tensor) -> Tensor:
        total: Tensor | None = None
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            for net in networks:
                for axes in _mirrored(mirror):
                    for quarter in (0, 1) if quarters else (0,):
                        copy = _turned(batch.flip(axes) if axes else batch, quarter)
                        if batch.ndim == 4 and plan.settings.channels_last:
                            copy = copy.contiguous(memory_format=torch.channels_last)
                        found = _turned(net(copy).float(), -quarter)
                        found = found.flip(axes) if axes else found
                        if chances:
                            found = found.softmax(1)
                        total = found if total is None else total + found
        assert total is not None
        return total

    return predict_labels(data, scores, window, overlap=plan.overlap, decide=plan.decide)


def dice_by_class(prediction: npt.NDArray[Any], truth: npt.NDArray[Any], classes: int) -> list[float]:
    """Return the Dice coefficient of each foreground class; NaN where it is in neither."""
    found = []
    for k in range(1, classes):
        p, t = prediction == k, truth == k
        total = int(p.sum()) + int(t.sum())
        found.append(2.0 * int((p & t).sum()) / total if total else float("nan"))
    return found


class _Validation:
    """Mean over cases of the mean Dice over the classes that a case or its prediction shows."""

    def __init__(self, cases: Sequence[Case], plan: Plan) -> None:
        self.cases, self.plan = cases, plan

    def __call__(self, net: nn.Module) -> dict[str, float]:
        rows = []
        for case in self.cases:
            data, truth, _ = case.open()
            assert truth is not None
            prediction = labels_of(data, [net], self.plan)
            scores = np.array(dice_by_class(prediction, truth, len(self.plan.segments) + 1))
            rows.append(float(np.nanmean(scores)) if np.isfinite(scores).any() else 1.0)
        return {"dice": float(np.mean(rows))}


def _recipe(plan: Plan, found: Fingerprint, augment: Augment, seed: int) -> Recipe:
    return Recipe(
        plan.patch,
        plan.batch,
        foreground=plan.foreground,
        augment=augment,
        spacing=tuple(plan.spacing or found.median_spacing),
        seed=seed,
        steps=plan.steps,
    )


def _prepared_bytes(plan: Plan, found: Fingerprint) -> int:
    total = 0.0
    for shape, spacing in zip(found.shapes, found.spacings, strict=True):
        scale = 1.0 if plan.spacing is None else float(np.prod(np.divide(spacing, plan.spacing)))
        total += float(np.prod(shape)) * scale * (4 * found.channels + 1)
    return int(total)


def _kept(images: Sequence[Image], masks: Sequence[LabelMap], names: Sequence[str], plan: Plan, place: Path | None) -> list[Case]:
    segments = [Segment.from_dict(s) for s in plan.segments]
    how = [plan.spacing, plan.normalisation, [dict(i) for i in plan.intensity], [dict(s) for s in plan.segments]]

    def make(k: int) -> Prepared:
        data, grid = prepared(images[k], plan.spacing, plan.normalisation, plan.intensity)
        return data, class_indices(masks[k], segments, grid)

    return cases.kept(names, place, lambda k: [images[k].digest, masks[k].digest, how], make)


def _new(plan: Plan, seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = built_net(plan.network, plan.parameters)
    return _laid_out(net, plan)


def _laid_out(net: nn.Module, plan: Plan) -> nn.Module:
    """Return a network with its weights in the layout of the plan: another one gives other last digits."""
    return net.to(memory_format=torch.channels_last) if plan.settings.channels_last and len(plan.patch) == 2 else net


def _window(shape: Sequence[int], plan: Plan) -> tuple[int, ...]:
    """Return the window: the patch; in the plane, the whole image up to three times as long, rounded to what the network divides by."""
    strides = plan.parameters.get("strides") or []
    total = [int(np.prod([s[k] if not isinstance(s, int) else s for s in strides])) for k in range(len(shape))]
    whole = [-(-n // t) * t for n, t in zip(shape, total, strict=True)]
    if len(shape) == 2 and strides and all(w <= 3 * p for w, p in zip(whole, plan.patch, strict=True)):
        return tuple(whole)
    return tuple(plan.patch)


def _mirrored(axes: Sequence[int]) -> list[tuple[int, ...]]:
    """Return the axes of a batch that each copy is mirrored along."""
    found: list[tuple[int, ...]] = [()]
    for axis in axes:
        found += [(*others, axis + 2) for others in found]
    return found


def _turned(batch: Tensor, quarter: int) -> Tensor:
    return torch.rot90(batch, quarter, (2, 3)) if quarter else batch


def _any_angle(recipe: Recipe) -> bool:
    """Return whether patches are turned and mirrored to all positions of a picture, whose samples are as far apart along both axes."""
    augment, even = recipe.augment, recipe.spacing is None or len(set(recipe.spacing)) == 1
    turned = augment.turn > 0 and augment.angle * augment.strength >= 90.0
    return len(recipe.patch) == 2 and even and turned and set(augment.mirror) == {0, 1}
