"""Every learner of the catalogue as ONNX gives the results of the package, also at a split, for missing values and for sites."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from isocenter.core.errors import UnsupportedError, VerificationError
from isocenter.learn.combat import Combat
from isocenter.learn.estimators.catalogue import LEARNERS
from isocenter.learn.evaluate.calibration import fit_calibrator
from isocenter.learn.package.estimators import to_arrays
from isocenter.learn.package.fingerprint import fingerprint_of
from isocenter.learn.package.models import TableModel
from isocenter.learn.package.table_onnx import export_table
from isocenter.learn.prove import FoldModel
from isocenter.learn.recipe import Recipe, Table

runtime = pytest.importorskip("onnxruntime", reason="ONNX export needs the extra 'deep'")
NAMES = tuple("abcdef")
SMALL: dict[str, dict[str, Any]] = {"forest": {"trees": 20}, "elm": {"nodes": 30}}
CASES = [
    (name, classes)
    for name, one in LEARNERS.items()
    for task, classes in (("classification", 2), ("classification", 3), ("regression", 0))
    if task in one.tasks
]


def cases(classes: int, lacking: int | None = None) -> Table:
    generator = np.random.default_rng(7)
    x = generator.normal(size=(80, 6))
    y: npt.NDArray[Any] = np.argsort(np.argsort(x[:, 0] + 0.5 * generator.normal(size=80))) * max(classes, 1) // 80
    if not classes:
        y = 40.0 + 5.0 * x[:, 0] - x[:, 1] ** 2
    keep = np.arange(80) if lacking is None else np.flatnonzero(y != lacking)
    sites = np.where(np.arange(80) % 2, "north", "south")
    return Table(x, y, np.arange(80).astype(str), sites, NAMES, tuple("xyz"[:classes])).take(keep)


def model_of(table: Table, name: str, harmonise: bool) -> TableModel:
    """Return the mean of two models, one calibrated by a temperature and one by steps where there are two classes."""
    members = []
    for k in range(1 if name == "ensemble" else 2):  # an ensemble has 500 trees
        fitted = Recipe(name, SMALL.get(name, {}), harmonise=harmonise, keep=5).fit(table.take(np.arange(len(table))[k:60]))
        predicted = fitted.predict(table.values, table.sites)
        kind: Any = "isotonic" if k and len(table.classes) == 2 else "temperature"
        members.append(FoldModel(fitted, fit_calibrator(table.target, predicted, kind) if table.classes else None, 0.5, {}))
    return TableModel(tuple(members), NAMES, "table")


def run(path: Path, rows: npt.NDArray[np.float64], sites: npt.NDArray[np.str_] | None = None) -> npt.NDArray[np.float64]:
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    given = {"features": rows} if sites is None else {"features": rows, "site": sites.astype(object)}
    return np.asarray(session.run(None, given)[0], np.float64)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("name", "classes"), CASES)
def test_a_learner_says_the_same(name: str, classes: int, tmp_path: Path) -> None:
    table = cases(classes)
    model = model_of(table, name, harmonise=True)
    assert export_table(model, fingerprint_of([], table.values, NAMES), tmp_path / "a.onnx", 1e-4) <= 1e-8
    rows = np.concatenate([table.values, 3.0 * table.values[:5]])  # cases it was fitted on, new ones, and some far off
    rows[3, 2] = np.nan
    sites = np.resize(np.array(["north", "south", "nowhere"]), len(rows))
    expected = model.predict(rows, sites)
    found = run(tmp_path / "a.onnx", rows, sites)
    np.testing.assert_allclose(found if classes else found[:, 0], expected, rtol=1e-8, atol=1e-8)


def test_a_case_at_a_split_goes_the_same_way(tmp_path: Path) -> None:
    """The reason for plain operators: the tree operators of older runtimes compare in single precision."""
    table = cases(2)
    for name in ("forest", "boosting"):
        model = model_of(table, name, harmonise=False)
        export_table(model, fingerprint_of([], table.values, NAMES), tmp_path / "a.onnx", 1e-4)
        fitted = model.members[0].fitted
        arrays = to_arrays(fitted.model)[1]
        inner = np.flatnonzero(arrays["left"] >= 0)[:40]
        rows = np.repeat(table.values[:1], len(inner), axis=0)
        for row, k in zip(rows, inner, strict=True):
            column = fitted.kept[int(arrays["feature"][k])]
            row[column] = arrays["threshold"][k] * fitted.spread[column] + fitted.mean[column]
        np.testing.assert_allclose(run(tmp_path / "a.onnx", rows), model.predict(rows, np.full(len(rows), "")), atol=1e-10)


def test_a_class_that_a_fold_lacked_gets_nothing(tmp_path: Path) -> None:
    table = cases(3, lacking=1)
    model = TableModel((FoldModel(Recipe("logistic").fit(table), None, 0.5, {}),), NAMES, "table")
    export_table(model, fingerprint_of([], table.values, NAMES), tmp_path / "a.onnx", 1e-4)
    found = run(tmp_path / "a.onnx", table.values)
    np.testing.assert_allclose(found, model.predict(table.values, table.sites), atol=1e-12)
    assert (found[:, 1] == 0).all()


def test_what_differs_is_not_written(tmp_path: Path) -> None:
    table = cases(2)
    model = TableModel((FoldModel(Recipe("logistic").fit(table), None, 0.5, {}),), NAMES, "table")
    with pytest.raises(VerificationError, match="nothing was written"):
        export_table(model, fingerprint_of([], table.values, NAMES), tmp_path / "a.onnx", -1.0)
    assert not list(tmp_path.iterdir())


def test_covariates_are_refused_in_words(tmp_path: Path) -> None:
    table = cases(2)
    fitted = Recipe("logistic", harmonise=True).fit(table)
    assert isinstance(fitted.combat, Combat)
    other = replace(fitted, combat=replace(fitted.combat, centre=np.zeros(1), covariates=np.zeros((1, 6))))
    model = TableModel((FoldModel(other, None, 0.5, {}),), NAMES, "table")
    with pytest.raises(UnsupportedError, match="with covariates is not written as ONNX"):
        export_table(model, fingerprint_of([], table.values, NAMES), tmp_path / "a.onnx", 1e-4)
