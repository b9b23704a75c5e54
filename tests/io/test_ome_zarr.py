"""OME-Zarr 0.4 and 0.5: round trips on every grid, files of others restated by hand, pyramids, and hostile hierarchies."""

from __future__ import annotations

import gzip
import itertools
import json
import shutil
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isocenter.core.errors import FormatError, InputError, MissingExtraError, UnsupportedError, WriteError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack, Segment
from isocenter.core.pyramid import Level, Pyramid
from isocenter.io import door, ome_zarr, seam
from isocenter.io.budget import Budget
from isocenter.io.zarr_codecs import crc32c

RNG = np.random.default_rng(3)
VERSIONS = ("0.4", "0.5")


def grid(shape: tuple[int, ...], tilt: float = 0.3) -> Geometry:
    """Return an oblique, sheared grid."""
    affine = np.zeros((4, len(shape) + 1))
    turn = np.array([[0.1, 0.9, -0.4], [-0.2, 0.4, 0.9], [0.97, tilt, 0.15]])
    affine[:3, : len(shape)] = turn[:, : len(shape)] * np.array([2.5, 0.7, 0.9])[: len(shape)]
    affine[:3, -1], affine[3, -1] = (-120.5, 33.25, 870.0), 1.0
    return Geometry(shape, affine)


def described(folder: Path, shape: tuple[int, ...], axes: list[dict[str, Any]], scale: list[float], **more: Any) -> Path:
    """Write the metadata of a 0.4 image as other programs do: one level of uint8 in one chunk, nothing of ours."""
    (folder / "0").mkdir(parents=True)
    levels = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}]
    rows = {"multiscales": [{"version": "0.4", "axes": axes, "datasets": levels}], **more.pop("attributes", {})}
    node = {
        "zarr_format": 2, "shape": list(shape), "chunks": list(shape), "dtype": "|u1", "order": "C", "filters": None,
        "fill_value": 7, "compressor": None, **more,
    }  # fmt: skip
    (folder / ".zgroup").write_text('{"zarr_format": 2}')
    (folder / ".zattrs").write_text(json.dumps(rows))
    (folder / "0" / ".zarray").write_text(json.dumps(node))
    return folder


SPACE = [{"name": d, "type": "space", "unit": "micrometer"} for d in "zyx"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("dims", "shape", "dtype"),
    [
        ("zyx", (5, 40, 33), "<i2"),
        ("tczyx", (2, 3, 4, 5, 6), "<f4"),
        ("yx", (1100, 30), "|u1"),
        ("tzyx", (3, 35, 6, 7), ">u2"),
        ("zyx", (1, 4, 5), "<f8"),
    ],
)
def test_round_trip(tmp_path: Path, version: Any, dims: str, shape: tuple[int, ...], dtype: str) -> None:
    array = (RNG.normal(size=shape) * 100 + 128).astype(dtype)
    names = {"c": ("a", "b", "c")} if "c" in dims else {}
    times = tuple(0.5 + 2.0 * k for k in range(shape[0])) if "t" in dims else None
    spatial = tuple(n for n, d in zip(shape, dims, strict=True) if d in "zyx")
    image = Image(array, tuple(dims), grid(spatial), modality="MR", quantity="a.u.", channels=names.get("c"), times=times)
    path = tmp_path / "a.ome.zarr"
    ome_zarr.write(image, path, version)
    again = door.read(path)
    assert np.array_equal(again.array, image.array) and again.dtype == image.dtype.newbyteorder("=")
    assert (again.dims, again.modality, again.quantity, again.channels, again.times) == (
        image.dims,
        "MR",
        "a.u.",
        image.channels,
        times,
    )
    assert again.geometry == image.geometry


@pytest.mark.parametrize("version", VERSIONS)
def test_labels_and_overlapping_masks_round_trip(tmp_path: Path, version: Any) -> None:
    array = RNG.integers(0, 3, (4, 5, 6)).astype(np.uint8)
    labels = LabelMap(array, ("z", "y", "x"), grid((4, 5, 6)), (Segment(1, "liver"), Segment(2, "tumour", color=(1, 2, 3))))
    ome_zarr.write(labels, tmp_path / "seg.ome.zarr", version)
    again = door.read_labels(tmp_path / "seg.ome.zarr")
    assert isinstance(again, LabelMap) and np.array_equal(again.array, array) and again.segments == labels.segments
    masks = MaskStack(np.stack([array > 0, array > 1]), ("z", "y", "x"), grid((4, 5, 6)), (Segment(1, "a"), Segment(2, "b")))
    ome_zarr.write(masks, tmp_path / "m.ome.zarr", version)
    back = door.read_labels(tmp_path / "m.ome.zarr")
    assert isinstance(back, MaskStack) and np.array_equal(back.array, masks.array) and back.geometry == masks.geometry


