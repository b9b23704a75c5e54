"""Every DICOM sample at hand against the reference that its source gives, or refused with the file and the reason."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest

from tests.archives import unpack
from tests.io.dicom.samples import PYDICOM, inspect, read
from tests.io.dicom.zoo import Row
from tests.io.dicom.zoo_rows import ROWS

Shared = Callable[[str], Path]
FOLDERS = ("dicom_zoo", "brain_mr", "breast_dce_mr", "dicom_paramaps", "dicom_sr", "ct_liver_seg")
#: Read by another entry than the front door's images; or no DICOM though their folder is.
ELSEWHERE = {"dicom_sr/sr.dcm": "a structured report: it holds measurements, no pixels"}


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Return a function that unpacks an archive once a session."""
    done: dict[Path, Path] = {}

    def find(path: Path) -> Path:
        if path not in done:
            done[path] = unpack(path, tmp_path_factory.mktemp(path.name.split(".")[0]))
        return done[path]

    return find


@pytest.mark.parametrize("row", ROWS, ids=[row.path for row in ROWS])
def test_every_sample_is_read_to_its_reference_or_refused(row: Row, shared: Shared, unpacked: Callable[[Path], Path]) -> None:
    path = shared(f"data/{row.path}")
    if path.name.endswith(".tar.xz"):
        path = unpacked(path)
        files = [p for p in path.rglob("*") if p.is_file()]
        path = files[0] if len(files) == 1 else path
    row.judge(path, shared("data"))
    assert row.why


def holds_dicom(path: Path) -> bool:
    head = path.read_bytes()[:132]
    return head[128:] == b"DICM" or path.suffix == ".dcm" or path.name.endswith(".tar.xz")


def test_no_sample_is_left_out(shared: Shared) -> None:
    root = shared("data")
    found = {str(p.relative_to(root)) for name in FOLDERS for p in (root / name).rglob("*") if p.is_file() and holds_dicom(p)}
    covered = {f for f in found for row in ROWS if f == row.path or f.startswith(f"{row.path}/")}
    assert found - covered == set(ELSEWHERE)
    zoo = [root / f for f in found if f.startswith("dicom_zoo/")]
    assert sum(p.read_bytes()[128:132] == b"DICM" for p in zoo) == 188 and len(zoo) == 193  # five have no header of Part 10
    syntaxes = {str(pydicom.dcmread(p, stop_before_pixels=True, force=True).file_meta.get("TransferSyntaxUID", "")) for p in zoo}
    assert len(syntaxes - {""}) >= 12


def test_one_identity_with_two_contents_is_refused(shared: Shared) -> None:
    folder = shared("data/dicom_zoo/deid")
    items, refusals = inspect(folder)
    assert len(items) == 1 and len(refusals) == 1 and "one SOPInstanceUID" in refusals[0].reason


@pytest.mark.parametrize("stem", ["JLSL_RGB_ILV0", "JLSL_RGB_ILV1", "JLSL_RGB_ILV2", "JLSN_RGB_ILV0"])
def test_a_picture_without_content_is_called_blank(shared: Shared, stem: str) -> None:
    items, _ = inspect(shared(f"data/dicom_zoo/pydicom-data/{stem}.dcm"))
    assert any("blank" in p.text for p in items[0].problems)


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


def test_cine_has_times_and_a_calibrated_region(shared: Shared, tmp_path: Path) -> None:
    with zipfile.ZipFile(shared("data/us_dicom/GREYSCALE_CINE.zip")) as archive:
        archive.extractall(tmp_path)
    image = read(tmp_path)
    assert image.dims == ("t", "y", "x") and image.shape == (27, 600, 800) and image.geometry.unit == "mm"
    assert image.times is not None and len(image.times) == 27 and image.times[1] > 0


def test_segmentation_lies_on_the_grid_of_its_source(shared: Shared) -> None:
    items, _ = inspect(shared("data/ct_liver_seg/24x38x3"))
    labels = next(i for i in items if i.kind == "labels")
    image = next(i for i in items if i.kind == "image" and i.uid in labels.references)
    assert labels.spec.geometry == image.spec.geometry and labels.load().geometry == image.load().geometry


def test_diffusion_weightings_are_named(shared: Shared) -> None:
    items, _ = inspect(shared("data/dicom_zoo/dicom2nifti/ge/dti/001"))
    assert [i.attributes["part"] for i in items] == ["b-value 0", "b-value 1000"]


def test_blanked_identities_of_a_deidentified_series_are_bridged(shared: Shared) -> None:
    items, refusals = inspect(shared("data/ct_totalseg/dicom"))
    assert not refusals and len(items) == 1 and items[0].spec.quantity == "HU"
    assert any("blank" in p.text for p in items[0].problems)
