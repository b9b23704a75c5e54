"""What a user may choose for a run, and how the command line spells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast, get_args

from isocenter.core.errors import ParameterError
from isocenter.core.study import SLOT_NAME
from isocenter.io.inventory import Repair

__all__ = ["Options", "parse_masks", "parse_repair"]


@dataclass(frozen=True)
class Options:
    """What the user may choose; see ``isocenter run --help``."""

    study: str | None = None
    masks: Mapping[str, Path] = field(default_factory=dict)
    repair: Repair | None = None
    force: bool = False
    seed: int = 0
    identify: bool = False
    scheduler: str | None = None
    workers: int | None = None
    verb: str = "run"
    model: Path | None = None
    explain: bool = False


def parse_masks(texts: Sequence[str]) -> dict[str, Path]:
    """Return slot -> path from ``NAME=PATH`` texts."""
    masks: dict[str, Path] = {}
    for text in texts:
        name, sign, path = text.partition("=")
        if not sign or not path:
            raise ParameterError(f"Mask '{text}': expected NAME=PATH, for instance --mask lesion=lesion.nii.gz")
        slot = name.strip().lower().replace("-", "_").replace(" ", "_")
        if not SLOT_NAME.fullmatch(slot):
            raise ParameterError(f"Mask name '{name}': expected a letter, then letters, digits and '_'.")
        if slot in masks:
            raise ParameterError(f"Mask name '{name}' is given twice: expected a name of its own for each mask.")
        masks[slot] = Path(path)
    return masks


def parse_repair(text: str | None) -> Repair | None:
    """Return a repair option, or the error that names the two there are."""
    if text is None:
        return None
    for known in get_args(Repair):
        if text == known:
            return cast(Repair, known)
    raise ParameterError(f"Repair '{text}': expected 'interpolate' or 'nearest'.")
