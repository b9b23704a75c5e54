"""What manual corrections share: where strokes in mm fall, and what a corrected label is called."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.labels import Segment

__all__ = ["Stroke", "brushed", "fits", "with_row"]

Stroke = tuple[tuple[float, float, float], ...]


def brushed(who: str, stroke: Stroke, radius: float, geometry: Geometry) -> npt.NDArray[np.bool_]:
    """Return the samples within `radius` mm of a line through points (L, P, S) in mm; always those that hold the points.

    Raises
    ------
    ParameterError
        If no part of the stroke lies in the image.
    """
    result = np.zeros(geometry.shape, np.bool_)
    points = np.asarray(stroke, dtype=np.float64).reshape(-1, 3)
    places = geometry.to_index(points)
    hits = np.floor(places + 0.5 + 1e-9).astype(np.int64)
    inside = ((hits >= 0) & (hits < geometry.shape)).all(axis=1)
    result[tuple(hits[inside].T)] = True
    ends = places if len(places) == 1 else np.concatenate([places[:-1], places[1:]], axis=1)
    reach = np.ceil(radius / np.asarray(geometry.spacing)).astype(np.int64) + 1
    for row in ends:
        both = row.reshape(-1, geometry.ndim)
        low = np.maximum(np.floor(both.min(axis=0)).astype(np.int64) - reach, 0)
        high = np.minimum(np.ceil(both.max(axis=0)).astype(np.int64) + reach + 1, geometry.shape)
        if (low >= high).any():
            continue
        box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        index = np.stack(np.meshgrid(*[np.arange(b.start, b.stop) for b in box], indexing="ij"), axis=-1)
        # Distances between points of the world, so that they are mm on every grid; in a plane strokes lie in it.
        world, start = geometry.to_world(index), geometry.to_world(both[0])
        along = geometry.to_world(both[-1]) - start
        length = float(along @ along)
        share = np.clip((world - start) @ along / length, 0.0, 1.0) if length > 0 else np.zeros(world.shape[:-1])
        far = np.linalg.norm(world - start - share[..., None] * along, axis=-1)
        result[box] |= far <= radius * (1.0 + 1e-9) + 1e-9
    if not result.any():
        raise ParameterError(
            f"{who}: the stroke at {tuple(round(float(v), 3) for v in points[0])} mm lies outside the labels' grid: "
            "expected points (L, P, S) inside it."
        )
    return result


def with_row(segments: tuple[Segment, ...], value: int, name: str) -> tuple[Segment, ...]:
    """Return a table that has a row for a value."""
    if any(s.value == value for s in segments):
        return segments
    return tuple(sorted((*segments, Segment(value, name)), key=lambda s: s.value))


def fits(who: str, value: int, dtype: Any) -> None:
    """Raise where labels cannot hold a value."""
    if value > np.iinfo(dtype).max:
        raise ParameterError(
            f"{who}: label {value} does not fit into labels of type {dtype}: expected at most {np.iinfo(dtype).max}."
        )
