"""The time of an input: every format asks for it while it reads, and says so in one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isocenter.core.errors import BudgetError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.io import door
from isocenter.io.budget import Budget
from isocenter.io.dicom.write_series import write_series

SHAPE = (3, 9, 8)


def volume() -> Image:
    array = np.arange(216, dtype=np.int16).reshape(SHAPE)
    return Image(array, ("z", "y", "x"), Geometry.regular(SHAPE, (2.0, 1.0, 1.0)), modality="MR")


def written(name: str, folder: Path) -> Path:
    path = folder / name
    if name == "series":
        write_series(volume(), path)
    elif name == "a.png":
        door.write(Image(np.arange(72, dtype=np.uint8).reshape(9, 8), ("y", "x"), Geometry.pixels((9, 8))), path)
    else:
        door.write(volume(), path)
    return path


NAMES = ["series", "a.nii", "b.nii.gz", "c.nrrd", "d.mha", "a.png", "e.tif", "f.ome.zarr"]


@pytest.mark.parametrize("name", NAMES)
def test_an_input_whose_time_is_up_is_refused_as_that(name: str, tmp_path: Path) -> None:
    found = door.inspect(written(name, tmp_path), budget=Budget(seconds=-1.0))
    if found.items:
        with pytest.raises(BudgetError) as caught:
            found.items[0].load()
        reason = str(caught.value)
    else:
        assert {refusal.kind for refusal in found.refusals} == {"budget"}
        reason = found.refusals[0].reason
    assert "reading it takes longer than -1 s: expected it to end by then; raise the budget if the file is sound." in reason


@pytest.mark.parametrize("name", NAMES)
def test_the_same_input_is_read_within_its_time(name: str, tmp_path: Path) -> None:
    found = door.inspect(written(name, tmp_path))
    assert not found.refusals and found.items[0].load().array.size in (72, 216)
