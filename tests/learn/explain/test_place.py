"""The score of one place that a network found, explained on the image's own grid."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from isocenter.core.errors import ContentError, ParameterError, UnknownNameError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.learn.explain.case import explain_case
from isocenter.learn.explain.localisation import localisation
from isocenter.learn.explain.native import resampled
from isocenter.learn.explain.place import PlaceNetworks, marked_place, place_networks, true_place
from isocenter.learn.places.places import Places
from isocenter.learn.train.detection import TrainedDetector
from tests.learn.place_nets import detector, landmark_net
from tests.learn.places_cohort import discs


def of(model: PlaceNetworks, image: Image, method: Any, **options: Any) -> Image:
    """Return a map on the grid of the image."""
    found = explain_case(model, model.image, method, target=model.classes[1], layer=model.layer or None, check=False, **options)
    values = resampled(found.map.array, found.map.geometry, image.geometry)
    return Image(values, image.dims, image.geometry)


@pytest.mark.parametrize(("method", "floor"), [("occlusion", 4.0), ("integrated_gradients", 4.0)])
def test_the_map_of_a_candidate_lies_in_its_box(method: str, floor: float) -> None:
    image, truth = discs(2)  # two discs: the map of one is not that of the other
    for candidate in (1, 2):
        model = place_networks(detector(), image, "disc", candidate)
        assert model.probability is not None and not model.warnings
        own = true_place(model.found, truth)
        assert own is not None
        masks = [marked_place(own, image, "disc")]
        scores = localisation([of(model, image, method, patch=6.0, stride=3.0, baseline="blur")], masks, draws=5)
        assert float(scores["enrichment"]) > floor and float(scores["overlap_at_area"]) > 0.3


def test_the_score_is_that_of_the_product() -> None:
    image, _ = discs(2)
    package = detector()
    trained: TrainedDetector = package.finder
    found, _ = trained.candidates(image)
    assert found.scores is not None
    for k in range(2):
        model = place_networks(package, image, None, k + 1)
        with torch.no_grad():
            share = model.networks[0](torch.from_numpy(model.seen(model.image).copy())[None]).softmax(1)[0, 1]
        assert float(share) == pytest.approx(float(found.scores[k]), abs=1e-6)
        assert np.array_equal(model.found.samples[0], found.samples[k])
        logit = 2.0 * np.log(found.scores[k] / (1.0 - found.scores[k])) + 0.5
        assert model.probability == pytest.approx(1.0 / (1.0 + np.exp(-logit)), abs=1e-6)
    with pytest.raises(ParameterError, match="Candidate 90 of "):
        place_networks(package, image, None, 90)
    sure = replace(package, threshold=1.01)
    assert "is not called an object" in place_networks(sure, image).warnings[0]


@pytest.mark.parametrize("axes", [2, 3])
def test_the_grid_of_the_network_lies_on_that_of_the_image(axes: int) -> None:
    """A spot of the image is where the network's own image has it in the world, whatever its spacing and its padding."""
    model, image = landmark_net(axes, 2.5)
    at = (11, 17, 9)[:axes]
    array = np.zeros(image.geometry.shape, np.float32)
    array[tuple(slice(a - 1, a + 2) for a in at)] = 1.0
    spot = Image(array, image.dims, Geometry.regular(image.geometry.shape, (1.5, 2.0, 1.0)[-axes:], (5.0, -3.0, 7.0)))
    seen = place_networks(model, spot).image
    values = np.asarray(seen.array, np.float64)
    values = np.maximum(values - 0.2 * values.max(), 0.0)  # the spot alone: what is padded is brighter than the ground
    middle = np.array([float((values * i).sum() / values.sum()) for i in np.indices(values.shape)])
    away = seen.geometry.to_world(middle[None])[0] - spot.geometry.to_world(np.array([at], np.float64))[0]
    assert np.linalg.norm(away) < 0.5


def test_a_landmark_is_explained_by_the_share_of_its_heat_map() -> None:
    model, image = landmark_net()
    found = model.predict(image)
    own = place_networks(model, image, "right")
    assert own.found.names == ("right",) and np.array_equal(own.found.samples[0], found.samples[1])
    assert own.probability is None and own.layer and "of its heat map" in own.score
    with torch.no_grad():
        scores = own.networks[0](torch.from_numpy(own.seen(own.image).copy())[None])
    share = float(scores.softmax(1)[0, 1])
    assert share < 0.5 and "not sure of it" in own.warnings[0], "random weights are sure of nothing"
    for method in ("grad_cam", "occlusion"):
        values = np.asarray(of(own, image, method, patch=64.0).array)
        assert values.shape == image.geometry.shape and np.ptp(values) > 0
    assert found.scores is not None
    assert place_networks(model, image).found.names == (found.names[int(np.argmin(found.scores))],), "the surest"
    with pytest.raises(UnknownNameError, match="Did you mean 'right'"):
        place_networks(model, image, "rigth")
    with pytest.raises(ParameterError, match="each is found once"):
        place_networks(model, image, "right", 2)


def test_what_is_behind_the_image_takes_no_part() -> None:
    model, image = landmark_net()
    narrow = Image(np.asarray(image.array)[:20, :20], image.dims, Geometry.regular((20, 20), (3.2, 3.2)))
    own = place_networks(model, narrow)
    assert own.image.geometry.shape == (32, 32)
    tiny = Image(np.asarray(image.array)[:4, :4], image.dims, Geometry.regular((4, 4), (3.2, 3.2)))
    with pytest.raises(ContentError, match="too small to tell one place from another"):
        place_networks(model, tiny)


def test_true_places_are_found_by_name_and_overlap() -> None:
    grid = Geometry.regular((20, 20), (1.0, 1.0))
    truth = Places("boxes", np.array([[0, 0, 4, 4], [8, 8, 12, 12], [8, 8, 12, 12]]), ("a", "b", "a"), grid)
    found = Places("boxes", np.array([[7, 7, 11, 11]]), ("a",), grid)
    own = true_place(found, truth)
    assert own is not None and own.samples[0, 0] == 8.0 and own.names == ("a",)
    assert true_place(replace(found, names=("c",)), truth) is None
    assert true_place(replace(found, samples=np.array([[15, 15, 18, 18]])), truth) is None
    image = Image(np.zeros((20, 20), np.float32), ("y", "x"), grid)
    assert int(np.asarray(marked_place(own, image, "a").array).sum()) == 25
    small = replace(found, samples=np.array([[7.1, 7.1, 7.3, 7.3]]))
    assert int(np.asarray(marked_place(small, image, "a").array).sum()) == 1
