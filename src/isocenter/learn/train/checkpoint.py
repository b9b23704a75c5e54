"""Checkpoints: everything that the next epoch depends on, written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from isocenter.core.errors import FormatError, ParameterError
from isocenter.io.atomic import replacing
from isocenter.learn.train.settings import FitSettings
from isocenter.nets import weights

__all__ = ["load", "save"]

#: Settings that may change between a run and its continuation: they decide how long it goes on, not what an epoch does.
FREE = frozenset({"patience", "device"})


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Write a checkpoint of tensors and plain values."""
    with replacing(path) as handle:
        torch.save(dict(state), handle)


def load(path: Path, settings: FitSettings) -> dict[str, Any]:
    """Read a checkpoint that continues with `settings`.

    Raises
    ------
    FormatError
        If the file is damaged.
    ParameterError
        If it comes from a training with other settings.
    """
    try:
        state: dict[str, Any] = weights.read_pt(path)
    except FormatError as error:
        raise FormatError(f"{path}: is no readable checkpoint; delete it to train from the start.") from error
    before, now = state["settings"], settings.to_dict()
    changed = [name for name in now if name not in FREE and before.get(name) != now[name]]
    if changed:
        name = changed[0]
        raise ParameterError(
            f"{path}: was trained with {name} = {before.get(name)!r}, asked is {now[name]!r}: "
            "expected the same settings to go on with; choose another folder, or delete it to train from the start."
        )
    return state


def copied(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a copy of weights on the CPU."""
    return {name: value.detach().cpu().clone() for name, value in state.items()}
