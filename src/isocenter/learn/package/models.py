"""What predicts in a package of a table model: the models of the folds, averaged, as plain values and arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, FormatError, ParameterError
from isocenter.learn.combat import Combat
from isocenter.learn.evaluate.calibration import Calibrator
from isocenter.learn.hazard import Baseline
from isocenter.learn.package.estimators import from_arrays, to_arrays
from isocenter.learn.prove import FoldModel
from isocenter.learn.recipe import FittedRecipe, Recipe

__all__ = ["TableModel", "calibrator_from", "calibrator_to", "held_rows", "restore", "take_apart"]

FloatArray = npt.NDArray[np.float64]
Arrays = dict[str, npt.NDArray[Any]]

_FITTED = ("middle", "mean", "spread", "kept")
_COMBAT = ("mean", "spread", "shift", "scale", "covariates", "centre")


@dataclass(frozen=True)
class TableModel:
    """Models of features, one for each fold (or one of all cases): their predictions are averaged.

    Attributes
    ----------
    members
        Each with its own calibrator and threshold.
    names
        Of the features, in order.
    source
        ``image``: the features are those of `isocenter.learn.represent`; ``table``: they are given.
    baseline
        Of a risk model: what turns its log relative hazards into chances; None for classes and numbers.
    """

    members: tuple[FoldModel, ...]
    names: tuple[str, ...]
    source: Literal["image", "table"] = "image"
    baseline: Baseline | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "members", tuple(self.members))
        object.__setattr__(self, "names", tuple(self.names))
        if not self.members:
            raise ParameterError("A model without members: expected one or more.")
        first = self.members[0].fitted
        if any(m.fitted.classes != first.classes or m.fitted.middle.size != len(self.names) for m in self.members):
            raise ParameterError("Members with different classes or features: expected those of the folds of one proof.")

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; empty for a regression."""
        return self.members[0].fitted.classes

    @property
    def threshold(self) -> float:
        """Operating point of the second of two classes: the mean of the members' own."""
        return float(np.mean([m.threshold for m in self.members]))

    def predict(self, values: npt.ArrayLike, sites: npt.ArrayLike) -> FloatArray:
        """Return calibrated probabilities of shape (n, classes), or numbers of shape (n,)."""
        x = np.asarray(values, np.float64)
        if x.ndim != 2 or x.shape[1] != len(self.names):
            raise ContentError(f"Features of shape {x.shape}: expected {len(self.names)} columns as in training.")
        return np.asarray(np.mean([m.predict(x, sites) for m in self.members], axis=0))


def take_apart(model: TableModel) -> tuple[dict[str, Any], Arrays]:
    """Return a model as plain values and arrays."""
    members, arrays = [], {}
    for k, member in enumerate(model.members):
        description, own = _fold_to(member)
        members.append(description)
        arrays.update({f"member{k}/{name}": value for name, value in own.items()})
    found: dict[str, Any] = {"kind": "table", "source": model.source, "names": list(model.names), "members": members}
    if model.baseline is not None:
        found["baseline"] = {"cut": model.baseline.cut, "moments": list(model.baseline.moments)}
        arrays |= {"baseline/times": np.array(model.baseline.times), "baseline/hazard": np.array(model.baseline.hazard)}
    return found, arrays


