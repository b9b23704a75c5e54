"""Every noun goes into one file and comes back digest-equal; anything that changed on the way is found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isocenter.core.codes import Code
from isocenter.core.errors import FormatError, IsocenterError, MissingInputError, UnsupportedError, WriteError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack, Segment
from isocenter.core.points import Boxes, Contour, Contours, Mesh, Points
from isocenter.core.provenance import Provenance, Source, StepRecord
from isocenter.core.raw import Raw
from isocenter.core.results import Column, Features, Prediction, Score, Scores
from isocenter.core.signal import Signal
from isocenter.core.transform import Affine, Chain, Displacement, Identity
from isocenter.io import seam, store

RNG = np.random.default_rng(3)
AFFINE = np.array([[0.1, 0.2, 0.9, 5.5], [0.3, 1.1, 0.0, -7.25], [2.5, 0.0, 0.1, 1 / 3], [0, 0, 0, 1]])
GRID = Geometry((3, 4, 5), AFFINE, "1.2.3")
ORIGIN = Provenance(
    (Source("sha256:ab", "dicom", ("a note",)),),
    (StepRecord("denoise.median", "1", {"radius": 2, "weights": [0.1, None]}, ("sha256:cd",), 7, ("flag",)),),
)
VOLUME = RNG.normal(size=(3, 4, 5)).astype(np.float32)
LABELS = RNG.integers(0, 3, (3, 4, 5)).astype(np.uint8)
TABLE = (Segment(1, "gtv"), Segment(2, "Grüße, <b>x</b>", Code("1", "99X", "odd"), color=(1, 2, 3)))
FIELD = Displacement(RNG.normal(size=(3, 4, 5, 3)).astype(np.float32) * 0.1, GRID, ORIGIN)
MATRIX = Affine.rotation((1, 2, 3), 20.0)

NOUNS: dict[str, Any] = {
    "image": Image(VOLUME, ("z", "y", "x"), GRID, modality="CT", quantity="HU", provenance=ORIGIN),
    "image_4d": Image(
        RNG.integers(-9, 9, (2, 3, 3, 4, 5)).astype(np.int16),
        ("t", "c", "z", "y", "x"),
        GRID,
        times=(0.0, 1.5),
        channels=("r", "g", "b"),
    ),
    "image_px": Image(np.zeros((2, 3), ">u2") + 513, ("y", "x"), Geometry.pixels((2, 3))),
    "image_nan": Image(np.array([[np.nan, np.inf, -0.0]]), ("y", "x"), Geometry.regular((1, 3))),
    "image_strided": Image(VOLUME[::-1, :, ::-1], ("z", "y", "x"), GRID),
    "image_bool": Image(LABELS > 0, ("z", "y", "x"), GRID),
    "label_map": LabelMap(LABELS, ("z", "y", "x"), GRID, TABLE, provenance=ORIGIN),
    "mask_stack": MaskStack(np.stack([LABELS > 0, LABELS > 1]), ("z", "y", "x"), GRID, TABLE, ORIGIN),
    "points": Points(RNG.normal(size=(4, 3)), ("a", "b", "c", "d"), np.arange(4.0), "1.2", ORIGIN),
    "points_empty": Points(np.zeros((0, 3))),
    "boxes": Boxes(np.array([[[0.0, 0, 0], [1, 2, 3]]]), ("lesion",), np.array([0.5]), None, ORIGIN),
    "oblique boxes": Boxes(np.array([[[0.0, 0, 0], [7, 7, 7]]]), corners=np.arange(24.0).reshape(1, 8, 3) % 8),
    "contours": Contours(
        "GTV", (Contour(RNG.normal(size=(5, 3))), Contour(RNG.normal(size=(2, 3)), False)), (9, 8, 7), "1.2", ORIGIN
    ),
    "contours_empty": Contours("none", ()),
    "mesh": Mesh(RNG.normal(size=(4, 3)), np.array([[0, 1, 2], [0, 2, 3]]), "lung", (1, 2, 3), "1.2", ORIGIN),
    "signal": Signal(RNG.normal(size=(2, 100)), 256.0, ("Fz", "Cz"), "uV", -0.5, ORIGIN),
    "raw": Raw(
        RNG.normal(size=(2, 8)) + 1j,
        "sinogram",
        ("angle", "detector"),
        {"angles": np.array([0.0, 90.0]), "detector_spacing": 1.5, "note": {"deep": [1, 2]}},
        GRID,
        "CT",
        ORIGIN,
    ),
    "features": Features(
        (Column("volume", "mm^3", "IBSI:RNU0", "how much"), Column("kind", ""), Column("n")),
        ((1.5, "text", 3), (float("nan"), "", np.int64(4)), (float("-inf"), None, True)),
        ("a", "b", "c"),
        ORIGIN,
    ),
    "scores": Scores({"dice": Score(0.9, "1", (0.8, 0.95), 12), "hd": Score(float("inf"), "mm")}, ORIGIN),
    "prediction": Prediction(("a", "b"), (0.25, 0.75), provenance=ORIGIN),
    "regression": Prediction(value=np.pi, unit="years"),
    "affine": Affine(MATRIX.values, ORIGIN),
    "identity": Identity(),
    "displacement": FIELD,
    "inverse": FIELD.inverse(),
    "chain": Chain((MATRIX, FIELD, Affine.translation((1, 2, 3))), ORIGIN),
    "structures": (Contours("a", (Contour(np.eye(3)),)), Contours("b", ())),
    "mapping": {"ct": Image(VOLUME, ("z", "y", "x"), GRID), "note": "text", "n": 3, "x": float("nan")},
}


@pytest.mark.parametrize("name", NOUNS)
def test_round_trip(name: str, tmp_path: Path) -> None:
    value = NOUNS[name]
    path = tmp_path / f"value{store.SUFFIX}"
    digest = store.save(value, path)
    again = store.load(path)
    assert type(again) is type(value)
    assert store.digest_of(again) == digest == store.digest_of(value)
    assert store.peek(path)["digest"] == digest
    if hasattr(value, "provenance"):
        assert again.provenance == value.provenance
    if isinstance(value, Image | MaskStack):
        np.testing.assert_array_equal(again.array, value.array)
        assert again.array.flags.writeable is False
        assert again.dims == value.dims
        assert again.geometry == value.geometry
    if isinstance(value, Image):
        assert again.dtype == value.dtype.newbyteorder("=")
    second = tmp_path / "second"
    store.save(again, second)
    assert second.read_bytes() == path.read_bytes()


def test_fields_outside_the_digest_come_back(tmp_path: Path) -> None:
    store.save(NOUNS["mesh"], tmp_path / "a")
    assert store.load(tmp_path / "a").color == (1, 2, 3)
    store.save(NOUNS["features"], tmp_path / "b")
    table = store.load(tmp_path / "b")
    assert table.columns == NOUNS["features"].columns
    assert np.isnan(table["b", "volume"])
    assert table["c", "n"] is True
    store.save(NOUNS["label_map"], tmp_path / "c")
    assert store.load(tmp_path / "c").segments == TABLE


@pytest.mark.parametrize("name", ["image", "mask_stack", "features", "chain"])
def test_every_flipped_byte_is_found(name: str, tmp_path: Path) -> None:
    path = tmp_path / "value"
    store.save(NOUNS[name], path)
    data = path.read_bytes()
    header = int.from_bytes(data[len(store.MAGIC) : len(store.MAGIC) + 8], "little") + len(store.MAGIC) + 40
    places = [0, 20, 30, *range(60, header, 97)]
    # Padding means nothing; the last byte belongs to the last array where there is one.
    places += [len(data) - 1] if len(data) > header else [header - 1]
    for place in places:
        broken = bytearray(data)
        broken[place] ^= 0x41
        path.write_bytes(broken)
        with pytest.raises(FormatError, match="expected a whole isocenter store file"):
            store.load(path)


@pytest.mark.parametrize("keep", [0, 5, 40, 200, -1])
def test_a_truncated_file_is_refused(keep: int, tmp_path: Path) -> None:
    path = tmp_path / "value"
    store.save(NOUNS["image"], path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(FormatError):
        store.load(path)


def test_a_missing_file_and_an_odd_value(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError):
        store.load(tmp_path / "none")
    with pytest.raises(UnsupportedError):
        store.save(object(), tmp_path / "odd")
    with pytest.raises(IsocenterError):
        store.save(Image(np.array([[object()]]), ("y", "x"), Geometry.pixels((1, 1))), tmp_path / "odd")
    assert list(tmp_path.iterdir()) == []


def test_a_fault_at_any_step_keeps_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "value"
    store.save(NOUNS["points"], path)
    before = path.read_bytes()
    with seam.counting() as taken:
        store.save(NOUNS["image"], tmp_path / "count")
    (tmp_path / "count").unlink()
    for nth in range(1, len(taken)):  # the last step follows the rename
        with seam.failing(nth), pytest.raises(WriteError):
            store.save(NOUNS["image"], path)
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]
