"""Tables of boxes and points."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from isocenter.core.errors import ContentError, FormatError, MissingInputError, SpecError
from isocenter.core.geometry import Geometry
from isocenter.learn.data.labels import infer_task
from isocenter.learn.data.places import read_places
from isocenter.learn.evaluate.detection import box_iou
from isocenter.learn.places.places import Kind, Places, boxes_of, points_of

PICTURE = Geometry.pixels((20, 30))
SLICE = Geometry.regular((20, 30), (2.0, 0.5), (10.0, 20.0, 30.0))
VOLUME = Geometry.regular((8, 20, 30), (2.0, 1.0, 0.5), (10.0, 20.0, 30.0))

#: Name, geometry, what they are, the table, and where the places lie in samples.
GOOD = [
    ("samples", PICTURE, "points", "label,row,column\na,3,4\nb,5.5,6\n", [[3, 4], [5.5, 6]]),
    ("pixels as world", PICTURE, "points", "x,y\n4,3\n", [[3, 4]]),
    ("world of a slice", SLICE, "points", "x;y;z\n12;24;30\n", [[2, 4]]),
    ("world without the axis across", SLICE, "points", "x\ty\n12\t24\n", [[2, 4]]),
    ("world of a volume", VOLUME, "points", "name,X,Y,Z\na,12,24,34\n", [[2, 4, 4]]),
    ("samples of a volume", VOLUME, "points", "slice,row,column\n1,2,3\n", [[1, 2, 3]]),
    ("sides", PICTURE, "boxes", "row_low,column_low,row_high,column_high\n2.5,3.5,5.5,8.5\n", [[2.5, 3.5, 5.5, 8.5]]),
    ("first sample and size", PICTURE, "boxes", "class,row,column,height,width\na,3,4,3,5\n", [[2.5, 3.5, 5.5, 8.5]]),
    ("corners by other names", PICTURE, "boxes", "xmin,ymin,xmax,ymax\n4,3,8,5\n", [[3, 4, 5, 8]]),
    ("world corners", SLICE, "boxes", "x_low,y_low,x_high,y_high\n12,24,14,28\n", [[2, 4, 4, 8]]),
    ("world and size", VOLUME, "boxes", "x,y,z,width,height,depth\n12,24,34,1,2,4\n", [[2, 4, 4, 4, 6, 6]]),
    ("cut at the border", PICTURE, "boxes", "row,column,height,width\n-1,0,4,4\n", [[-0.5, -0.5, 2.5, 3.5]]),
    ("no object", PICTURE, "boxes", "row,column,height,width\n", np.zeros((0, 4)).tolist()),
]


@pytest.mark.parametrize(("name", "geometry", "kind", "text", "wanted"), GOOD, ids=[g[0] for g in GOOD])
def test_tables_are_read(tmp_path: Path, name: str, geometry: Geometry, kind: Kind, text: str, wanted: list[list[float]]) -> None:
    path = tmp_path / "places.csv"
    path.write_text(text)
    found = read_places(path, geometry, kind)
    np.testing.assert_allclose(found.samples, np.array(wanted).reshape(found.samples.shape), atol=1e-9)
    texts = ["places.csv"]
    assert infer_task(texts, tmp_path)[0] == ("landmarks" if kind == "points" else "detection")


def test_json_is_read_like_a_table(tmp_path: Path) -> None:
    path = tmp_path / "places.json"
    path.write_text(json.dumps({"points": [{"label": "a", "row": 1, "column": 2}, {"label": "b", "row": 3, "column": 4.5}]}))
    found = read_places(path, PICTURE, "points")
    assert found.names == ("a", "b") and found.samples.tolist() == [[1.0, 2.0], [3.0, 4.5]]
    assert infer_task(["places.json"], tmp_path)[0] == "landmarks"
    path.write_text(json.dumps({"boxes": []}))
    assert len(read_places(path, PICTURE, "boxes")) == 0
    assert infer_task(["places.json"], tmp_path)[0] == "detection"


BAD = [
    ("row,column\n3,x\n4,4\n", SpecError, "line 2: 'x' in column 'column' is no finite number"),
    ("label,row,column\na,1,2\na,2,3\n", SpecError, "'a' stands there more than once"),
    ("row,column\n3,4\n30,2\n", ContentError, "1 of 2 points lie outside of the image of 20 x 30 samples"),
    ("a,b\n1,2\n", FormatError, "columns a, b are not those of points"),
    ("row,column\n3,4,5\n", SpecError, "line 2: 3 cells for 2 columns"),
]


@pytest.mark.parametrize(("text", "kind", "words"), BAD)
def test_bad_tables_give_one_sentence(tmp_path: Path, text: str, kind: type[Exception], words: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(kind, match=r"^bad.csv: ") as caught:
        read_places(path, PICTURE, "points")
    assert words in str(caught.value)


def test_bad_boxes_and_files_give_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("row_low,column_low,row_high,column_high\n5,5,4,9\n")
    with pytest.raises(SpecError, match=r"line 2: the box has no extent"):
        read_places(path, PICTURE, "boxes")
    path.write_text("x,y,z\n12,24,60\n")
    with pytest.raises(SpecError, match="off the plane"):
        read_places(path, SLICE, "points")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(FormatError, match="is no JSON"):
        read_places(tmp_path / "bad.json", PICTURE, "points")
    with pytest.raises(MissingInputError, match="there is no such file"):
        read_places(tmp_path / "none.csv", PICTURE, "points")


def test_boxes_in_mm_are_refused_where_the_image_lies_obliquely(tmp_path: Path) -> None:
    turn = np.deg2rad(20.0)
    direction = np.array([[-np.sin(turn), np.cos(turn)], [np.cos(turn), np.sin(turn)], [0.0, 0.0]])
    path = tmp_path / "boxes.csv"
    path.write_text("x_low,y_low,x_high,y_high\n1,1,4,4\n")
    with pytest.raises(SpecError, match="lies obliquely"):
        read_places(path, Geometry.regular((20, 30), 1.0, direction=direction), "boxes")


def turned(shape: tuple[int, ...], spacing: tuple[float, ...]) -> Geometry:
    """Return a grid turned about all three axes of the world, one of its axes flipped."""
    around = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]
    return Geometry.regular(shape, spacing, (30.0, -12.0, 7.0), around[:, : len(shape)] * ([1.0] * (len(shape) - 1) + [-1.0]))


@pytest.mark.parametrize(
    "geometry",
    [PICTURE, SLICE, VOLUME, turned((20, 30), (0.5, 2.0)), turned((12, 20, 30), (3.0, 0.5, 2.0))],
    ids=["px", "slice", "volume", "oblique slice", "oblique volume"],
)
def test_the_world_and_back(geometry: Geometry) -> None:
    n = geometry.ndim
    middle = np.array(geometry.shape) / 2.0
    points = Places("points", np.array([middle, middle - 1.0]), ("a", "b"), geometry)
    back = points_of(points.world(), geometry)  # type: ignore[arg-type]  # points stay points
    np.testing.assert_allclose(back.samples, points.samples, atol=1e-9)
    boxes = Places("boxes", np.array([[*(middle - 2.0), *(middle + 1.0)]]), ("a",), geometry, np.array([0.5]))
    there = boxes_of(boxes.world(), geometry)  # type: ignore[arg-type]  # boxes stay boxes
    np.testing.assert_allclose(there.samples, boxes.samples, atol=1e-9)
    head, rows = boxes.rows()
    assert len(head) == len(rows[0]) == 1 + 2 * n + 6 + 1 and head[-1] == "probability"
    # A perfect prediction overlaps the truth wholly, however the image lies.
    np.testing.assert_allclose(box_iou(there.millimetres(), boxes.millimetres()), 1.0, atol=1e-9)
    none = boxes.take(np.zeros(0, np.int64))
    assert len(boxes_of(none.world(), geometry)) == 0  # type: ignore[arg-type]  # boxes stay boxes


def test_the_written_table_is_read_back(tmp_path: Path) -> None:
    boxes = Places("boxes", np.array([[1.0, 2.0, 3.0, 4.0, 6.0, 8.0]]), ("a",), VOLUME)
    head, rows = boxes.rows()
    path = tmp_path / "again.csv"
    path.write_text(",".join(head) + "\n" + "\n".join(",".join(map(str, r)) for r in rows) + "\n")
    np.testing.assert_allclose(read_places(path, VOLUME, "boxes").samples, boxes.samples)
