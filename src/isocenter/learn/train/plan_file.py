"""Plans as YAML files, whatever they plan: written, read, and kept in the folder of a training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

from isocenter.io.atomic import write_bytes
from isocenter.pipeline import yaml

__all__ = ["Described", "kept_plan", "read_as", "write_as"]

#: Its name in the folder of a training.
NAME = "plan.yaml"


class Described(Protocol):
    """A value that plain values describe."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        ...

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], source: str = ...) -> Self:
        """Return the value that `to_dict` described."""
        ...


P = TypeVar("P", bound=Described)


def write_as(plan: Described, path: Path | str) -> None:
    """Write a plan as YAML."""
    write_bytes(Path(path), yaml.dump(plan.to_dict()).encode())


def read_as(kind: type[P], path: Path | str) -> P:
    """Read a plan of a kind from YAML."""
    return kind.from_dict(yaml.load(yaml.read_file(Path(path)), str(path)), str(path))


def kept_plan(kind: type[P], plan: P | None, folder: Path | None, make: Callable[[], P]) -> P:
    """Return the plan that is given, else the one that stands in the folder, else a new one; it is kept in the folder.

    Parameters
    ----------
    kind
        Of the plan.
    plan
        The one that is given.
    folder
        Of the training; None keeps nothing.
    make
        Makes a new one.
    """
    if plan is None and folder is not None and (folder / NAME).exists():
        plan = read_as(kind, folder / NAME)
    plan = plan or make()
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        write_as(plan, folder / NAME)
    return plan
