"""What a map is judged by: where a reader marked the finding, as a mask or as a table of places, and what is outlined in the picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from isocenter.core.errors import ParameterError
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack, Segment
from isocenter.core.results import Scores
from isocenter.io import door
from isocenter.io.text import terminal
from isocenter.learn.data.places import read_places
from isocenter.learn.explain.localisation import localisation
from isocenter.learn.explain.package_case import Explained
from isocenter.pipeline import lineage

__all__ = ["Judged", "judged", "outline"]

_TABLES = (".csv", ".tsv", ".txt", ".json")
_FOUND, _TRUE = (79, 208, 255), (255, 223, 140)


@dataclass(frozen=True, eq=False)
class Judged:
    """How well a map lies where a reader marked the finding.

    Attributes
    ----------
    mask
        The marked samples on the grid of the image; None where nothing that is marked belongs to the place that was explained.
    scores
        Of the map.
    words
        What the mask is, to be said after "in".
    digest
        Of the file that marks it.
    notes
        What speaks against the comparison, one sentence each.
    """

    mask: LabelMap | None
    scores: Scores | None
    words: str
    digest: str
    notes: tuple[str, ...] = ()


def judged(path: Path, image: Image, found: Explained, source: Path) -> Judged:
    """Judge a map by a mask, or a place by the table of the true ones.

    Parameters
    ----------
    path
        A mask on the grid of the image; for a model that finds places also a table of boxes or points.
    image
        What was explained.
    found
        Its explanation.
    source
        File or folder of the image.

    Raises
    ------
    GridMismatchError
        If a mask is not on the grid of the image.
    ParameterError
        If a table is given for a model that finds no places.
    """
    if path.suffix.lower() in _TABLES:
        return _by_table(path, image, found)
    value = door.read_labels(path, source)
    mask = value.to_labels() if isinstance(value, MaskStack) else value
    image.geometry.require_match(mask.geometry, ("the image", "the mask"))
    return Judged(mask, _scores(found, mask), "the mask", mask.digest)


def _by_table(path: Path, image: Image, found: Explained) -> Judged:
    if found.found is None:
        raise ParameterError(
            f"{terminal(path.name)}: a table of places judges what finds places: expected a mask for this model."
        )
    from isocenter.learn.explain.place import marked_place, reach_of, true_place

    kind, name, digest = found.found.kind, found.found.names[0], lineage.sha256_of(path)
    true = true_place(found.found, read_places(path, image.geometry, kind))
    if true is None:
        why = (
            f"no true box of '{name}' meets the candidate: it is a false alarm"
            if kind == "boxes"
            else f"the table has no landmark '{name}'"
        )
        return Judged(None, None, "", digest, (f"Warning: the map is not judged, as {why}.",))
    mask = marked_place(true, image, f"true {name}")
    words = "the true box" if kind == "boxes" else f"the {reach_of(image):.3g} {image.geometry.unit} about the true landmark"
    return Judged(mask, _scores(found, mask), words, digest)


def _scores(found: Explained, mask: LabelMap) -> Scores:
    return Scores(dict(localisation([found.map], [mask], draws=10)))


def outline(found: Explained, image: Image, mask: LabelMap | None = None) -> LabelMap | MaskStack | None:
    """Return what is outlined in the picture of a map: the mask, and the place that was explained.

    Parameters
    ----------
    found, image
        The explanation and its image.
    mask
        What the map is judged by.
    """
    if found.found is None:
        return mask
    from isocenter.learn.explain.place import marked_place

    place = marked_place(found.found, image, f"found {found.target}")
    if mask is None:
        return place.replace(segments=(Segment(1, f"found {found.target}", color=_FOUND),))
    masks = np.stack([np.asarray(place.array) != 0, np.asarray(mask.array) != 0])
    rows = (Segment(1, f"found {found.target}", color=_FOUND), Segment(2, f"true {found.target}", color=_TRUE))
    return MaskStack(masks, place.dims, place.geometry, rows)
