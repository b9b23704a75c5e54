"""Cases of data sets that a ``dataset.json`` describes: its cases, channels and the names of its labels."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocenter.core.labels import LabelMap, MaskStack, Segment
from isocenter.io.inventory import Item
from isocenter.io.layouts.dataset_json import Entry, Listing
from isocenter.io.text import slot_name, unique

__all__ = ["arrange_listed"]


@dataclass(frozen=True)
class _Segmented:
    """Loads labels under the names that the data set gives them (a class, so that it can be pickled)."""

    item: Item
    names: tuple[tuple[int, str], ...]

    def __call__(self) -> Any:
        value = self.item.load()
        names = dict(self.names)
        if isinstance(value, MaskStack) or not isinstance(value, LabelMap) or not names:
            return value
        rows = {s.value: s for s in value.segments}
        rows |= {v: Segment(v, names[v]) for v in rows if v in names}
        return value.replace(segments=tuple(rows[v] for v in sorted(rows)))


def arrange_listed(items: Sequence[Item], listings: Iterable[Listing], as_mask: Any) -> tuple[list[Item], list[Item]]:
    """Return the items that the descriptions name, each in its case and slot, and the others.

    Parameters
    ----------
    items
        Items without a group.
    listings
        What the descriptions beside them say.
    as_mask
        Turns an item and a name into one that loads labels.
    """
    places: dict[Path, tuple[Listing, Entry, int]] = {}
    for one in listings:
        for entry in one.entries:
            for k, path in enumerate(entry.images):
                places[Path(os.path.normpath(path))] = (one, entry, k)
            if entry.labels is not None:
                places[Path(os.path.normpath(entry.labels))] = (one, entry, -1)
    found: list[Item] = []
    others: list[Item] = []
    taken: dict[tuple[Path, str, str], set[str]] = {}
    for item in items:
        place = places.get(Path(os.path.normpath(item.paths[0])))
        if place is None or item.kind not in ("image", "labels"):
            others.append(item)
            continue
        one, entry, k = place
        key = hashlib.sha256(
            "\0".join([os.fspath(one.root), entry.part, entry.name]).encode("utf-8", "surrogateescape")
        ).hexdigest()
        slots = taken.setdefault((one.root, entry.part, entry.name), set())
        identity = {**item.identity, "LayoutCase": entry.name, "LayoutPart": entry.part}
        if k < 0:
            mask = as_mask(item, unique("labels", slots))
            made = dataclasses.replace(mask, load=_Segmented(mask, tuple(one.segments.items())))
        else:
            name = slot_name(one.channels[k], "channel") if len(entry.images) > 1 else "image"
            made = dataclasses.replace(item, name=unique(name, slots))
        found.append(dataclasses.replace(made, group=f"listed:{key}", patient=item.patient or f"listed:{key}", identity=identity))
    return found, others
