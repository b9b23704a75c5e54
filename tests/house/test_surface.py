"""What was public stays public, and the facade, its stub and its table agree."""

from __future__ import annotations

import ast
import importlib
import json

import pytest

import isocenter
from tests.house.surface import FILE, surface
from tests.house.tree import SRC, parsed

RECORDED = json.loads(FILE.read_text(encoding="utf-8"))
PUBLIC: dict[str, tuple[str, str | None]] = vars(isocenter)["_PUBLIC"]  # private, so the stub does not show it
ADVICE = "put it back, or record its end: CHANGELOG.md, then python -m tests.house.surface"


def test_the_facade_is_as_recorded() -> None:
    assert sorted(isocenter.__all__) == RECORDED["facade"], ADVICE


def test_no_module_lost_a_name() -> None:
    now = surface()["modules"]
    lost = [f"{m}.{n}" for m, names in RECORDED["modules"].items() for n in names if n not in now.get(m, ())]
    assert not lost, ADVICE


def test_no_operation_lost_a_parameter() -> None:
    now = surface()["operations"]
    lost = [f"{o}({p})" for o, names in RECORDED["operations"].items() for p in names if p not in now.get(o, ())]
    lost += [o for o in RECORDED["operations"] if o not in now]
    assert not lost, ADVICE


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_name_loads(name: str) -> None:
    module, attribute = PUBLIC[name]
    value = getattr(isocenter, name)
    assert value is (getattr(importlib.import_module(module), attribute) if attribute else importlib.import_module(module))


def test_the_stub_is_the_table() -> None:
    found: dict[str, tuple[str, str]] = {}
    for node in parsed(SRC / "__init__.pyi").body:
        if isinstance(node, ast.FunctionDef):  # ops: the package, shown as the function that it is to users
            found[node.name] = ("isocenter", node.name)
            continue
        if isinstance(node, ast.AnnAssign):
            continue
        assert isinstance(node, ast.ImportFrom), "the stub re-exports, nothing else"
        for alias in node.names:
            assert alias.asname == alias.name, f"{alias.name}: a stub re-exports what it imports 'as' the same name"
            found[alias.name] = (node.module or "", alias.name)
    assert found.pop("__version__") == ("isocenter._version", "__version__")
    table = {n: (m, a) if a else tuple(m.rsplit(".", 1)) for n, (m, a) in PUBLIC.items()}
    assert found == table


def test_ops_lists_before_and_after_an_operation_was_loaded() -> None:
    before = isocenter.ops()
    importlib.import_module("isocenter.ops.denoise")
    assert isocenter.ops() == before
    assert all(summary for summary in before.values())


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = isocenter.nothing  # type: ignore[attr-defined]  # it does not exist: that is the point


def test_star_import_and_dir_offer_the_same() -> None:
    assert set(isocenter.__all__) == set(dir(isocenter))
