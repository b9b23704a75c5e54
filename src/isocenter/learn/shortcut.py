"""How far a model gets without looking: what site and patient data alone predict, and what is left at a new site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.core.results import Score
from isocenter.learn.prove import Proof, prove
from isocenter.learn.recipe import Recipe, Table

__all__ = ["Shortcut", "blind_table", "shortcut"]


@dataclass(frozen=True)
class Shortcut:
    """A score beside what the same score is worth.

    Attributes
    ----------
    name
        ``auc_roc`` (or ``macro_auc_roc``) or ``mae``.
    model, blind, floor
        Of the model; of site and patient data alone; of guessing.
    held_out
        Of the model at sites that it was not trained on; None where there is one site.
    held_out_floor
        Of guessing at those sites.
    share
        How much of the way from guessing to the model the blind prediction goes, 0 to 1.
    sentence
        The same in words.
    """

    name: str
    model: Score
    blind: Score
    floor: float
    held_out: Score | None
    held_out_floor: float | None
    share: float
    sentence: str


def blind_table(table: Table, subgroups: Mapping[str, npt.ArrayLike]) -> Table:
    """Return a table of site and patient data only, one column for each value; what is alike in all cases is left out.

    Parameters
    ----------
    table
        The cases.
    subgroups
        Attribute -> value of each case. Numbers of many values stay numbers.
    """
    columns: list[npt.NDArray[np.float64]] = []
    names: list[str] = []
    for name, given in {"site": table.sites, **subgroups}.items():
        text = np.asarray(given).astype(str).ravel()
        if np.unique(text).size < 2:
            continue
        try:
            number = np.where(text == "", "nan", text).astype(np.float64)
        except ValueError:
            number = np.full(text.size, np.nan)
        if np.unique(number[np.isfinite(number)]).size > 6:
            columns.append(number)
            names.append(name)
            continue
        for value in sorted(set(text.tolist())):
            columns.append((text == value).astype(np.float64))
            names.append(f"{name}={value}")
    values = np.stack(columns, axis=1) if columns else np.zeros((len(table), 0))
    return Table(values, table.target, table.groups, table.sites, tuple(names), table.classes)


def shortcut(
    table: Table,
    proof: Proof,
    folds: Sequence[tuple[npt.ArrayLike, npt.ArrayLike]],
    subgroups: Mapping[str, npt.ArrayLike],
    site_folds: Sequence[tuple[npt.ArrayLike, npt.ArrayLike]] = (),
    draws: int = 1000,
    away: Proof | None = None,
) -> tuple[Shortcut, Proof | None] | None:
    """Prove site and patient data alone in the same folds, and the model at sites it never saw.

    Parameters
    ----------
    table, proof, folds
        Of the model.
    subgroups
        Attribute -> value of each case, without the label.
    site_folds
        Folds that test one site each.
    draws
        Bootstrap resamples.
    away
        The proof at new sites, where it was made already; otherwise it is made here by the recipe of `proof`.

    Returns
    -------
    tuple or None
        The comparison, and the proof at new sites; None where nothing is known but the images.
    """
    blind = blind_table(table, subgroups)
    if not blind.names:
        return None
    name = "mae" if not table.classes else ("auc_roc" if len(table.classes) == 2 else "macro_auc_roc")
    alone = prove(blind, folds, Recipe("logistic", seed=proof.recipe.seed, guess=True), draws=draws)
    if away is None and site_folds:
        away = prove(table, site_folds, proof.recipe, draws=draws)
    model, other = proof.scores[name], alone.scores[name]
    floor = float(proof.scores["mae_of_median"]) if name == "mae" else 0.5
    away_floor = None if away is None else float(_guessing(table, away, site_folds)) if name == "mae" else 0.5
    way = floor - model.value if name == "mae" else model.value - floor
    blind_way = floor - other.value if name == "mae" else other.value - floor
    share = float(np.clip(blind_way / way, 0.0, 1.0)) if way > 1e-9 else 1.0
    held = None if away is None else away.scores[name]
    sentence = _words(name, model, other, floor, held, away_floor, share, blind.names)
    return Shortcut(name, model, other, floor, held, away_floor, share, sentence), away


def _guessing(table: Table, away: Proof, folds: Sequence[tuple[npt.ArrayLike, npt.ArrayLike]]) -> float:
    """Return the error of guessing the median of the other sites."""
    errors = [np.abs(table.target[np.asarray(test)] - np.median(table.target[np.asarray(train)])) for train, test in folds]
    return float(np.concatenate(errors).mean())


def _words(
    name: str,
    model: Score,
    blind: Score,
    floor: float,
    held: Score | None,
    held_floor: float | None,
    share: float,
    columns: Sequence[str],
) -> str:
    known = " and ".join(dict.fromkeys(c.split("=")[0] for c in columns))
    label = {"mae": "mean absolute error", "auc_roc": "AUC", "macro_auc_roc": "mean AUC"}[name]
    text = (
        f"{label[0].upper()}{label[1:]} {model.value:.3g}, where {known} alone gives {blind.value:.3g} and guessing {floor:.3g}"
    )
    if (floor <= model.value) if name == "mae" else (model.value <= floor):
        text += ": the model gains nothing over guessing."
    elif share >= 0.5:
        text += f": {100 * share:.0f} % of what the model gains over guessing is there without the images or measurements, so the score is mostly {known}."
    elif share >= 0.2:
        text += f": {100 * share:.0f} % of what the model gains over guessing is there without the images or measurements."
    else:
        text += "."
    if held is not None and held_floor is not None:
        gain = held_floor - held.value if name == "mae" else held.value - held_floor
        text += f" At sites that it was not trained on it reaches {held.value:.3g}, where guessing gives {held_floor:.3g}"
        lost = gain < 0.5 * abs((floor - model.value) if name == "mae" else (model.value - floor))
        text += ": expect that figure elsewhere, not the first." if lost else "."
    return text
