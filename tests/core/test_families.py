"""What each family adds to an operation, shown on tiny operations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from isocenter.core.errors import ContentError, GeometryError, GridMismatchError, ParameterError
from isocenter.core.families import Fittable, Reconstructor, Registrar, Resampler
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack, Segment
from isocenter.core.operation import Operation, Spec
from isocenter.core.points import Boxes, Points
from isocenter.core.provenance import Provenance
from isocenter.core.raw import Raw
from isocenter.core.results import Score
from isocenter.core.signal import Signal
from isocenter.core.transform import Affine
from tests.core.values import (
    Bright,
    Center,
    Coin,
    Cube,
    Density,
    Difference,
    Erase,
    Inverse,
    Maximum,
    Mean,
    Nearest,
    Ones,
    Overlap,
    Peak,
    Same,
    Shift,
    Shrink,
    Spread,
    Sums,
    Toward,
    image,
)


def region(of: Image, above: float = 20.0) -> LabelMap:
    """Return the samples above a value as one segment."""
    array = np.asarray(of.array) > above
    return LabelMap(array, of.dims, of.geometry, (Segment(1, "tumour"),))


# -- filters -------------------------------------------------------------------------------------------------


def test_a_filter_keeps_grid_dims_and_meaning() -> None:
    given = image(modality="CT", quantity="HU")
    done = Shift(by=2.0)(given)
    assert (done.dims, done.geometry, done.modality, done.quantity) == (given.dims, given.geometry, "CT", "HU")
    assert done.dtype == np.float32
    np.testing.assert_array_equal(done.array, np.asarray(given.array) + 2.0)


def test_a_filter_records_what_it_did() -> None:
    given = image(provenance=Provenance.read("sha256:0", "dicom", ["tilted"]))
    done = Shift(by=2.0)(given, seed=5)
    (step,) = done.provenance.steps
    assert (step.operation, step.version, step.parameters, step.seed) == ("local.shift", "1", {"by": 2.0}, 5)
    assert step.inputs == (given.digest,)
    assert done.provenance.notes == ("tilted", "shifted")
    assert given.provenance.steps == ()


@pytest.mark.parametrize(
    ("given", "computed"), [("u1", "f4"), ("i2", "f4"), ("f2", "f4"), ("f4", "f4"), ("f8", "f8"), ("?", "f4")]
)
def test_filters_compute_in_the_working_type_and_rank_filters_keep_theirs(given: str, computed: str) -> None:
    one = image(dtype=given)
    assert Shift()(one).dtype == np.dtype(computed)
    assert Spread()(one).dtype == np.dtype(given)
    for operation in (Shift(), Spread()):
        resolved = operation.resolve(Spec.of(one))
        assert resolved == Spec.of(operation(one)), "a plan says what a run gives"


@pytest.mark.parametrize("dims", ["tzyx", "czyx", "tczyx", "tcyx"])
def test_time_and_channels_are_looped_in_the_order_of_the_image(dims: str) -> None:
    shape = tuple(range(2, 2 + len(dims)))
    given = image(shape, dims, dtype=np.float32)
    done = Spread()(given)
    core = tuple(k for k, d in enumerate(dims) if d in "zyx")
    for index in np.ndindex(*[n for k, n in enumerate(shape) if k not in core]):
        part = image(tuple(shape[k] for k in core), "".join(dims[k] for k in core)).replace(array=given.array[index])
        np.testing.assert_array_equal(done.array[index], Spread()(part).array)


def test_a_filter_that_changes_the_grid_is_stopped() -> None:
    with pytest.raises(ContentError, match="local.shrink returned samples of shape"):
        Shrink()(image())


def test_filters_refuse_label_maps() -> None:
    labels = region(image())
    for operation in (Shift(), Toward(), Bright()):
        with pytest.raises(ContentError, match="given a label map"):
            operation(labels, labels) if isinstance(operation, Toward) else operation(labels)
    with pytest.raises(ContentError, match="would be given a label map"):
        Shift().resolve(Spec.of(labels))


def test_a_declared_quantity_replaces_the_old_one() -> None:
    done = Density()(image(quantity="HU"))
    assert done.quantity == "g/ml"
    assert Density().resolve(Spec.of(image(quantity="HU"))).quantity == "g/ml"


def test_the_input_is_untouched() -> None:
    given = image()
    before = given.digest
    Shift()(given)
    assert Image(given.array, given.dims, given.geometry).digest == before


def test_an_image_without_looped_samples_is_refused() -> None:
    empty = Image(np.zeros((0, 4, 5)), ("t", "y", "x"), Geometry.regular((4, 5)))
    with pytest.raises(ContentError, match="without samples"):
        Shift()(empty)


def test_a_reference_filter_is_nothing_when_both_are_one() -> None:
    given = image(dtype=np.float32)
    done = Toward()(given, given)
    np.testing.assert_array_equal(done.array, given.array)
    assert done.provenance.steps[-1].inputs == (given.digest, given.digest)
    with pytest.raises(GridMismatchError, match="the image .* and the reference"):
        Toward()(given, image((4, 5, 7)))


# -- resamplers ----------------------------------------------------------------------------------------------


def test_a_resampler_gives_the_requested_grid_and_keeps_labels_integral() -> None:
    given = image()
    grid = given.geometry.with_spacing((1.5, 1.0, 1.0))
    done = Nearest()(given, None, grid)
    assert done.geometry == grid
    assert done.dtype == given.dtype
    assert Nearest()(given, None, done).digest == done.digest, "an image stands for its grid"
    labels = Nearest()(region(given), None, grid)
    assert isinstance(labels, LabelMap)
    assert labels.segments == region(given).segments
    with pytest.raises(ContentError, match="label maps stay integral"):
        Nearest(as_float=True)(region(given), None, grid)


def test_a_transform_maps_points_of_the_grid_to_points_of_the_image() -> None:
    given = image(spacing=(1.0, 1.0, 1.0))
    moved = Nearest()(given, Affine.translation((1.0, 0.0, 0.0)), given.geometry)
    np.testing.assert_array_equal(moved.array[..., :-1], given.array[..., 1:])
    assert len(moved.provenance.steps[-1].inputs) == 3  # image, transform, grid


def test_the_plan_of_a_resampler_knows_grid_and_samples() -> None:
    given = image((2, 4, 5, 6), "tzyx")
    grid = given.geometry.with_spacing((1.5, 1.0, 1.0))
    spec = Nearest().resolve(Spec.of(given), Spec("Image", geometry=grid))
    assert spec.geometry == grid
    assert spec.samples == 2 * grid.size == Spec.of(Nearest()(given, None, grid)).samples


def test_dims_follow_the_number_of_axes_of_the_grid() -> None:
    class Middle(Nearest):
        """The middle slice."""

        def compute(self, array: Any, context: Any) -> Any:
            return array[array.shape[0] // 2]

    flat = Middle()(image((2, 4, 5, 6), "tzyx"), None, Geometry.regular((5, 6)))
    assert flat.dims == ("t", "y", "x")


# -- segmenters and editors ----------------------------------------------------------------------------------


def test_a_segmenter_gives_labels_of_its_table_on_the_grid() -> None:
    given = image(modality="CT")
    done = Bright(above=50.0)(given)
    assert isinstance(done, LabelMap)
    assert (done.dims, done.geometry, done.modality) == (given.dims, given.geometry, "CT")
    assert done.dtype == np.uint8
    assert [(s.value, s.name) for s in done.segments] == [(1, "bright")]
    np.testing.assert_array_equal(done.mask("bright"), np.asarray(given.array) > 50)


def test_a_region_restricts_a_segmenter_and_must_lie_on_the_grid() -> None:
    given = image()
    where = region(given, above=100)
    done = Bright(above=50.0)(given, where)
    np.testing.assert_array_equal(done.mask(), where.mask())
    assert done.provenance.steps[-1].inputs == (given.digest, where.digest)
    other = LabelMap(np.zeros((4, 5, 7), bool), ("z", "y", "x"), Geometry.regular((4, 5, 7)))
    with pytest.raises(GridMismatchError, match="the image .* and the region"):
        Bright()(given, other)


def test_an_instance_segmenter_names_what_it_finds() -> None:
    done = Ones()(image((3, 4), "yx"))
    assert isinstance(done, LabelMap)
    assert [s.name for s in done.segments] == ["row 1", "row 2", "row 3"]


def test_a_segmenter_over_time_and_over_colours() -> None:
    movie = Bright(above=10.0)(image((3, 4, 5), "tyx", times=(0.0, 1.0, 2.0)))
    assert (movie.dims, movie.times) == (("t", "y", "x"), (0.0, 1.0, 2.0))
    colour = Bright(above=10.0)(image((3, 4, 5), "cyx"))
    assert colour.dims == ("y", "x")
    with pytest.raises(ContentError, match="labels one channel, but the image has 2"):
        Ones()(image((2, 4, 5), "cyx"))
    spec = Bright().resolve(Spec.of(image((3, 4, 5), "cyx")))
    assert (spec.kind, spec.dims, spec.samples) == ("LabelMap", ("y", "x"), 20)


def test_a_region_with_time_is_refused_where_space_is_meant() -> None:
    movie = image((3, 4, 5), "tyx")
    with pytest.raises(ContentError, match="expected spatial axes only"):
        Bright()(movie, region(movie))


def test_an_editor_takes_labels_only_and_replays() -> None:
    labels = LabelMap(np.array([[1, 2], [2, 0]], np.uint8), ("y", "x"), Geometry.regular((2, 2)))
    done = Erase(value=2)(labels)
    assert isinstance(done, LabelMap)
    assert done.present == (0, 1)
    assert Erase(value=2)(labels).digest == done.digest
    for wrong in (image((2, 2), "yx"),):
        with pytest.raises(ContentError, match="edits labels, but was given Image"):
            Erase()(wrong)  # type: ignore[arg-type]  # the wrong kind is the point
        with pytest.raises(ContentError, match="edits labels, but would be given Image"):
            Erase().resolve(Spec.of(wrong))


# -- surfaces and measurements -------------------------------------------------------------------------------


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_surface_lies_in_mm_and_faces_outwards(mirrored: bool) -> None:
    grid = Geometry.regular((4, 4, 4), (3.0, 1.0, 1.0), (10.0, 0.0, 0.0))
    array = np.zeros((4, 4, 4), np.uint8)
    array[1:3, 1:3, 1:3] = 1
    labels = LabelMap(array, ("z", "y", "x"), grid.flip(2) if mirrored else grid, (Segment(1, "tumour"),))
    mesh = Cube()(labels)
    assert mesh.name == "tumour"
    assert mesh.is_closed
    assert math.isclose(mesh.volume, 2 * 2 * 2 * 3.0)
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    outward = np.einsum("ij,ij->i", np.cross(b - a, c - a), (a + b + c) / 3 - mesh.vertices.mean(axis=0))
    assert (outward > 0).all()


def test_surfaces_need_labels_in_mm() -> None:
    labels = region(image())
    with pytest.raises(ContentError, match="meshes labels, but was given Image"):
        Cube()(image())  # type: ignore[arg-type]  # the wrong kind is the point
    with pytest.raises(ContentError, match="measures in mm"):
        Cube()(labels.replace(geometry=Geometry.pixels((4, 5, 6))))
    assert Cube().resolve(Spec.of(labels)).kind == "Mesh"


def test_an_extractor_gives_one_row_per_segment() -> None:
    given = image(quantity="HU", dtype=np.float32)
    labels = LabelMap(
        (np.asarray(given.array) > 20).astype(np.uint8), given.dims, given.geometry, (Segment(1, "a"), Segment(2, "b"))
    )
    table = Sums()(given, labels)
    assert table.regions == ("a", "b")
    assert [c.unit for c in table.columns] == ["mm^3", "HU"]
    assert table["a", "volume"] == 99 * 1.5
    assert table["b", "volume"] == 0.0
    assert math.isnan(table["b", "sum"])
    assert table.provenance.steps[-1].inputs == (given.digest, labels.digest)


def test_overlapping_regions_are_measured_each() -> None:
    given = image()
    masks = np.stack([np.asarray(given.array) > 20, np.asarray(given.array) > 50])
    stack = MaskStack(masks, given.dims, given.geometry, (Segment(1, "large"), Segment(2, "small")))
    table = Sums()(given, stack)
    assert table["large", "volume"] > table["small", "volume"] > 0


def test_an_extractor_without_regions_still_has_columns() -> None:
    given = image()
    nothing = LabelMap(np.zeros(given.shape, np.uint8), given.dims, given.geometry)
    assert Sums()(given, nothing).names == ("volume", "sum")


def test_time_points_and_channels_become_rows() -> None:
    given = image((2, 4, 5), "tyx", times=(0.0, 1.0), dtype=np.float32)
    where = LabelMap(np.ones((4, 5), bool), ("y", "x"), given.geometry, (Segment(1, "lesion"),))
    table = Sums()(given, where)
    assert table.regions == ("lesion [t=0]", "lesion [t=1]")
    assert table["lesion [t=1]", "sum"] == float(np.asarray(given.array)[1].sum())
    colours = image((3, 4, 5), "cyx", channels=("red", "green", "blue"))
    assert Sums()(colours, where).regions == ("lesion [red]", "lesion [green]", "lesion [blue]")


def test_an_extractor_refuses_undeclared_columns_and_other_grids() -> None:
    given = image()
    with pytest.raises(ParameterError, match=r"undeclared columns \['undeclared'\]"):
        Sums(extra=True)(given, region(given))
    with pytest.raises(GridMismatchError):
        Sums()(given, region(image((4, 5, 7))))
    with pytest.raises(ContentError, match="would be given nothing as region"):
        Sums().resolve(Spec.of(given))
    with pytest.raises(ContentError, match="would be given Image as region"):
        Sums().resolve(Spec.of(given), Spec.of(given))
    with pytest.raises(GridMismatchError):
        Sums().resolve(Spec.of(given), Spec.of(region(image((4, 5, 7)))))


def test_a_measure_gives_scores_within_a_region() -> None:
    given = image(quantity="HU")
    inside = LabelMap(np.asarray(given.array) < 30, given.dims, given.geometry)
    assert Peak()(given)["peak"] == Score(119.0, "HU")
    assert float(Peak()(given, inside)["peak"]) == 29.0


def test_a_metric_compares_labels_on_one_grid() -> None:
    given = image()
    one, two = region(given, 20), region(given, 50)
    assert float(Overlap()(one, one)["overlap"]) == 1.0
    assert 0 < float(Overlap()(one, two)["overlap"]) < 1
    with pytest.raises(ContentError, match="compares label maps, but was given Image and LabelMap"):
        Overlap()(given, one)
    with pytest.raises(GridMismatchError, match="the prediction .* and the truth"):
        Overlap()(one, region(image((4, 5, 7))))
    with pytest.raises(GeometryError, match="expected the same"):
        Overlap()(region(image((2, 4, 5), "tyx")), region(image((4, 5), "yx")))


def test_a_label_that_was_not_found_is_an_empty_mask() -> None:
    given = image()
    truth = region(given)
    missed = LabelMap(np.zeros(given.shape, np.uint8), given.dims, given.geometry)
    assert float(Overlap(label="tumour")(truth, truth)["overlap"]) == 1.0
    assert float(Overlap(label="tumour")(missed, truth)["overlap"]) == 0.0


def test_a_metric_of_images_compares_intensities() -> None:
    given = image()
    assert float(Difference()(given, Shift(by=3.0)(given))["difference"]) == 3.0


# -- registration, fusion, reconstruction and the rest -------------------------------------------------------


def test_a_registrar_returns_a_transform_with_its_lineage() -> None:
    fixed, moving = image(), image((3, 5, 6))
    found = Same(left=2.0)(fixed, moving)
    np.testing.assert_array_equal(found((0.0, 0.0, 0.0)), (2.0, 0.0, 0.0))
    assert found.provenance.steps[-1].inputs == (fixed.digest, moving.digest)
    assert Same().resolve(Spec.of(fixed), Spec.of(moving)).kind == "Transform"


def test_a_fuser_needs_two_images_on_one_grid() -> None:
    given = image(quantity="HU")
    done = Mean()(given, Shift(by=2.0)(given))
    np.testing.assert_allclose(done.array, np.asarray(given.array) + 1.0)
    assert done.quantity is None
    with pytest.raises(ParameterError, match="given 1 images"):
        Mean()(given)
    with pytest.raises(GridMismatchError, match=r"image 1 .* and image 3"):
        Mean()(given, given, image((4, 5, 7)))


def test_a_reconstructor_makes_an_image_of_raw_data() -> None:
    truth = np.arange(20.0).reshape(4, 5)
    raw = Raw(np.fft.fft2(truth), "kspace", ("line", "readout"), {"trajectory": "cartesian"}, Geometry.regular((4, 5)))
    done = Inverse()(raw)
    np.testing.assert_allclose(done.array, truth, atol=1e-9)
    assert done.provenance.steps[-1].inputs == (raw.digest,)
    assert Inverse().resolve(Spec.of(raw)).geometry == raw.geometry


def test_a_predictor_gives_probabilities_with_lineage() -> None:
    found = Coin()(image())
    assert found.label == "high"
    assert found.provenance.steps[-1].operation == "local.coin"


def test_a_detector_gives_positions_in_mm() -> None:
    given = image()
    found = Maximum()(given)
    assert isinstance(found, Points | Boxes)
    assert isinstance(found, Points)
    np.testing.assert_allclose(found.positions[0], given.geometry.to_world((3, 4, 5)))
    assert found.provenance.steps[-1].inputs == (given.digest,)


def test_a_signal_filter_keeps_channels_and_rate() -> None:
    given = Signal(np.arange(10).reshape(2, 5), 100.0, ("a", "b"), "uV")
    done = Center()(given)
    assert (done.rate, done.channels, done.unit) == (100.0, ("a", "b"), "uV")
    np.testing.assert_array_equal(done.array.mean(axis=1), 0.0)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Fittable().fit([]), "Fittable has no fit"),
        (lambda: Reconstructor().reconstruct(None, None), "has no reconstruct"),  # type: ignore[arg-type]  # never looked at
        (lambda: Registrar().align(None, None, None), "has no align"),  # type: ignore[arg-type]  # never looked at
        (lambda: Resampler().target(None, None), "has no target"),  # type: ignore[arg-type]  # never looked at
    ],
)
def test_an_operation_that_lacks_its_method_says_so(call: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        call()


@pytest.mark.parametrize("operation", [Shift(), Spread(), Bright(), Peak(), Maximum()], ids=lambda o: o.name)
def test_equal_inputs_give_equal_digests(operation: Operation) -> None:
    first, second = operation(image()), operation(image())  # type: ignore[operator]  # every family is callable
    assert first.digest == second.digest
    assert first.provenance == second.provenance
