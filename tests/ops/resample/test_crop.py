"""resample.crop: samples and their positions are kept to the bit."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.core.operation import Spec
from isocenter.ops.denoise.gaussian import Gaussian
from isocenter.ops.denoise.median import Median
from isocenter.ops.resample.crop import Crop
from isocenter.ops.resample.pad import Pad
from isocenter.ops.resample.to_grid import ToGrid
from isocenter.ops.resample.to_spacing import ToSpacing
from isocenter.ops.segment.otsu import Otsu
from isocenter.testing.contracts.inputs import grid

SHAPE = (9, 12, 14)


def image(dtype: str = "int16") -> Image:
    values = np.random.default_rng(0).integers(0, 1000, SHAPE).astype(dtype)
    return Image(values, ("z", "y", "x"), grid(SHAPE, (2.5, 1.25, 0.75)), quantity="HU")


def region(value: int = 1) -> LabelMap:
    mask = np.zeros(SHAPE, np.uint8)
    mask[3:5, 4:7, 6:9] = value
    return LabelMap(mask, ("z", "y", "x"), grid(SHAPE, (2.5, 1.25, 0.75)))


def test_crop_box_and_back_with_pad() -> None:
    before = image()
    box = Crop(start=(1, 2, 3), shape=(5, 6, 7))(before)
    np.testing.assert_array_equal(box.array, before.array[1:6, 2:8, 3:10])
    np.testing.assert_allclose(box.geometry.to_world((0, 0, 0)), before.geometry.to_world((1, 2, 3)))
    again = Pad(before=(1, 2, 3), after=(3, 4, 4), fill=None)(box)
    assert again.geometry.matches(before.geometry, 1e-9)
    np.testing.assert_array_equal(again.array[1:6, 2:8, 3:10], box.array)
    assert (again.array[0] == -1000).all()


@pytest.mark.parametrize(
    "margin, box",
    [
        (0.0, np.s_[3:5, 4:7, 6:9]),
        (0.5, np.s_[2:6, 3:8, 5:10]),
        (2.5, np.s_[2:6, 2:9, 2:13]),
        (1000.0, np.s_[:, :, :]),
    ],
)
def test_crop_around_a_region_with_a_margin_in_mm(margin: float, box: tuple[slice, ...]) -> None:
    before = image()
    after = Crop(margin=margin)(before, region())
    np.testing.assert_array_equal(after.array, before.array[box])
    start = [s.start or 0 for s in box]
    np.testing.assert_allclose(after.geometry.to_world((0, 0, 0)), before.geometry.to_world(start))
    assert region().digest in after.provenance.steps[-1].inputs


def test_crop_around_a_region_on_another_grid_keeps_all_of_it() -> None:
    before = image()
    finer = before.geometry.with_spacing((0.5, 0.5, 0.5))
    mask = np.zeros(finer.shape, np.uint8)
    mask[10:13, 11:14, 12:15] = 1
    after = Crop()(before, LabelMap(mask, ("z", "y", "x"), finer))
    points = finer.to_world(np.argwhere(mask))
    assert after.geometry.contains(points).all()
    assert after.geometry.size < 40


def test_crop_keeps_labels_and_time() -> None:
    labels = region(4)
    assert isinstance(Crop(start=2)(labels), LabelMap)
    moving = Image(np.zeros((3, *SHAPE)), ("t", "z", "y", "x"), labels.geometry, times=(0.0, 1.0, 2.0))
    assert Crop()(moving, labels).shape == (3, 2, 3, 3)


@pytest.mark.parametrize(
    "crop, where, text",
    [
        (Crop(start=9), None, "inside the image"),
        (Crop(shape=20), None, "inside the image"),
        (Crop(start=(1, 1)), None, "2 values for 3"),
        (Crop(start=1), region(), "a box and a region"),
        (Crop(), "empty", "without a labelled sample"),
        (Crop(), "elsewhere", "outside the image"),
        (Crop(), "text", "expected a label map"),
    ],
)
def test_crop_refusals(crop: Crop, where: object, text: str) -> None:
    if where == "empty":
        where = region().replace(array=np.zeros(SHAPE, np.uint8))
    elif where == "elsewhere":
        where = region().replace(geometry=region().geometry.crop((500, 0, 0), SHAPE))
    with pytest.raises((ParameterError, ContentError), match=text):
        crop(image(), where)  # type: ignore[arg-type]  # wrong kinds on purpose


def test_crop_does_not_promise_a_grid_that_only_voxels_decide() -> None:
    assert Crop().resolve(Spec.of(image()), Spec.of(region())).geometry is None
    assert Crop(start=1).resolve(Spec.of(image())).geometry == Crop(start=1)(image()).geometry


def test_a_plan_goes_on_after_a_crop_whose_grid_is_not_known_yet() -> None:
    boxed = Crop().resolve(Spec.of(image()), Spec.of(region()))
    assert Median().resolve(boxed).dtype == "<i2"
    assert Gaussian().resolve(boxed).dtype == "<f4"
    assert Otsu().resolve(boxed).kind == "LabelMap"
    assert ToSpacing().resolve(boxed).geometry is None
    assert ToGrid().resolve(boxed, Spec.of(image())).geometry == image().geometry
