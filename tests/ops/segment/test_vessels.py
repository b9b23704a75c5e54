"""segment.vessels: phantom trees, dark vessels, and texture that is no vessel."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ParameterError
from isocenter.ops.segment.vessels import Vessels
from isocenter.testing.phantoms.vessel_tree import vessel_tree
from tests.ops.segment.seeded import dice


@pytest.mark.parametrize("seed", [0, 1])
def test_trees_of_phantoms_bright_and_dark(seed: int) -> None:
    phantom = vessel_tree(seed=seed)
    truth = np.asarray(phantom.truth.array) > 0
    found = Vessels()(phantom.image)
    assert dice(found.array, truth) > 0.84
    dark = phantom.image.replace(array=-np.asarray(phantom.image.array, dtype=np.float32))
    assert np.array_equal(Vessels(contrast="dark")(dark).array, found.array)


def test_a_flat_image_has_none_and_thresholds_must_be_in_order() -> None:
    image = vessel_tree(seed=0).image
    flat = Vessels()(image.replace(array=np.zeros_like(np.asarray(image.array))))
    assert not flat.array.any()
    assert "like a tube" in flat.provenance.steps[-1].notes[0]
    with pytest.raises(ParameterError, match="above high"):
        Vessels(low=0.9, high=0.5)
