"""A training goes on with the weights of another: the network is kept, what it gives may differ, and what does not fit is one sentence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.learn.places.places import Places
from isocenter.learn.train.architecture import built_net, last_layers, weights_of, with_outputs
from isocenter.learn.train.classification import train_classifier
from isocenter.learn.train.detection import train_detector
from isocenter.learn.train.fingerprint import fingerprint
from isocenter.learn.train.images import TrainedNetwork
from isocenter.learn.train.landmarks import train_landmarks
from isocenter.learn.train.place_plan import PlacePlan, detection_plan, landmark_plan
from isocenter.learn.train.plan import Budget, Plan
from isocenter.learn.train.regression import train_regressor
from isocenter.learn.train.segmentation import TrainedSegmenter, train_segmenter
from isocenter.learn.train.settings import FitSettings
from isocenter.learn.train.start import begun
from isocenter.learn.train.start_plan import place_plan_from, plan_from
from tests.learn.make_masks import disc
from tests.learn.places_cohort import discs, head

#: So small a step leaves learnt weights as they are: what is equal after it was begun with.
STILL = FitSettings(epochs=1, learning_rate=1e-9)
MONAI = {"spatial_dims": 2, "in_channels": 1, "out_channels": 2, "channels": [4, 8], "strides": [2], "num_res_units": 1}
NARROW = {"depth": 18, "width": 0.0625}


def kept(before: torch.nn.Module, after: torch.nn.Module) -> set[str]:
    """Return the names of the parameters that are equal in both."""
    old = dict(before.named_parameters())
    return {k for k, v in after.named_parameters() if v.shape == old[k].shape and torch.allclose(v, old[k], atol=1e-6)}


def shapes(count: int, side: int = 32) -> list[Image]:
    return [disc(k)[0] for k in range(count)]


@pytest.fixture(scope="module")
def classifier() -> TrainedNetwork:
    return train_classifier(shapes(4), ["a", "b"] * 2, validation=0, parameters=NARROW, settings=FitSettings(epochs=1), batch=4)


@pytest.mark.parametrize("labels", [["a", "b"] * 2, ["ill", "well"] * 2, ["a", "a", "b", "b", "c", "c"]])
def test_a_classifier_goes_on_and_other_classes_begin_anew(classifier: TrainedNetwork, labels: list[str]) -> None:
    images = shapes(len(labels))
    made = train_classifier(images, labels, validation=0, start=classifier, settings=STILL, batch=4, seed=3)
    names = {k for k, _ in made.networks[0].named_parameters()}
    anew = names - kept(classifier.networks[0], made.networks[0])
    assert made.size == classifier.size and made.parameters == classifier.parameters == NARROW
    if set(labels) == {"a", "b"}:
        assert not anew
    else:
        assert anew and anew <= last_layers("resnet", {"in_channels": 1, "dimensions": 2, **NARROW})


def test_images_and_tasks_that_do_not_fit_are_refused(classifier: TrainedNetwork) -> None:
    colour = [Image(np.zeros((3, 32, 32), np.float32), ("c", "y", "x"), i.geometry) for i in shapes(4)]
    with pytest.raises(ParameterError, match="2 spatial axes and 1 channel; these have 2 spatial axes and 3 channels"):
        train_classifier(colour, ["a", "b"] * 2, start=classifier)
    deep = [Image(np.zeros((8, 8, 8), np.float32), ("z", "y", "x"), Geometry.regular((8, 8, 8))) for _ in range(4)]
    with pytest.raises(ParameterError, match="these have 3 spatial axes"):
        train_regressor(deep, [1.0, 2.0, 3.0, 4.0], start=classifier)
    with pytest.raises(ParameterError, match="of the same task"):
        train_regressor(shapes(4), [1.0, 2.0, 3.0, 4.0], start=classifier, validation=0)
    with pytest.raises(ParameterError, match="another network"):
        train_classifier(shapes(4), ["a", "b"] * 2, start=classifier, parameters={"depth": 18, "width": 0.125}, validation=0)


def test_numbers_go_on(classifier: TrainedNetwork) -> None:
    first = train_regressor(shapes(4), [1, 2, 3, 4], validation=0, parameters=NARROW, settings=FitSettings(epochs=1), batch=4)
    made = train_regressor(shapes(4), [9, 5, 7, 6], validation=0, start=first, settings=STILL, batch=4, seed=8)
    assert kept(first.networks[0], made.networks[0]) == {k for k, _ in made.networks[0].named_parameters()}


def masks(count: int, unit: str = "mm") -> tuple[list[Image], list[LabelMap]]:
    pairs = [disc(k) for k in range(count)]
    if unit == "px":
        grid = Geometry.pixels((32, 32))
        pairs = [(i.replace(geometry=grid), m.replace(geometry=grid)) for i, m in pairs]
    return [i for i, _ in pairs], [m for _, m in pairs]


def monai_start() -> TrainedSegmenter:
    """Return a network of MONAI with random weights, as an import gives it."""
    parameters: dict[str, Any] = {"arguments": MONAI}
    intensity = ({"mean": 40.0, "std": 10.0, "low": 0.0, "high": 200.0},)
    plan = Plan("monai.UNet", parameters, (2.0, 2.0), (64, 64), 1, "ct", intensity, (Segment(1, "lung").to_dict(),))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        return TrainedSegmenter(plan, (built_net("monai.UNet", parameters).eval(),))


def test_an_imported_network_is_trained_further_on_the_grid_and_the_values_of_its_package() -> None:
    start, (images, truth) = monai_start(), masks(2)
    found = fingerprint(images, truth)
    plan = plan_from(start.plan, found, Budget(seconds=1e-9, epochs=5))
    own = ("network", "parameters", "spacing", "normalisation", "intensity")
    assert all(getattr(plan, k) == getattr(start.plan, k) for k in own)
    assert plan.segments == found.segments and plan.patch == (32, 32) and plan.batch == 2 and plan.settings.epochs == 1
    assert 0 < plan.settings.learning_rate < FitSettings().learning_rate
    settings = replace(STILL, channels_last=True)
    made = train_segmenter(images, truth, plan=replace(plan, settings=settings, steps=1), validation=0, start=start)
    assert kept(start.networks[0], made.networks[0]) == {k for k, _ in made.networks[0].named_parameters()}
    assert made.predict(images[0]).geometry == images[0].geometry
    # Two classes: the last unit, whose inner layers have as many channels as classes, begins anew and nothing else.
    wider = with_outputs("monai.UNet", start.plan.parameters, 3)
    net = built_net("monai.UNet", wider)
    anew = begun(net, "monai.UNet", wider, start.networks[0])
    assert set(anew) == last_layers("monai.UNet", wider) and kept(start.networks[0], net)
    assert weights_of("monai.UNet", wider) == sum(p.numel() for p in net.parameters())
    with pytest.raises(ParameterError, match="these images are in px"):
        plan_from(start.plan, fingerprint(*masks(2, "px")))


def test_a_segmenter_takes_the_plan_of_its_start() -> None:
    start, (images, truth) = monai_start(), masks(2)
    made = train_segmenter(images, truth, validation=0, start=start, budget=Budget(epochs=1, steps=1))
    assert made.plan.network == "monai.UNet" and made.plan.spacing == (2.0, 2.0)
    volume = Image(np.zeros((4, 32, 32), np.float32), ("z", "y", "x"), Geometry.regular((4, 32, 32)))
    label = LabelMap(np.ones((4, 32, 32), np.uint8), ("z", "y", "x"), volume.geometry, (Segment(1, "disc"),))
    with pytest.raises(ParameterError, match="these have 3 spatial axes"):
        train_segmenter([volume], [label], start=start)


def small(plan: PlacePlan, **changes: Any) -> PlacePlan:
    return replace(plan, parameters={**plan.parameters, **changes}, settings=FitSettings(epochs=1), batch=2)


def test_landmarks_go_on_in_their_order_and_others_begin_anew() -> None:
    pairs = [head(k) for k in range(2)]
    images, truth = [i for i, _ in pairs], [t for _, t in pairs]
    plan = small(landmark_plan(images, ("left", "right", "upper", "lower")), channels=[4, 8, 8])
    first = train_landmarks(images, truth, validation=0, plan=plan)
    turned = [t.take([3, 2, 1, 0]) for t in truth]
    made = train_landmarks(images, turned, validation=0, start=first, settings=STILL)
    assert made.names == first.names and made.plan.spacing == plan.spacing
    assert kept(first.network, made.network) == {k for k, _ in made.network.named_parameters()}
    named = [replace(t, names=("tip", *t.names[1:])) for t in truth]
    other = train_landmarks(images, named, validation=0, start=first, settings=STILL)
    anew = {k for k, _ in other.network.named_parameters()} - kept(first.network, other.network)
    assert anew and anew <= last_layers(plan.network, plan.parameters)
    volume = discs(1, 3)[0]
    with pytest.raises(ParameterError, match="these have 3 spatial axes"):
        train_landmarks([volume], [Places("points", np.ones((1, 3)), ("tip",), volume.geometry)], start=first)


def test_a_detector_goes_on_and_says_where_its_grid_is_too_coarse() -> None:
    pairs = [discs(k) for k in (1, 2)]
    images, truth = [i for i, _ in pairs], [t for _, t in pairs]
    plan = small(detection_plan(images, truth, ["disc"]), channels=[4, 8, 8], features=8)
    first = train_detector(images, truth, validation=0, plan=plan)
    made = train_detector(images, truth, validation=0, start=first, settings=STILL)
    assert kept(first.network, made.network) == {k for k, _ in made.network.named_parameters()}
    again = place_plan_from(first.plan, images, truth, ["cyst", "disc"], seconds=1e-9)
    assert again.parameters["out_channels"] == 2 and again.settings.epochs == 1 and again.spacing == plan.spacing
    with pytest.raises(ContentError, match="on the grid of the network to begin with"):
        place_plan_from(replace(first.plan, spacing=(20.0, 20.0)), images, truth, ["disc"])
