"""One image through every format in turn: DICOM, NIfTI, NRRD, MetaImage, OME-Zarr, and a mask of it through DICOM SEG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.io import door
from isocenter.io.dicom.write_seg import write_seg
from isocenter.io.dicom.write_series import write_series
from tests.io.dicom.samples import inspect
from tests.io.dicom.test_round_trip import turned

#: Stored exactly in DICOM's sixteen bits; the others with a slope, to half a step.
EXACT = ("u1", "i1", "u2", "i2")
QUARTER = st.sampled_from([0.0, np.pi / 2, np.pi, -np.pi / 2])
ANGLE = st.one_of(QUARTER, st.floats(-3.1, 3.1).map(lambda v: round(v, 3)))
STEP = st.floats(0.2, 8.0).map(lambda v: round(v, 3))


@st.composite
def images(draw: Any) -> Image:
    """Draw a volume of any orientation, tilt, handedness, spacing and dtype, up to a metre from the origin."""
    shape = (draw(st.integers(2, 5)), draw(st.integers(3, 7)), draw(st.integers(3, 6)))
    origin = tuple(round(draw(st.floats(-1000, 1000)), 3) for _ in range(3))
    grid = Geometry.regular(shape, draw(st.tuples(STEP, STEP, STEP)), origin, turned(draw(st.tuples(ANGLE, ANGLE, ANGLE))))
    affine = np.array(grid.affine)
    # A tilted gantry shears along the rows' axis, by the tangent of its degrees for each mm out of the plane.
    tilt = np.tan(np.radians(draw(st.sampled_from([0.0, 0.0, 14.0, -22.0, 30.0])))) * np.linalg.norm(affine[:3, 0])
    affine[:3, 0] += tilt * affine[:3, 1] / np.linalg.norm(affine[:3, 1])
    affine[:3, 0] *= draw(st.sampled_from([1.0, -1.0]))  # slices written from the other end: a left-handed grid
    dtype = np.dtype(draw(st.sampled_from([*EXACT, "u4", "i4", "f4", "f8"])))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    if dtype.kind == "f":
        array = (rng.normal(size=shape) * draw(st.sampled_from([1.0, 1000.0]))).astype(dtype)
    else:
        info = np.iinfo(dtype)
        array = rng.integers(info.min, info.max, shape, dtype, endpoint=True)
    return Image(array, ("z", "y", "x"), Geometry(shape, affine), modality="MR")


def from_the_same_end(value: Any, grid: Geometry) -> Any:
    """Return what was read with its slices counted as they were written; DICOM's come in ascending order."""
    if float(np.linalg.norm(value.geometry.affine[:3, 3] - grid.affine[:3, 3])) <= 1e-2:
        return value
    return value.replace(array=np.ascontiguousarray(value.array[::-1]), geometry=value.geometry.flip(0))


@settings(max_examples=40, deadline=None, derandomize=True, phases=(Phase.explicit, Phase.generate))  # shrinking takes minutes
@given(image=images())
def test_dicom_nifti_nrrd_metaimage_zarr_seg(image: Image, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("chain")
    write_series(image, folder / "series")
    read = door.read(folder / "series")
    current = from_the_same_end(read, image.geometry)
    if image.dtype.str[1:] in EXACT:
        assert np.array_equal(current.array, image.array)
    else:
        step = float(image.array.max() - float(image.array.min())) / 65535
        assert (
            np.abs(current.array.astype(float) - image.array.astype(float)).max()
            <= 0.51 * step + 1e-6 * np.abs(image.array).max()
        )
    same_grid(current, image.geometry)
    values, dtype = current.array, current.dtype
    for name in ("a.nii", "b.nii.gz", "c.nrrd", "d.mha", "e.ome.zarr"):
        door.write(current, folder / name)
        current = door.read(folder / name)
        assert current.dtype == dtype and np.array_equal(current.array, values), name
        same_grid(current, image.geometry)
    mask_through_seg(folder, values, image.geometry)


def same_grid(value: Any, grid: Geometry) -> None:
    match = value.geometry.with_frame(None).matches(grid, mm=1e-3)
    assert match, match.reason


def mask_through_seg(folder: Path, values: np.ndarray[Any, Any], grid: Geometry) -> None:
    """Draw a mask on the series, write it as SEG, NIfTI and NRRD, and read it from each."""
    (source,), _ = inspect(folder / "series")
    on = source.spec.geometry
    assert on is not None
    image = source.load()
    labels = np.zeros(on.shape, np.uint8)
    labels[np.asarray(image.array) >= np.quantile(image.array, 0.7)] = 1
    labels[0, 0, 0] = 2
    mask = LabelMap(labels, ("z", "y", "x"), on, (Segment(1, "bright"), Segment(2, "corner")))
    write_seg(mask, source.identity, folder / "series" / "seg.dcm", grid=on)
    items, refusals = inspect(folder / "series")
    assert not refusals
    back = next(item for item in items if item.kind == "labels").load()
    assert np.array_equal(back.array, labels) and [s.name for s in back.segments] == ["bright", "corner"]
    same_grid(back, on.with_frame(None))
    for name in ("f.nii.gz", "g.seg.nrrd", "h.ome.zarr"):
        door.write(back, folder / name)
        back = door.read_labels(folder / name)
        assert np.array_equal(np.asarray(back.array), labels), name
        same_grid(back, on.with_frame(None))
    # The mask lies over the samples that it was drawn on, wherever the slices were counted from.
    drawn = from_the_same_end(back, grid)
    assert (values[np.asarray(drawn.array) == 1] >= np.quantile(image.array, 0.7)).all()


def test_planes_smaller_than_a_byte_of_bits_are_refused_as_seg(tmp_path: Path) -> None:
    write_series(Image(np.zeros((2, 2, 3), np.uint8), ("z", "y", "x"), Geometry.regular((2, 2, 3), 1.0), modality="MR"), tmp_path)
    (source,), _ = inspect(tmp_path)
    assert source.spec.geometry is not None
    mask = LabelMap(np.eye(2, 3, dtype=np.uint8)[None].repeat(2, 0), ("z", "y", "x"), source.spec.geometry, (Segment(1, "x"),))
    with pytest.raises(ContentError, match="at least 8"):
        write_seg(mask, source.identity, tmp_path / "seg.dcm")
    assert not (tmp_path / "seg.dcm").exists()
