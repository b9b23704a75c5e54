"""The check of maps: one that follows the weights passes, one that follows the image fails and says so."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy import stats
from torch import nn

from isocenter.core.errors import ParameterError
from isocenter.learn.explain.sanity import randomised, rank_correlation, sanity_check
from isocenter.nets.attribution.integrated_gradients import integrated_gradients
from tests.learn.explain.conftest import phantom, tiny, trained


def test_rank_correlation_is_spearmans() -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 7, 9))
    assert rank_correlation(a, b) == pytest.approx(stats.spearmanr(a.ravel(), b.ravel()).statistic)
    assert rank_correlation(a, np.exp(a)) == pytest.approx(1.0)
    assert rank_correlation(a, np.zeros_like(a)) == 0.0


def test_randomising_draws_the_named_parts_anew_and_no_other() -> None:
    net = tiny(2)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    state = torch.get_rng_state()
    other, again = randomised(net, ["9"], 3), randomised(net, ["9"], 3)
    assert torch.equal(torch.get_rng_state(), state)
    for name, value in other.state_dict().items():
        assert torch.equal(value, before[name]) == (not name.startswith("9."))
        assert torch.equal(value, again.state_dict()[name])
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_a_part_that_cannot_reset_itself_is_drawn_as_well() -> None:
    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.arange(6.0))

    net = nn.Sequential(Scale())
    assert not torch.equal(randomised(net, ["0"], 0).get_parameter("0.weight"), net.get_parameter("0.weight"))


def test_the_cascade_goes_from_output_to_input() -> None:
    net = trained(2).networks[0]
    x = torch.from_numpy(trained(2).seen(phantom(100, 2)[0]).copy())[None]

    def explain(one: nn.Module) -> npt.NDArray[np.float32]:
        return integrated_gradients(one, x, 1, most=32).values[0, 0].numpy()

    found = sanity_check(explain, net, stages=4, draws=3)
    assert found.layers == ("9", "5", "3", "0")
    assert len(found.correlations) == 4 and len(found.draws) == 3 and found.draws[0] == abs(found.correlations[-1])
    assert found.passed and "changes" in found.sentence


def test_an_edge_detector_fails() -> None:
    image, _ = phantom(100, 2)
    edges = np.hypot(*np.gradient(np.asarray(image.array)))
    found = sanity_check(lambda _: edges, trained(2).networks[0])
    assert not found.passed and found.value == pytest.approx(1.0)
    assert found.sentence.startswith("Warning: with random weights the map stays much the same")


def test_what_cannot_be_checked_is_refused() -> None:
    with pytest.raises(ParameterError, match="no weights"):
        sanity_check(lambda _: np.zeros(3), nn.ReLU())
    with pytest.raises(ParameterError, match="0 stages"):
        sanity_check(lambda _: np.zeros(3), tiny(2), stages=0)
