"""Ports: which kinds of value an operation's ``__call__`` takes, read from its annotations, and how slots fill them."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from isocenter.core import points, results, transform
from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack
from isocenter.core.operation import Spec
from isocenter.core.pyramid import Pyramid
from isocenter.core.raw import Raw
from isocenter.core.signal import Signal

__all__ = ["Port", "assign", "kind_class", "ports"]

#: Name of a kind (`Spec.kind`) -> the noun.
_KINDS: dict[str, type] = {
    one.__name__: one
    for one in (
        Image, LabelMap, MaskStack, Raw, Signal, Pyramid, Geometry,
        points.Points, points.Boxes, points.Contours, points.Mesh,
        results.Features, results.Scores, results.Prediction,
        transform.Transform, transform.Affine, transform.Identity, transform.Displacement, transform.Chain,
    )
}  # fmt: skip


def kind_class(kind: str) -> type | None:
    """Return the noun of a spec's kind, None where it is none of the known ones."""
    return _KINDS.get(kind, transform.Transform if kind == "_InverseDisplacement" else None)


@dataclass(frozen=True)
class Port:
    """One positional parameter of an operation.

    Attributes
    ----------
    name
        As in the signature.
    kinds
        The nouns it takes.
    optional
        Whether it may stay empty.
    many
        Whether it takes any number of values (``*images``).
    """

    name: str
    kinds: tuple[type, ...]
    optional: bool = False
    many: bool = False

    def takes(self, spec: Spec) -> bool:
        """Return whether a value of this spec fits."""
        noun = kind_class(spec.kind)
        return noun is not None and issubclass(noun, self.kinds)

    @property
    def told(self) -> str:
        """The port in words: ``region (LabelMap or MaskStack)``."""
        return f"{self.name} ({' or '.join(k.__name__ for k in self.kinds)})"


@lru_cache(maxsize=512)
def ports(operation: type) -> tuple[Port, ...]:
    """Return the ports of an operation's class, in order."""
    call = operation.__call__
    hints = typing.get_type_hints(call)
    found = []
    for name, parameter in list(inspect.signature(call).parameters.items())[1:]:
        if parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_KEYWORD):
            continue
        kinds, none = _kinds(hints.get(name, object))
        optional = none or parameter.default is not parameter.empty
        found.append(Port(name, kinds, optional, parameter.kind is parameter.VAR_POSITIONAL))
    return tuple(found)


def _kinds(annotation: Any) -> tuple[tuple[type, ...], bool]:
    """Return the classes of an annotation and whether None is among them."""
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        parts = typing.get_args(annotation)
    else:
        parts = (annotation,)
    classes = tuple(p for p in parts if isinstance(p, type) and p is not type(None))
    return classes, type(None) in parts


def assign(operation: type, who: str, given: Sequence[tuple[str, Spec]]) -> tuple[str | None, ...]:
    """Return which slot fills which port; None for an optional port that is passed over.

    Parameters
    ----------
    operation
        The operation's class.
    who
        Its name, for messages.
    given
        (slot, spec) in the order of `from`. Each fills the next port that takes its kind; optional ports in
        between stay empty (``[pet, ct]`` resamples the PET to the grid of the CT, without a transform).

    Raises
    ------
    ContentError
        If a slot fits no port, or a required port stays empty.
    """
    wanted = ports(operation)
    filled: list[str | None] = []
    k = 0
    for slot, spec in given:
        while k < len(wanted) and not wanted[k].takes(spec) and wanted[k].optional and not wanted[k].many:
            filled.append(None)
            k += 1
        if k == len(wanted) or not wanted[k].takes(spec):
            expected = ", ".join(p.told for p in wanted)
            where = f"as {wanted[k].told}" if k < len(wanted) else f"after {len(wanted)} inputs"
            raise ContentError(f"{who} cannot take slot '{slot}' ({spec.kind}) {where}: expected {expected}; change 'from'.")
        filled.append(slot)
        k += not wanted[k].many
    missing = [p.told for p in wanted[k:] if not p.optional and not p.many]
    if missing:
        raise ContentError(f"{who} also needs {' and '.join(missing)}: expected 'from' to name a slot for each.")
    while filled and filled[-1] is None:
        filled.pop()
    return tuple(filled)
