"""Missing extras are named with the command that installs them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from isocenter.core.errors import MissingExtraError
from isocenter.core.extras import EXTRAS, require

ROOT = Path(__file__).resolve().parents[2]


def test_a_module_that_is_there_is_returned() -> None:
    assert require("json.decoder", "Reading").__name__ == "json.decoder"


@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_the_message_names_feature_and_command(extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise ModuleNotFoundError(f"No module named '{name}'")

    monkeypatch.setattr("importlib.import_module", refuse)
    with pytest.raises(MissingExtraError) as caught:
        require(f"{EXTRAS[extra][0]}.part", "Writing that table")
    assert str(caught.value) == (
        f"Writing that table needs the package '{EXTRAS[extra][0]}', which is not installed: pip install \"isocenter[{extra}]\""
    )
    assert isinstance(caught.value, ImportError)


def test_a_package_of_no_extra_is_installed_by_its_name() -> None:
    with pytest.raises(MissingExtraError, match="pip install no_such_package$"):
        require("no_such_package", "This")


def test_every_extra_exists_in_the_packaging() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(EXTRAS) <= set(declared)
