"""NIfTI that isocenter writes of a DICOM series, and what dcm2niix writes of it: the same samples in the same places."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import isocenter as iso
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.io.dicom.write_series import write_series
from tests.archives import unpack
from tests.io.dicom.samples import nifti, worst_difference
from tests.io.dicom.test_round_trip import turned

TOOL = shutil.which("dcm2niix")
pytestmark = pytest.mark.skipif(TOOL is None, reason="dcm2niix (Debian package dcm2niix) is not installed")

SERIES = [
    "ge/anatomical/001", "ge/anatomical/001_implicit", "hitachi/anatomical/001", "hyperfine/anatomical/001", "generic/anatomical/002_non_isotropic",
    "ge/fmri/001", "generic/compressed_j2k/001", "generic/compressed_rle/001", "failing/slicecount/001",
]  # fmt: skip


def agree(folder: Path, scratch: Path, mm: float = 1e-3) -> None:
    """Convert with both, and compare every sample of every volume in the world."""
    theirs = scratch / "theirs"
    theirs.mkdir(parents=True)
    command = [str(TOOL), "-o", str(theirs), "-f", "x", "-z", "n", "-b", "n", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    iso.write(iso.read(folder), scratch / "ours.nii")
    one, affine = nifti(scratch / "ours.nii")
    two, other = nifti(theirs / "x.nii")
    assert one.ndim == two.ndim
    pairs = [(one, two)] if one.ndim == 3 else [(one[..., t], two[..., t]) for t in range(one.shape[3])]
    assert one.shape[3:] == two.shape[3:]
    for ours, expected in pairs:
        # Ours is given in array order z y x: so is its affine.
        assert worst_difference(ours.T, affine[:, [2, 1, 0, 3]], expected, other, mm) <= 1e-3


@pytest.mark.parametrize("name", SERIES)
def test_vendor_series(shared: Callable[[str], Path], name: str, tmp_path: Path) -> None:
    agree(shared(f"dicom_zoo/dicom2nifti/{name}"), tmp_path)


@pytest.mark.parametrize("number", [1, 4, 6, 9])
def test_mosaic_in_several_syntaxes(shared: Callable[[str], Path], number: int, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    shutil.copy(shared(f"dicom_zoo/dcm_qa_ts/In/{number}.dcm"), tmp_path / "one")
    agree(tmp_path / "one", tmp_path / "out")


def test_a_whole_head(shared: Callable[[str], Path], tmp_path: Path) -> None:
    unpack(shared("brain_mr/t1_structural_dicom.tar.xz"), tmp_path / "head")
    # dcm2niix places this series up to 0.0015 mm beside its headers (measured at the corners); ours is exact to 1e-12 mm.
    agree(tmp_path / "head", tmp_path / "out", mm=2e-3)


@pytest.mark.parametrize("angles", [(0, 0, 0), (0.3, -0.2, 0.1), (1.6, 0, 0), (0, 1.5, 0.2), (-2.8, 0.4, 1.1), (0.1, 0.2, 3.0)])
def test_oblique_series_that_we_write(angles: tuple[float, float, float], tmp_path: Path) -> None:
    geometry = Geometry.regular((7, 12, 10), (3.1, 0.7, 1.3), (12.5, -40.25, 300.125), turned(angles))
    array = np.random.default_rng(3).integers(-1000, 2000, geometry.shape).astype(np.int16)
    write_series(Image(array, ("z", "y", "x"), geometry, modality="CT", quantity="HU"), tmp_path / "series")
    agree(tmp_path / "series", tmp_path / "out")


@pytest.mark.parametrize("degrees", [14.0, -10.0])
def test_a_tilted_gantry_is_where_dcm2niix_puts_it(degrees: float, tmp_path: Path) -> None:
    """dcm2niix keeps the shear in one file and straightens a copy, where it can: the first is compared."""
    affine = np.array(Geometry.regular((6, 14, 11), (5.0, 0.9, 0.9), (-4.5, -90.0, 40.0)).affine)
    affine[1, 0] += np.tan(np.radians(degrees)) * 5.0
    geometry = Geometry((6, 14, 11), affine)
    array = np.random.default_rng(4).integers(-1000, 2000, geometry.shape).astype(np.int16)
    write_series(Image(array, ("z", "y", "x"), geometry, modality="CT", quantity="HU"), tmp_path / "series")
    read = iso.read(tmp_path / "series")
    assert read.geometry.with_frame(None).matches(geometry, mm=1e-3)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    command = [str(TOOL), "-o", str(theirs), "-f", "x", "-z", "n", "-b", "n", "-m", "y", "-i", "n", str(tmp_path / "series")]
    subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    iso.write(read, tmp_path / "ours.nii")
    one, ours = nifti(tmp_path / "ours.nii")
    two, other = nifti(theirs / "x.nii")
    assert worst_difference(one.T, ours[:, [2, 1, 0, 3]], two, other, 1e-3) <= 1e-3
