"""The explanation of rows by a package of a table model: how each prediction is shared out, and what the features are worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError
from isocenter.learn.explain.permutation import Importance, importance_of
from isocenter.learn.explain.sanity import SanityCheck
from isocenter.learn.explain.shapley import ShapleyValues, shapley
from isocenter.learn.explain.table_sanity import sanity_of_table
from isocenter.learn.package.fingerprint import case_digest
from isocenter.learn.package.model import Package
from isocenter.learn.package.models import TableModel
from isocenter.learn.package.selftest import made_up_row
from isocenter.learn.recipe import Table, one_thread

__all__ = ["ExplainedRows", "explain_rows", "families_of", "sentence_of_shares", "worth_of"]

FloatArray = npt.NDArray[np.float64]

#: Background cases at most: more change the shares little and cost as much again each.
_BACKGROUND = 50
#: Rows for the sanity check, and orders that are drawn for each of its cases at most.
_CHECKED, _ORDERS = 20, 16
#: Players (features or families) below which random weights cannot be told apart: the signs alone agree too often.
_FEWEST = 3


@dataclass(frozen=True, eq=False)
class ExplainedRows:
    """Shares of predictions.

    Attributes
    ----------
    names
        Of the features, or families of features, that the model uses.
    shares
        Shape (rows, names), in units of the prediction.
    target
        The class whose probability is shared out; the unit of a number.
    background
        What stands for not knowing a feature, in words.
    sanity
        Whether the shares depend on the weights; None where it cannot be judged.
    warnings
        One sentence each.
    """

    names: tuple[str, ...]
    shares: ShapleyValues
    target: str
    background: str
    sanity: SanityCheck | None
    warnings: tuple[str, ...]


def families_of(names: tuple[str, ...]) -> dict[str, npt.NDArray[np.int64]]:
    """Return family -> columns: features that differ in their number alone (``gradients 17``) belong together.

    Parameters
    ----------
    names
        As `isocenter.learn.represent` gives them.
    """
    found: dict[str, list[int]] = {}
    for k, name in enumerate(names):
        head, _, last = name.rpartition(" ")
        found.setdefault(head if head and last.isdigit() else name, []).append(k)
    return {family: np.array(columns, np.int64) for family, columns in found.items()}


def explain_rows(
    package: Package,
    rows: npt.ArrayLike,
    target: int,
    background: npt.ArrayLike | None = None,
    *,
    check: bool = True,
    seed: int = 0,
) -> ExplainedRows:
    """Share out the predictions of rows among the features, adding up exactly.

    Parameters
    ----------
    package
        Of features, given or of images (there features are taken together by families).
    rows
        Shape (rows, features), NaN where missing.
    target
        Index of the class; of no matter for a number.
    background
        Cases that stand for not knowing a feature, shape (cases, features); None takes the middle of the training, which every
        package holds.
    check
        Draw the weights anew and see whether the shares change.
    seed
        Chooses orders of features and random weights.

    Notes
    -----
    What is shared out is what the package says: the mean of its calibrated members.
    """
    model: TableModel = package.model
    x, known = np.asarray(rows, np.float64), package.fingerprint["features"]
    middle = np.array([[0.0 if v is None else v for v in known["middle"]]])
    if background is None:
        base, words = middle, "the median of every feature among the training cases"
    else:
        base = np.asarray(background, np.float64)
        base = base[np.linspace(0, len(base) - 1, min(len(base), _BACKGROUND)).round().astype(int)]
        words = f"{len(base)} cases of the cohort"
    base = np.where(np.isfinite(base), base, middle)
    used = np.unique(np.concatenate([m.fitted.kept for m in model.members]))
    groups = families_of(model.names) if model.source == "image" else {name: np.array([k]) for k, name in enumerate(model.names)}
    groups = {name: columns for name, columns in groups.items() if np.isin(columns, used).any()}
    shares = _shared(model, x, base, groups, target, seed)
    warnings = []
    if not shares.converged:
        worst = float((shares.error.max(axis=1) / np.maximum(np.abs(shares.values).max(axis=1), 1e-12)).max())
        warnings.append(
            f"Warning: the shares are known to {100 * worst:.0f} % of the largest one only; they still add up exactly."
        )
    if background is None:
        warnings.append(
            "The middle of the training stands for not knowing a feature: no case may look like it; give a cohort to use its cases."
        )
    sanity = _checked(package, base, groups, target, seed) if check and len(groups) >= _FEWEST else None
    if sanity is None:
        why = f" (fewer than {_FEWEST} features: random weights would give much the same)" if len(groups) < _FEWEST else ""
        warnings.append(f"Whether the shares depend on what the model learnt was not checked{why}.")
    elif not sanity.passed:
        warnings.append(sentence_of_shares(sanity))
    name = model.classes[target] if model.classes else str(package.manifest["unit"])
    return ExplainedRows(tuple(groups), shares, name, words, sanity, tuple(warnings))


def _shared(
    model: TableModel,
    rows: FloatArray,
    base: FloatArray,
    groups: dict[str, npt.NDArray[np.int64]],
    target: int,
    seed: int,
    most: int = 512,
) -> ShapleyValues:
    """Play the game of every row: a group is known or stands as in the background cases."""
    owner = np.full(rows.shape[1], -1)
    for k, columns in enumerate(groups.values()):
        owner[columns] = k
    played = owner >= 0
    found = []
    with one_thread():
        for number, row in enumerate(rows):

            def game(sets: FloatArray, row: FloatArray = row) -> FloatArray:
                known = np.zeros((len(sets), row.size), bool)
                known[:, played] = sets[:, owner[played]] > 0.5
                step, values = max(1, 20_000 // len(base)), []
                for i in range(0, len(known), step):
                    part = np.where(known[i : i + step, None], row, base[None])
                    said = model.predict(part.reshape(-1, row.size), np.full(part.shape[0] * len(base), ""))
                    said = said[:, target] if model.classes else said
                    values.append(said.reshape(part.shape[0], -1).mean(axis=1))
                return np.concatenate(values)

            one, zero = np.ones((1, len(groups))), np.zeros((1, len(groups)))
            found.append(shapley(game, one, zero, most=most, seed=seed + number))
    values, error = (np.concatenate([getattr(f, name) for f in found]) for name in ("values", "error"))
    return ShapleyValues(values, found[0].base, error, all(f.converged for f in found), sum(f.evaluations for f in found))


def _checked(
    package: Package, base: FloatArray, groups: dict[str, npt.NDArray[np.int64]], target: int, seed: int
) -> SanityCheck | None:
    """Judge the shares of made-up rows, which are enough to rank, whatever was to be explained."""
    rows = np.stack([made_up_row(package.fingerprint, seed + k) for k in range(_CHECKED if len(groups) <= 10 else 5)])
    few = base[:: max(1, len(base) // 10)][:10]
    return sanity_of_table(
        lambda model: _shared(model, rows, few, groups, target, seed, _ORDERS).values.ravel(),
        package.model,
        signed=True,
        seed=seed,
    )


def sentence_of_shares(sanity: SanityCheck) -> str:
    """Return the finding of a check in words that fit shares of features."""
    text = sanity.sentence.replace("the map changes", "the shares change").replace("the map stays", "the shares stay")
    return text.replace("absolute rank correlation", "rank correlation, below 0 counted as 0,").replace("networks", "models")


def worth_of(package: Package, table: Table, *, seed: int = 0) -> tuple[tuple[Importance, ...], int]:
    """Return what the features are worth on labelled cases, and how many training cases were left out.

    Parameters
    ----------
    package
        Of features.
    table
        Cases with their truth, classes in the order of the package's.
    seed
        Of permutations and bootstrap.

    Raises
    ------
    ContentError
        If fewer than two patients remain.
    """
    trained = set(package.manifest["training"]["digests"])
    fresh = [k for k in range(len(table)) if case_digest(table.values[k]) not in trained]
    kept = table.take(fresh) if fresh else None
    if kept is None or np.unique(kept.groups).size < 2:
        raise ContentError(
            f"{len(table)} labelled cases, {len(table) - len(fresh)} of them those that the model was made from: expected new cases of "
            "two or more patients, to say what a feature is worth."
        )
    model: TableModel = package.model
    used = np.unique(np.concatenate([m.fitted.kept for m in model.members]))
    whole = families_of(model.names) if model.source == "image" else {name: np.array([k]) for k, name in enumerate(model.names)}
    features = {n: [model.names[k] for k in columns] for n, columns in whole.items() if np.isin(columns, used).any()}
    found = importance_of(kept, [(model, np.arange(len(kept)))], features=features, seed=seed)
    return found, len(table) - len(fresh)
