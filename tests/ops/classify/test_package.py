"""A step of a pipeline that predicts by a package."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path

import pytest

from isocenter.core import models
from isocenter.core.errors import ContentError, MissingInputError, ParameterError, VerificationError
from isocenter.core.results import Column, Features
from isocenter.ops.classify.package import Package

EXAMPLE = Path(str(files("isocenter.testing"))) / "packages" / "example.isocenter"
SHA256 = Package.examples()[0].sha256


@pytest.fixture
def nothing_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv(models.FOLDERS, "")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def features(width: float = 1.0, height: float = 0.5, **more: float) -> Features:
    values = {"width": width, "height": height, "contrast": 0.5, **more}
    return Features(tuple(Column(n) for n in values), (tuple(values.values()),), ("case",))


def test_a_package_of_an_earlier_version_still_predicts_the_same() -> None:
    found = Package.examples()[0](features())
    assert found.classes == ("calm", "wild")
    assert found.probabilities[1] == pytest.approx(0.99971413, abs=1e-8)
    assert found.provenance.steps[-1].notes == ()


def test_what_is_unlike_the_training_is_noted() -> None:
    (note,) = Package.examples()[0](features(height=90.0)).provenance.steps[-1].notes
    assert "height = 90" in note and "not trained on such a case" in note


def test_a_package_is_found_by_name_and_digest(nothing_known: Path) -> None:
    step = Package(package="mine.isocenter", sha256=SHA256)
    with pytest.raises(MissingInputError, match="'mine.isocenter' is not here"):
        step(features())
    folder = nothing_known / "models"
    folder.mkdir()
    shutil.copy(EXAMPLE, folder / "mine.isocenter")
    models.make_known(folder)
    assert step(features()).classes == ("calm", "wild")
    (nothing_known / "mine.isocenter").write_bytes(EXAMPLE.read_bytes() + b"\0")
    assert step(features()).classes == ("calm", "wild"), "a namesake of another digest is passed over"
    with pytest.raises(VerificationError):
        Package(package="mine.isocenter", sha256="sha256:" + "1" * 64)(features())


def test_a_step_without_digest_or_with_other_features_is_refused() -> None:
    with pytest.raises(ParameterError, match="without its digest"):
        Package(package=str(EXAMPLE))(features())
    with pytest.raises(ContentError, match="'width' is missing"):
        Package.examples()[0](Features((Column("other"),), ((1.0,),), ("case",)))
    with pytest.raises(ContentError, match="regions"):
        one = features()
        Package.examples()[0](Features(one.columns, one.rows * 2, ("a", "b")))
