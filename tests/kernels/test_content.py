"""Content is judged coarsely: lungs, chest X-rays and cells are told from what is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from isocenter.kernels.content import lung_share, nucleus_like, xray_chest_like
from isocenter.testing.phantoms.cells import cells
from isocenter.testing.phantoms.chest_ct import chest_ct
from isocenter.testing.phantoms.xray_chest import xray_chest


@pytest.mark.parametrize("options", [{}, {"prone": True}, {"tumour": True}, {"effusion": 0.3}])
def test_a_chest_has_lungs(options: dict[str, object]) -> None:
    phantom = chest_ct(**options)  # type: ignore[arg-type]  # keyword options of mixed types
    share, volume = lung_share(np.asarray(phantom.image.array), phantom.image.geometry.spacing)
    truth = phantom.region("lungs").sum() * phantom.image.geometry.voxel_size / 1000.0
    assert share > 0.04
    assert 0.4 * truth < volume < 1.2 * truth


def test_air_around_a_body_is_no_lung() -> None:
    array = np.full((30, 100, 100), -1000, np.int16)
    array[:, 20:80, 20:80] = 40
    array[:, 85:95] = -870  # a mattress of foam
    assert lung_share(array, (4.0, 4.0, 4.0)) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("name", "expected"), [("ibsi/1_ct_phantom/image/phantom.nii.gz", True), ("sts/STS_002/nifti/CT_image.nii.gz", False)]
)
def test_real_crops(shared: Callable[[str], Path], name: str, expected: bool) -> None:
    from isocenter.io.door import read

    image = read(shared(name))
    share, volume = lung_share(np.asarray(image.array), image.geometry.spacing)
    assert (share >= 0.04 and volume >= 200.0) == expected


def test_cells_and_radiographs_are_told_apart() -> None:
    nuclei, chest = np.asarray(cells().image.array), np.asarray(xray_chest().image.array)
    assert nucleus_like(nuclei) >= 10 > nucleus_like(chest)
    assert xray_chest_like(chest) > 0.45 > xray_chest_like(nuclei)
    assert nucleus_like(np.zeros((64, 64))) == 0
    assert xray_chest_like(np.zeros((64, 64))) == 0.0
