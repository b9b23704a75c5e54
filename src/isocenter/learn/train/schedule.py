"""The learning rate of every step, as a pure function: resuming needs no state of it."""

from __future__ import annotations

import math

from isocenter.learn.train.settings import FitSettings

__all__ = ["learning_rate"]


def learning_rate(settings: FitSettings, step: int, steps: int) -> float:
    """Return the learning rate of step `step` of `steps` (both counted over the whole training, the first is 0)."""
    if step < settings.warmup:
        return settings.learning_rate * (step + 1) / settings.warmup
    span = max(steps - settings.warmup, 1)
    part = min(max(step - settings.warmup, 0) / span, 1.0)
    if settings.schedule == "cosine":
        return settings.learning_rate * 0.5 * (1.0 + math.cos(math.pi * part))
    if settings.schedule == "poly":
        return settings.learning_rate * (1.0 - part) ** 0.9
    return settings.learning_rate
