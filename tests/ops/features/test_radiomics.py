"""features.radiomics: the IBSI references, what must not change a number, and what the corner cases give."""

from __future__ import annotations

import csv
import math
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from scipy import ndimage

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack, Segment
from isocenter.core.results import Features
from isocenter.jobs.measure_settings import resolve
from isocenter.ops.features.radiomics import Radiomics
from isocenter.ops.filter.laplacian_of_gaussian import LaplacianOfGaussian

REFERENCES = {
    "ibsi-digital": ("1_digital_phantom", "ibsi_1_dig_phantom.csv", 482),
    "ibsi-a": ("1_ct_phantom", "ibsi_1_chest_config_a.csv", 406),
    "ibsi-b": ("1_ct_phantom", "ibsi_1_chest_config_b.csv", 406),
    "ibsi-c": ("1_ct_phantom", "ibsi_1_chest_config_c.csv", 270),
}

#: Every image type.
ALL_TYPES = {"log": [2.0, 3.5], "wavelet": "coif1", "others": ["gradient", "square", "squareroot", "logarithm", "exponential"]}

EVERYTHING = (*Radiomics.model_fields["families"].default, "autocorrelation")


def volume(path: Path) -> tuple[Any, Geometry]:
    stored = nibabel.load(path)
    array = np.asarray(stored.dataobj).transpose(2, 1, 0)
    return array, Geometry.regular(array.shape, [float(s) for s in stored.header.get_zooms()[2::-1]])


def pair(array: Any, mask: Any, spacing: Any = 1.0, **fields: Any) -> tuple[Image, LabelMap]:
    dims = ("z", "y", "x")[3 - array.ndim :]
    grid = Geometry.regular(array.shape, spacing)
    return Image(array, dims, grid, **fields), LabelMap(mask.astype(np.uint8), dims, grid, (Segment(1, "lesion"),))


def by_tag(found: Features, row: int = 0) -> dict[str, float]:
    return {c.tag: v for c, v in zip(found.columns, found.rows[row], strict=True)}


def lesion(seed: int = 0, shape: tuple[int, int, int] = (14, 22, 18)) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    array = ndimage.gaussian_filter(rng.standard_normal(shape), 1.0) * 400
    z, y, x = (np.linspace(-1.4, 1.4, n) for n in shape)
    mask = (z[:, None, None] ** 2 + y[None, :, None] ** 2 + 1.3 * x[None, None] ** 2 + 0.3 * z[:, None, None] * x) < 1
    return np.rint(array).astype(np.int16), mask


@pytest.mark.parametrize("name", REFERENCES)
def test_every_reference_value_of_the_ibsi(shared: Callable[[str], Path], name: str) -> None:
    folder = shared("ibsi")
    phantom, table, expected = REFERENCES[name]
    array, grid = volume(folder / phantom / "image/phantom.nii.gz")
    mask, _ = volume(folder / phantom / "mask/mask.nii.gz")
    labels = LabelMap((mask > 0).astype(np.uint8), ("z", "y", "x"), grid, (Segment(1, "region"),))
    image = Image(array, ("z", "y", "x"), grid, quantity=None if "digital" in name else "HU")
    found = by_tag(resolve(name).operation(image, labels))
    wrong, compared = [], 0
    with (folder / "1_reference_values" / table).open(newline="") as handle:
        for row in csv.DictReader(handle, delimiter=";"):
            if not row["reference value"]:
                continue
            compared += 1
            value, reference, tolerance = found[row["tag"]], float(row["reference value"]), float(row["tolerance"])
            # References have three significant digits, or are whole counts with all of theirs.
            if min(abs(v - reference) for v in (value, float(f"{value:.3g}"))) > tolerance * (1 + 1e-9) + 1e-12:
                wrong.append((row["tag"], value, row["reference value"], row["tolerance"]))
    assert compared == expected
    assert wrong == []


