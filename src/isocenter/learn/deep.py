"""A small network proved in the folds of the classical learners, so that a deep model has to show what it is worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError
from isocenter.core.image import Image
from isocenter.learn.deep_plan import LEAST_EPOCHS, SIDES, NetworkPlan, plan_network
from isocenter.learn.evaluate.calibration import Calibrator, fit_calibrator
from isocenter.learn.evaluate.operating import choose_threshold
from isocenter.learn.package.start import Start
from isocenter.learn.prove import Proof, inner_folds, proved
from isocenter.learn.recipe import Recipe, Table
from isocenter.learn.standard import standard_of
from isocenter.learn.train.architecture import weights_of
from isocenter.learn.train.ensemble import joined_networks
from isocenter.learn.train.fingerprint import channels_of
from isocenter.learn.train.heads import ClassHead, Head, NumberHead
from isocenter.learn.train.images import TrainedNetwork, sized, train_prepared
from isocenter.learn.train.scale import common_quantity
from isocenter.learn.train.settings import FitSettings
from isocenter.learn.train.start import gentler
from isocenter.learn.train.watch import Watch

__all__ = ["Deep", "NetworkFold", "fit_network", "plan_deep", "prove_deep", "training_rows"]

FloatArray = npt.NDArray[np.float64]
Parts = Sequence[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]
Say = Callable[[str, int, int], None]


@dataclass(frozen=True)
class NetworkFold:
    """What a fold gave: networks whose answers are averaged, calibrator and operating point, all from training cases.

    Attributes
    ----------
    trained
        The networks.
    calibrator
        None for numbers, or where a class has too few patients.
    threshold
        Of the positive class (two classes); 0.5 otherwise.
    """

    trained: TrainedNetwork
    calibrator: Calibrator | None
    threshold: float

    def predict(self, data: Sequence[npt.NDArray[np.float32]]) -> FloatArray:
        """Return calibrated probabilities of prepared images, shape (n, classes), or numbers, shape (n,)."""
        p = self.trained.answers_prepared(data)
        return p if self.calibrator is None else self.calibrator(p)

    def called(self, probabilities: FloatArray) -> npt.NDArray[np.int64]:
        """Return the class that each case is called."""
        if probabilities.shape[1] == 2:
            return (probabilities[:, 1] >= self.threshold).astype(np.int64)
        return probabilities.argmax(axis=1)


@dataclass(frozen=True)
class Deep:
    """A network beside the classical learners.

    Attributes
    ----------
    plan
        How it was trained.
    proof
        In the folds of the others.
    away, final
        At sites that were left out, and the model of all cases; None unless they were asked for.
    weights
        How many numbers each network learns.
    """

    plan: NetworkPlan
    proof: Proof
    away: Proof | None = field(default=None)
    final: NetworkFold | None = field(default=None)
    weights: int = 0


def fit_network(
    data: Sequence[npt.NDArray[np.float32]],
    table: Table,
    plan: NetworkPlan,
    *,
    name: str = "fold",
    watch: Watch | None = None,
    names: Sequence[str] | None = None,
    start: Start | None = None,
) -> NetworkFold:
    """Train the networks of the training part of a fold.

    Each is trained without one part of the patients, who choose its best epoch. What the networks say of the cases they did not learn
    from gives the calibrator and the operating point of classes, as for classical learners. Numbers are brought to the standard units of
    the training part.

    Parameters
    ----------
    data, table
        Prepared images, and their classes or numbers.
    plan
        How.
    name, watch
        What it is called, and who is told of its epochs.
    names
        Of the cases, for messages.
    start
        The network that the plan begins with; of several that are averaged each part takes the next.
    """
    parts: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = inner_folds(table, plan.parts, plan.seed)
    head = _head(table)
    held = np.full((len(table), head.outputs), np.nan)
    networks = []
    for j, test in enumerate([p[1] for p in parts] or [np.zeros(0, np.int64)]):
        called = f"{name}, part {j + 1}" if parts else name
        trained = train_prepared(
            data, table.target, head, names=names, quantity=plan.quantity, validation=[int(k) for k in test], network=plan.network,
            parameters=plan.parameters, start=_member(start, j), batch=plan.batch, settings=_settings(plan, len(table), j),
            augment=0.5, seed=plan.seed + j,
            folder=None if watch is None else watch.folder_of(called),
            progress=None if watch is None else watch.told(called),
        )  # fmt: skip
        if watch is not None:
            watch.ended(called, trained.histories[0])
        if test.size and head.classes:
            held[test] = trained.answers_prepared([data[int(k)] for k in test])
        networks.append(trained)
    joined = joined_networks(networks)
    sound = np.isfinite(held).all(axis=1)
    if not sound.any() or np.unique(table.target[sound]).size < 2:
        return NetworkFold(joined, None, 0.5)
    calibrator = fit_calibrator(table.target[sound], held[sound])
    threshold = 0.5
    if len(table.classes) == 2:
        threshold = choose_threshold(table.target[sound] == 1, calibrator(held[sound])[:, 1])
    return NetworkFold(joined, calibrator, threshold)


def _settings(plan: NetworkPlan, cases: int, part: int) -> FitSettings:
    """Return how the network of a part is trained."""
    steps = max(1, cases // plan.batch)
    settings = FitSettings(epochs=plan.epochs, learning_rate=2e-3, weight_decay=1e-2, warmup=steps, seed=plan.seed + part)
    return settings if plan.start is None else gentler(settings, steps * plan.epochs)


def _member(start: Start | None, part: int) -> TrainedNetwork | None:
    """Return the network that a part begins with."""
    if start is None:
        return None
    own: TrainedNetwork = start.trained
    return replace(own, networks=(own.networks[part % len(own.networks)],))


def _head(table: Table) -> Head:
    """Return what networks learn of the training part of a fold."""
    return ClassHead(table.classes) if table.classes else NumberHead(standard_of(table.target))


def prove_deep(
    read: Callable[[int], Image],
    table: Table,
    folds: Parts,
    minutes: float,
    *,
    sites: Parts = (),
    whole: bool = False,
    parts: int = 3,
    seed: int = 0,
    folder: Path | None = None,
    names: Sequence[str] | None = None,
    say: Say | None = None,
    plan: NetworkPlan | None = None,
    start: Start | None = None,
) -> Deep:
    """Prove a small network in the folds that the classical learners are proved in.

    Parameters
    ----------
    read
        Returns the image of a case.
    table
        Classes or numbers, patients and sites of the cases; its features are not looked at.
    folds
        (train, test) indices.
    minutes
        Most minutes on the nominal machine for all trainings together.
    sites, whole
        Folds that leave one site out, and whether a model of all cases is made as well: both where the network is the result.
    parts, seed
        As of `NetworkPlan`.
    folder
        Where curves and checkpoints go; a run that was broken off is taken up there.
    names
        Of the cases, for messages.
    say
        Told of every epoch.
    plan
        How the networks are trained, where `plan_deep` was asked already.
    start
        A network that every training begins with; None begins with random weights.

    Raises
    ------
    ContentError
        If the images have a time axis, or the minutes are too few.
    """
    plan = plan or plan_deep(read, table, folds, minutes, sites=sites, whole=whole, parts=parts, seed=seed, start=start)
    data = [sized(read(k), plan.size, plan.quantity) for k in range(len(table))]
    known = {"truth": table.target.tolist(), "patients": table.groups.tolist()}
    known |= {name: [[k.tolist() for k in part] for part in some] for name, some in (("folds", folds), ("sites", sites))}
    watch = Watch(say, folder, _trainings(folds, sites, whole, parts) * plan.epochs, [plan.to_dict(), known, data])
    names = [f"case {k + 1}" for k in range(len(table))] if names is None else names

    def proof_of(some: Parts, what: str) -> Proof:
        def make(number: int, inside: npt.NDArray[np.int64], outside: npt.NDArray[np.int64]) -> tuple[Any, FloatArray]:
            called = f"{what} {number + 1}"
            own = [names[int(k)] for k in inside]
            made = fit_network(
                [data[int(k)] for k in inside], table.take(inside), plan, name=called, watch=watch, names=own, start=start
            )
            return made, made.predict([data[int(k)] for k in outside])

        return proved(table, some, Recipe("cnn", plan.to_dict(), seed=seed), make)

    proof = proof_of(folds, "fold")
    away = proof_of(sites, "site") if sites else None
    final = None
    if whole:
        final = fit_network(data, table, plan, name="all cases", watch=watch, names=names, start=start)
        if len(table.classes) == 2:
            final = replace(final, threshold=float(np.mean([m.threshold for m in proof.models])))
    watch.close()
    return Deep(plan, proof, away, final, weights_of(plan.network, plan.whole(max(len(table.classes), 1))))


def plan_deep(
    read: Callable[[int], Image],
    table: Table,
    folds: Parts,
    minutes: float,
    *,
    sites: Parts = (),
    whole: bool = False,
    parts: int = 3,
    seed: int = 0,
    start: Start | None = None,
) -> NetworkPlan:
    """Return how each network of a proof is trained.

    Parameters
    ----------
    read, table, folds, minutes, sites, whole, parts, seed, start
        As for `prove_deep`.

    Raises
    ------
    ContentError
        If the images have a time axis, or the minutes are too few.
    """
    count = _trainings(folds, sites, whole, parts)
    learning = round(min(len(train) for train, _ in folds) * (1.0 - 1.0 / parts)) if parts > 1 else len(table)
    images = [_facts(read(k)) for k in range(len(table))]
    shapes, channels = [one.axes for one in images if one.axes is not None], images[0].channels
    if len(shapes) < len(images) or len({(len(axes), one.channels) for axes, one in zip(shapes, images, strict=True)}) != 1:
        raise ContentError(
            "No network can be trained: the images have a time axis, or are not all of one kind; expected pictures or volumes alike."
        )
    outputs, seconds = max(len(table.classes), 1), 60.0 * minutes / count
    quantity = common_quantity(one.quantity for one in images)
    plan = plan_network(shapes, channels, outputs, learning, seconds, parts=parts, seed=seed, start=start, quantity=quantity)
    if plan is None:
        raise ContentError(
            f"{minutes:g} minutes for {count} trainings are too few for {LEAST_EPOCHS} passes over the images: allow more with --minutes."
        )
    return plan


def _trainings(folds: Parts, sites: Parts, whole: bool, parts: int) -> int:
    """Return how many networks are trained: parts of the folds, of those that leave a site out, and of the model of all cases."""
    return (len(folds) + len(sites) + int(whole)) * parts


class _Facts(NamedTuple):
    """Of an image: samples along each axis (None where no network takes it), channels, what it measures."""

    axes: tuple[int, ...] | None
    channels: int
    quantity: str | None


def _facts(image: Image) -> _Facts:
    axes = tuple(int(n) for n in image.geometry.shape)
    return _Facts(None if "t" in image.dims or len(axes) not in SIDES else axes, channels_of(image), image.quantity)


def training_rows(proof: Proof) -> list[tuple[int, int, int, int, Mapping[str, float]]]:
    """Return a row for each training of a proof: fold, part, epochs, best epoch, scores there."""
    rows = []
    for k, model in enumerate(proof.models):
        for j, history in enumerate(model.trained.histories):
            best = history.best or history.rows[-1]
            rows.append((k + 1, j + 1, len(history.rows), best.epoch, best.scores))
    return rows