@pytest.mark.parametrize("version", VERSIONS)
def test_equal_images_give_equal_files(tmp_path: Path, version: Any) -> None:
    image = Image(np.arange(60.0).reshape(3, 4, 5), ("z", "y", "x"), grid((3, 4, 5)))
    for name in "ab":
        ome_zarr.write(image, tmp_path / f"{name}.zarr", version)
    one, two = ([p.read_bytes() for p in sorted((tmp_path / f"{n}.zarr").rglob("*")) if p.is_file()] for n in "ab")
    assert one == two and len(one) >= 3


def test_scale_and_translation_are_what_others_read(tmp_path: Path) -> None:
    image = Image(
        np.zeros((3, 4, 5), np.uint8), ("z", "y", "x"), Geometry.regular((3, 4, 5), (3.0, 0.5, 0.25), (10.0, 20.0, 30.0))
    )
    for version, name in (("0.4", ".zattrs"), ("0.5", "zarr.json")):
        path = tmp_path / f"{version}.ome.zarr"
        ome_zarr.write(image, path, version)  # type: ignore[arg-type] # one of the two literals
        found = json.loads((path / name).read_text())
        (scale,) = (found["attributes"]["ome"] if version == "0.5" else found)["multiscales"]
        assert [a["unit"] for a in scale["axes"]] == ["millimeter"] * 3
        steps, start = scale["datasets"][0]["coordinateTransformations"]
        assert steps["scale"] == [3.0, 0.5, 0.25]
        assert start["translation"] == pytest.approx([30.0, 20.0, 10.0])


# -- files of others --------------------------------------------------------------------------------------


def test_units_and_transforms_become_millimetres(tmp_path: Path) -> None:
    levels = [{"type": "scale", "scale": [1, 2, 2]}, {"type": "translation", "translation": [0, 10, 20]}]
    folder = described(tmp_path / "a.zarr", (2, 3, 4), SPACE, [1, 1, 1], dimension_separator="/")
    rows = json.loads((folder / ".zattrs").read_text())
    rows["multiscales"][0]["datasets"][0]["coordinateTransformations"] = levels
    rows["multiscales"][0]["coordinateTransformations"] = [{"type": "scale", "scale": [500, 100, 100]}]
    (folder / ".zattrs").write_text(json.dumps(rows))
    (folder / "0" / "0" / "0").mkdir(parents=True)
    (folder / "0" / "0" / "0" / "0").write_bytes(bytes(range(24)))
    image = door.read(folder)
    assert image.geometry.spacing == pytest.approx((0.5, 0.2, 0.2))
    assert image.geometry.origin == pytest.approx((2.0, 1.0, 0.0))
    assert image.array[1, 2, 3] == 23
    assert any("Left and right may be exchanged" in note for note in image.provenance.notes)


def test_stated_orientation_is_followed(tmp_path: Path) -> None:
    way = {"z": "superior-to-inferior", "y": "left-to-right", "x": "anterior-to-posterior"}
    axes = [{**a, "orientation": {"type": "anatomical", "value": way[a["name"]]}} for a in SPACE]
    folder = described(tmp_path / "a.zarr", (2, 3, 4), axes, [1000, 1000, 1000])
    (folder / "0" / "0.0.0").write_bytes(bytes(24))
    image = door.read(folder)
    assert image.geometry.orientation == "IRP"
    assert not image.provenance.notes


def test_times_channels_and_single_axes(tmp_path: Path) -> None:
    axes = [{"name": "t", "type": "time", "unit": "millisecond"}, {"name": "c", "type": "channel"}, *SPACE[:1], *SPACE[1:]]
    named = {"omero": {"channels": [{"label": "DAPI"}, {"label": "GFP"}]}}
    folder = described(tmp_path / "a.zarr", (3, 2, 1, 2, 2), axes, [250, 1, 1, 1, 1], attributes=named)
    (folder / "0" / "0.0.0.0.0").write_bytes(bytes(24))
    image = door.read(folder)
    assert (image.dims, image.times, image.channels) == (("t", "c", "z", "y", "x"), (0.0, 0.25, 0.5), ("DAPI", "GFP"))


def test_unstated_units_leave_pixels(tmp_path: Path) -> None:
    folder = described(tmp_path / "a.zarr", (3, 4), [{"name": "y", "type": "space"}, {"name": "x", "type": "space"}], [2, 2])
    (folder / "0" / "0.0").write_bytes(bytes(12))
    assert door.read(folder).geometry.unit == "px"