@pytest.mark.parametrize("name", ["ibsi-d", "ibsi-e"])
def test_other_configurations_give_every_column_a_value(shared: Callable[[str], Path], name: str) -> None:
    folder = shared("ibsi") / "1_ct_phantom"
    array, grid = volume(folder / "image/phantom.nii.gz")
    mask, _ = volume(folder / "mask/mask.nii.gz")
    labels = LabelMap((mask > 0).astype(np.uint8), ("z", "y", "x"), grid, (Segment(1, "region"),))
    found = by_tag(resolve(name).operation(Image(array, ("z", "y", "x"), grid, quantity="HU"), labels))
    assert all(math.isfinite(v) for v in found.values())
    assert found["ih_max"] == 32
    inside = found["int_mask_mean_int_interp_roi"], found["int_mask_vox_count_interp_roi"]
    assert found["int_mask_vox_count_reseg_roi"] < inside[1]
    assert found["stat_mean"] > inside[0]  # the lung's low values were the outliers


def test_columns_are_readable_and_carry_unit_code_and_tag() -> None:
    found = Radiomics(families=EVERYTHING)(*pair(*lesion(), quantity="HU"))
    columns = {c.name: c for c in found.columns}
    assert (columns["intensity_variance"].unit, columns["intensity_variance"].standard) == ("HU^2", "IBSI:ECT3")
    assert columns["morphology_surface_area"].unit == "mm^2"
    assert columns["glcm_joint_maximum_3d_average"].tag == "cm_joint_max_3D_avg"
    assert columns["glszm_small_zone_emphasis_3d"].standard == "IBSI:5QRC"
    assert len({c.tag for c in found.columns}) == len(found.columns)


def test_families_and_aggregations_choose_the_columns() -> None:
    chosen = Radiomics(families=("glcm", "ngtdm"), aggregations=("2.5d_merged", "3d_average"))(*pair(*lesion()))
    tags = [c.tag for c in chosen.columns]
    assert len(tags) == 2 * 25 + 2 * 5
    everything = by_tag(Radiomics(aggregations=("2.5d_merged", "3d_average"))(*pair(*lesion())))
    assert by_tag(chosen) == {tag: everything[tag] for tag in tags}


def moved(what: str, array: Any, mask: Any, spacing: tuple[float, float, float]) -> tuple[Any, Any, tuple[float, float, float]]:
    if what == "translation":
        shift = (2, -3, 1)
        wide = [np.pad(a, 4) for a in (array, mask)]
        return np.roll(wide[0], shift, (0, 1, 2)), np.roll(wide[1], shift, (0, 1, 2)), spacing
    axes = {"turn in plane": (1, 2), "turn out of plane": (0, 2)}[what]
    steps = list(spacing)
    steps[axes[0]], steps[axes[1]] = steps[axes[1]], steps[axes[0]]
    return np.rot90(array, 1, axes).copy(), np.rot90(mask, 1, axes).copy(), (steps[0], steps[1], steps[2])


@pytest.mark.parametrize("what", ["translation", "turn in plane", "turn out of plane"])
def test_place_and_quarter_turns_change_nothing(what: str) -> None:
    array, mask = lesion()
    array, mask = np.pad(array, 9, mode="edge"), np.pad(mask, 9)  # balls around the region stay in the image
    kind = Radiomics(families=EVERYTHING, discretisation="width", bin_width=40)
    spacing = (2.5, 0.9, 1.1)
    before = by_tag(kind(*pair(array, mask, spacing)))
    turned, where, steps = moved(what, array, mask, spacing)
    after = by_tag(kind(*pair(turned, where, steps)))
    assert after == pytest.approx(before, rel=1e-9, nan_ok=True)


def test_two_threads_give_the_same_numbers() -> None:
    rng = np.random.default_rng(5)
    array = rng.integers(0, 300, (70, 80, 80)).astype(np.int16)
    inputs = pair(array, ndimage.gaussian_filter(rng.standard_normal(array.shape), 4) > -0.05)
    kind = Radiomics()
    assert kind(*inputs, threads=1).rows == kind(*inputs, threads=2).rows


