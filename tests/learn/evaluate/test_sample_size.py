"""What a data set cannot show is said in words with numbers."""

from __future__ import annotations

import pytest

from isocenter.core.errors import ParameterError
from isocenter.learn.evaluate.sample_size import classification_size, regression_size


def test_more_cases_show_more() -> None:
    small, large = classification_size({"a": 20, "b": 20}), classification_size({"a": 500, "b": 500})
    assert small.half_width > 3 * large.half_width and small.detectable > 3 * large.detectable
    assert "subgroups" in " ".join(small.sentences) and len(large.sentences) == 1


def test_too_many_parameters_are_named() -> None:
    found = classification_size({"no": 90, "yes": 30}, parameters=1000)
    assert found.events_per_parameter == pytest.approx(0.03) and "1000 features are offered" in found.sentences[1]
    assert "30 patients of the rarest class" in found.sentences[1]


def test_regression() -> None:
    found = regression_size(100, parameters=50, spread=5.0, unit="years")
    assert found.half_width == pytest.approx(0.992, abs=0.001) and "years" in found.sentences[0]
    with pytest.raises(ParameterError):
        regression_size(1)
    with pytest.raises(ParameterError):
        classification_size({"a": 5})
