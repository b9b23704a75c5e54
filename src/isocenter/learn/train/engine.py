"""The training engine: any network, any batches; deterministic, resumable, and the best epoch is chosen on a validation part."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from isocenter.core.errors import ContentError, ParameterError, StepError
from isocenter.io.atomic import write_bytes
from isocenter.learn.train import checkpoint, distributed
from isocenter.learn.train.decay import decay_groups
from isocenter.learn.train.history import EpochRow, History
from isocenter.learn.train.muon import Muon
from isocenter.learn.train.schedule import learning_rate
from isocenter.learn.train.settings import FitSettings
from isocenter.learn.train.shared_norm import with_shared_norm
from isocenter.view.live import training_page

__all__ = ["Fitted", "chosen_device", "fit"]

Loss = Callable[[Any, Tensor], Tensor]
Validation = Callable[[nn.Module], float | Mapping[str, float]]
Progress = Callable[[EpochRow], None]


@dataclass(frozen=True)
class Fitted:
    """A trained network.

    Attributes
    ----------
    net
        With the weights of the best epoch (the last where nothing was validated), in evaluation mode, on the CPU.
    history
        One row an epoch.
    epoch
        The epoch whose weights it has.
    """

    net: nn.Module
    history: History
    epoch: int


def fit(
    net: nn.Module,
    batches: Any,
    *,
    loss: Loss,
    settings: FitSettings | None = None,
    validate: Validation | None = None,
    folder: Path | str | None = None,
    progress: Progress | None = None,
) -> Fitted:
    """Train a network.

    Parameters
    ----------
    net
        Its weights are changed in place.
    batches
        What one epoch goes through: mappings with ``image`` (batch, ...), ``truth`` (batch, ...) and, for messages, ``names``. Either
        something with a length that is iterated once an epoch (a list, a torch DataLoader), or an object with a length and a
        method ``epoch(number)`` that gives the batches of one epoch (from 0) and depends on nothing else: that is what makes a
        resumed run equal an unbroken one. Several processes take batches in turn, unless the object's ``shared_by`` says that each
        process makes its part of every batch: then they train as one would.
    loss
        Maps the network's output and the truth to a number.
    settings
        Default: `FitSettings()`.
    validate
        Scores the network (in evaluation mode) on cases of the training fold that it does not learn from; a number, or several of which
        the first decides. Greater is better.
    folder
        Where checkpoints, ``curves.csv`` and ``curves.html`` (which loads itself anew meanwhile) go; a training that was broken off there
        is continued. None keeps nothing.
    progress
        Called with the row of each finished epoch.

    Raises
    ------
    ContentError
        If a batch holds numbers that are not finite.
    StepError
        If the loss is not finite; the message says where, and the last checkpoint stands.
    ParameterError
        If the folder holds a training with other settings, or the batches have no length.
    """
    settings = settings or FitSettings()
    distributed.joined()
    run = _Run(net, _sized(batches), loss, settings, chosen_device(settings.device), None if folder is None else Path(folder))
    with _deterministic(settings, run.device), torch.random.fork_rng(enabled=True, devices=[]):
        run.resume()
        while not run.finished:
            row = run.epoch(validate)
            if progress is not None and distributed.rank() == 0:
                progress(row)
        return run.result()


def chosen_device(name: str) -> torch.device:
    """Return the device of a name; ``auto`` is a GPU where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ParameterError(f"Device '{name}': expected auto, cpu, cuda or cuda:N.") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ParameterError(f"Device '{name}': this machine has no GPU that torch can use; take 'cpu' or 'auto'.")
    return device


def _sized(batches: Any) -> Any:
    if not hasattr(batches, "__len__") or len(batches) == 0:
        raise ParameterError("Training batches without a length, or none at all: expected a list or an object with len().")
    return batches


@contextlib.contextmanager
def _deterministic(settings: FitSettings, device: torch.device) -> Iterator[None]:
    before, warned = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    if settings.deterministic and device.type != "cpu":  # kernels of the CPU are deterministic as they are
        torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warned)


