"""How a training runs: one value, checked when it is made."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from isocenter.core.errors import ParameterError

__all__ = ["OPTIMIZERS", "FitSettings", "Optimizer"]

Optimizer = Literal["adamw", "sgd", "muon"]
#: As papers call them.
OPTIMIZERS: dict[Optimizer, str] = {"adamw": "AdamW", "sgd": "SGD", "muon": "Muon"}


@dataclass(frozen=True)
class FitSettings:
    """Settings of `isocenter.learn.train.engine.fit`.

    Parameters
    ----------
    epochs
        Passes over the batches.
    learning_rate
        The largest step size.
    optimizer
        ``adamw``, ``sgd`` (momentum 0.99 with Nesterov's correction, as nnU-Net), or ``muon`` (`isocenter.learn.train.muon`: more
        gained a step, and a dearer step; the same learning rates as AdamW).
    weight_decay
        Decay of the weights (AdamW, Muon) or L2 penalty (SGD).
    schedule
        How the learning rate goes down, step by step: ``cosine``, ``poly`` (power 0.9), ``constant``.
    warmup
        Steps over which it first goes up.
    clip
        Largest norm of the gradient; 0 clips nothing.
    average
        Decay of the exponential moving average of the weights that is validated and kept (0.99 for instance); 0 keeps the weights
        themselves.
    patience
        End after this many validations without a better score; 0 never ends early.
    every
        Epochs between validations (the last epoch is always validated).
    precision
        ``float32``, or ``bfloat16`` for the arithmetic of the network (weights stay float32).
    device
        ``auto`` takes a GPU where there is one; else a device of torch.
    deterministic
        Bit-equal runs (always so on a CPU; on a GPU it costs speed).
    channels_last
        Memory layout in which convolutions of two dimensions are faster on most machines.
    seed
        Of dropout and of whatever else draws numbers in the network.
    """

    epochs: int = 50
    learning_rate: float = 1e-3
    optimizer: Optimizer = "adamw"
    weight_decay: float = 1e-4
    schedule: Literal["cosine", "poly", "constant"] = "cosine"
    warmup: int = 0
    clip: float = 1.0
    average: float = 0.0
    patience: int = 0
    every: int = 1
    precision: Literal["float32", "bfloat16"] = "float32"
    device: str = "auto"
    deterministic: bool = True
    channels_last: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        checks = (
            ("epochs", self.epochs >= 1, "1 or more"),
            ("learning_rate", self.learning_rate > 0, "more than 0"),
            ("optimizer", self.optimizer in get_args(Optimizer), "adamw, sgd or muon"),
            ("schedule", self.schedule in ("cosine", "poly", "constant"), "cosine, poly or constant"),
            ("warmup", self.warmup >= 0, "0 or more steps"),
            ("clip", self.clip >= 0, "0 (none) or more"),
            ("average", 0 <= self.average < 1, "0 (none) or more and less than 1"),
            ("patience", self.patience >= 0, "0 (never) or more"),
            ("every", self.every >= 1, "1 or more epochs"),
            ("precision", self.precision in ("float32", "bfloat16"), "float32 or bfloat16"),
        )
        for name, sound, expected in checks:
            if not sound:
                raise ParameterError(f"Training setting {name} is {getattr(self, name)!r}: expected {expected}.")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)
