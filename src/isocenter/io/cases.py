"""Cases: the items of one imaging study, under a pseudonym, and how they become a `Study`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from isocenter.core.errors import ContentError, GeometryError
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack
from isocenter.core.points import Contours
from isocenter.core.study import Study
from isocenter.io.inventory import Inventory, Item
from isocenter.io.lazy import sourced
from isocenter.io.text import pseudonym

__all__ = ["Case", "cases", "load_case", "reference_of"]

#: Kinds that a case is about; documents and measurements alone make none.
SUBJECTS = ("image", "labels", "raw", "signal", "pyramid")


@dataclass(frozen=True)
class Case:
    """One imaging study of one person.

    Attributes
    ----------
    pseudonym
        ``case-`` and eight hexadecimal digits, derived from the content and never from a name.
    items
        What belongs to it, each under its slot name.
    """

    pseudonym: str
    items: tuple[Item, ...]


def cases(inventory: Inventory) -> list[Case]:
    """Return the cases of an inventory, in the order in which they were found.

    Parameters
    ----------
    inventory
        As `isocenter.io.door.inspect` returns it.
    """
    groups: dict[str, list[Item]] = {}
    for item in inventory.items:
        groups.setdefault(item.group, []).append(item)
    taken: set[str] = set()
    result = []
    for key, items in groups.items():
        if not any(item.kind in SUBJECTS for item in items):
            continue
        name, k = pseudonym(key), 0
        while name in taken:  # two keys of one digest: eight digits are few for very large cohorts
            k += 1
            name = pseudonym(f"{key} {k}")
        taken.add(name)
        result.append(Case(name, tuple(items)))
    return result


def reference_of(item: Item, items: Iterable[Item]) -> Item | None:
    """Return the image that labels or contours belong to, None where it is not among `items`.

    A series or object that the item names comes first; else the one image of its frame of reference.
    """
    images = [other for other in items if other.kind == "image" and other.spec.geometry is not None]
    named = [image for image in images if image.uid and image.uid in item.references]
    if named:
        return named[0]
    framed = [image for image in images if image.spec.geometry is not None and image.spec.geometry.frame in item.references]
    return framed[0] if len(framed) == 1 else None


def load_case(case: Case) -> Study:
    """Read every item of a case, and return them as a study.

    Structures that were drawn as contours are rasterised on the grid of the image they belong to, by the rule
    that a sample belongs to a structure where its centre does.

    Parameters
    ----------
    case
        The case; masks are read after their images.

    Raises
    ------
    InputError
        If an item cannot be read.
    ContentError
        If the case holds nothing that can be loaded.
    """
    slots: dict[str, Any] = {}
    attributes: dict[str, Any] = {}
    identity: dict[str, Any] = {}
    notes: list[str] = []
    order = {"image": 0, "labels": 1, "contours": 2}
    for item in sorted(case.items, key=lambda item: order.get(item.kind, 3)):
        if item.kind in ("measurements", "document"):
            continue
        value = item.load()
        if isinstance(value, tuple) and value and all(isinstance(v, Contours) for v in value):
            image = reference_of(item, case.items)
            if image is None:
                notes.append(
                    f"The structures of slot '{item.name}' refer to an image that is not among the input; they were left out."
                )
                continue
            value = rasterised(value, image)
        slots[item.name] = value
        if item.kind == "image":
            for key, fact in item.attributes.items():
                attributes.setdefault(key, fact)
            identity = identity or dict(item.identity)
    if not slots:
        raise ContentError(f"{case.pseudonym}: holds nothing that can be loaded: expected an image; " + " ".join(notes))
    for name, value in slots.items():
        if notes and isinstance(value, Image) and not isinstance(value, LabelMap):
            slots[name] = value.replace(provenance=value.provenance.noted(*notes))
    return Study(case.pseudonym, slots, attributes, identity)


def rasterised(contours: tuple[Contours, ...], image: Item) -> MaskStack:
    """Return contours as masks on the grid of an image.

    Raises
    ------
    GeometryError
        If they do not lie in its planes.
    """
    from isocenter.io.dicom.rtstruct import to_masks

    if image.spec.geometry is None:
        raise GeometryError(f"Structures for '{image.name}', which has no grid: expected an image with one.")
    return sourced(to_masks(contours, image.spec.geometry), "dicom")
