"""A step of a pipeline that finds places by a package."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError
from isocenter.core.labels import LabelMap
from isocenter.core.points import Points
from isocenter.ops.classify.package import Package as Classifier
from isocenter.ops.detect.package import Package


def test_a_package_of_an_earlier_version_still_points_at_the_same() -> None:
    step = Package.examples()[0]
    (image,) = step.example_inputs()[0]
    found = step(image)
    assert isinstance(found, Points) and found.names == ("upper", "lower")
    again = step(image)
    assert isinstance(again, Points) and np.array_equal(found.positions, again.positions)
    assert image.geometry.contains(found.positions).all()
    assert found.provenance.steps[-1].operation == "detect.package"


def test_a_region_keeps_what_lies_in_it() -> None:
    step = Package.examples()[0]
    (image,) = step.example_inputs()[0]
    whole = step(image)
    assert isinstance(whole, Points)
    index = image.geometry.to_index(whole.positions)
    mask = np.zeros(image.geometry.shape, np.uint8)
    mask[: int(index[:, 0].mean())] = 1
    found = step(image, LabelMap(mask, ("y", "x"), image.geometry))
    assert isinstance(found, Points) and found.names == ("upper",)


def test_a_package_of_another_task_is_refused() -> None:
    other = Classifier.examples()[0]
    (image,) = Package.examples()[0].example_inputs()[0]
    with pytest.raises(ContentError):
        Package(package=other.package, sha256=other.sha256)(image)
