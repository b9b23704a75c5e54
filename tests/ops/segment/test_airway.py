"""segment.airway: the trachea of a chest phantom without its lungs, however the volume is stored."""

from __future__ import annotations

import numpy as np

from isocenter.ops.segment._examples import airways
from isocenter.ops.segment.airway import Airway
from isocenter.testing.phantoms.chest_ct import chest_ct
from tests.ops.segment.seeded import dice


def test_airway_of_a_phantom_and_no_lung() -> None:
    phantom = chest_ct()
    found = np.asarray(Airway()(phantom.image).array) > 0
    assert dice(found, phantom.region("airway")) > 0.78
    lungs = phantom.region("right lung") | phantom.region("left lung")
    assert (found & lungs).sum() < 0.15 * found.sum()


def test_storage_order_does_not_matter() -> None:
    image = airways()
    first = np.asarray(Airway()(image).array)
    turned = image.replace(array=np.asarray(image.array)[::-1], geometry=image.geometry.flip(0))
    assert dice(np.asarray(Airway()(turned).array)[::-1], first > 0) > 0.97


def test_a_field_without_a_trachea_says_so() -> None:
    image = airways()
    solid = image.replace(array=np.maximum(np.asarray(image.array), np.int16(-840)))
    found = Airway()(solid)
    assert not found.array.any()
    assert "No trachea was found" in found.provenance.steps[-1].notes[0]


def test_an_airway_lost_in_emphysema_is_noted() -> None:
    phantom = chest_ct((60, 110, 110), (5.0, 3.2, 3.2))
    array = np.array(phantom.image.array)
    array[phantom.region("right lung") | phantom.region("left lung")] = -985
    found = Airway()(phantom.image.with_array(array))
    assert "less than 5 ml" in " ".join(found.provenance.steps[-1].notes)
