"""Nouns as plain values and arrays, and back: what a store file holds.

Nothing here reads or writes; reading one builds known nouns from plain values and runs no code of the file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import UnsupportedError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack, Segment
from isocenter.core.points import Boxes, Contour, Contours, Mesh, Points
from isocenter.core.provenance import Provenance, digest_json
from isocenter.core.raw import Raw
from isocenter.core.results import Column, Features, Prediction, Score, Scores
from isocenter.core.signal import Signal
from isocenter.core.transform import Affine, Chain, Displacement, Identity

__all__ = ["Sink", "Source", "decode", "digest_of", "encode"]

Fields = dict[str, Any]


@dataclass
class Sink:
    """Collects the arrays of a value while its fields are described."""

    arrays: list[npt.NDArray[Any]] = field(default_factory=list)
    rows: list[Fields] = field(default_factory=list)

    def array(self, value: Any) -> int | None:
        """Take an array and return its number in the file."""
        if value is None:
            return None
        data = np.asarray(value)
        if data.dtype.hasobject or data.dtype.names:
            raise UnsupportedError(f"Samples of type {data.dtype} cannot be stored: expected numbers.")
        shape = list(data.shape)
        if data.dtype == np.bool_:
            kind, raw = "bits", np.packbits(data, axis=None)
        else:
            raw = np.ascontiguousarray(data.astype(data.dtype.newbyteorder("<"), copy=False))
            kind = raw.dtype.str
        self.arrays.append(raw)
        self.rows.append({"kind": kind, "shape": shape, "bytes": raw.nbytes})
        return len(self.arrays) - 1


@dataclass
class Source:
    """Gives the arrays of a file back by number."""

    arrays: list[npt.NDArray[Any]]

    def array(self, number: int | None) -> Any:
        """Return an array by its number, None for none."""
        return None if number is None else self.arrays[number]


# -- plain values that JSON alone would not keep ---------------------------------------------------------


def _plain(value: Any) -> Any:
    """Return a value that JSON keeps exactly: NaN and infinities tagged, numpy scalars as Python numbers."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if isinstance(value, Mapping):
        return {"map": {str(k): _plain(v) for k, v in value.items()}}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise UnsupportedError(f"A value of type {type(value).__name__} cannot be stored: expected plain numbers and text.")


def _unplain(value: Any) -> Any:
    if isinstance(value, dict):
        return float(value["float"]) if "float" in value else {k: _unplain(v) for k, v in value["map"].items()}
    return [_unplain(v) for v in value] if isinstance(value, list) else value


def _tuple(value: Any) -> tuple[Any, ...] | None:
    return None if value is None else tuple(value)


def _segments(rows: list[Any]) -> tuple[Segment, ...]:
    return tuple(Segment.from_dict(row) for row in rows)


# -- one pair of functions a noun ------------------------------------------------------------------------


def _image_out(v: Image, s: Sink) -> Fields:
    return {
        "array": s.array(v.array), "dims": list(v.dims), "geometry": v.geometry.to_dict(), "modality": v.modality,
        "quantity": v.quantity, "channels": _plain(v.channels), "times": _plain(v.times),
    }  # fmt: skip


def _image_in(f: Fields, s: Source, p: Provenance) -> Image:
    return Image(s.array(f["array"]), tuple(f["dims"]), Geometry.from_dict(f["geometry"]), **_meaning(f), provenance=p)


def _meaning(f: Fields) -> Fields:
    return {
        "modality": f["modality"], "quantity": f["quantity"],
        "channels": _tuple(f["channels"]), "times": _tuple(_unplain(f["times"])),
    }  # fmt: skip


def _labels_out(v: LabelMap, s: Sink) -> Fields:
    return {**_image_out(v, s), "segments": [row.to_dict() for row in v.segments]}


def _labels_in(f: Fields, s: Source, p: Provenance) -> LabelMap:
    grid = Geometry.from_dict(f["geometry"])
    return LabelMap(s.array(f["array"]), tuple(f["dims"]), grid, _segments(f["segments"]), **_meaning(f), provenance=p)


def _masks_out(v: MaskStack, s: Sink) -> Fields:
    rows = [row.to_dict() for row in v.segments]
    return {"array": s.array(v.array), "dims": list(v.dims), "geometry": v.geometry.to_dict(), "segments": rows}


def _masks_in(f: Fields, s: Source, p: Provenance) -> MaskStack:
    grid = Geometry.from_dict(f["geometry"])
    return MaskStack(s.array(f["array"]), tuple(f["dims"]), grid, _segments(f["segments"]), p)


