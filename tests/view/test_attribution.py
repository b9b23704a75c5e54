"""Pictures of attributions: in colour where the map is, on the right side, the same for every order of storage."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Picture

from isocenter.core.errors import ContentError, GridMismatchError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.view.attribution import attribution_picture, signed_colours


def _pair(shape: tuple[int, ...]) -> tuple[Image, Image]:
    grid = Geometry.regular(shape, 2.0)
    data = np.random.default_rng(0).normal(100.0, 5.0, shape).astype(np.float32)
    values = np.zeros(shape, np.float32)
    values[(slice(2, 6),) * (len(shape) - 1) + (slice(-8, -3),)] = 1.0
    dims = ("z", "y", "x")[-len(shape) :]
    return Image(data, dims, grid, modality="MR"), Image(values, dims, grid, quantity="attribution")


def _coloured(png: bytes) -> np.ndarray:
    rgb = np.asarray(Picture.open(io.BytesIO(png)).convert("RGB")).astype(int)
    return np.argwhere((rgb[..., 0] > rgb[..., 2] + 90) & (rgb[..., 1] > 110))


@pytest.mark.parametrize("shape", [(24, 30), (12, 20, 30)])
def test_the_map_is_seen_on_the_patients_left_which_is_the_viewers_right(shape: tuple[int, ...]) -> None:
    image, found = _pair(shape)
    with_map, without = (attribution_picture(image, m) for m in (found, found.with_array(np.zeros(shape, np.float32))))
    before = {tuple(p) for p in _coloured(without).tolist()}
    places = np.array([p for p in _coloured(with_map).tolist() if tuple(p) not in before])
    width = 300.0  # of a panel; the map is shown in the second panel of a picture, and below the axial slice of a volume
    left = 10.0 + (308.0 if len(shape) == 2 else 0.0)
    inside = places[(places[:, 1] > left) & (places[:, 1] < left + width)]
    assert len(inside) > 100 and np.median(inside[:, 1]) > left + 0.6 * width


def test_the_order_of_storage_does_not_show() -> None:
    image, found = _pair((12, 20, 30))
    turned = [
        Image(np.flip(i.array, 2), i.dims, i.geometry.flip(2), modality=i.modality, quantity=i.quantity) for i in (image, found)
    ]
    assert attribution_picture(image, found) == attribution_picture(turned[0], turned[1])


def test_title_notes_and_outlines_are_drawn() -> None:
    image, found = _pair((24, 30))
    labels = LabelMap((np.asarray(found.array) > 0).astype(np.uint8), found.dims, found.geometry, (Segment(1, "lesion"),))
    plain, more = (
        attribution_picture(image, found),
        attribution_picture(image, found, labels, title="Why", notes=["Warning: no."]),
    )
    sizes = [Picture.open(io.BytesIO(p)).size for p in (plain, more)]
    assert sizes[1][1] > sizes[0][1] and sizes[1][0] == sizes[0][0]


def test_colours_tell_for_from_against() -> None:
    against, nothing, favour = signed_colours(np.array([-1.0, 0.0, 1.0]))
    assert against[2] > against[0] and favour[0] > favour[2] and nothing.shape == (3,)


def test_a_map_on_another_grid_is_refused() -> None:
    image, found = _pair((24, 30))
    with pytest.raises(GridMismatchError, match="attribution"):
        attribution_picture(image, found.replace(geometry=Geometry.regular((24, 30), 1.0)))
    with pytest.raises(ContentError, match="spatial axes only"):
        attribution_picture(image, Image(np.zeros((2, 24, 30)), ("c", "y", "x"), image.geometry))
