"""One order of axes for all images of a cohort: files store the same anatomy in many, and a model sees only what is stored."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TypeVar, cast

from isocenter.core.errors import IsocenterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack
from isocenter.core.points import Points
from isocenter.learn.data.cohort import Cohort
from isocenter.learn.data.pictures import flat_axis, without_axis
from isocenter.learn.data.places import read_places
from isocenter.learn.places.places import Kind, Places, boxes_of, points_of
from isocenter.ops.resample.orient import Orient

__all__ = ["alike", "as_stored", "on_grid", "places_in", "stored_grid", "towards"]

Value = TypeVar("Value", bound=Image | LabelMap | MaskStack)


def alike(cohort: Cohort) -> Cohort:
    """Return a cohort whose images are all turned to the order of axes that most of its files have.

    Nothing is interpolated. Pictures without a pixel size, whose axes have no direction in a patient, stay as they are.

    Parameters
    ----------
    cohort
        With images or without.
    """
    codes: Counter[str] = Counter()
    for k in range(len(cohort)):
        grid = stored_grid(cohort, k)
        code = None if grid is None else _picture_grid(grid).directions
        if code is not None:
            codes[code] += 1
    if not codes:
        return cohort
    usual = min(codes, key=lambda code: (-codes[code], code))
    if len(codes) == 1:
        return replace(cohort, directions=usual)
    others = ", ".join(f"{code} ({n})" for code, n in sorted(codes.items()) if code != usual)
    note = (
        f"{sum(codes.values()) - codes[usual]} of {len(cohort)} images are stored in another order of axes, {others}, than most "
        f"({usual}); they are turned to it, without interpolation."
    )
    return replace(cohort, directions=usual, notes=(*cohort.notes, note))


def towards(value: Value, code: str | None) -> Value:
    """Return an image or labels with their axes in an order, without interpolation; as they are where either has none.

    Parameters
    ----------
    value
        With a grid.
    code
        As `Geometry.directions` gives it.
    """
    if code is None or value.geometry.directions in (None, code):
        return value
    return cast("Value", Orient(code=code)(cast("Image", value)))


def stored_grid(cohort: Cohort, k: int) -> Geometry | None:
    """Return the grid of an image as its file has it; None where there is none, or it cannot be read.

    Parameters
    ----------
    cohort, k
        The case.
    """
    from isocenter.io import door

    path = cohort.samples[k].path
    if path is None:
        return None
    try:
        items = [item for item in door.inspect(path).items if item.kind == "image"]
    except (IsocenterError, OSError):  # what cannot be read is said when it is read
        return None
    return items[0].spec.geometry if items else None


def places_in(cohort: Cohort, k: int, image: Image, kind: Kind) -> Places:
    """Return the true places of a case on the grid of its image, whose table speaks of the samples of the file.

    Parameters
    ----------
    cohort, k
        The case; its label is the path of a table.
    image
        As `cohort.image` gives it.
    kind
        What they are.
    """
    path = str(cohort.samples[k].label)
    stored = None if cohort.directions is None else stored_grid(cohort, k)
    if stored is None or stored == image.geometry:
        return read_places(path, image.geometry, kind)
    return on_grid(read_places(path, _table_grid(stored), kind), image.geometry)


def as_stored(cohort: Cohort, k: int, found: Places) -> Places:
    """Return places of a case in the samples of its file, which are those of its image unless that was turned.

    Parameters
    ----------
    cohort, k
        The case.
    found
        On the grid of its image.
    """
    stored = None if cohort.directions is None else stored_grid(cohort, k)
    return found if stored is None else on_grid(found, _table_grid(stored))


def _table_grid(stored: Geometry) -> Geometry:
    """Return the grid that the table of a case speaks of: rows and columns alone where its only slice comes first."""
    return _picture_grid(stored) if flat_axis(stored) == 0 else stored


def _picture_grid(grid: Geometry) -> Geometry:
    """Return the grid of the only slice of a volume of one, any other grid as it is."""
    axis = flat_axis(grid)
    return grid if axis is None else without_axis(grid, axis)


def on_grid(found: Places, geometry: Geometry) -> Places:
    """Return places on another grid of the same world.

    Parameters
    ----------
    found
        The places.
    geometry
        The grid.
    """
    if found.geometry == geometry:
        return found
    world = found.world()
    return points_of(world, geometry) if isinstance(world, Points) else boxes_of(world, geometry)