def _points_out(v: Points, s: Sink) -> Fields:
    return {"positions": s.array(v.positions), "names": _plain(v.names), "values": s.array(v.values), "frame": v.frame}


def _points_in(f: Fields, s: Source, p: Provenance) -> Points:
    return Points(s.array(f["positions"]), _tuple(f["names"]), s.array(f["values"]), f["frame"], p)


def _boxes_out(v: Boxes, s: Sink) -> Fields:
    arrays = {"bounds": s.array(v.bounds), "scores": s.array(v.scores), "corners": s.array(v.corners)}
    return {**arrays, "names": _plain(v.names), "frame": v.frame}


def _boxes_in(f: Fields, s: Source, p: Provenance) -> Boxes:
    corners = s.array(f.get("corners"))  # boxes that were stored before they had any lie along the world's axes
    return Boxes(s.array(f["bounds"]), _tuple(f["names"]), s.array(f["scores"]), f["frame"], p, corners)


def _contours_out(v: Contours, s: Sink) -> Fields:
    rows = [[len(c.points), c.closed] for c in v.contours]
    points = np.concatenate([c.points for c in v.contours]) if v.contours else np.zeros((0, 3))
    return {"name": v.name, "points": s.array(points), "contours": rows, "color": _plain(v.color), "frame": v.frame}


def _contours_in(f: Fields, s: Source, p: Provenance) -> Contours:
    points, found, start = s.array(f["points"]), [], 0
    for count, closed in f["contours"]:
        found.append(Contour(points[start : start + count], bool(closed)))
        start += count
    return Contours(f["name"], tuple(found), _color(f["color"]), f["frame"], p)


def _mesh_out(v: Mesh, s: Sink) -> Fields:
    arrays = {"vertices": s.array(v.vertices), "faces": s.array(v.faces)}
    return {**arrays, "name": v.name, "color": _plain(v.color), "frame": v.frame}


def _mesh_in(f: Fields, s: Source, p: Provenance) -> Mesh:
    return Mesh(s.array(f["vertices"]), s.array(f["faces"]), f["name"], _color(f["color"]), f["frame"], p)


def _color(value: Any) -> tuple[int, int, int] | None:
    return None if value is None else (int(value[0]), int(value[1]), int(value[2]))


def _signal_out(v: Signal, s: Sink) -> Fields:
    return {
        "array": s.array(v.array), "rate": float(v.rate), "channels": list(v.channels), "unit": v.unit, "start": float(v.start),
    }  # fmt: skip


def _signal_in(f: Fields, s: Source, p: Provenance) -> Signal:
    return Signal(s.array(f["array"]), f["rate"], tuple(f["channels"]), f["unit"], f["start"], p)


def _raw_out(v: Raw, s: Sink) -> Fields:
    acquisition = {k: {"array": s.array(a)} if isinstance(a, np.ndarray) else _plain(a) for k, a in v.acquisition.items()}
    grid = None if v.geometry is None else v.geometry.to_dict()
    axes = list(v.axes)
    return {
        "array": s.array(v.array),
        "kind": v.kind,
        "axes": axes,
        "acquisition": acquisition,
        "geometry": grid,
        "modality": v.modality,
    }


def _raw_in(f: Fields, s: Source, p: Provenance) -> Raw:
    acquisition = {
        k: s.array(a["array"]) if isinstance(a, dict) and "array" in a else _unplain(a) for k, a in f["acquisition"].items()
    }
    grid = None if f["geometry"] is None else Geometry.from_dict(f["geometry"])
    return Raw(s.array(f["array"]), f["kind"], tuple(f["axes"]), acquisition, grid, f["modality"], p)


def _features_out(v: Features, s: Sink) -> Fields:
    columns = [[c.name, c.unit, c.standard, c.summary] for c in v.columns]
    return {"columns": columns, "rows": _plain(v.rows), "regions": list(v.regions)}


def _features_in(f: Fields, s: Source, p: Provenance) -> Features:
    rows = tuple(tuple(_unplain(row)) for row in f["rows"])
    return Features(tuple(Column(*c) for c in f["columns"]), rows, tuple(f["regions"]), p)


def _scores_out(v: Scores, s: Sink) -> Fields:
    return {"scores": [[k, _plain(one.value), one.unit, _plain(one.interval), one.n] for k, one in v.items()]}


