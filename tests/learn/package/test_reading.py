"""A package is one file that predicts, proves itself, and cannot be changed unnoticed."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from isocenter.core.errors import ContentError, FormatError, MissingInputError, ParameterError, VerificationError
from isocenter.core.results import Prediction, Score
from isocenter.learn.package.archive import pack, unpack
from isocenter.learn.package.fingerprint import case_digest, fingerprint_of
from isocenter.learn.package.model import Package
from isocenter.learn.package.models import TableModel
from isocenter.learn.package.reading import Training, read_package, write_package
from isocenter.learn.prove import FoldModel, prove
from isocenter.learn.recipe import Recipe, Table

NAMES = ("width", "height", "contrast")


def cases(n: int = 60, classes: tuple[str, ...] = ("calm", "wild")) -> Table:
    generator = np.random.default_rng(3)
    x = generator.normal(size=(n, 3))
    y = (x[:, 0] + 0.3 * generator.normal(size=n) > 0).astype(int) if classes else 40.0 + 5.0 * x[:, 1]
    return Table(x, y, np.arange(n).astype(str), np.where(np.arange(n) // 2 % 2, "north", "south"), NAMES, classes)


def folds_of(table: Table, learner: str, harmonise: bool = False) -> tuple[FoldModel, ...]:
    rows = np.arange(len(table))
    parts = [(rows[rows % 2 != k], rows[rows % 2 == k]) for k in range(2)]
    return prove(table, parts, Recipe(learner, harmonise=harmonise), draws=50).models


def written(
    path: Path, learner: str = "logistic", classes: tuple[str, ...] = ("calm", "wild"), harmonise: bool = False
) -> Package:
    table = cases(classes=classes)
    training = Training("made up", len(table), len(table), digests=tuple(case_digest(r) for r in table.values))
    return write_package(
        path,
        TableModel(folds_of(table, learner, harmonise), NAMES, "table"),
        name="made-up-cases",
        fingerprint=fingerprint_of([], table.values, NAMES),
        training=training,
        scores={"auc_roc": Score(0.9, "1", (0.8, 0.95), 60)} if classes else {"mae": Score(1.0, "year", None, 60)},
        plan={"learner": learner, "seed": 0},
        unit="year",
        limits=("Made up.",),
    )


@pytest.mark.parametrize("harmonise", [False, True])
@pytest.mark.parametrize("classes", [("calm", "wild"), ()])
@pytest.mark.parametrize("learner", ["svm", "boosting"])
def test_a_package_predicts_as_its_models(tmp_path: Path, learner: str, classes: tuple[str, ...], harmonise: bool) -> None:
    table = cases(classes=classes)
    package = written(tmp_path / "a.isocenter", learner, classes, harmonise)
    models = folds_of(table, learner, harmonise)
    expected = np.mean([m.predict(table.values[:4], table.sites[:4]) for m in models], axis=0)
    for k in range(4):
        found = package.predict(dict(zip(NAMES, table.values[k], strict=True)), str(table.sites[k]))
        assert isinstance(found, Prediction)
        told = np.array(found.probabilities if classes else [found.value], np.float64)
        np.testing.assert_allclose(told, np.atleast_1d(expected[k]), rtol=1e-10)
    assert package.self_test().passed
    assert ("harmonised between sites" in package.card) == harmonise
    if classes:
        assert package.threshold == pytest.approx(np.mean([m.threshold for m in models]))


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    first, second = written(tmp_path / "a.isocenter"), written(tmp_path / "b.isocenter")
    assert first.digest == second.digest
    assert (tmp_path / "a.isocenter").read_bytes() == (tmp_path / "b.isocenter").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.isocenter") as archive:
        names = archive.namelist()
        assert {"manifest.json", "weights.safetensors", "card.md", "LICENSE", "hashes.json", "pipeline.yaml"} <= set(names)
        assert "not a medical device" in archive.read("card.md").decode()


def test_inputs_unlike_the_training_are_told(tmp_path: Path) -> None:
    package = written(tmp_path / "a.isocenter")
    assert package.check([0.0, 0.0, 0.0]) == []
    (far,) = package.check([0.0, 50.0, 0.0])
    assert "height = 50" in far
    (gone,) = package.check([0.0, float("nan"), 0.0])
    assert "1 of 3 features are missing (height)" in gone
    with pytest.raises(ContentError, match="'contrast' is missing"):
        package.predict({"width": 1.0, "height": 1.0})


def test_a_model_that_holds_training_rows_says_so(tmp_path: Path) -> None:
    assert "Treat the file as you treat the training data" in written(tmp_path / "a.isocenter", "neighbours").card
    assert "No feature row of a training case" in written(tmp_path / "b.isocenter", "forest").card


def changed(data: bytes, change: Callable[[dict[str, bytes]], None], method: int = zipfile.ZIP_STORED) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target.getvalue()


def _other_threshold(members: dict[str, bytes]) -> None:
    manifest = json.loads(members["manifest.json"])
    manifest["description"]["members"][0]["threshold"] = 0.01
    members["manifest.json"] = json.dumps(manifest).encode()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (_other_threshold, "'manifest.json' was changed"),
        (lambda m: m.update({"weights.safetensors": m["weights.safetensors"][:-1] + b"x"}), "'weights.safetensors' was changed"),
        (lambda m: m.pop("card.md"), "no 'card.md'"),
        (lambda m: m.pop("scores.json"), "'scores.json' is missing"),
        (lambda m: m.pop("hashes.json"), "no 'hashes.json'"),
        (lambda m: m.update({"selftest/more.json": b"{}"}), "'selftest/more.json' was added"),
        (lambda m: m.update({"../evil": b""}), "holds '../evil'"),
        (lambda m: m.update({"/etc/evil": b""}), "holds '/etc/evil'"),
        (lambda m: m.update({"code.py": b""}), "holds 'code.py'"),
        (lambda m: m.update({"hashes.json": b"[1]"}), "no table of hashes"),
    ],
)
def test_a_changed_package_is_refused(tmp_path: Path, change: Callable[[dict[str, bytes]], None], expected: str) -> None:
    path = tmp_path / "a.isocenter"
    written(path)
    path.write_bytes(changed(path.read_bytes(), change))
    with pytest.raises((FormatError, VerificationError)) as raised:
        read_package(path)
    assert expected in str(raised.value) and "\n" not in str(raised.value)


def test_bombs_and_damage_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.isocenter"
    written(path)
    whole = path.read_bytes()
    path.write_bytes(changed(whole, lambda m: m.update({"card.md": b"0" * 10**6}), zipfile.ZIP_DEFLATED))
    with pytest.raises(FormatError, match="compressed"):
        read_package(path)
    for damaged in (whole[: len(whole) // 2], b"", b"PK\x03\x04" + bytes(40)):
        path.write_bytes(damaged)
        with pytest.raises(FormatError, match="no sound model package"):
            read_package(path)
    with pytest.raises(MissingInputError, match="no such model package"):
        read_package(tmp_path / "none.isocenter")


def test_what_does_not_fit_together_is_refused(tmp_path: Path) -> None:
    """Hashes that match do not make a package sound: whoever changes a member can hash it again."""
    path = tmp_path / "a.isocenter"
    written(path)
    members, _ = unpack(path)
    manifest = json.loads(members["manifest.json"])
    for key, value, expected in (
        ("format", "isocenter model package 99", "another version"),
        ("task", "divination", "not known"),
        ("classes", [{"name": "other", "code": None}], "classes"),
        ("training", 3, "does not say what it must"),
    ):
        path.write_bytes(pack({**members, "manifest.json": json.dumps({**manifest, key: value}).encode()}))
        with pytest.raises(FormatError, match=expected):
            read_package(path)
    path.write_bytes(pack({**members, "pipeline.yaml": b"name: none\nsteps:\n- op: denoise.median\n"}))
    with pytest.raises(FormatError, match="one step"):
        read_package(path)
    for fingerprint in ({"dims": 3}, {"features": {"names": ["a"], "low": [1], "middle": [1], "high": ["x"]}}, {"spacing": [1]}):
        path.write_bytes(pack({**members, "fingerprint.json": json.dumps(fingerprint).encode()}))
        with pytest.raises(FormatError, match="fingerprint"):
            read_package(path)
    for expected_json in ({}, {"tolerance": "x"}, {"tolerance": 1.0, "input": {"kind": "image"}, "expected": {}}):
        path.write_bytes(pack({**members, "selftest/expected.json": json.dumps(expected_json).encode()}))
        with pytest.raises(FormatError, match="self-test"):
            read_package(path).self_test()
    path.write_bytes(pack({**members, "weights.safetensors": b"\x08\0\0\0\0\0\0\0{}      "}))
    with pytest.raises(FormatError, match="not fit"):
        read_package(path)


def test_another_package_than_asked_for_is_refused(tmp_path: Path) -> None:
    package = written(tmp_path / "a.isocenter")
    assert read_package(tmp_path / "a.isocenter", sha256=package.digest).digest == package.digest
    with pytest.raises(VerificationError, match="not the model that was asked for"):
        read_package(tmp_path / "a.isocenter", sha256="sha256:" + "0" * 64)
    with pytest.raises(ParameterError, match="ends in .isocenter"):
        written(tmp_path / "a.zip")


def test_arrays_that_would_fail_later_are_refused_at_once(tmp_path: Path) -> None:
    from safetensors.numpy import load, save

    path = tmp_path / "a.isocenter"
    written(path, "forest")
    members, _ = unpack(path)
    arrays = load(members["weights.safetensors"])
    backwards = arrays["member0/model/left"].copy()
    backwards[np.flatnonzero(backwards >= 0)[1]] = 0
    for name, value in (
        ("member0/model/left", backwards),
        ("member0/model/value", arrays["member0/model/value"][:-1]),
        ("member0/model/feature", arrays["member0/model/feature"] + 99),
        ("member0/kept", np.array([0, 1, 7])),
        ("member0/kept", np.array([0, 1])),
        ("member1/mean", np.zeros(2)),
    ):
        path.write_bytes(pack({**members, "weights.safetensors": save({**arrays, name: value})}))
        with pytest.raises(FormatError, match="not fit"):
            read_package(path)
