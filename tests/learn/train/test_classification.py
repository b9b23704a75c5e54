"""A classifier of two textures, and the data that it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.learn.train.classification import train_classifier
from isocenter.learn.train.ensemble import joined_networks
from isocenter.learn.train.settings import FitSettings


def striped(seed: int, along: int, size: int = 24) -> Image:
    generator = np.random.default_rng(seed)
    wave = np.sin(np.arange(size) * 1.2 + generator.uniform(0, 6))
    array = (wave[:, None] if along == 0 else wave[None]) + generator.normal(0, 0.3, (size, size))
    return Image(array.astype(np.float32), ("y", "x"), Geometry.regular((size, size)))


IMAGES = [striped(k, k % 2) for k in range(12)]
LABELS = ["lying", "standing"] * 6
OPTIONS: dict[str, Any] = {
    "network": "vgg",
    "parameters": {"depth": 11, "features": (4, 8, 8, 8, 8), "norm": "batch"},
    "settings": FitSettings(epochs=20, learning_rate=5e-3),
    "batch": 6,
    "augment": 0.2,
}


def test_two_textures_are_told_apart(tmp_path: Path) -> None:
    trained = train_classifier(IMAGES, LABELS, folder=tmp_path, validation=0.25, **OPTIONS)
    assert trained.classes == ("lying", "standing")
    prediction = trained.predict(striped(99, 1, size=40))
    assert prediction.label == "standing", "another size is brought to that of the training"
    assert (trained.answers(IMAGES).argmax(1) == np.arange(12) % 2).mean() > 0.9
    again = train_classifier(IMAGES, LABELS, folder=tmp_path, validation=0.25, **OPTIONS)
    assert torch.equal(again.networks[0].head[1].weight, trained.networks[0].head[1].weight)
    both = joined_networks([trained, again])
    assert np.allclose(both.answers(IMAGES), trained.answers(IMAGES))
    assert set(trained.histories[0].columns()) >= {"log_likelihood", "balanced_accuracy"}


def test_what_is_refused() -> None:
    with pytest.raises(ContentError, match="at least two classes"):
        train_classifier(IMAGES, ["x"] * 12, **OPTIONS)
    with pytest.raises(ContentError, match="single training case"):
        train_classifier(IMAGES, ["x"] * 11 + ["y"], **OPTIONS)
    with pytest.raises(ParameterError, match="a label for each"):
        train_classifier(IMAGES, LABELS[:3], **OPTIONS)
    broken = IMAGES[0].with_array(np.full((24, 24), np.nan, np.float32))
    with pytest.raises(ContentError, match="case 1"):
        train_classifier([broken, *IMAGES[1:]], LABELS, **OPTIONS)
    with pytest.raises(ParameterError, match="not all"):
        train_classifier(IMAGES, LABELS, validation=range(12), **OPTIONS)
