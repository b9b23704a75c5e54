"""Explanations of a case: they find what the network looks for, on the image's own grid, and say when not to be believed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import isocenter as iso
from isocenter.core.errors import ContentError, ParameterError, UnknownNameError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.results import Prediction
from isocenter.learn.explain.case import METHODS, Method, explain_case
from isocenter.learn.explain.localisation import localisation
from isocenter.learn.explain.sanity import randomised
from isocenter.learn.standard import Standard
from isocenter.learn.train.heads import NumberHead
from isocenter.learn.train.images import TrainedNetwork
from tests.learn.explain.conftest import Finder, phantom, trained

CASES = range(100, 106)


@pytest.mark.parametrize("axes", [2, 3])
def test_the_network_learnt_it(axes: int) -> None:
    model = trained(axes)
    for k in CASES:
        for square in (True, False):
            image, _ = phantom(k, axes, square)
            with torch.no_grad():
                assert int(model.networks[0](torch.from_numpy(model.seen(image).copy())[None]).argmax()) == int(square)


@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_points_at_the_square_and_passes_the_check(method: Method, axes: int) -> None:
    model = trained(axes)
    cases = [phantom(k, axes) for k in CASES]
    found = [
        explain_case(model, image, method, target="square", patch=4.0, stride=2.0, check=k == 0)
        for k, (image, _) in enumerate(cases)
    ]
    scores = localisation([one.map for one in found], [mask for _, mask in cases])
    assert float(scores["pointing_game"]) == 1.0 and scores["pointing_game"].n == len(cases)
    assert float(scores["share_inside"]) > 3.0 * float(scores["area_share"])
    sanity = found[0].sanity
    assert sanity is not None and sanity.passed and not found[0].warnings
    assert found[0].target == "square" and found[0].probability > 0.9


@pytest.mark.parametrize("method", METHODS)
def test_a_number_is_explained_by_what_raises_it(method: Method) -> None:
    """A network whose number is the brightness of the bright: what is bright raises it, and shares add up to it."""
    net = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 1))
    with torch.no_grad():
        for part, weight, bias in ((net[0], 1.0, -0.5), (net[4], 8.0, 0.0)):
            assert isinstance(part, nn.Conv2d | nn.Linear) and part.bias is not None
            part.weight.fill_(weight)
            part.bias.fill_(bias)
    image, mask = phantom(3, 2)
    model = TrainedNetwork(NumberHead(Standard(40.0, 10.0, False)), image.geometry.shape, 1, (net.eval(),))
    found = explain_case(model, image, method, patch=4.0, stride=2.0)
    assert found.target == "number" and np.isnan(found.probability) and found.sanity is not None
    assert float(localisation([found.map], [mask])["pointing_game"]) == 1.0
    if method == "integrated_gradients":
        said = (model.answers([image])[0] - 40.0) / 10.0  # nothing is bright in an even image: its number is the centre
        assert float(np.sum(found.map.array)) == pytest.approx(said, rel=0.02)
    with pytest.raises(ParameterError, match="gives a number"):
        explain_case(model, image, method, target="square")


def _pointing_of_random_networks(method: Method, axes: int) -> float:
    model = trained(axes)
    names = [name for name, part in model.networks[0].named_modules() if any(True for _ in part.parameters(recurse=False))]
    cases = [phantom(k, axes) for k in CASES[:4]]
    hits = []
    for seed in range(1, 9):
        other = Finder((randomised(model.networks[0], names, seed),))
        maps = [explain_case(other, i, method, target="square", patch=4.0, stride=2.0, check=False).map for i, _ in cases]
        hits.append(float(localisation(maps, [m for _, m in cases])["pointing_game"]))
    return float(np.mean(hits))


@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize("method", ["occlusion", "grad_cam"])
def test_random_networks_fail_to_point_at_the_square(method: Method, axes: int) -> None:
    assert _pointing_of_random_networks(method, axes) < 0.75


def test_random_networks_point_at_what_is_bright_with_integrated_gradients() -> None:
    """The page on explanations says so: the method multiplies by the image, and a hit on a bright finding proves little."""
    assert _pointing_of_random_networks("integrated_gradients", 2) > 0.5


@pytest.mark.parametrize("axes", [2, 3])
def test_maps_lie_on_the_grid_of_their_image_and_left_is_left(axes: int, tmp_path: Path) -> None:
    for k in (100, 101):  # one stored from right to left, one from left to right
        image, mask = phantom(k, axes)
        found = explain_case(trained(axes), image, "grad_cam", target="square", check=False).map
        assert found.geometry == image.geometry and found.dims == image.dims and found.quantity == "attribution"
        iso.write(found, tmp_path / f"{k}.nii.gz")
        again = iso.read(tmp_path / f"{k}.nii.gz")
        values = np.asarray(again.array).reshape(again.geometry.shape)
        peak = again.geometry.to_world(np.unravel_index(int(values.argmax()), values.shape))
        middle = image.geometry.to_world((np.array(image.geometry.shape) - 1) / 2)
        assert peak[0] > middle[0], "the square lies in the patient's left half"
        index = np.rint(mask.geometry.to_index(peak)).astype(int)
        assert np.asarray(mask.array)[tuple(index)] == 1


def test_a_coarser_network_grid_comes_back_to_the_image() -> None:
    class Halved(Finder):
        def seen(self, image: Image) -> np.ndarray:
            """Return the mean of two by two samples."""
            data = np.asarray(image.array, np.float32)
            return data.reshape(data.shape[0] // 2, 2, data.shape[1] // 2, 2).mean((1, 3))[None]

    image, mask = phantom(100, 2)
    found = explain_case(Halved(trained(2).networks), image, "occlusion", target="square", patch=4.0, check=False)
    assert found.map.shape == image.shape
    assert float(localisation([found.map], [mask])["pointing_game"]) == 1.0


def test_any_function_can_be_occluded() -> None:
    image, mask = phantom(100, 2)
    inside = np.asarray(mask.array) == 1

    def predict(one: Image) -> Prediction:
        p = float(np.clip(np.asarray(one.array)[inside].mean() / 4.0, 0.0, 1.0))
        return Prediction(("empty", "square"), (1.0 - p, p))

    found = explain_case(predict, image, target="square", patch=4.0, stride=2.0)
    assert float(localisation([found.map], [mask])["share_inside"]) > 0.6
    assert found.sanity is None and "not checked" in found.warnings[0]
    bare = explain_case(
        lambda one: predict(one).probabilities, image, target=1, classes=("empty", "square"), patch=4.0, stride=2.0
    )
    assert np.array_equal(bare.map.array, found.map.array)


class _Energy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Linear(1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return a score that grows with the brightness whatever the weights are."""
        e = (x**2).flatten(1).sum(1, keepdim=True) * (self.gain.weight.abs() + 0.1)
        return torch.cat([-e, e], 1)


