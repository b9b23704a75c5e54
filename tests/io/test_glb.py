"""GLB files: re-read with trimesh, the right way up, in metres, the same every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from isocenter.core.errors import ContentError, UnsupportedError, WriteError
from isocenter.core.points import Mesh
from isocenter.io import seam
from isocenter.io.glb import TO_GLTF, write_meshes


def box(size: tuple[float, float, float], at: tuple[float, float, float], **fields: object) -> Mesh:
    shape = trimesh.creation.box(size)
    return Mesh(shape.vertices + np.array(at), shape.faces, **fields)  # type: ignore[arg-type]  # name, color


def test_trimesh_reads_it_in_metres_and_upright(tmp_path: Path) -> None:
    # 10 mm wide (L), 20 deep (P), 40 high (S), lying to the left, behind and above the origin
    mesh = box((10, 20, 40), (100, 200, 300), name="left lung", color=(255, 0, 0))
    write_meshes([mesh, box((1, 1, 1), (0, 0, 0), name="bone")], tmp_path / "a.glb")
    scene = trimesh.load_scene(tmp_path / "a.glb")
    assert set(scene.geometry) == {"left lung", "bone"}
    read = scene.geometry["left lung"]
    np.testing.assert_allclose(read.extents, (0.010, 0.040, 0.020), atol=1e-6)  # x = L, y = S, z = A
    np.testing.assert_allclose(read.bounds.mean(axis=0), (0.100, 0.300, -0.200), atol=1e-6)
    assert read.is_watertight
    assert read.volume == pytest.approx(10 * 20 * 40 * 1e-9, rel=1e-4)  # positive: faces still turn outwards
    np.testing.assert_allclose(read.vertices @ np.linalg.inv(TO_GLTF).T, mesh.vertices, atol=1e-3)
    assert tuple(read.visual.material.baseColorFactor[:3]) in ((255, 0, 0), (1.0, 0.0, 0.0))
    normals = np.asarray(read.vertex_normals)
    assert ((normals * (read.vertices - read.bounds.mean(axis=0))).sum(axis=1) > 0).all()


def test_equal_meshes_give_equal_files(tmp_path: Path) -> None:
    for name in ("a.glb", "b.glb"):
        write_meshes([box((1, 2, 3), (4, 5, 6))], tmp_path / name)
    assert (tmp_path / "a.glb").read_bytes() == (tmp_path / "b.glb").read_bytes()


def test_what_is_no_mesh(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError):
        write_meshes([box((1, 1, 1), (0, 0, 0))], tmp_path / "a.stl")
    with pytest.raises(UnsupportedError):
        write_meshes([object()], tmp_path / "a.glb")  # type: ignore[list-item]  # what the test is about
    with pytest.raises(ContentError):
        write_meshes([Mesh(np.zeros((0, 3)), np.zeros((0, 3), np.int64))], tmp_path / "a.glb")
    assert list(tmp_path.iterdir()) == []


def test_names_from_files_stay_names(tmp_path: Path) -> None:
    write_meshes([box((1, 1, 1), (0, 0, 0), name='a"\n\x1b<b>')], tmp_path / "a.glb")
    assert list(trimesh.load_scene(tmp_path / "a.glb").geometry) == ['a" <b>']


def test_a_fault_at_any_step_leaves_nothing(tmp_path: Path) -> None:
    mesh = box((1, 1, 1), (0, 0, 0))
    with seam.counting() as taken:
        write_meshes([mesh], tmp_path / "a.glb")
    (tmp_path / "a.glb").unlink()
    for nth in range(1, len(taken)):
        with seam.failing(nth), pytest.raises(WriteError):
            write_meshes([mesh], tmp_path / "a.glb")
        assert list(tmp_path.iterdir()) == []
