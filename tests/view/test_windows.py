"""Windows by modality, and always in words."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.view.windows import CT_WINDOWS, Window, choose, stated


def _image(values: np.ndarray, modality: str | None = None, quantity: str | None = None) -> Image:
    return Image(values, ("z", "y", "x"), Geometry.regular(values.shape), modality=modality, quantity=quantity)


def _ct(lung_in_the_middle: bool) -> np.ndarray:
    values = np.full((10, 40, 40), 40.0)
    values[:, :5] = -750.0  # foam under the patient is as light as lung
    if lung_in_the_middle:
        values[:, 12:28, 10:30] = -850.0
    return values


def test_ct_windows() -> None:
    assert CT_WINDOWS["lung"].words == "Lung window, -1350 to 150 HU (level -600, width 1500)"
    chest, belly = _ct(True), _ct(False)
    assert choose(_image(chest, "CT", "HU"), chest).name == "Lung"
    assert choose(_image(belly, "CT", "HU"), belly).name == "Soft tissue"
    assert choose(_image(belly, "CT", "HU"), belly, ["right lung"]).name == "Lung"
    assert choose(_image(belly, "CT", "HU"), belly, wanted="bone").words.startswith("Bone window, -500 to 1300 HU")


def test_pet_is_inverted_from_0_to_10() -> None:
    values = np.ones((3, 4, 4))
    window = choose(_image(values, "PT", "SUVbw"), values)
    assert window.words == "PET window, 0 to 10 SUV, dark is high"
    assert window.apply(np.array([0.0, 10.0, 99.0])).tolist() == [255, 0, 0]


def test_mr_uses_percentiles_of_what_is_not_air() -> None:
    values = np.zeros(10000)
    values[:5000] = np.linspace(100, 200, 5000)
    window = choose(_image(values.reshape(10, 25, 40), "MR"), values)
    assert 100 < window.low < 102
    assert 199 < window.high < 200
    assert "1st to 99.5th percentile" in window.words


def test_photographs_are_shown_as_stored() -> None:
    values = np.arange(200, dtype=np.uint8).reshape(2, 10, 10)
    window = choose(_image(values), values)
    assert np.array_equal(window.apply(values), values)


@pytest.mark.parametrize(
    "values", [np.full((2, 2, 2), 7.0), np.full((2, 2, 2), np.nan), np.zeros((2, 2, 2)), np.full((2, 2, 2), np.inf)]
)
def test_an_even_or_empty_image_has_a_window(values: np.ndarray) -> None:
    window = choose(_image(values, "MR"), values)
    assert window.low < window.high
    assert window.apply(values).dtype == np.uint8


def test_values_that_are_not_finite_are_shown_low() -> None:
    assert Window("W", 0, 1).apply(np.array([np.nan, np.inf, -np.inf, 0.5])).tolist() == [0, 0, 0, 128]


def test_bad_windows_get_a_sentence() -> None:
    values = np.zeros((2, 2, 2))
    with pytest.raises(ParameterError, match="Did you mean 'lung'"):
        choose(_image(values, "CT", "HU"), values, wanted="lnug")
    with pytest.raises(ParameterError, match="expected HU"):
        choose(_image(values, "MR"), values, wanted="lung")
    with pytest.raises(ParameterError, match="lower one first"):
        Window("W", 3, 3)


def test_a_stated_window_is_taken_where_it_shows_something() -> None:
    values = np.linspace(0, 1000, 4000).reshape(10, 20, 20)
    window = stated(_image(values, "MR"), 300, 200, "stated in its header")
    assert window is not None and (window.low, window.high) == (200, 400)
    assert window.words == "Own window, 200 to 400 (stated in its header)"
    assert stated(_image(values, "CT", "HU"), 300, 200, "x").words.startswith("Own window, 200 to 400 HU (level 300, width 200)")  # type: ignore[union-attr]  # it is one, as above
    assert stated(_image(values), 5000, 100, "x") is None, "all would be black"
    assert stated(_image(values), 300, 0, "x") is None and stated(_image(values), np.nan, 10, "x") is None
