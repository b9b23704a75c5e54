"""Meshes as GLB (binary glTF 2.0): opens on a phone, in a browser, in Blender and in Slicer.

glTF counts in metres with y up and +z towards the viewer; the patient stands upright and faces the viewer:
L becomes +x, S becomes +y and A becomes +z. A reader gets back LPS millimetres by the inverse.

References
----------
Khronos Group, glTF 2.0 Specification, sections 3.4 (coordinates and units) and 4 (GLB).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, UnsupportedError
from isocenter.core.points import Mesh
from isocenter.io import atomic
from isocenter.io.text import one_line

__all__ = ["TO_GLTF", "write_meshes"]

#: Rows give glTF's x, y, z in metres from L, P, S in mm.
TO_GLTF = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]) * 1e-3
FLOAT, UINT = 5126, 5125
VERTICES, INDICES = 34962, 34963


def _normals(vertices: npt.NDArray[np.float64], faces: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Return unit vertex normals, each the mean of its faces' normals weighted by their area."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    crosses = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices)
    for k in range(3):
        for axis in range(3):
            normals[:, axis] += np.bincount(faces[:, k], crosses[:, axis], len(vertices))
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    unit = np.divide(normals, length, out=np.tile([0.0, 0.0, 1.0], (len(vertices), 1)), where=length > 0)
    return unit.astype(np.float32)


class _Buffer:
    """The binary part of a file, with its views and accessors."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(self, array: npt.NDArray[Any], kind: str, component: int, target: int, bounds: bool = False) -> int:
        raw = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False)).tobytes()
        self.views.append({"buffer": 0, "byteOffset": len(self.data), "byteLength": len(raw), "target": target})
        self.data += raw + b"\0" * (-len(raw) % 4)
        accessor: dict[str, Any] = {
            "bufferView": len(self.views) - 1, "componentType": component, "count": len(array), "type": kind,
        }  # fmt: skip
        if bounds:  # required for positions, in the stored precision
            accessor["min"] = [float(v) for v in array.min(axis=0)]
            accessor["max"] = [float(v) for v in array.max(axis=0)]
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def _material(mesh: Mesh) -> dict[str, Any]:
    r, g, b = ((v / 255) for v in (mesh.color or (200, 200, 200)))
    # glTF's base colour is linear light; ours are sRGB.
    linear = [float(round(v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4, 6)) for v in (r, g, b)]
    return {
        "name": one_line(mesh.name, 64),
        "doubleSided": True,
        "pbrMetallicRoughness": {"baseColorFactor": [*linear, 1.0], "metallicFactor": 0.0, "roughnessFactor": 0.6},
    }


def write_meshes(meshes: Sequence[Mesh], path: str | Path) -> None:
    """Write surfaces as one GLB scene, one named node each; equal meshes give equal files.

    Parameters
    ----------
    meshes
        Surfaces in mm (L, P, S).
    path
        Ends in ``.glb``.

    Raises
    ------
    UnsupportedError
        If the suffix is another one, or a value is no mesh.
    ContentError
        If no mesh has a face.
    WriteError
        If the disk refuses.
    """
    target = Path(path)
    if target.suffix.lower() != ".glb":
        raise UnsupportedError(f"{target.name}: meshes are written as .glb: expected that suffix.")
    if not all(isinstance(m, Mesh) for m in meshes):
        raise UnsupportedError(
            f"{target.name}: only meshes go into a GLB file: expected surfaces; make them with reconstruct.surface."
        )
    filled = [mesh for mesh in meshes if len(mesh.faces)]
    if not filled:
        raise ContentError(f"{target.name}: none of the {len(meshes)} meshes has a face: expected a surface to write.")
    buffer = _Buffer()
    shapes, nodes = [], []
    for k, mesh in enumerate(filled):
        positions = mesh.vertices @ TO_GLTF.T
        attributes = {
            "POSITION": buffer.add(positions.astype(np.float32), "VEC3", FLOAT, VERTICES, bounds=True),
            "NORMAL": buffer.add(_normals(positions, mesh.faces), "VEC3", FLOAT, VERTICES),
        }
        indices = buffer.add(mesh.faces.reshape(-1).astype(np.uint32), "SCALAR", UINT, INDICES)
        shapes.append(
            {"name": one_line(mesh.name, 64), "primitives": [{"attributes": attributes, "indices": indices, "material": k}]}
        )
        nodes.append({"name": one_line(mesh.name, 64), "mesh": k})
    document = {
        "asset": {"version": "2.0", "generator": "isocenter"},
        "scene": 0,
        "scenes": [{"nodes": list(range(len(nodes)))}],
        "nodes": nodes,
        "meshes": shapes,
        "materials": [_material(mesh) for mesh in filled],
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": len(buffer.data)}],
    }
    head = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 4)
    total = 12 + 8 + len(head) + 8 + len(buffer.data)
    atomic.write_bytes(
        target,
        struct.pack("<4sII", b"glTF", 2, total) + struct.pack("<I4s", len(head), b"JSON") + head
        + struct.pack("<I4s", len(buffer.data), b"BIN\0") + bytes(buffer.data),
    )  # fmt: skip
