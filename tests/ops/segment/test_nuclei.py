"""segment.nuclei on phantoms of known truth and on microscope pictures."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as Picture

from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.segment.nuclei import Nuclei
from isocenter.testing.phantoms.cells import cells
from tests.ops.segment.test_body import dice


def matched(found: npt.NDArray[Any], truth: npt.NDArray[Any]) -> float:
    """Return F1 of nuclei that overlap by more than half (intersection over union)."""
    _, truth = np.unique(truth, return_inverse=True)
    truth = truth.reshape(found.shape)
    table = np.zeros((int(found.max()) + 1, int(truth.max()) + 1))
    np.add.at(table, (found.ravel(), truth.ravel()), 1.0)
    union = table.sum(axis=1)[:, None] + table.sum(axis=0)[None] - table
    hits = int((table[1:, 1:] > 0.5 * union[1:, 1:]).sum())
    return 2.0 * hits / max(table.shape[0] + table.shape[1] - 2, 1)


def picture(array: npt.NDArray[Any]) -> Image:
    """Return an image of a grey or colour (last axis) picture."""
    if array.ndim == 2:
        return Image(array, ("y", "x"), Geometry.pixels(array.shape))
    return Image(np.ascontiguousarray(np.moveaxis(array[..., :3], -1, 0)), ("c", "y", "x"), Geometry.pixels(array.shape[:2]))


@pytest.mark.parametrize("stain", ["fluorescence", "hematoxylin_eosin"])
@pytest.mark.parametrize("seed", [0, 1])
def test_phantoms_touching_pairs_included(stain: Literal["fluorescence", "hematoxylin_eosin"], seed: int) -> None:
    phantom = cells(seed=seed, stain=stain)
    found = np.asarray(Nuclei()(phantom.image).array)
    truth = np.asarray(phantom.truth.array)
    assert dice(found > 0, truth > 0) >= 0.93
    assert matched(found, truth) >= 0.9
    assert abs(int(found.max()) - 40) <= 3


def test_blood_is_not_a_nucleus() -> None:
    phantom = cells(seed=3, stain="hematoxylin_eosin")
    truth = np.asarray(phantom.truth.array)
    array = np.moveaxis(np.asarray(phantom.image.array), phantom.image.dims.index("c"), -1).copy()
    columns = slice(20, 60)
    array[:, columns][truth[:, columns] == 0] = (225, 45, 80)  # a vessel, full of red cells
    found = np.asarray(Nuclei()(picture(array)).array)
    assert dice(found > 0, truth > 0) >= 0.9


def test_dark_nuclei_in_bright_field_equal_bright_ones_in_the_dark() -> None:
    phantom = cells(seed=4)
    array = np.asarray(phantom.image.array)
    found = np.asarray(Nuclei()(picture(255 - array)).array)
    assert dice(found > 0, np.asarray(phantom.truth.array) > 0) >= 0.9
    assert matched(found, np.asarray(phantom.truth.array)) >= 0.9


def test_labels_are_numbered_from_the_top_and_named() -> None:
    result = Nuclei()(cells(seed=2).image)
    found = np.asarray(result.array)
    assert [s.name for s in result.segments] == [f"nucleus {k}" for k in range(1, int(found.max()) + 1)]
    first = [int(np.flatnonzero((found == k).any(axis=1))[0]) for k in range(1, int(found.max()) + 1)]
    assert first[0] <= min(first[5:])


def test_an_empty_picture_has_no_nuclei_and_says_so() -> None:
    result = Nuclei()(picture(np.full((40, 50), 9, np.uint8)))
    assert not np.asarray(result.array).any() and "No nucleus" in result.provenance.steps[-1].notes[0]


def test_a_grey_picture_is_not_stained() -> None:
    with pytest.raises(ContentError, match="three channels"):
        Nuclei(content="stained")(picture(np.zeros((8, 8), np.uint8)))


@pytest.mark.parametrize(
    "stains, overlap, agreement, miscount",
    [(("fluo",), 0.90, 0.85, 0.10), (("he", "bf"), 0.84, 0.65, 0.20)],
    ids=["fluorescence", "stained and bright field"],
)
def test_microscope_pictures(
    shared: Callable[[str], Path], stains: tuple[str, ...], overlap: float, agreement: float, miscount: float
) -> None:
    folder = shared("data/nuclei")
    with (folder / "labels.csv").open(encoding="utf-8") as handle:
        names = [row["file"] for row in csv.DictReader(handle) if row["stain"] in stains]
    scores = []
    for name in names:
        array, truth = (np.asarray(Picture.open(folder / part / name)) for part in ("images", "labels"))
        found = np.asarray(Nuclei()(picture(array)).array)
        count = np.unique(truth).size - 1
        scores.append((dice(found > 0, truth > 0), matched(found, truth), int(found.max()), count))
    mean = np.mean(scores, axis=0)
    assert mean[0] >= overlap and mean[1] >= agreement, mean
    assert abs(mean[2] / mean[3] - 1.0) <= miscount, mean
