"""What the writers write, the reader reads back: samples identical, grid within 1e-3 mm, masks on their source."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.io.dicom.write_seg import write_seg
from isocenter.io.dicom.write_series import write_series
from tests.io.dicom.samples import inspect, read


def turned(angles: tuple[float, float, float]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return three perpendicular unit vectors as columns."""
    result = np.eye(3)
    for axis, angle in enumerate(angles):
        c, s = np.cos(angle), np.sin(angle)
        a, b = [k for k in range(3) if k != axis]
        turn = np.eye(3)
        turn[a, a], turn[a, b], turn[b, a], turn[b, b] = c, -s, s, c
        result = turn @ result
    return result


ANGLE = st.floats(-3.1, 3.1).map(lambda v: round(v, 3))
STEP = st.floats(0.3, 6.0).map(lambda v: round(v, 3))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(
    angles=st.tuples(ANGLE, ANGLE, ANGLE), spacing=st.tuples(STEP, STEP, STEP), tilt=st.sampled_from([0.0, 0.0, 0.2, -0.3]),
    kind=st.sampled_from(["int16", "uint16", "uint8"]), flip=st.booleans(),
)  # fmt: skip
def test_every_orientation_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    angles: tuple[float, float, float],
    spacing: tuple[float, float, float],
    tilt: float,
    kind: str,
    flip: bool,
) -> None:
    geometry = Geometry.regular((4, 6, 5), spacing, (12.5, -40.25, 300.125), turned(angles))
    affine = np.array(geometry.affine)
    affine[:3, 0] += tilt * affine[:3, 1]
    if flip:
        affine[:3, 0] *= -1
    geometry = Geometry((4, 6, 5), affine)
    array = np.random.default_rng(7).integers(0, 200, geometry.shape).astype(kind)
    folder = tmp_path_factory.mktemp("series")
    write_series(Image(array, ("z", "y", "x"), geometry, modality="MR"), folder)
    image = read(folder)
    # Slices come back in ascending order along the normal: undo it where they were written the other way.
    back, grid = image.array, image.geometry
    if float(np.linalg.norm(grid.affine[:3, 3] - affine[:3, 3])) > 1e-3:
        back, grid = back[::-1], grid.flip(0)
    assert np.array_equal(back, array)
    assert grid.with_frame(None).matches(geometry, mm=1e-3), grid.with_frame(None).matches(geometry).reason


def test_hounsfield_units_and_times_come_back(tmp_path: Path) -> None:
    array = np.arange(-1000, -1000 + 3 * 4 * 5, dtype=np.int16).reshape(3, 4, 5)
    write_series(
        Image(array, ("z", "y", "x"), Geometry.regular((3, 4, 5), (2.0, 1.0, 1.0)), modality="CT", quantity="HU"), tmp_path / "ct"
    )
    image = read(tmp_path / "ct")
    assert image.quantity == "HU" and image.dtype == np.int16 and np.array_equal(image.array, array)
    moving = np.stack([array, array + 100])
    write_series(
        Image(moving, ("t", "z", "y", "x"), Geometry.regular((3, 4, 5), 2.0), modality="MR", times=(0.0, 2.5)), tmp_path / "mr"
    )
    again = read(tmp_path / "mr")
    assert again.dims == ("t", "z", "y", "x") and again.times == (0.0, 2.5) and np.array_equal(again.array, moving)


def test_segments_come_back_on_their_source(tmp_path: Path) -> None:
    geometry = Geometry.regular((5, 8, 7), (3.0, 0.7, 0.9), (-10.0, 20.0, 5.0), turned((0.3, -0.2, 0.1)))
    image = Image(np.zeros((5, 8, 7), np.int16), ("z", "y", "x"), geometry, modality="CT", quantity="HU")
    write_series(image, tmp_path / "ct")
    source = inspect(tmp_path / "ct")[0][0]
    assert source.spec.geometry is not None
    labels = np.zeros((5, 8, 7), np.uint8)
    labels[1, 2:5, 1:4], labels[3, 0, 0] = 1, 2
    table = (Segment(1, "right lung"), Segment(2, "nodule candidate"))
    write_seg(
        LabelMap(labels, ("z", "y", "x"), source.spec.geometry, table),
        source.identity,
        tmp_path / "seg.dcm",
        grid=source.spec.geometry,
    )
    items, refusals = inspect(tmp_path)
    assert not refusals
    back = next(i for i in items if i.kind == "labels").load()
    assert np.array_equal(back.array, labels) and back.geometry.matches(source.spec.geometry, mm=1e-3)
    assert [s.name for s in back.segments] == ["right lung", "nodule candidate"] and back.segment(1).laterality is not None
    for old, new in zip(table, back.segments, strict=True):
        assert old.color is not None and new.color is not None
        assert max(abs(a - b) for a, b in zip(old.color, new.color, strict=True)) <= 2 and old.code == new.code
    # Alone, it spans the slices that it holds.
    alone = read(tmp_path / "seg.dcm")
    assert alone.array.sum() == labels.sum()