class _Run:
    """The state of one training: everything that changes from step to step."""

    def __init__(
        self, net: nn.Module, batches: Any, loss: Loss, settings: FitSettings, device: torch.device, folder: Path | None
    ) -> None:
        self.net, self.batches, self.loss, self.settings, self.device, self.folder = net, batches, loss, settings, device, folder
        self.layout = torch.channels_last if settings.channels_last else torch.contiguous_format
        net.to(device)
        if isinstance(loss, nn.Module):
            loss.to(device)
        self.world, self.rank = distributed.world(), distributed.rank()
        self.dealt = self.world > 1 and getattr(batches, "shared_by", 1) != self.world
        self.steps = max(len(batches) // self.world, 1) if self.dealt else len(batches)
        self.wrapped = distributed.wrap(with_shared_norm(net) if self.world > 1 else net, device)
        self.optimizer = _optimizer(net, settings)
        self.average = checkpoint.copied(net.state_dict()) if settings.average else None
        self.best: dict[str, Tensor] | None = None
        self.history = History()

    @property
    def finished(self) -> bool:
        done = len(self.history.rows) >= self.settings.epochs
        return done or bool(self.settings.patience and self.history.waited >= self.settings.patience)

    def resume(self) -> None:
        """Take up the training that stands in the folder, if one does."""
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "last.pt"
        if not path.exists():
            return
        state = checkpoint.load(path, self.settings)
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average, self.best = state["average"], state["best"]
        self.history = History.from_rows(state["rows"])

    def epoch(self, validate: Validation | None) -> EpochRow:
        """Train one epoch, validate it, keep a checkpoint."""
        number = len(self.history.rows)
        torch.manual_seed((self.settings.seed * 1_000_003 + number) * 1009 + self.rank)
        total, count, rate = 0.0, 0, self.settings.learning_rate
        self.wrapped.train()
        for step, batch in enumerate(itertools.islice(self._shard(number), self.steps)):
            rate = learning_rate(self.settings, number * self.steps + step, self.settings.epochs * self.steps)
            total += self._step(batch, rate, number, step)
            count += 1
        scores: Mapping[str, float] = {}
        due = (number + 1) % self.settings.every == 0 or number + 1 == self.settings.epochs
        if validate is not None and due:
            scores = self._validate(validate)
        row = EpochRow(number + 1, distributed.mean(total / max(count, 1)), rate, scores)
        self.history.rows.append(row)
        if self.history.best is row:
            self.best = checkpoint.copied(self._weights())
        self._keep()
        return row

    def result(self) -> Fitted:
        """Return the network with the weights of the best epoch."""
        self.net.load_state_dict(self.best if self.best is not None else self._weights())
        best = self.history.best
        return Fitted(self.net.cpu().eval(), self.history, best.epoch if best else len(self.history.rows))

    def _shard(self, number: int) -> Iterable[Mapping[str, Any]]:
        found = self.batches.epoch(number) if hasattr(self.batches, "epoch") else iter(self.batches)
        return itertools.islice(found, self.rank, None, self.world) if self.dealt else found

    def _step(self, batch: Mapping[str, Any], rate: float, number: int, step: int) -> float:
        image, truth = self._tensor(batch, "image"), self._tensor(batch, "truth")
        if image.ndim == 4 and self.settings.channels_last:
            image = image.contiguous(memory_format=self.layout)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        half = self.settings.precision == "bfloat16"
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=half):
            output = self.wrapped(image)
        loss = self.loss(output, truth)
        value = float(loss.detach())
        if not math.isfinite(value):
            self._explain(batch, image, value, number, step)
        torch.autograd.backward(loss)
        if self.settings.clip:
            nn.utils.clip_grad_norm_(self.net.parameters(), self.settings.clip)
        self.optimizer.step()
        if self.average is not None:
            _move(self.average, self.net.state_dict(), self.settings.average)
        return value

    def _tensor(self, batch: Mapping[str, Any], key: str) -> Tensor:
        if key not in batch:
            raise ParameterError(f"A training batch without '{key}': expected the keys image and truth, found {sorted(batch)}.")
        value = batch[key]
        tensor = torch.from_numpy(np.ascontiguousarray(value)) if isinstance(value, np.ndarray) else value
        return tensor.to(self.device)

    def _explain(self, batch: Mapping[str, Any], image: Tensor, value: float, number: int, step: int) -> None:
        names = ", ".join(str(n) for n in batch.get("names", ())) or "without names"
        where = f"epoch {number + 1}, step {step + 1} (images {names})"
        if not bool(torch.isfinite(image).all()):
            raise ContentError(
                f"Training images hold values that are not finite at {where}: expected finite numbers; repair them."
            )
        raise StepError(
            f"Training loss is {value} at {where}: expected a finite number; lower the learning rate "
            f"({self.settings.learning_rate:g}) or clip gradients harder ({self.settings.clip:g}), then go on from the last checkpoint."
        )

    def _weights(self) -> Mapping[str, Tensor]:
        return self.average if self.average is not None else self.net.state_dict()

    def _validate(self, validate: Validation) -> Mapping[str, float]:
        found: Mapping[str, float] = {}
        if self.rank == 0:
            own = checkpoint.copied(self.net.state_dict()) if self.average is not None else None
            if self.average is not None:
                self.net.load_state_dict(self.average)
            self.net.eval()
            with torch.inference_mode():
                result = validate(self.net)
            found = {k: float(v) for k, v in result.items()} if isinstance(result, Mapping) else {"score": float(result)}
            if own is not None:
                self.net.load_state_dict(own)
        return distributed.shared(found)

    def _keep(self) -> None:
        if self.folder is None or self.rank != 0:
            return
        state = {
            "settings": self.settings.to_dict(),
            "net": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average,
            "best": self.best,
            "rows": [row.to_dict() for row in self.history.rows],
        }
        checkpoint.save(self.folder / "last.pt", state)
        self.history.write(self.folder / "curves.csv")
        write_bytes(self.folder / "curves.html", training_page({"": self.history.columns()}, done=self.finished))


def _optimizer(net: nn.Module, settings: FitSettings) -> torch.optim.Optimizer | Muon:
    """Return the optimizer; what normalises or shifts is not decayed."""
    if settings.optimizer == "muon":
        return Muon(net, settings.learning_rate, weight_decay=settings.weight_decay)
    groups = decay_groups(net.parameters(), settings.weight_decay)
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=settings.learning_rate, momentum=0.99, nesterov=True)
    return torch.optim.AdamW(groups, lr=settings.learning_rate)


def _move(average: dict[str, Tensor], weights: Mapping[str, Tensor], decay: float) -> None:
    for name, value in weights.items():
        if value.is_floating_point():
            average[name].lerp_(value.detach().to(average[name].device), 1.0 - decay)
        else:
            average[name].copy_(value)
