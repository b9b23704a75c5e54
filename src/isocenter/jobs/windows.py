"""Which window the pictures of a case are shown in: of a presentation state, else the study's, else the image header's."""

from __future__ import annotations

from collections.abc import Iterable

from isocenter.core.image import Image
from isocenter.io.inventory import Item
from isocenter.view.windows import Window, stated

__all__ = ["window_of"]


def window_of(named: str | None, items: Iterable[Item], slot: str, image: Image) -> Window | str | None:
    """Return the window for pictures of an image, None where the view is to choose.

    Parameters
    ----------
    named
        The study's window; it is one of CT, and counts for HU alone.
    items
        What was read: an item of the slot's name may hold ``display_window``, which a DICOM header or a presentation state gives.
    slot, image
        The image as it was read. An image that a step made has no window of its own.
    """
    preset = named if image.quantity == "HU" else None
    item = next((item for item in items if item.name == slot and item.kind == "image"), None)
    # Windows of PET are those of stored values, which SUV are not.
    if item is None or "display_window" not in item.attributes or (image.quantity or "").startswith("SUV"):
        return preset
    chosen = "presentation_windows" in item.attributes  # by somebody who looked at this very image
    if preset is not None and not chosen:
        return preset
    centre, width = item.attributes["display_window"]
    basis = "of its presentation state" if chosen else "stated in its header"
    inverted = (image.modality == "PT") != (item.attributes.get("photometric") == "MONOCHROME1")
    return stated(image, float(centre), float(width), basis, inverted=inverted) or preset
