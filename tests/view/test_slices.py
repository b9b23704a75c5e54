"""Left is left, in every plane and for every order of storage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.view.slices import PLANES, Volume, anatomical, interpolate, slice_rgb
from isocenter.view.windows import CT_WINDOWS
from tests.view.samples import ORDERS, ball, centre_of, marked, stored

BONE = CT_WINDOWS["bone"]


def _mark(plane: str, image: Image) -> np.ndarray:
    """The bright object in a slice through its middle."""
    index = np.argwhere(np.asarray(image.array) > 500).mean(axis=0)
    rgb = slice_rgb(image, plane, position=tuple(image.geometry.to_world(np.round(index))), window=BONE)  # type: ignore[arg-type]  # names come from PLANES
    assert rgb.dtype == np.uint8
    assert (rgb[..., 0] == rgb[..., 1]).all()
    return rgb[..., 0] > 150


def test_axial_is_seen_from_the_feet() -> None:
    row, column = centre_of(_mark("axial", marked()))
    assert column > 0.55  # the patient's left is on the viewer's right
    assert row < 0.45  # anterior is up


def test_coronal_is_seen_from_the_front() -> None:
    mark = _mark("coronal", marked())
    row, column = centre_of(mark)
    assert column > 0.55
    assert row < 0.45  # superior is up
    # The short stroke of the L lies at its lower end and points to the patient's left.
    rows = np.nonzero(mark.any(axis=1))[0]
    assert mark[rows[-1]].sum() > 1.5 * mark[rows[0]].sum()
    assert np.nonzero(mark[rows[-1]])[0].max() > np.nonzero(mark[rows[0]])[0].max()


def test_sagittal_has_anterior_on_the_left() -> None:
    row, column = centre_of(_mark("sagittal", marked()))
    assert column < 0.45
    assert row < 0.45


@pytest.mark.parametrize(
    ("plane", "letters"),
    [("axial", ("R", "L", "A", "P")), ("coronal", ("R", "L", "S", "I")), ("sagittal", ("A", "P", "S", "I"))],
)
def test_letters(plane: str, letters: tuple[str, ...]) -> None:
    for axes, flips in ORDERS[::7]:
        assert Volume.of(stored(marked(), axes, flips)).plane(plane).letters == letters


@pytest.mark.parametrize("order", range(48))
def test_every_order_of_storage_gives_the_same_pixels(order: int) -> None:
    image = marked()
    again = stored(image, *ORDERS[order])
    for plane in PLANES:
        assert np.array_equal(slice_rgb(image, plane), slice_rgb(again, plane))  # type: ignore[arg-type]  # names come from PLANES


@settings(max_examples=60, deadline=None)
@given(
    order=st.sampled_from(ORDERS),
    spacing=st.tuples(*[st.floats(0.3, 6.0)] * 3),
    shear=st.floats(-0.4, 0.4),
    turn=st.floats(-1.2, 1.2),
    origin=st.tuples(*[st.floats(-900, 900)] * 3),
    seed=st.integers(0, 100),
)
def test_turned_and_sheared_volumes_do_not_depend_on_storage(
    order: tuple[tuple[int, ...], tuple[bool, ...]],
    spacing: tuple[float, float, float],
    shear: float,
    turn: float,
    origin: tuple[float, float, float],
    seed: int,
) -> None:
    shape = (5, 7, 6)
    affine = Geometry.regular(shape, spacing, origin).affine.copy()
    affine[1, 0] += shear * spacing[0]
    c, s = np.cos(turn), np.sin(turn)
    affine[:3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ affine[:3]
    values = np.random.default_rng(seed).normal(0, 300, shape).astype(np.float32)
    image = Image(values, ("z", "y", "x"), Geometry(shape, affine), modality="CT", quantity="HU")
    again = stored(image, *order)
    for plane in PLANES:
        first, second = slice_rgb(image, plane), slice_rgb(again, plane)  # type: ignore[arg-type]  # names come from PLANES
        assert np.array_equal(first, second)


@pytest.mark.parametrize("shear", [0.0, 0.27])
@pytest.mark.parametrize("plane", list(PLANES))
def test_a_ball_is_round_and_in_its_place(plane: str, shear: float) -> None:
    shape, spacing = (40, 90, 70), (2.5, 0.9, 1.3)
    affine = Geometry.regular(shape, spacing, (-40.0, -40.0, 0.0)).affine.copy()
    affine[1, 0] = shear * spacing[0]
    geometry = Geometry(shape, affine)
    centre = tuple(geometry.to_world((22, 40, 30)))
    image = Image(
        np.where(ball(geometry, centre, 18.0), 1000.0, -1000.0), ("z", "y", "x"), geometry, modality="CT", quantity="HU"
    )
    volume = Volume.of(image)
    at = volume.plane(plane, volume.local(np.asarray(centre)))
    values, _ = volume.sample(at)
    rows, columns = np.nonzero(values > 0)
    height, width = (float(np.ptp(v) + 1) * at.pitch for v in (rows, columns))
    assert height == pytest.approx(36.0, abs=2.6)
    assert width == pytest.approx(36.0, abs=2.6)
    column, row = at.column_row(volume.local(np.asarray(centre)))
    assert abs(rows.mean() - row) * at.pitch < 1.0
    assert abs(columns.mean() - column) * at.pitch < 1.0


def test_an_oblique_series_is_shown_as_acquired_and_says_so() -> None:
    angle = np.deg2rad(30)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    base = marked()
    geometry = Geometry.regular(base.geometry.shape, base.geometry.spacing, direction=turn @ np.eye(3)[:, ::-1])
    volume = Volume.of(base.replace(geometry=geometry))
    assert volume.turned == pytest.approx(30.0, abs=0.01)
    plane = volume.plane("axial")
    assert plane.letters == ("RA", "LP", "AL", "PR")
    assert np.array_equal(slice_rgb(base, "axial"), slice_rgb(base.replace(geometry=geometry), "axial"))


def test_a_slightly_turned_series_is_shown_in_the_patients_planes() -> None:
    angle = np.deg2rad(6)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    geometry = Geometry.regular((9, 20, 20), (4.0, 1.0, 1.0), direction=turn @ np.eye(3)[:, ::-1])
    volume = Volume.of(Image(np.zeros((9, 20, 20)), ("z", "y", "x"), geometry, modality="MR"))
    assert volume.turned == 0.0
    assert volume.plane("axial").letters == ("R", "L", "A", "P")


def test_a_single_slice_of_a_patient_is_turned_the_right_way() -> None:
    whole = marked()
    index = 14
    flat = Image(
        whole.array[index], ("y", "x"), Geometry(whole.shape[1:], whole.geometry.affine[:, 1:]), modality="CT", quantity="HU"
    )
    mirrored = flat.replace(array=np.asarray(flat.array)[:, ::-1], geometry=flat.geometry.flip(1))
    assert Volume.of(flat).planes == ("axial",)
    assert np.array_equal(slice_rgb(flat), slice_rgb(mirrored))
    assert Volume.of(mirrored).plane("axial").letters == ("R", "L", "A", "P")


def test_a_photograph_is_shown_as_stored() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (30, 50), dtype=np.uint8)
    image = Image(pixels, ("y", "x"), Geometry.pixels(pixels.shape))
    assert not anatomical(image)
    assert np.array_equal(slice_rgb(image)[..., 0], pixels)
    radiograph = Image(pixels, ("y", "x"), Geometry.regular(pixels.shape, 0.2), modality="DX")
    volume = Volume.of(radiograph)
    assert volume.plane("axial").letters == ("", "", "", "")
    assert volume.plane("axial").name == "as stored"


def test_colours_are_kept() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (3, 12, 9), dtype=np.uint8)
    image = Image(pixels, ("c", "y", "x"), Geometry.pixels((12, 9)), modality="SM")
    assert np.array_equal(slice_rgb(image), np.moveaxis(pixels, 0, -1))


def test_interpolation_agrees_with_scipy() -> None:
    random = np.random.default_rng(1)
    array = random.normal(size=(6, 5, 7))
    index = random.uniform(-0.4, [5.4, 4.4, 6.4], (500, 3))
    values, inside = interpolate(array, index)
    expected = ndimage.map_coordinates(array, np.moveaxis(index, -1, 0), order=1, mode="nearest")
    assert inside.all()
    np.testing.assert_allclose(values, expected, atol=1e-12)


def test_a_missing_sample_does_not_spread() -> None:
    array = np.zeros((3, 3, 3))
    array[1, 1, 1] = np.nan
    values, _ = interpolate(array, np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [1.0, 1.0, 0.5]]))
    assert values[0] == 0.0
    assert np.isnan(values[1:]).all()


def test_what_lies_outside_is_said_so() -> None:
    _, inside = interpolate(np.ones((2, 2, 2)), np.array([[-0.5, 0, 0], [-0.51, 0, 0], [1.49, 1, 1], [1.5, 1, 1]]))
    assert inside.tolist() == [True, False, True, False]


def test_bad_requests_get_a_sentence() -> None:
    with pytest.raises(ContentError, match="time point"):
        Volume.of(Image(np.zeros((2, 3, 3)), ("t", "y", "x"), Geometry.pixels((3, 3))))
    with pytest.raises(ContentError, match="spatial axes"):
        Volume.of(Image(np.zeros(3), ("x",), Geometry.pixels((3,))))
    with pytest.raises(ParameterError, match="axial"):
        slice_rgb(marked(), "oblique")  # type: ignore[arg-type]  # the point of the test
