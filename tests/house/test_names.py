"""The path is the name: of the class, of the registered operation, of its test."""

from __future__ import annotations

import ast

import pytest

from isocenter.core import families
from isocenter.core.registry import class_name, operations
from tests.house.tree import ROOT, SRC, parsed

OPERATIONS = [e for e in operations().entries.values() if e.module.startswith("isocenter.")]


@pytest.mark.parametrize("entry", OPERATIONS, ids=lambda e: e.name)
class TestEveryOperation:
    """The law of names, one operation at a time."""

    def test_the_file_holds_one_public_class_of_its_name(self, entry) -> None:  # type: ignore[no-untyped-def]  # parametrised
        classes = [n.name for n in parsed(entry.path).body if isinstance(n, ast.ClassDef) and not n.name.startswith("_")]
        assert classes == [class_name(entry.path.stem)]

    def test_it_is_registered_under_its_path(self, entry) -> None:  # type: ignore[no-untyped-def]  # parametrised
        kind = entry.load()
        assert kind.name == entry.name == ".".join(entry.path.relative_to(SRC / "ops").with_suffix("").parts)
        assert kind.family in families.__all__
        assert len(entry.name.split(".")) == 2, "a stage and a name"

    def test_it_has_its_own_test_file(self, entry) -> None:  # type: ignore[no-untyped-def]  # parametrised
        stage, stem = entry.name.split(".")
        assert (ROOT / "tests" / "ops" / stage / f"test_{stem}.py").is_file()

    def test_it_says_what_it_does_and_what_its_parameters_mean(self, entry) -> None:  # type: ignore[no-untyped-def]  # parametrised
        assert entry.summary.endswith(".")
        assert len(entry.summary) <= 120
        for parameter in entry.parameters:
            assert parameter.summary, f"{entry.name}: parameter '{parameter.name}' is not documented"

    def test_source_and_class_agree_on_the_parameters(self, entry) -> None:  # type: ignore[no-untyped-def]  # parametrised
        kind = entry.load()
        own = [p.name for p in entry.parameters]
        assert set(own) <= set(kind.model_fields), "what is listed without importing is what the class has"
        inherited = set(kind.model_fields) - set(own)
        assert all(any(name in getattr(b, "model_fields", {}) for b in kind.__mro__[1:]) for name in inherited)


@pytest.mark.parametrize("stage", sorted(p.parent.name for p in (SRC / "ops").glob("*/__init__.py")))
def test_every_stage_says_what_it_is_for(stage: str) -> None:
    tree = parsed(SRC / "ops" / stage / "__init__.py")
    assert ast.get_docstring(tree)
    used = {n.args[0].value for n in ast.walk(tree) if isinstance(n, ast.Call) and n.args and isinstance(n.args[0], ast.Constant)}
    assert used == {stage}, "the lazy members are those of this stage"


def test_there_are_operations() -> None:
    assert OPERATIONS