def test_missing_chunks_hold_the_fill_value_and_are_told(tmp_path: Path) -> None:
    folder = described(tmp_path / "a.zarr", (4, 4, 4), SPACE, [1, 1, 1], chunks=[2, 4, 4])
    (folder / "0" / "1.0.0").write_bytes(bytes(32))
    (item,) = door.inspect(folder).items
    assert any("1 of 2 chunks are not stored" in p.text for p in item.problems)
    assert item.load().array[:, 0, 0].tolist() == [7, 7, 0, 0]


@pytest.mark.parametrize("codec", ["zlib", "gzip", "bz2", "lzma", "zstd", "blosc", "lz4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_codecs(tmp_path: Path, codec: str, order: str) -> None:
    import bz2
    import lzma

    array = RNG.integers(0, 9, (6, 7, 8)).astype(np.uint8)
    raw = array.tobytes(order=order)  # type: ignore[arg-type] # one of the two letters
    packers: dict[str, Any] = {"zlib": zlib.compress, "gzip": gzip.compress, "bz2": bz2.compress, "lzma": lzma.compress}
    if codec not in packers:
        library = pytest.importorskip("imagecodecs", reason="imagecodecs packs and unpacks this codec")
        packers = {
            "zstd": library.zstd_encode,
            "blosc": lambda b: library.blosc_encode(b, typesize=1),
            "lz4": lambda b: library.lz4_encode(b, header=True),
        }
    folder = described(tmp_path / "a.zarr", (6, 7, 8), SPACE, [1, 1, 1], compressor={"id": codec}, order=order)
    chunk = folder / "0" / "0.0.0"
    chunk.write_bytes(packers[codec](raw))
    assert np.array_equal(door.read(folder).array, array)
    for broken in (chunk.read_bytes()[:-9], b"\xff" * 40, packers[codec](raw + b"0" * 100000), packers[codec](raw[:-1])):
        chunk.write_bytes(broken)
        with pytest.raises(FormatError):
            door.read(folder)


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "imagecodecs", None)
    folder = described(tmp_path / "a.zarr", (2, 3, 4), SPACE, [1, 1, 1], compressor={"id": "blosc"})
    (folder / "0" / "0.0.0").write_bytes(b"\2\1\0\1" + (24).to_bytes(4, "little") * 2 + (40).to_bytes(4, "little") + bytes(24))
    with pytest.raises(MissingExtraError, match=r"isocenter\[wsi\]"):
        door.inspect(folder).items[0].load()


@pytest.mark.parametrize("place", ["start", "end"])
def test_shards(tmp_path: Path, place: str) -> None:
    array = RNG.integers(0, 999, (5, 8, 8)).astype(">u2")
    image = Image(np.zeros((5, 8, 8), np.uint16), ("z", "y", "x"), Geometry.regular((5, 8, 8), 2.0))
    folder = tmp_path / "a.ome.zarr"
    ome_zarr.write(image, folder, "0.5")
    node = json.loads((folder / "0" / "zarr.json").read_text())
    node["chunk_grid"]["configuration"]["chunk_shape"] = [4, 8, 8]
    inside = [
        {"name": "transpose", "configuration": {"order": [2, 0, 1]}},
        {"name": "bytes", "configuration": {"endian": "big"}},
        {"name": "gzip"},
    ]
    settings = {"chunk_shape": [2, 4, 8], "codecs": [*inside, {"name": "crc32c"}], "index_location": place}
    settings["index_codecs"] = [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}]
    node["codecs"] = [{"name": "sharding_indexed", "configuration": settings}]
    (folder / "0" / "zarr.json").write_text(json.dumps(node))
    shutil.rmtree(folder / "0" / "c")
    full = np.zeros((8, 8, 8), ">u2")
    full[:5] = array
    for shard in range(2):
        index, data = b"", b""
        for a, b in itertools.product(range(2), range(2)):
            piece = full[shard * 4 + a * 2 :][:2, b * 4 : b * 4 + 4]
            packed = gzip.compress(np.ascontiguousarray(piece.transpose(2, 0, 1)).tobytes())
            packed += crc32c(packed).to_bytes(4, "little")
            at = len(data) + (68 if place == "start" else 0)
            empty = shard == 1 and a == 1
            index += b"\xff" * 16 if empty else at.to_bytes(8, "little") + len(packed).to_bytes(8, "little")
            data += b"" if empty else packed
        index += crc32c(index).to_bytes(4, "little")
        path = folder / "0" / "c" / str(shard) / "0" / "0"
        path.parent.mkdir(parents=True)
        path.write_bytes(index + data if place == "start" else data + index)
    assert np.array_equal(door.read(folder).array, array)
    damaged = bytearray(path.read_bytes())
    damaged[3 if place == "start" else -60] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(FormatError, match="check sum"):
        door.read(folder)


