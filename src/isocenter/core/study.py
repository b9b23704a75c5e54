"""Study: one case: a pseudonym and named slots that are added to, never overwritten."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from isocenter.core.errors import ParameterError, SlotError, UnknownNameError, did_you_mean
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack

__all__ = ["SLOT_NAME", "Study"]

#: What a slot may be called: it becomes a file name, a YAML key and a table column.
SLOT_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True, eq=False)
class Study:
    """A case as it passes through a pipeline.

    Parameters
    ----------
    pseudonym
        The only name that reports, lineage and file names carry.
    slots
        Name -> value: ``image`` (or ``ct``, ``pet``, ``t1`` ... where there are several), masks that came
        along under their names, and what the steps added.
    attributes
        De-identified facts about the acquisition, plain values (``body_part``, ``manufacturer``, ``kernel`` ...).
    identity
        Facts about the person and the study (DICOM keyword -> text), needed to send results back to the
        archive. Never written to a report, lineage or file name.
    """

    pseudonym: str
    slots: Mapping[str, Any] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    identity: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", self.pseudonym):
            raise ParameterError(f"Pseudonym {self.pseudonym!r}: expected letters, digits, '.', '_' and '-' (64 at most).")
        for name in self.slots:
            _check_name(name)
        object.__setattr__(self, "slots", dict(self.slots))
        object.__setattr__(self, "attributes", dict(self.attributes))
        object.__setattr__(self, "identity", dict(self.identity))

    def add(self, name: str, value: Any) -> Study:
        """Return a study with one more slot.

        Raises
        ------
        SlotError
            If the name is taken: a step adds, it never overwrites.
        """
        _check_name(name)
        if name in self.slots:
            raise SlotError(
                f"Slot '{name}' of study {self.pseudonym} is taken ({type(self.slots[name]).__name__}): "
                "expected a new name; give the step another 'to'."
            )
        return Study(self.pseudonym, {**self.slots, name: value}, self.attributes, self.identity)

    def __getitem__(self, name: str) -> Any:
        try:
            return self.slots[name]
        except KeyError:
            known = list(self.slots)
            raise UnknownNameError(
                f"No slot '{name}' in study {self.pseudonym}: it has {known}.{did_you_mean(name, known)}"
            ) from None

    def __contains__(self, name: object) -> bool:
        return name in self.slots

    def __iter__(self) -> Iterator[str]:
        return iter(self.slots)

    def __len__(self) -> int:
        return len(self.slots)

    @property
    def images(self) -> dict[str, Image]:
        """The slots that hold images (label maps are not among them)."""
        return {k: v for k, v in self.slots.items() if isinstance(v, Image) and not isinstance(v, LabelMap)}

    @property
    def labels(self) -> dict[str, LabelMap | MaskStack]:
        """The slots that hold label maps and mask stacks."""
        return {k: v for k, v in self.slots.items() if isinstance(v, LabelMap | MaskStack)}


def _check_name(name: str) -> None:
    if not SLOT_NAME.fullmatch(name):
        raise SlotError(f"Slot name {name!r}: expected a lower-case letter, then letters, digits and '_' (63 at most).")