@pytest.mark.parametrize(
    "dtype, responses",
    [
        (np.int16, {}),
        (np.float32, {}),
        (np.int16, {"log": [3.0], "others": ["gradient", "square"]}),
        (np.float32, {"log": [2.0], "wavelet": "coif1"}),
    ],
)
def test_a_small_region_of_a_large_image_needs_little_memory(dtype: Any, responses: dict[str, Any]) -> None:
    image, labels = pair(np.zeros((120, 200, 200), np.int16), np.zeros((120, 200, 200), bool))
    array, mask = np.zeros(image.shape, dtype), np.zeros(image.shape, np.uint8)
    rng = np.random.default_rng(2)
    box = (slice(20, 90), slice(40, 150), slice(50, 160))
    array[box] = rng.integers(0, 400, (70, 110, 110))
    mask[box] = ndimage.gaussian_filter(rng.standard_normal((70, 110, 110)), 8) > -0.02
    if responses:  # their float32 are held for the samples of the region: a body, that fills half of its box
        mask[box] = (
            sum(((np.arange(n) + 0.5) / n * 2 - 1).reshape(-1, *(1,) * k) ** 2 for n, k in ((70, 2), (110, 1), (110, 0))) < 1
        )
    image, labels = image.replace(array=array), labels.replace(array=mask)
    kind = Radiomics(discretisation="width", bin_width=25, responses=responses)
    assert image.digest and labels.digest  # cached with the image, no part of measuring
    kind(*pair(*lesion()))  # compiles
    tracemalloc.start()
    kind(image, labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6.0 * 70 * 110 * 110 + 1e6  # and the matrices


@pytest.mark.parametrize("settings", [{}, {"spacing": 1.0}, {"aggregations": ("2d_average", "2.5d_merged")}])
def test_corner_cases_are_defined(settings: dict[str, Any]) -> None:
    kind = Radiomics(families=EVERYTHING, diagnostics=True, **settings)
    array, mask = lesion()
    empty = by_tag(kind(*pair(array, np.zeros_like(mask))))
    assert empty["int_mask_vox_count_init_roi"] == 0.0
    assert all(math.isnan(v) for t, v in empty.items() if t.split("_")[0] in ("stat", "morph", "cm", "ivh") and "mask" not in t)
    one = np.zeros_like(mask)
    one[6, 10, 9] = True
    single = by_tag(kind(*pair(array, one)))
    assert single["stat_var"] == single["ih_entropy"] == 0.0
    assert single["morph_volume"] > 0.0
    assert not any(math.isinf(v) for v in single.values())
    flat = by_tag(kind(*pair(np.full(array.shape, 7.0, np.float32), mask)))
    name = "2D_avg" if "aggregations" in settings else "3D_avg"
    assert (flat["stat_mean"], flat["stat_var"], flat[f"cm_corr_{name}"]) == (7.0, 0.0, 1.0)
    assert flat[f"cm_joint_entr_{name}"] == 0.0
    assert flat[f"ngt_coarseness_{name[:2]}"] == 1e6


def test_not_finite_samples_leave_the_intensities_and_are_told() -> None:
    array, mask = lesion()
    holed = array.astype(np.float32)
    holed[7, 11, 9] = np.nan
    found = Radiomics()(*pair(holed, mask))
    assert "1 samples of the region are not finite" in found.provenance.steps[-1].notes[0]
    assert all(math.isfinite(v) for v in by_tag(found).values())


def test_range_and_outliers_meet_in_their_intersection() -> None:
    array, mask = lesion()
    values = array[mask].astype(float)
    low, high = values.mean() - 2 * values.std(), values.mean() + 2 * values.std()
    found = by_tag(Radiomics(lowest=-60, outlier_sigma=2)(*pair(array, mask)))
    kept = values[(values >= max(low, -60)) & (values <= high)]
    assert found["stat_mean"] == pytest.approx(kept.mean())
    assert (found["stat_min"], found["stat_max"]) == (kept.min(), kept.max())
    assert found["morph_vol_approx"] == mask.sum()  # the form of the region is not touched


def test_a_slice_is_measured_in_its_plane() -> None:
    array, mask = lesion()
    found = by_tag(Radiomics()(*pair(array[7], mask[7])))
    whole = by_tag(Radiomics(aggregations=("2d_average", "2d_merged"))(*pair(array[7:8], mask[7:8])))
    assert {t: v for t, v in whole.items() if not t.startswith(("morph", "loc"))} == found


def test_a_mask_stack_and_several_labels_are_measured_one_by_one() -> None:
    array, mask = lesion()
    image, _ = pair(array, mask)
    parts = np.stack([mask & (np.arange(18) < 9), mask])
    stack = MaskStack(parts, image.dims, image.geometry, (Segment(1, "half"), Segment(2, "all")))
    found = Radiomics()(image, stack)
    assert found.regions == ("half", "all")
    for k in range(2):
        assert by_tag(found, k) == by_tag(Radiomics()(*pair(array, parts[k])))


@pytest.mark.parametrize(
    "given, message",
    [
        ({"lowest": 3, "highest": 3}, "below"),
        ({"spacing": (1.0, -1.0)}, "spacing"),
        ({"spacing": 0.0}, "spacing"),
        ({"families": ()}, "at least one"),
        ({"aggregations": ("3d_merged", "3d_merged")}, "once"),
        ({"bin_width": 0.0}, "bin_width"),
        ({"responses": {"wavelet": "coif9"}}, "coif1"),
        ({"responses": {"log": [-1]}}, "greater than 0"),
        ({"responses": {"original": False}}, "at least one image type"),
        ({"responses": {"log": [2]}, "discretisation": "none"}, "no levels"),
        ({"binwidth": 3}, "Did you mean 'bin_width'"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        Radiomics(**given)


def test_values_that_are_no_levels_are_refused_as_levels() -> None:
    array, mask = lesion()
    with pytest.raises(ContentError, match="levels already"):
        Radiomics(discretisation="none")(*pair(array, mask))
    with pytest.raises(ContentError, match="spacings"):
        Radiomics(spacing=(2.0, 2.0))(*pair(array, mask))


def test_too_many_levels_leave_out_textures_and_say_so() -> None:
    array, mask = lesion()
    found = Radiomics(discretisation="width", bin_width=0.001)(*pair(array, mask))
    assert "widen the bins" in found.provenance.steps[-1].notes[0]
    assert math.isfinite(by_tag(found)["stat_mean"])


def test_image_types_are_measured_as_images_of_their_own() -> None:
    array, mask = lesion()
    image, labels = pair(array, mask, (2.0, 1.0, 1.0), quantity="HU")
    families = ("statistics", "volume_histogram", "histogram", "glcm", "gldzm", "ngtdm")
    found = Radiomics(families=families, responses=ALL_TYPES)(image, labels)
    assert len(found.columns) == len(set(found.columns)) == len(found.columns) // 16 * 16
    response = LaplacianOfGaussian(sigma=2.0)(image)
    expected = Radiomics(families=families)(response, labels)
    for column, value in zip(expected.columns, expected.rows[0], strict=True):
        assert found[f"log_2mm_{column.name}"] == pytest.approx(value, rel=2e-4, abs=1e-5), column.name
    by = {c.name: c for c in found.columns}
    assert by["wavelet_llh_glcm_contrast_3d_average"].tag == "wavelet-LLH_cm_contrast_3D_avg"
    assert (by["log_3_5mm_intensity_mean"].unit, by["intensity_mean"].unit) == ("a.u.", "HU")


def test_image_types_share_the_mask_that_the_range_left_and_the_interpolated_grid() -> None:
    array, mask = lesion()
    kind = Radiomics(lowest=-60, families=("statistics",), spacing=1.5, order="linear", responses={"others": ["square"]})
    found = by_tag(kind(*pair(array, mask, (2.0, 1.0, 1.0), quantity="HU")))
    top = float(np.abs(array).max())
    assert found["square_stat_max"] == pytest.approx(max(found["stat_max"] ** 2, found["stat_min"] ** 2) / top, rel=1e-6)
    assert found["square_stat_mean"] == pytest.approx(found["stat_rms"] ** 2 / top, rel=1e-6)


def test_the_image_itself_can_be_left_out_but_its_form_stays() -> None:
    found = by_tag(Radiomics(responses={"original": False, "wavelet": "haar"})(*pair(*lesion())))
    assert {t.split("_")[0] for t in found} == {"morph", *(f"wavelet-{a}{b}{c}" for a in "LH" for b in "LH" for c in "LH")}
    array, mask = lesion()
    flat = by_tag(Radiomics(responses={"wavelet": "haar", "log": [3]})(*pair(array[7], mask[7])))
    assert {t.split("_")[0] for t in flat if "wave" in t} == {f"wavelet-{a}{b}" for a in "LH" for b in "LH"}
    assert "log-sigma-3-mm-2D_stat_mean" in flat


@pytest.mark.parametrize("kernel, told", [("sampled", True), ("recursive", False)])
def test_a_gaussian_below_one_sample_is_told(kernel: str, told: bool) -> None:
    inputs = pair(*lesion(), (3.0, 1.0, 1.0))
    found = Radiomics(families=("statistics",), responses={"log": [2], "log_kernel": kernel})(*inputs)
    assert any("sampled Gaussian" in note for note in found.provenance.steps[-1].notes) == told


def test_place_quarter_turns_and_threads_change_no_image_type() -> None:
    array, mask = lesion()
    array, mask = np.pad(array, 14, mode="edge"), np.pad(mask, 14)
    types = {"log": [2.0], "log_kernel": "recursive", "others": ["gradient", "square"]}
    kind = Radiomics(families=("statistics", "glcm", "glszm"), discretisation="width", bin_width=40, responses=types)
    spacing = (2.5, 0.9, 1.1)
    before = by_tag(kind(*pair(array, mask, spacing)))
    assert by_tag(kind(*pair(array, mask, spacing), threads=2)) == before
    for what in ("translation", "turn in plane", "turn out of plane"):
        turned, where, steps = moved(what, array, mask, spacing)
        assert by_tag(kind(*pair(turned, where, steps))) == pytest.approx(before, rel=1e-5, abs=1e-5)


def test_holes_reach_as_far_as_filters_do_and_are_told() -> None:
    array, mask = lesion()
    holed = array.astype(np.float32)
    holed[7, 11, 9] = np.nan
    found = Radiomics(families=("statistics", "ngldm"), responses={"wavelet": "haar", "others": ["square"]})(*pair(holed, mask))
    assert all(math.isfinite(v) for v in by_tag(found).values())
    assert any("wavelet-HHH" in note for note in found.provenance.steps[-1].notes)


@pytest.mark.parametrize("radius", [8.0, 15.0])
def test_balls_have_the_measures_of_balls(radius: float) -> None:
    spacing = (1.2, 0.8, 0.8)
    shape = tuple(int(2 * radius / s) + 5 for s in spacing)
    z, y, x = ((np.indices(shape)[k] - (shape[k] - 1) / 2) * spacing[k] for k in range(3))
    mask = z**2 + y**2 + x**2 <= radius**2
    found = by_tag(Radiomics(families=("morphology",))(*pair(np.ones(shape, np.float32), mask, spacing)))
    assert found["morph_volume"] == pytest.approx(4 / 3 * math.pi * radius**3, rel=0.02)
    assert found["morph_diam"] == pytest.approx(2 * radius, abs=max(spacing))
    assert found["morph_pca_elongation"] == pytest.approx(1.0, abs=0.01)
