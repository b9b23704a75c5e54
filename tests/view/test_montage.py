"""The picture people look at first."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError, GridMismatchError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack, Segment
from isocenter.view.contours import burn, edges, layers
from isocenter.view.focus import focus
from isocenter.view.montage import axial_grid, caption, montage
from isocenter.view.slices import Volume, panel, slice_rgb
from isocenter.view.windows import CT_WINDOWS
from tests.view.samples import HOSTILE, ORDERS, ball, centre_of, chunks, decoded, mark_labels, marked, near, stored

RED = (230, 60, 60)


def _volume(shape: tuple[int, ...], seed: int = 0, **more: str) -> Image:
    values = np.random.default_rng(seed).normal(100, 20, shape).astype(np.float32)
    dims = ("t", "z", "y", "x")[-len(shape) :]
    return Image(values, dims, Geometry.regular(shape[-3:], (3.0, 1.0, 1.0)), **more)  # type: ignore[arg-type]  # keywords of Image


def test_the_outline_is_where_the_object_is() -> None:
    image = marked()
    pixels = decoded(montage(image, {"gtv": mark_labels(image)}, window="bone"))
    red = near(pixels, RED, 45)
    height, width = red.shape
    # Axial above left, coronal below it, sagittal beside: the legend's own swatch lies in the free corner.
    axial, coronal, sagittal = (
        red[: height // 2, : width // 2],
        red[height // 2 :, : width // 2],
        red[height // 2 :, width // 2 :],
    )
    assert min(axial.sum(), coronal.sum(), sagittal.sum()) > 100
    assert centre_of(coronal)[1] > 0.5
    assert centre_of(sagittal)[1] < 0.5


@pytest.mark.parametrize("order", [3, 22, 45])
def test_storage_order_changes_no_byte(order: int) -> None:
    image = marked()
    labels = mark_labels(image)
    again = montage(stored(image, *ORDERS[order]), {"gtv": stored(labels, *ORDERS[order])}, title="Chest")
    assert again == montage(image, {"gtv": labels}, title="Chest")


def test_nothing_but_pixels_is_stored() -> None:
    assert set(chunks(montage(marked()))) <= {"IHDR", "PLTE", "IDAT", "IEND"}


def test_a_noisy_chest_stays_small() -> None:
    shape = (60, 256, 256)
    values = np.random.default_rng(0).normal(40, 40, shape).astype(np.int16)
    values[:, :30] = -1000
    image = Image(values, ("z", "y", "x"), Geometry.regular(shape, (5.0, 1.4, 1.4)), modality="CT", quantity="HU")
    assert len(montage(image, window="soft tissue")) < 400_000


def test_labels_may_lie_on_another_grid() -> None:
    image = marked()
    fine = Geometry.regular((50, 60, 60), (1.5, 0.6, 0.6), origin=tuple(image.geometry.to_world((6, 4, 20))))
    centre = tuple(image.geometry.to_world((12, 15, 28)))
    own = LabelMap(ball(image.geometry, centre, 7.0).astype(np.uint8), image.dims, image.geometry, (Segment(1, "gtv"),))
    other = LabelMap(ball(fine, centre, 7.0).astype(np.uint8), image.dims, fine, (Segment(1, "gtv"),))
    volume = Volume.of(image)
    first, second = layers(image, own)[0], layers(image, other)[0]
    plane = volume.plane("axial", volume.local(np.asarray(centre)))
    inside = [layer.shares(volume, plane) >= 0.5 for layer in (first, second)]
    overlap = 2 * (inside[0] & inside[1]).sum() / (inside[0].sum() + inside[1].sum())
    assert overlap > 0.93
    apart = focus(image, volume, (first,)) - focus(image, volume, (second,))
    assert np.abs(apart).max() <= 3.0


def test_outlines_are_burnt_into_pixels() -> None:
    image = marked()
    volume = Volume.of(image)
    drawn = layers(image, mark_labels(image))
    plane = volume.plane("axial", focus(image, volume, drawn))
    rgb = panel(volume, plane, CT_WINDOWS["bone"]).rgb
    result = burn(rgb, volume, plane, drawn)
    changed = (result != rgb).any(axis=-1)
    assert changed.any()
    assert (result[changed] == RED).all()
    assert (rgb[changed] > 150).all(), "the outline runs on the object, not beside it"


def test_edge_is_one_pixel_wide() -> None:
    values = np.zeros((9, 9), int)
    values[2:7, 2:7] = 1
    assert edges(values).sum() == 16
    values[2:7, 5:7] = 2
    assert edges(values)[2:7, 4:6].all(), "neighbours of different labels are both outlined"


def test_hundreds_of_cells_are_outlined() -> None:
    values = np.zeros((120, 120), np.uint16)
    for k in range(400):
        row, column = 6 * (k // 20), 6 * (k % 20)
        values[row : row + 4, column : column + 4] = k + 1
    grid = Geometry.pixels((120, 120))
    image = Image(np.full((120, 120), 30, np.uint8), ("y", "x"), grid)
    labels = {"nuclei": LabelMap(values, ("y", "x"), grid)}
    assert caption(image, labels).endswith("Outlined: nuclei (400).")
    pixels = decoded(montage(image, labels))
    assert (np.ptp(pixels.astype(int), axis=-1) > 60).mean() > 0.2


def test_the_finding_is_looked_at_before_the_organ() -> None:
    image = marked()
    array = np.zeros(image.shape, np.uint8)
    array[3:17, 10:40, 5:18] = 1
    array[5:7, 30:34, 30:34] = 2
    array[15:16, 8:9, 6:7] = 2
    labels = LabelMap(array, image.dims, image.geometry, (Segment(1, "lung"), Segment(2, "lesion")))
    volume = Volume.of(image)
    at = volume.index(focus(image, volume, layers(image, labels)))
    assert 5 <= at[0] <= 6
    assert 30 <= at[1] <= 33
    assert 30 <= at[2] <= 33


def test_the_hottest_spot_of_pet_is_shown() -> None:
    image = _volume((12, 20, 24), modality="PT", quantity="SUVbw")
    values = np.array(image.array)
    values[7, 3, 19] = 900
    volume = Volume.of(image.replace(array=values))
    assert volume.index(focus(image, volume, ())).tolist() == [7, 3, 19]


def test_a_mask_stack_is_outlined_and_colours_differ() -> None:
    image = marked()
    masks = np.zeros((2, *image.shape), bool)
    masks[0, 5:15, 10:30, 10:30] = True
    masks[1, 8:18, 15:35, 15:35] = True
    stack = MaskStack(masks, image.dims, image.geometry, (Segment(1, "gtv"), Segment(2, "gtv 2")))
    found = layers(image, {"targets": stack})
    assert [layer.name for layer in found] == ["gtv", "gtv 2"]
    assert found[0].color != found[1].color
    assert montage(image, stack) == montage(image, stack)


def test_an_unnamed_label_goes_by_its_slot() -> None:
    image = marked()
    labels = LabelMap(np.asarray(image.array > 500).astype(np.uint8), image.dims, image.geometry)
    assert layers(image, {"hand drawn": labels})[0].name == "hand drawn"


def test_empty_labels_are_no_trouble() -> None:
    image = marked()
    empty = LabelMap(np.zeros(image.shape, np.uint8), image.dims, image.geometry, (Segment(1, "tumour"),))
    assert montage(image, {"tumour": empty}) == montage(image)


def test_pet_over_ct_is_hot_where_the_uptake_is() -> None:
    image = marked()
    geometry = Geometry.regular((10, 14, 12), (6.0, 4.0, 5.0), origin=tuple(image.geometry.origin))
    spot = tuple(image.geometry.to_world((14, 12, 30)))
    pet = Image(np.where(ball(geometry, spot, 8.0), 8.0, 0.1), ("z", "y", "x"), geometry, modality="PT", quantity="SUVbw")
    plain, fused = decoded(montage(image, position=spot)), decoded(montage(image, position=spot, overlay=pet, window="lung"))
    assert plain.shape[1] == fused.shape[1]
    words = caption(image, overlay=pet)
    assert "In colour: PET, 0 to 10 SUV" in words
    assert words.startswith("Axial, coronal and sagittal slices. Soft tissue window")
    warm = (fused[..., 0].astype(int) - fused[..., 2] > 60)[: fused.shape[0] // 2, : fused.shape[1] // 2 - 20]
    assert centre_of(warm)[1] > 0.5


@pytest.mark.parametrize("shape", [(8, 6, 20, 22), (3, 20, 22), (1, 20, 22)])
def test_time_series_show_a_few_frames(shape: tuple[int, ...]) -> None:
    dims = ("t", "z", "y", "x") if len(shape) == 4 else ("t", "y", "x")
    values = np.random.default_rng(0).normal(size=shape)
    grid = Geometry.regular(shape[1:], 1.0)
    image = Image(values, dims, grid, modality="MR" if len(shape) == 4 else "US", times=tuple(0.5 * k for k in range(shape[0])))
    assert decoded(montage(image, title="Series")).shape[1] > 300
    assert caption(image).startswith("Frames of the series")


def test_colour_and_channels() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (3, 30, 40), dtype=np.uint8)
    photograph = Image(pixels, ("c", "y", "x"), Geometry.pixels((30, 40)), modality="SM")
    assert "window" not in caption(photograph)
    stains = Image(pixels.astype(np.float32), ("c", "y", "x"), Geometry.pixels((30, 40)), channels=("DAPI", "GFP", "RFP"))
    assert "channel DAPI of 3" in caption(stains)
    for image in (photograph, stains):
        assert decoded(montage(image)).ndim == 3


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 50), (2, 300, 2), (1, 30, 40), (30, 1, 40), (30, 40, 1), (400, 3, 3)])
def test_odd_shapes_have_a_picture(shape: tuple[int, ...]) -> None:
    height, width = decoded(montage(_volume(shape, modality="MR"))).shape[:2]
    assert 40 < height < 1300
    assert 40 < width < 1300


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_are_drawn_as_text(text: str) -> None:
    image = _volume((4, 12, 12))
    labels = LabelMap(np.ones(image.shape, np.uint8), image.dims, image.geometry, (Segment(1, text),))
    assert decoded(montage(image.replace(quantity=text), {text: labels}, title=text)).size
    caption(image, {text: labels}).encode("utf-8")


def test_a_grid_of_slices_goes_from_the_feet_up() -> None:
    image = marked()
    pixels = decoded(axial_grid(image, count=3, window="bone"))
    assert np.array_equal(pixels, decoded(axial_grid(stored(image, *ORDERS[31]), count=3, window="bone")))
    bright = near(pixels, (255, 255, 255), 60)[:, 10:-10]
    thirds = np.array_split(bright[28 : bright.shape[1] // 3], 3, axis=1)
    assert [bool(third.sum() > 60) for third in thirds] == [False, False, True], "the object lies towards the head"
    with pytest.raises(ParameterError, match="1 to 30"):
        axial_grid(image, count=0)


def test_bad_requests_get_a_sentence() -> None:
    image = marked()
    labels = mark_labels(image)
    elsewhere = labels.replace(geometry=labels.geometry.with_frame("1.2.4"))
    with pytest.raises(GridMismatchError, match="frame of reference"):
        montage(image.replace(geometry=image.geometry.with_frame("1.2.3")), elsewhere)
    with pytest.raises(ParameterError, match="LabelMap or MaskStack"):
        montage(image, {"image": image})  # type: ignore[dict-item]  # the point of the test
    with pytest.raises(GridMismatchError, match="same grid"):
        montage(Image(np.zeros((9, 9)), ("y", "x"), Geometry.pixels((9, 9))), labels)
    with pytest.raises(ContentError, match="lie in a patient"):
        montage(Image(np.zeros((9, 9)), ("y", "x"), Geometry.pixels((9, 9))), overlay=image)
    with pytest.raises(ParameterError, match="LabelMap"):
        montage(image, 3)  # type: ignore[arg-type]  # the point of the test


def test_an_image_of_missing_values_has_a_picture() -> None:
    image = _volume((6, 12, 12), modality="MR")
    assert montage(image.replace(array=np.full(image.shape, np.nan, np.float32)))
    assert slice_rgb(image.replace(array=np.full(image.shape, np.inf))).max() <= 255