def test_a_map_that_ignores_the_weights_carries_a_warning() -> None:
    image, _ = phantom(100, 2)
    found = explain_case(Finder((_Energy(),)), image, "integrated_gradients", target="square", baseline="zero")
    assert found.sanity is not None and not found.sanity.passed and found.sanity.value > 0.99
    assert any("must not be read as its reason" in w for w in found.warnings)


def test_a_coarse_layer_is_told() -> None:
    image, _ = phantom(100, 2)
    net = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.AvgPool2d(8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)
    )
    found = explain_case(Finder((net,)), image, "grad_cam", check=False)
    assert any("3 x 4 places" in w for w in found.warnings)
    finer = explain_case(Finder((net,)), image, "grad_cam", layer="0", check=False)
    assert not any("places" in w for w in finer.warnings)


def test_equal_inputs_give_equal_maps() -> None:
    image, _ = phantom(102, 2)
    first, second = (explain_case(trained(2), image, "integrated_gradients", target=1) for _ in range(2))
    assert first.map.digest == second.map.digest and first.sanity == second.sanity


def test_what_cannot_be_explained_is_refused_in_one_sentence() -> None:
    image, _ = phantom(100, 2)
    model = trained(2)
    with pytest.raises(UnknownNameError, match="Did you mean 'grad_cam'"):
        explain_case(model, image, "gradcam")  # type: ignore[arg-type]  # a wrong name is the point
    with pytest.raises(UnknownNameError, match="No class 'circle'"):
        explain_case(model, image, target="circle")
    with pytest.raises(ParameterError, match="looks into a network"):
        explain_case(lambda one: (0.5, 0.5), image, "grad_cam")
    with pytest.raises(ParameterError, match="asks for 768 predictions"):
        explain_case(model, image, patch=1.0, stride=1.0, most=700)
    with pytest.raises(ContentError, match="no time"):
        times = Image(np.zeros((2, 4, 4), np.float32), ("t", "y", "x"), Geometry.regular((4, 4)))
        explain_case(model, times)