def test_check_sum_of_the_standard() -> None:
    assert crc32c(b"123456789") == 0xE3069283


def test_labels_within_an_image_join_its_case(tmp_path: Path) -> None:
    image = Image(np.zeros((2, 6, 7), np.int16), ("z", "y", "x"), grid((2, 6, 7)), modality="CT")
    ome_zarr.write(image, tmp_path / "a.ome.zarr")
    labels = LabelMap(np.eye(7, dtype=np.uint8)[None, :6].repeat(2, 0), image.dims, image.geometry, (Segment(1, "cells"),))
    ome_zarr.write(labels, tmp_path / "b.ome.zarr")
    (tmp_path / "a.ome.zarr" / "labels").mkdir()
    (tmp_path / "a.ome.zarr" / "labels" / ".zgroup").write_text('{"zarr_format": 2}')
    shutil.move(tmp_path / "b.ome.zarr", tmp_path / "a.ome.zarr" / "labels" / "nuclei")
    study = door.read_study(tmp_path)
    assert set(study.slots) == {"image", "nuclei"} and study["nuclei"].segments[0].name == "cells"


def test_archives_of_a_hierarchy(tmp_path: Path) -> None:
    image = Image(RNG.normal(size=(2, 6, 7)), ("z", "y", "x"), grid((2, 6, 7)))
    for version in VERSIONS:
        (tmp_path / "in").mkdir()
        ome_zarr.write(image, tmp_path / "in" / "a.ome.zarr", version)  # type: ignore[arg-type] # one of the two literals
        packed = shutil.make_archive(str(tmp_path / version), "zip", tmp_path / "in")
        assert np.array_equal(door.read(packed).array, image.array)
        shutil.rmtree(tmp_path / "in")


# -- pyramids ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_levels_become_a_pyramid(tmp_path: Path, version: Any) -> None:
    fine = RNG.integers(0, 255, (3, 600, 500)).astype(np.uint8)
    coarse = fine[:, ::2, ::2]
    first = Geometry.regular((600, 500), (0.0005, 0.00025), (1.0, 2.0, 3.0))
    second = Geometry.regular((300, 250), (0.001, 0.0005), (1.0, 2.0, 3.0))

    def reader(array: Any) -> Any:
        return lambda r: array[:, r[0][0] : r[0][1], r[1][0] : r[1][1]]

    levels = tuple(Level(g, reader(a)) for g, a in ((first, fine), (second, coarse)))
    path = tmp_path / "s.ome.zarr"
    ome_zarr.write(Pyramid(levels, ("c", "y", "x"), "SM", None, ("red", "green", "blue")), path, version)
    (item,) = door.inspect(path).items
    assert item.kind == "pyramid" and item.attributes["levels"] == 2
    pyramid = item.load()
    assert isinstance(pyramid, Pyramid) and pyramid.mpp == pytest.approx((0.25, 0.5))
    assert pyramid.levels[0].geometry == first
    assert pyramid.levels[1].geometry.matches(second, 1e-9)
    part = pyramid.region(((100, 220), (40, 90)), level=1)
    assert np.array_equal(part.array, coarse[:, 50:110, 20:45]) and part.channels == ("red", "green", "blue")
    assert np.array_equal(door.read(path).array, fine)


# -- hostile ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"shape": [10**6] * 3}, "budget"),
        ({"shape": [2**52, 2, 2]}, "budget"),
        ({"shape": [1, 2**31, 1], "chunks": [1, 1, 1]}, "budget"),
        ({"chunks": [1 << 40, 1, 1]}, "budget"),
        ({"shape": [-1, 3, 4]}, "format"),
        ({"shape": [2, 3, 4, 5, 6, 7, 8, 9, 10]}, "format"),
        ({"shape": ["2", 3, 4]}, "format"),
        ({"shape": [0, 3, 4]}, "format"),
        ({"chunks": [0, 3, 4]}, "format"),
        ({"dtype": "|O"}, "unsupported"),
        ({"dtype": "<c8"}, "unsupported"),
        ({"dtype": "<u9"}, "unsupported"),
        ({"filters": [{"id": "pickle"}]}, "unsupported"),
        ({"compressor": {"id": "pickle"}}, "unsupported"),
        ({"fill_value": 300}, "format"),
        ({"fill_value": "0xzz"}, "format"),
        ({"zarr_format": 9}, "format"),
    ],
)
def test_hostile_arrays_are_refused_from_their_description(tmp_path: Path, change: dict[str, Any], kind: str) -> None:
    folder = described(tmp_path / "a.zarr", (2, 3, 4), SPACE, [1, 1, 1])
    node = json.loads((folder / "0" / ".zarray").read_text())
    (folder / "0" / ".zarray").write_text(json.dumps(node | change))
    found = door.inspect(folder, budget=Budget(max_bytes=1 << 30))
    assert not found.items and [r.kind for r in found.refusals] == [kind], found.refusals


