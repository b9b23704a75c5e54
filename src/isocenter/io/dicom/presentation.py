"""Grayscale presentation states: the windows that a reader chose, attached to the images that they refer to.

Only the window is taken over, as ``display_window`` (centre and width in the values of the image) among the attributes of
the image; samples never change. Displayed areas, shutters and annotations are told of and not applied.

References
----------
DICOM PS3.3 A.33.1, C.11.8 (softcopy VOI LUT), C.11.10 (presentation state relationship), C.11.2.1.2 (window).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from typing import Any

from isocenter.core.errors import ContentError, FormatError
from isocenter.io.dicom import values
from isocenter.io.dicom.dataset import File
from isocenter.io.dicom.elements import Dataset
from isocenter.io.dicom.identity import uid
from isocenter.io.dicom.words import clean
from isocenter.io.inventory import Item, Problem

__all__ = ["CLASSES", "attach", "window_of"]

#: Grayscale and pseudo-colour presentation states.
CLASSES = ("1.2.840.10008.5.1.4.1.1.11.1", "1.2.840.10008.5.1.4.1.1.11.3")
MOST = 64


@dataclass(frozen=True)
class _Window:
    """A window, and the images (series and object) that it is for; no objects: all images of the state."""

    centre: float
    width: float
    meaning: str
    objects: frozenset[str]


def window_of(data: Dataset) -> tuple[float, float] | None:
    """Return centre and width of the first window of a dataset, None where there is none that can be used."""
    centre, width = values.lenient(data, "WindowCenter"), values.lenient(data, "WindowWidth")
    return None if centre is None or width is None or width <= 0 else (centre, width)


def _windows(file: File) -> list[_Window]:
    found = []
    for item in values.items(file.data, "SoftcopyVOILUTSequence")[:MOST]:
        window = window_of(item)
        if window is None:
            if values.has(item, "WindowCenter"):
                raise FormatError(
                    f"{clean(file.path)}: SoftcopyVOILUTSequence (0028,3110) holds no window of positive width: expected one; export it again."
                )
            continue  # a table instead of a window
        objects = frozenset(uid(one, "ReferencedSOPInstanceUID") for one in values.items(item, "ReferencedImageSequence"))
        meaning = clean(values.person(item, "WindowCenterWidthExplanation")[0], 40)
        found.append(_Window(*window, meaning, objects))
    return found


def _ignored(data: Dataset) -> str:
    """Return what else a state asks for, as words."""
    parts = (
        ("DisplayedAreaSelectionSequence", "displayed area"), ("GraphicAnnotationSequence", "annotations"), ("ShutterShape", "shutter"),
        ("GraphicLayerSequence", "layers"), ("ImageRotation", "rotation"), ("MaskSubtractionSequence", "mask subtraction"),
    )  # fmt: skip
    return ", ".join(words for keyword, words in parts if values.has(data, keyword))


def attach(file: File, items: Sequence[Item]) -> list[Item]:
    """Return the items, those that a presentation state refers to with its windows.

    Parameters
    ----------
    file
        The presentation state.
    items
        Images that lie beside it.

    Raises
    ------
    ContentError
        If none of the images it refers to is among them.
    FormatError
        If a window is impossible.
    """
    windows = _windows(file)
    series = {}
    for one in values.items(file.data, "ReferencedSeriesSequence"):
        objects = frozenset(uid(o, "ReferencedSOPInstanceUID") for o in values.items(one, "ReferencedImageSequence"))
        series[uid(one, "SeriesInstanceUID")] = objects
    result, met = [], False
    for item in items:
        if item.kind != "image" or not item.uid or item.uid not in series:
            result.append(item)
            continue
        met = True
        own = frozenset(str(v) for v in item.identity.get("SOPInstanceUIDs", ()))
        chosen = [w for w in windows if not w.objects or not own or w.objects & own]
        result.append(_with(item, chosen, _ignored(file.data)))
    if not met:
        raise ContentError(
            f"{clean(file.path)}: a presentation state whose images are not among the input: expected them in one folder; put it beside them."
        )
    return result


def _with(item: Item, windows: Sequence[_Window], ignored: str) -> Item:
    attributes: dict[str, Any] = dict(item.attributes)
    text = "A presentation state"
    if windows and item.spec.quantity in ("SUVbw", "SUVlbm", "SUVbsa", "SUVibw"):
        text += " holds windows of stored values, which are not those of SUV; they were not taken over"
    elif windows:
        first = windows[0]
        attributes["display_window"] = [first.centre, first.width]
        attributes["presentation_windows"] = [[w.centre, w.width, w.meaning] for w in windows]
        text += f" sets the window to centre {first.centre:g}, width {first.width:g}"
    else:
        text += " beside the image holds no window"
    if ignored:
        text += f"; what else it asks for ({ignored}) is not applied"
    return changed(item, attributes=attributes, problems=(*item.problems, Problem(f"{text}.")))
