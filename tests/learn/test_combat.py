"""Harmonisation takes the site out, keeps what is asked, and learns nothing from cases it was not fitted on."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError
from isocenter.learn.combat import fit_combat


def sites(n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    code = np.arange(n) % 3
    age = generator.uniform(20, 80, n) + 10 * code
    truth = generator.normal(size=(n, 12)) + 0.05 * age[:, None]
    shift = generator.normal(2.0, 1.0, (3, 12))
    scale = generator.uniform(0.6, 1.6, (3, 12))
    return truth * scale[code] + shift[code], code.astype(str), age


def test_mean_and_spread_of_the_sites_become_one() -> None:
    x, site, age = sites()
    out = fit_combat(x, site, age)(x, site, age)
    slope = np.polyfit(age, out.mean(axis=1), 1)[0]
    assert 0.03 < slope < 0.08
    residual = out - 0.05 * age[:, None]
    before = np.ptp([x[site == s].std(axis=0).mean() for s in "012"])
    means = np.array([residual[site == s].mean(axis=0) for s in "012"])
    assert np.ptp(means, axis=0).mean() < 0.25
    assert np.ptp([residual[site == s].std(axis=0).mean() for s in "012"]) < before


def test_new_cases_change_nothing_and_new_sites_stay_as_they_are() -> None:
    x, site, _ = sites()
    fitted = fit_combat(x[:200], site[:200])
    alone = fitted(x[250:251], site[250:251])
    np.testing.assert_array_equal(fitted(x[200:], site[200:])[50], alone[0])
    np.testing.assert_array_equal(fitted(x[:2], ["z", "z"]), x[:2])


def test_a_site_of_one_case_is_treated_as_new() -> None:
    x, site, _ = sites(60)
    site = site.astype(object)
    site[0] = "lonely"
    fitted = fit_combat(x, site)
    assert fitted.sites == ("0", "1", "2")
    np.testing.assert_array_equal(fitted(x[:1], ["lonely"]), x[:1])


def test_refusals() -> None:
    x, site, age = sites(30)
    with pytest.raises(ContentError, match="NaN"):
        fit_combat(np.where(x > 3, np.nan, x), site)
    with pytest.raises(ContentError, match="two sites"):
        fit_combat(x, np.full(30, "a"))
    with pytest.raises(ContentError, match="covariates"):
        fit_combat(x, site, age)(x, site)
