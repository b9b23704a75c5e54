"""A step of a pipeline that segments by a package."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError, GridMismatchError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.ops.classify.package import Package as Classify
from isocenter.ops.segment.package import Package

pytest.importorskip("torch", reason="the network of a package needs the extra 'deep'")


def example() -> tuple[Package, Image]:
    step = Package.examples()[0]
    return step, step.example_inputs()[0][0]


def test_a_network_of_an_earlier_version_still_labels() -> None:
    step, image = example()
    found = step(image)
    assert found.geometry == image.geometry and found.segments[0].name == "made up part"
    assert 0.05 < float(np.mean(found.array == 1)) < 0.95
    assert found.provenance.steps[-1].notes == ()
    assert np.array_equal(found.array, step(image).array)


def test_nothing_is_labelled_outside_a_region() -> None:
    step, image = example()
    inside = np.zeros(image.shape, np.uint8)
    inside[:4] = 1
    found = step(image, LabelMap(inside, image.dims, image.geometry))
    assert not found.array[4:].any() and np.array_equal(found.array[:4], step(image).array[:4])
    with pytest.raises(GridMismatchError):
        step(image, LabelMap(inside[:3], image.dims, image.geometry.crop((0, 0, 0), (3, 12, 11))))


def test_what_it_was_not_made_for_is_told() -> None:
    step, image = example()
    (note,) = step(image.replace(array=image.array * 100.0)).provenance.steps[-1].notes
    assert "Its values differ" in note and "not trained on such an image" in note
    with pytest.raises(ContentError, match="trained on z y x"):
        step(Image(np.zeros((8, 8), np.float32), ("y", "x"), Geometry.regular((8, 8), (1.0, 1.0))))
    with pytest.raises(ContentError, match="segments: use segment"):
        Classify(package=step.package, sha256=step.sha256)(image)