def _scores_in(f: Fields, s: Source, p: Provenance) -> Scores:
    def interval(pair: Any) -> tuple[float, float] | None:
        return None if pair is None else (_unplain(pair[0]), _unplain(pair[1]))

    return Scores({k: Score(_unplain(x), unit, interval(pair), n) for k, x, unit, pair, n in f["scores"]}, p)


def _prediction_out(v: Prediction, s: Sink) -> Fields:
    return {
        "classes": list(v.classes), "probabilities": list(v.probabilities), "value": _plain(v.value), "unit": v.unit,
    }  # fmt: skip


def _prediction_in(f: Fields, s: Source, p: Provenance) -> Prediction:
    return Prediction(tuple(f["classes"]), tuple(f["probabilities"]), _unplain(f["value"]), f["unit"], p)


def _displacement_out(v: Displacement, s: Sink) -> Fields:
    return {"vectors": s.array(v.vectors), "geometry": v.geometry.to_dict()}


def _chain_in(f: Fields, s: Source, p: Provenance) -> Chain:
    return Chain(tuple(decode(link, s) for link in f["links"]), p)


Codec = tuple[Callable[[Any, Sink], Fields], Callable[[Fields, Source, Provenance], Any]]

_CODECS: dict[str, Codec] = {
    "Image": (_image_out, _image_in),
    "LabelMap": (_labels_out, _labels_in),
    "MaskStack": (_masks_out, _masks_in),
    "Points": (_points_out, _points_in),
    "Boxes": (_boxes_out, _boxes_in),
    "Contours": (_contours_out, _contours_in),
    "Mesh": (_mesh_out, _mesh_in),
    "Signal": (_signal_out, _signal_in),
    "Raw": (_raw_out, _raw_in),
    "Features": (_features_out, _features_in),
    "Scores": (_scores_out, _scores_in),
    "Prediction": (_prediction_out, _prediction_in),
    "Affine": (lambda v, s: {"values": s.array(v.values)}, lambda f, s, p: Affine(s.array(f["values"]), p)),
    "Identity": (lambda v, s: {}, lambda f, s, p: Identity()),
    "Displacement": (
        _displacement_out,
        lambda f, s, p: Displacement(s.array(f["vectors"]), Geometry.from_dict(f["geometry"]), p),
    ),
    "_InverseDisplacement": (
        lambda v, s: {"forward": encode(v.forward, s)},
        lambda f, s, p: decode(f["forward"], s).inverse(),
    ),
    "Chain": (lambda v, s: {"links": [encode(link, s) for link in v.links]}, _chain_in),
}


def encode(value: Any, sink: Sink) -> Fields:
    """Describe a value: its type, its fields, where it came from; its arrays go into the sink.

    Raises
    ------
    UnsupportedError
        If the value is neither a noun, nor a tuple or mapping of such, nor a plain value.
    """
    name = type(value).__name__
    if name in _CODECS and type(value).__module__.startswith("isocenter.core."):
        fields = _CODECS[name][0](value, sink)
        return {"type": name, "fields": fields, "provenance": value.provenance.to_dict()}
    if isinstance(value, tuple | list):
        return {"type": "tuple", "values": [encode(v, sink) for v in value]}
    if isinstance(value, Mapping):
        return {"type": "mapping", "values": [[str(k), encode(v, sink)] for k, v in value.items()]}
    return {"type": "plain", "value": _plain(value)}


def decode(record: Fields, source: Source) -> Any:
    """Return the value that `encode` described.

    Raises
    ------
    LookupError, TypeError, ValueError
        If the description is damaged: the nouns check themselves.
    """
    kind = record["type"]
    if kind == "tuple":
        return tuple(decode(v, source) for v in record["values"])
    if kind == "mapping":
        return {k: decode(v, source) for k, v in record["values"]}
    if kind == "plain":
        return _unplain(record["value"])
    return _CODECS[kind][1](record["fields"], source, Provenance.from_dict(record["provenance"]))


def digest_of(value: Any) -> str:
    """Return the digest of any value that can be stored: a noun's own, or that of a tuple, mapping or plain value."""
    if isinstance(value, tuple | list):
        return digest_json(["tuple", *[digest_of(v) for v in value]])
    if isinstance(value, Mapping) and not isinstance(value, Scores):
        return digest_json(["mapping", *[[str(k), digest_of(v)] for k, v in value.items()]])
    found = getattr(value, "digest", None)
    return found if isinstance(found, str) else digest_json(["plain", _plain(value)])
