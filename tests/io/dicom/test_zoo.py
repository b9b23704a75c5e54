"""Vendor and codec samples against the reference that each one's source gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from isocenter.core.labels import MaskStack
from isocenter.io.budget import Budget
from isocenter.io.dicom.dataset import open_file
from isocenter.io.dicom.layout import layout
from isocenter.io.dicom.pixels import locate, stored
from tests.io.dicom.samples import PYDICOM, inspect, nifti, read, worst_difference

Shared = Callable[[str], Path]
ZOO = "data/dicom_zoo"

VENDORS = [
    "ge/anatomical/001", "ge/anatomical/001_implicit", "hitachi/anatomical/001", "hitachi/anatomical/001_implicit", "hyperfine/anatomical/001",
    "generic/anatomical/002_non_isotropic", "generic/compressed/001", "generic/compressed_j2k/001", "generic/compressed_jpeg/001",
    "generic/compressed_jpegls/001", "generic/compressed_rle/001", "failing/slicecount/001",
]  # fmt: skip


@pytest.mark.parametrize("name", VENDORS)
def test_vendor_series_equal_their_nifti_in_the_world(shared: Shared, name: str) -> None:
    folder = shared(f"{ZOO}/dicom2nifti/{name}")
    image = read(folder)
    truth, affine = nifti(folder.parent / f"{folder.name}_ground_truth.nii.gz")
    # The references were stored as float32 after rescaling, or as the integers themselves.
    assert worst_difference(image.array, image.geometry.affine, truth, affine) <= 1e-3


@pytest.mark.parametrize("name", ["ge/fmri/001", "ge/fmri/001_implicit", "ge/dti/002"])
def test_repeated_volumes_become_time_points_in_order(shared: Shared, name: str) -> None:
    folder = shared(f"{ZOO}/dicom2nifti/{name}")
    image = read(folder)
    truth, affine = nifti(folder.parent / f"{folder.name}_ground_truth.nii.gz")
    assert image.dims == ("t", "z", "y", "x") and image.shape[0] == truth.shape[3]
    for t in range(image.shape[0]):
        assert worst_difference(image.array[t], image.geometry.affine, truth[..., t], affine) == 0


@pytest.mark.parametrize("name", ["001", "001_implicit"])
def test_diffusion_weightings_become_images_of_their_own(shared: Shared, name: str) -> None:
    folder = shared(f"{ZOO}/dicom2nifti/ge/dti/{name}")
    items, refusals = inspect(folder)
    assert not refusals and [i.attributes["part"] for i in items] == ["b-value 0", "b-value 1000"]
    truth, affine = nifti(folder.parent / f"{name}_ground_truth.nii.gz")
    for t, item in enumerate(items):
        image = item.load()
        assert worst_difference(image.array, image.geometry.affine, truth[..., t], affine) == 0


def test_colour_series_equal_their_nifti(shared: Shared) -> None:
    folder = shared(f"{ZOO}/dicom2nifti/generic/rgb/001")
    image = read(folder)
    truth, affine = nifti(folder.parent / "001_ground_truth.nii.gz")
    assert image.dims == ("c", "z", "y", "x") and image.channels == ("red", "green", "blue")
    for k, name in enumerate("RGB"):
        assert worst_difference(image.array[k], image.geometry.affine, truth[name], affine) == 0


def test_single_slice_keeps_its_place(shared: Shared) -> None:
    folder = shared(f"{ZOO}/dicom2nifti/ge/anatomical/001_single_slice")
    image = read(folder)
    assert image.dims == ("y", "x")
    assert np.allclose(image.geometry.origin, pydicom.dcmread(next(folder.iterdir())).ImagePositionPatient, atol=1e-6)


def test_gantry_tilt_keeps_its_14_degrees(shared: Shared) -> None:
    items, refusals = inspect(shared(f"{ZOO}/dicom2nifti/failing/gantrytilting/001"))
    assert not refusals and items[0].spec.geometry is not None
    assert items[0].spec.geometry.shear == pytest.approx(14.0, abs=0.05)
    assert "14.00 degrees" in items[0].problems[-1].text


def test_sagittal_and_axial_slices_of_one_series_become_two_stacks(shared: Shared) -> None:
    items, refusals = inspect(shared(f"{ZOO}/dicom2nifti/failing/sliceorientation/001"))
    assert not refusals and sorted(i.spec.geometry.orientation for i in items if i.spec.geometry) == ["RIP", "SPL"]


@pytest.mark.parametrize(("name", "says"), [("notavolume", "one position"), ("sliceincrement", "gap is 10.00 mm where 5.00 mm")])
def test_what_is_no_volume_is_refused(shared: Shared, name: str, says: str) -> None:
    items, refusals = inspect(shared(f"{ZOO}/dicom2nifti/failing/{name}/001"))
    assert not items and len(refusals) == 1 and refusals[0].kind == "geometry" and says in refusals[0].reason


@pytest.mark.parametrize("number", range(1, 10))
def test_mosaic_in_nine_syntaxes(shared: Shared, number: int) -> None:
    image = read(shared(f"{ZOO}/dcm_qa_ts/In/{number}.dcm"))
    truth, affine = nifti(shared(f"{ZOO}/dcm_qa_ts/Ref/1.nii"))
    assert image.shape == (35, 64, 64)
    assert worst_difference(image.array, image.geometry.affine, truth, affine) == 0


@pytest.mark.parametrize(("name", "reference"), [("12bitUnsigned", 2), ("12bitUnsigned_0x0F0F", 3), ("12bitSigned_0x0F0F", 4)])
def test_twelve_bits_with_rubbish_above_them(shared: Shared, name: str, reference: int) -> None:
    image = read(shared(f"{ZOO}/dcm_qa_12bit/In/{name}.dcm"))
    truth, affine = nifti(shared(f"{ZOO}/dcm_qa_12bit/Ref/{reference}.nii"))
    assert worst_difference(image.array, image.geometry.affine, truth, affine) == 0


def samples(path: Path) -> np.ndarray[Any, Any]:
    file = open_file(path, Budget())
    return stored(locate(file, layout(file, Budget())))[0]


PAIRS = [
    ("emri_small_RLE", "emri_small"), ("emri_small_big_endian", "emri_small"), ("emri_small_jpeg_2k_lossless", "emri_small"),
    ("emri_small_jpeg_ls_lossless", "emri_small"), ("liver_rle", "liver"), ("liver_deflate", "liver"), ("liver_expb", "liver"), ("liver_j2k", "liver"),
    ("liver_nonbyte_aligned_rle", "liver_nonbyte_aligned"), ("liver_nonbyte_aligned_deflate", "liver_nonbyte_aligned"),
    ("liver_nonbyte_aligned_j2k", "liver_nonbyte_aligned"), ("SC_rgb_expb", "SC_rgb"), ("SC_rgb_expb_16bit", "SC_rgb_16bit"),
    ("SC_rgb_expb_16bit_2frame", "SC_rgb_16bit_2frame"), ("SC_rgb_expb_32bit", "SC_rgb_32bit"), ("SC_rgb_expb_32bit_2frame", "SC_rgb_32bit_2frame"),
    ("SC_rgb_expb_2frame", "SC_rgb_2frame"), ("OBXXXX1A_expb", "OBXXXX1A"), ("OBXXXX1A_rle", "OBXXXX1A"), ("color-pl", "color-px"),
    ("JLSL_RGB_ILV1", "JLSL_RGB_ILV0"), ("JLSL_RGB_ILV2", "JLSL_RGB_ILV0"), ("693_J2KR", "693_UNCR"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_lossless_syntaxes_hold_the_same_samples(shared: Shared, one: str, other: str) -> None:
    root = shared(f"{ZOO}/pydicom-data")
    a, b = samples(root / f"{one}.dcm"), samples(root / f"{other}.dcm")
    assert a.dtype == b.dtype and np.array_equal(a, b)


#: Start of a file's name -> what its refusal says (the longer name first).
REFUSED = {
    "emri_small_jpeg_2k_lossless_too_short": "without its sequence delimiter",
    "emri_small": "without positions",
}
BLANK = ("JLSL_RGB_ILV0", "JLSL_RGB_ILV1", "JLSL_RGB_ILV2", "JLSN_RGB_ILV0")


def test_every_file_of_the_zoo_loads_or_is_refused_with_its_name(shared: Shared) -> None:
    root = shared(f"{ZOO}/pydicom-data")
    loaded = 0
    for path in sorted(root.glob("*.dcm")):
        items, refusals = inspect(path)
        expected = next((text for stem, text in REFUSED.items() if path.stem.startswith(stem)), None)
        if expected is not None:
            assert not items and expected in refusals[0].reason and path.name in refusals[0].reason
            continue
        assert len(items) == 1, (path.name, refusals)
        value = items[0].load()
        assert value.geometry.shape == items[0].spec.geometry.shape  # type: ignore[union-attr]  # images and labels have a grid
        loaded += 1
        if path.stem in BLANK:
            assert any("blank" in p.text for p in items[0].problems)
    assert loaded == 60


COLOUR = [
    "SC_rgb_dcmtk_+eb+cr.dcm", "SC_rgb_dcmtk_+eb+cy+n1.dcm", "SC_rgb_dcmtk_+eb+cy+n2.dcm", "SC_rgb_dcmtk_+eb+cy+np.dcm", "SC_rgb_dcmtk_+eb+cy+s2.dcm",
    "SC_rgb_dcmtk_+eb+cy+s4.dcm", "SC_rgb_jpeg_dcmtk.dcm", "SC_ybr_full_422_uncompressed.dcm", "examples_ybr_color.dcm", "examples_palette.dcm",
    "SC_rgb_rle_2frame.dcm", "SC_rgb_small_odd_big_endian.dcm", "SC_rgb_jls_lossy_line.dcm", "SC_rgb_gdcm_KY.dcm",
]  # fmt: skip


@pytest.mark.parametrize("name", COLOUR)
def test_colour_equals_an_independent_conversion(name: str) -> None:
    path = PYDICOM / name
    image = read(path)
    data = pydicom.dcmread(path)
    expected = pydicom.pixels.pixel_array(data)
    if data.PhotometricInterpretation == "PALETTE COLOR":
        expected = pydicom.pixels.apply_color_lut(expected, data)
    frames = expected if expected.ndim == 4 else expected[None]
    found = image.array if "t" in image.dims else image.array[None]
    assert image.dims[-3:] == ("c", "y", "x") and found.dtype == expected.dtype
    assert float(np.abs(np.moveaxis(found, 1, -1).astype(float) - frames).max()) <= 1  # rounding of the colour matrix


def test_breast_series_without_time_attributes_splits_into_three(shared: Shared, tmp_path: Path) -> None:
    import tarfile

    with tarfile.open(shared("data/breast_dce_mr/UCSF-BR-06_dce.tar.xz")) as archive:
        archive.extractall(tmp_path, filter="data")
    image = read(tmp_path)
    assert image.shape == (3, 60, 256, 256) and image.geometry.spacing == pytest.approx((2.0, 0.7031, 0.7031), abs=1e-3)
    first = [pydicom.dcmread(p, stop_before_pixels=True) for p in sorted(tmp_path.rglob("1-0*.dcm"))]
    times = sorted({float(d.ContentTime) for d in first})
    assert len(times) == 1  # what orders the three: each has one ContentTime of its own
    assert image.times is not None and image.times[0] == 0 and image.times[1] < image.times[2]


def test_cine_has_times_and_a_calibrated_region(shared: Shared, tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(shared("data/us_dicom/GREYSCALE_CINE.zip")) as archive:
        archive.extractall(tmp_path)
    image = read(tmp_path)
    assert image.dims == ("t", "y", "x") and image.shape == (27, 600, 800) and image.geometry.unit == "mm"
    assert image.times is not None and len(image.times) == 27 and image.times[1] > 0


def nrrd_volume(path: Path) -> np.ndarray[Any, Any]:
    """Read a small gzip or raw NRRD as z y x (a reader of its own, so that the test stands alone)."""
    import gzip

    head, _, body = path.read_bytes().partition(b"\n\n")
    fields = dict(line.split(": ", 1) for line in head.decode("latin-1").splitlines() if ": " in line)
    sizes = [int(v) for v in fields["sizes"].split()]
    kinds = {"unsigned char": "u1", "uchar": "u1", "short": "<i2", "unsigned short": "<u2", "ushort": "<u2", "int": "<i4"}
    raw = gzip.decompress(body) if fields["encoding"].startswith("gz") else body
    return np.frombuffer(raw, kinds[fields["type"]]).reshape(sizes[::-1])


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("liver", "liver_seg"),
        ("sparse-labelmap-noppv", "sparse_labelmap_noppv_seg"),
        ("sparse-labelmap-ppv5", "sparse_labelmap_ppv5_seg"),
    ],
)
def test_segmentation_equals_its_nrrd(shared: Shared, name: str, reference: str) -> None:
    labels = read(shared(f"data/ct_liver_seg/{name}.dcm"))
    truth = nrrd_volume(shared(f"data/ct_liver_seg/{reference}.nrrd"))
    assert np.array_equal(labels.array == 1, truth == 1)  # slices that the object leaves out are empty


def test_overlapping_segments_become_a_stack_of_masks(shared: Shared) -> None:
    masks = read(shared("data/ct_liver_seg/partial_overlaps.dcm"))
    assert isinstance(masks, MaskStack) and masks.overlaps and len(masks) == 5
    volumes = [nrrd_volume(shared(f"data/ct_liver_seg/partial_overlaps-{k}.nrrd")) for k in (1, 2, 3)]
    for row, mask in zip(masks.segments, masks.array, strict=True):
        assert any(np.array_equal(volume == row.value, mask) for volume in volumes)


def test_segmentation_lies_on_the_grid_of_its_source(shared: Shared) -> None:
    items, _ = inspect(shared("data/ct_liver_seg/24x38x3"))
    labels = next(i for i in items if i.kind == "labels")
    image = next(i for i in items if i.kind == "image" and i.uid in labels.references)
    assert labels.spec.geometry == image.spec.geometry and labels.load().geometry == image.load().geometry


def test_blanked_identities_of_a_deidentified_series_are_bridged(shared: Shared) -> None:
    items, refusals = inspect(shared("data/ct_totalseg/dicom"))
    assert not refusals and len(items) == 1 and items[0].spec.quantity == "HU"
    assert any("blank" in p.text for p in items[0].problems)
