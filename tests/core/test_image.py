"""Image: the law of dims, validation, read-only samples and the digest."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.core.errors import ContentError, GeometryError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import DIMS, Image, spatial_axes
from isocenter.core.provenance import Provenance
from tests.core.values import image


@given(st.permutations(DIMS), st.integers(1, 5))
def test_dims_come_in_one_order_only(order: list[str], count: int) -> None:
    dims = tuple(order[:count])
    spatial = tuple(2 for d in dims if d in "zyx")
    shape = (2,) * count
    if not spatial:
        return  # an image without a spatial axis has no geometry to be given
    grid = Geometry.regular(spatial)
    if dims == tuple(d for d in DIMS if d in dims):
        made = Image(np.zeros(shape), dims, grid)
        assert tuple(made.dims[k] for k in made.spatial_axes) == tuple(d for d in dims if d in "zyx")
    else:
        with pytest.raises(ParameterError, match="in that order"):
            Image(np.zeros(shape), dims, grid)


def test_spatial_axes() -> None:
    assert spatial_axes(("t", "c", "z", "y", "x")) == (2, 3, 4)
    assert spatial_axes(("y", "x")) == (0, 1)


@pytest.mark.parametrize(
    ("shape", "dims", "grid", "kind", "said"),
    [
        ((2, 3), ("z", "y", "x"), (2, 3, 4), ParameterError, "one name per axis"),
        ((2, 3, 4), ("z", "y", "x"), (2, 3, 5), GeometryError, "spatial axes to have the grid's shape"),
        ((2, 3, 4), ("t", "y", "x"), (2, 3, 4), GeometryError, "grid's shape"),
        ((2, 3), ("y", "q"), (2, 3), ParameterError, "expected a subset"),
        ((2, 3), ("y", "y"), (2, 3), ParameterError, "expected a subset"),
    ],
)
def test_what_does_not_fit_is_refused(shape: Any, dims: Any, grid: Any, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        Image(np.zeros(shape), dims, Geometry.regular(grid))


def test_names_of_channels_and_times_are_counted() -> None:
    array, grid = np.zeros((2, 3, 4, 5)), Geometry.regular((4, 5))
    made = Image(array, ("t", "c", "y", "x"), grid, channels=["r", "g", "b"], times=[0.0, 1.5])  # type: ignore[arg-type]  # lists become tuples
    assert made.channels == ("r", "g", "b")
    assert made.times == (0.0, 1.5)
    with pytest.raises(ParameterError, match="2 channels for 3 samples along 'c'"):
        Image(array, ("t", "c", "y", "x"), grid, channels=("r", "g"))
    with pytest.raises(ParameterError, match="1 times for 0 samples"):
        Image(np.zeros((4, 5)), ("y", "x"), grid, times=(0.0,))


def test_samples_cannot_be_written_through_an_image() -> None:
    array = np.zeros((4, 5))
    made = Image(array, ("y", "x"), Geometry.regular((4, 5)))
    with pytest.raises(ValueError, match="read-only"):
        made.array[0, 0] = 1
    array[0, 0] = 7  # the owner's own array stays writable
    assert array.flags.writeable


class Lazy:
    """An array that counts how often it is read."""

    def __init__(self, data: np.ndarray) -> None:
        self.data, self.reads = data, 0
        self.shape, self.dtype = data.shape, data.dtype

    def __getitem__(self, key: Any) -> Any:
        return self.data[key]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        self.reads += 1
        return self.data if dtype is None else self.data.astype(dtype)


def test_touching_an_attribute_reads_nothing() -> None:
    lazy = Lazy(np.arange(20.0).reshape(4, 5))
    made = Image(lazy, ("y", "x"), Geometry.regular((4, 5)), modality="CT")
    _ = made.shape, made.dtype, made.nbytes, made.dims, repr(made), made.spatial_axes
    assert lazy.reads == 0
    loaded = made.load()
    assert lazy.reads == 1
    np.testing.assert_array_equal(loaded.array, lazy.data)
    assert loaded.load() is loaded


def layouts(array: np.ndarray) -> list[np.ndarray]:
    """Return equal arrays that lie differently in memory."""
    wide = np.zeros((*array.shape[:-1], array.shape[-1] * 2), array.dtype)
    wide[..., ::2] = array
    swapped = array.astype(array.dtype.newbyteorder(">"))
    return [array.copy(), np.asfortranarray(array), wide[..., ::2], np.ascontiguousarray(array[::-1])[::-1], swapped]


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "f4", "f8", "c8", "?"])
def test_the_digest_does_not_depend_on_memory_layout(dtype: str) -> None:
    array = (np.arange(60).reshape(3, 4, 5) % 7).astype(dtype)
    grid = Geometry.regular((3, 4, 5))
    digests = {Image(a, ("z", "y", "x"), grid).digest for a in layouts(array)}
    assert len(digests) == 1
    assert digests.pop().startswith("sha256:")


def test_the_digest_depends_on_everything_that_gives_the_samples_a_meaning() -> None:
    base = image(modality="CT", quantity="HU")
    changed = np.array(base.array)
    changed[0, 0, 0] += 1
    others = [
        base.replace(array=changed),
        base.replace(array=np.asarray(base.array).astype(np.int32)),
        base.replace(geometry=base.geometry.flip(0)),
        base.replace(modality="MR"),
        base.replace(quantity=None),
        Image(np.asarray(base.array), ("t", "y", "x"), Geometry.regular((5, 6)), modality="CT", quantity="HU"),
    ]
    assert len({base.digest, *[o.digest for o in others]}) == 1 + len(others)
    # ... and not on where they came from.
    assert base.replace(provenance=Provenance.read("sha256:0", "nifti")).digest == base.digest


def test_at_takes_one_time_point_or_channel() -> None:
    movie = image((2, 3, 4, 5), "tcyx", spacing=(1.0, 1.0), times=(0.0, 2.0), channels=("a", "b", "c"))
    second = movie.at(t=1)
    assert (second.dims, second.times, second.channels) == (("c", "y", "x"), None, ("a", "b", "c"))
    np.testing.assert_array_equal(second.array, movie.array[1])
    np.testing.assert_array_equal(movie.at(t=1, c=2).array, movie.array[1, 2])
    with pytest.raises(ParameterError, match="no axis 'c'"):
        movie.at(c=0).at(c=0)


def test_replace_keeps_the_rest() -> None:
    made = image(modality="CT", quantity="HU")
    other = made.with_array(np.asarray(made.array) * 2, quantity="a.u.")
    assert (other.modality, other.quantity, other.geometry) == ("CT", "a.u.", made.geometry)
    assert "CT HU" in repr(made)


def test_an_unexpected_quantity_is_refused_by_name() -> None:
    made = image(quantity="HU")
    made.require_quantity("HU", "SUVbw")
    with pytest.raises(ContentError, match="segment.lungs works on SUVbw, but the image holds HU"):
        made.require_quantity("SUVbw", who="segment.lungs")
    with pytest.raises(ContentError, match="an unknown quantity"):
        image().require_quantity("HU")


def test_an_image_travels_between_processes() -> None:
    made = image(modality="MR", times=None)
    twin = pickle.loads(pickle.dumps(made))
    assert twin.digest == made.digest
    assert twin.geometry == made.geometry
    assert not twin.array.flags.writeable
