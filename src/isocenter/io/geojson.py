"""GeoJSON of objects on a slide: polygons in pixels of its finest level, as viewers of slides draw them.

References
----------
H. Butler et al., The GeoJSON format, RFC 7946 (2016); its coordinates are here pixels (x to the right, y downwards), as
QuPath and its kin use them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from isocenter.io import atomic

__all__ = ["write"]


def write(
    path: Path,
    polygons: Iterable[npt.NDArray[Any]],
    name: str,
    properties: Iterable[Mapping[str, Any]] = (),
    kind: Literal["annotation", "detection"] = "annotation",
) -> None:
    """Write polygons (and points) as a collection of features, one a line, atomically and piece by piece.

    Parameters
    ----------
    path
        Ends in ``.geojson``.
    polygons
        Each of shape (n, 2): x and y of its corners, not closed; a single corner is written as a point.
    name
        What they are; viewers use it as the class.
    properties
        Plain values of each polygon, as many as there are polygons, or none.
    kind
        What viewers take them for: regions drawn by hand or by rule, or cells that were found.

    Raises
    ------
    WriteError
        If the disk refuses.
    """
    rows = iter(properties)
    with atomic.replacing(path) as handle:
        handle.write(b'{"type":"FeatureCollection","features":[')
        for k, corners in enumerate(polygons):
            ring = np.round(np.concatenate([corners, corners[:1]]).astype(np.float64), 3).tolist()
            point = {"type": "Point", "coordinates": ring[0]}
            feature = {
                "type": "Feature",
                "id": str(k + 1),
                "geometry": point if len(corners) == 1 else {"type": "Polygon", "coordinates": [ring]},
                "properties": {"objectType": kind, "classification": {"name": name}, **next(rows, {})},
            }
            text = json.dumps(feature, separators=(",", ":"), sort_keys=True, ensure_ascii=True, allow_nan=False)
            handle.write((",\n" if k else "\n").encode() + text.encode("ascii"))
        handle.write(b"\n]}\n")