@pytest.mark.parametrize("name", ["../secret", "/etc", "0/../../x", "", ".", "link", "a\0b", 3, None])
def test_levels_never_lead_out(tmp_path: Path, name: Any) -> None:
    folder = described(tmp_path / "a.zarr", (2, 3, 4), SPACE, [1, 1, 1])
    (folder / "link").symlink_to(folder / "0", target_is_directory=True)
    rows = json.loads((folder / ".zattrs").read_text())
    rows["multiscales"][0]["datasets"][0]["path"] = name
    (folder / ".zattrs").write_text(json.dumps(rows))
    (refusal,) = door.inspect(folder).refusals
    assert "name" in refusal.reason or "leads out" in refusal.reason


@pytest.mark.parametrize(
    "text",
    ["[" * 100000, "{}", "[]", '{"multiscales": 3}', '{"multiscales": [{"axes": [1, 2]}]}', "\xff", '{"multiscales": [{"axes": null}]}',
     '{"multiscales": [{"axes": [{"name": "y"}, {"name": "y"}], "datasets": [{"path": "0"}]}]}',
     '{"multiscales": [{"axes": [{"name": "z"}, {"name": "y"}, {"name": "x"}], "datasets": [{"path": "0", "coordinateTransformations": '
     '[{"type": "scale", "scale": [1, 0, NaN]}]}]}]}'],
)  # fmt: skip
def test_hostile_attributes_are_refused(tmp_path: Path, text: str) -> None:
    folder = described(tmp_path / "a.zarr", (2, 3, 4), SPACE, [1, 1, 1])
    (folder / ".zattrs").write_text(text)
    found = door.inspect(folder)
    assert not found.items and len(found.refusals) == 1
    assert "damaged (" not in found.refusals[0].reason


def test_links_and_huge_chunks_are_refused(tmp_path: Path) -> None:
    folder = described(tmp_path / "a.zarr", (2, 3, 4), SPACE, [1, 1, 1])
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(24))
    (folder / "0" / "0.0.0").symlink_to(secret)
    with pytest.raises(InputError):
        door.read(folder)
    (folder / "0" / "0.0.0").unlink()
    (folder / "0" / "0.0.0").write_bytes(bytes(1 << 20))
    with pytest.raises(FormatError, match="expected at most"):
        door.read(folder)


def test_a_sparse_bomb_is_refused(tmp_path: Path) -> None:
    folder = described(tmp_path / "a.zarr", (512, 1024, 1024), SPACE, [1, 1, 1], chunks=[64, 1024, 1024])
    (refusal,) = door.inspect(folder).refusals
    assert refusal.kind == "budget" and "bomb" in refusal.reason


# -- writing ----------------------------------------------------------------------------------------------


def test_a_failed_write_leaves_the_earlier_hierarchy(tmp_path: Path) -> None:
    old = Image(np.zeros((2, 3, 4), np.uint8), ("z", "y", "x"), grid((2, 3, 4)))
    new = old.replace(array=np.ones((2, 3, 4), np.uint8))
    path = tmp_path / "a.zarr"
    ome_zarr.write(old, path)
    with seam.counting() as steps:
        ome_zarr.write(old, tmp_path / "b.zarr")
    for nth in range(1, len(steps) + 1):
        with seam.failing(nth), pytest.raises(WriteError):
            ome_zarr.write(new, path)
        assert np.array_equal(door.read(path).array, old.array), steps[nth - 1]
        assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zarr", "b.zarr"]
    ome_zarr.write(new, path)
    assert np.array_equal(door.read(path).array, new.array)


def test_nothing_else_is_replaced(tmp_path: Path) -> None:
    image = Image(np.zeros((3, 4), np.uint8), ("y", "x"), Geometry.pixels((3, 4)))
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / "thesis.txt").write_text("years of work")
    with pytest.raises(WriteError, match="no Zarr hierarchy"):
        door.write(image, tmp_path / "a.zarr")
    assert (tmp_path / "a.zarr" / "thesis.txt").exists()
    with pytest.raises(UnsupportedError):
        door.write(image.replace(array=np.zeros((3, 4), np.complex64)), tmp_path / "b.zarr")