def restore(description: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> TableModel:
    """Return the model that `take_apart` described.

    Raises
    ------
    FormatError
        If something is missing or does not fit.
    """
    try:
        members = []
        for k, one in enumerate(description["members"]):
            start = f"member{k}/"
            members.append(_fold_from(one, {n[len(start) :]: v for n, v in arrays.items() if n.startswith(start)}))
        if description["source"] not in ("image", "table"):
            raise ValueError(f"source '{description['source']}'")
        names = tuple(str(n) for n in description["names"])
        return TableModel(tuple(members), names, description["source"], _baseline_from(description.get("baseline"), arrays))
    except (LookupError, TypeError, ValueError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"The model does not fit its description ({error}): the package was not written whole.") from error


def _baseline_from(plain: Mapping[str, Any] | None, arrays: Mapping[str, npt.NDArray[Any]]) -> Baseline | None:
    if plain is None:
        return None
    times, hazard = (np.asarray(arrays[f"baseline/{name}"], np.float64) for name in ("times", "hazard"))
    if times.ndim != 1 or times.shape != hazard.shape or (np.diff(times) <= 0).any() or (np.diff(hazard) < 0).any():
        raise ValueError("a baseline hazard that does not rise with time")
    moments = tuple(float(m) for m in plain["moments"])
    return Baseline(tuple(times.tolist()), tuple(hazard.tolist()), float(plain["cut"]), moments)


def held_rows(description: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what of the training cases a described model holds as it is, in words."""
    from isocenter.learn.package.estimators import HOLDS_ROWS

    found: dict[str, None] = {}
    queue = [m["model"] for m in description.get("members", ()) if "model" in m]
    while queue:
        one = queue.pop(0)
        queue += one.get("members", ())
        if one.get("kind") in HOLDS_ROWS:
            found[HOLDS_ROWS[one["kind"]]] = None
    return tuple(found)


def calibrator_to(calibrator: Calibrator | None) -> dict[str, Any] | None:
    """Return a calibrator as plain values."""
    if calibrator is None:
        return None
    return {
        "kind": calibrator.kind,
        "temperature": calibrator.temperature,
        "knots": list(calibrator.knots),
        "values": list(calibrator.values),
    }


def calibrator_from(plain: Mapping[str, Any] | None) -> Calibrator | None:
    """Return the calibrator that `calibrator_to` described."""
    if plain is None:
        return None
    if plain["kind"] not in ("temperature", "isotonic"):
        raise ValueError(f"calibrator '{plain['kind']}'")
    return Calibrator(
        plain["kind"], float(plain["temperature"]), tuple(map(float, plain["knots"])), tuple(map(float, plain["values"]))
    )


def _fold_to(member: FoldModel) -> tuple[dict[str, Any], Arrays]:
    fitted = member.fitted
    model, own = to_arrays(fitted.model)
    arrays: Arrays = {f"model/{name}": value for name, value in own.items()}
    for name in _FITTED:
        arrays[name] = np.ascontiguousarray(getattr(fitted, name))
    if fitted.combat is not None:
        for name in _COMBAT:
            arrays[f"combat/{name}"] = np.ascontiguousarray(getattr(fitted.combat, name))
    recipe = fitted.recipe
    description = {
        "model": model,
        "recipe": {
            "learner": recipe.learner,
            "settings": dict(recipe.settings),
            "harmonise": recipe.harmonise,
            "keep": recipe.keep,
            "seed": recipe.seed,
        },
        "classes": list(fitted.classes),
        "sites": None if fitted.combat is None else list(fitted.combat.sites),
        "centre": fitted.centre,
        "scale": fitted.scale,
        "logarithm": fitted.logarithm,
        "calibrator": calibrator_to(member.calibrator),
        "threshold": member.threshold,
        "settings": dict(member.settings),
    }
    return description, arrays


def _fold_from(description: Mapping[str, Any], arrays: Arrays) -> FoldModel:
    combat = None
    if description["sites"] is not None:
        combat = Combat(tuple(map(str, description["sites"])), *(arrays[f"combat/{name}"] for name in _COMBAT))
    model = from_arrays(description["model"], {n.removeprefix("model/"): v for n, v in arrays.items() if n.startswith("model/")})
    width, kept = arrays["middle"].size, arrays["kept"]
    if any(arrays[name].shape != (width,) for name in ("middle", "mean", "spread")):
        raise ValueError("fill values and scaling of different widths")
    if kept.dtype.kind != "i" or kept.ndim != 1 or kept.min(initial=0) < 0 or kept.max(initial=-1) >= width:
        raise ValueError("a column is kept that is not there")
    if any(arrays[n].ravel()[0] != kept.size for n in arrays if n.rpartition("/")[2] == "features"):
        raise ValueError("a model of other columns than those that are kept")
    made = description["recipe"]
    recipe = Recipe(made["learner"], dict(made["settings"]), bool(made["harmonise"]), made["keep"], int(made["seed"]))
    fitted = FittedRecipe(
        recipe,
        tuple(map(str, description["classes"])),
        arrays["middle"],
        combat,
        arrays["mean"],
        arrays["spread"],
        arrays["kept"],
        model,
        float(description["centre"]),
        float(description["scale"]),
        bool(description["logarithm"]),
    )
    return FoldModel(
        fitted, calibrator_from(description["calibrator"]), float(description["threshold"]), dict(description["settings"])
    )
