"""The page of training curves: looks again while it goes on, stays at the end, and shows no markup of a name."""

from __future__ import annotations

import math

from isocenter.view.live import training_page

CURVES = {"epoch": [1.0, 2.0, 3.0], "loss": [1.0, 0.5, 0.25], "learning_rate": [1e-3] * 3, "dice": [0.2, 0.8, math.nan]}


def test_it_loads_itself_anew_until_the_end() -> None:
    page = training_page({"fold <1>": CURVES}, done=False).decode()
    assert 'http-equiv="refresh" content="5"' in page and "fold &lt;1&gt;" in page and "<script" not in page
    assert "loss: 0.25 at epoch 3" in page and "dice: 0.8 at epoch 2, best 0.8 at epoch 2" in page and "learning" not in page
    ended = training_page({"": CURVES}, done=True).decode()
    assert "refresh" not in ended and "Ended." in ended and "<h2>" not in ended


def test_one_epoch_and_none_can_be_drawn() -> None:
    first = {name: values[:1] for name, values in CURVES.items()}
    assert training_page({"a": first, "b": {"epoch": [], "loss": []}}, done=False).count(b"<svg") == 2
