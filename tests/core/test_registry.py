"""The registry reads names, summaries and parameters from source, importing nothing."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from isocenter.core.errors import UnknownNameError
from isocenter.core.registry import Registry, class_name, operation_name, operations, stage_dir, stage_member

SOFTEN = '''
"""A module."""

raise RuntimeError("listing must not import")


class Helper:
    """Not the one."""


class SoftenMore(families.Filter):
    """Soften an image.

    Longer words.

    Parameters
    ----------
    sigma
        Width in mm,
        per axis.
    low, high : float
        Limits in HU.

    Returns
    -------
    level
        Not a parameter.
    """

    version: ClassVar[str] = "2"
    _hidden: int = 0
    level: float
    sigma: float = 1.5
    low: float = Field(-1000.0, ge=-2000)
    high: float | None = Field(default=None)
    parts: tuple[int, ...] = Field(default_factory=tuple)
    must: int = Field(..., gt=0)
    free: int = pydantic.Field(gt=0)

    def compute(self, array, context):
        return array
'''


@pytest.fixture
def tree(tmp_path: Path) -> Registry:
    for name, text in {
        "enhance/__init__.py": "",
        "enhance/soften_more.py": SOFTEN,
        "enhance/_private.py": "class Private: pass",
        "enhance/deep/sharpen.py": "class Sharpen(Filter):\n    '''Sharpen.'''\n",
        "enhance/empty.py": "",
        "_hidden/thing.py": "class Thing: pass",
        "top.py": "class Top: pass",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return Registry("some.ops", tmp_path)


def test_the_path_is_the_name(tree: Registry) -> None:
    assert tree.names() == ["enhance.deep.sharpen", "enhance.empty", "enhance.soften_more"]
    assert tree.entry("enhance.soften_more").module == "some.ops.enhance.soften_more"
    assert "enhance.soften_more" in tree
    assert "enhance._private" not in tree


def test_summary_family_and_docstring_come_from_the_class_of_that_name(tree: Registry) -> None:
    entry = tree.entry("enhance.soften_more")
    assert entry.summary == "Soften an image."
    assert "Longer words." in entry.doc
    assert entry.family == "Filter"
    empty = tree.entry("enhance.empty")
    assert (empty.summary, empty.family, empty.parameters) == ("", "", ())


def test_parameters_are_read_with_default_and_meaning(tree: Registry) -> None:
    found = {p.name: p for p in tree.entry("enhance.soften_more").parameters}
    assert list(found) == ["level", "sigma", "low", "high", "parts", "must", "free"]
    assert found["sigma"].annotation == "float"
    assert found["sigma"].summary == "Width in mm, per axis."
    assert found["low"].summary == found["high"].summary == "Limits in HU."
    assert {k: p.default for k, p in found.items()} == {
        "level": None,
        "sigma": "1.5",
        "low": "-1000.0",
        "high": "None",
        "parts": "tuple",
        "must": None,
        "free": None,
    }


def test_a_misspelt_name_gets_a_suggestion(tree: Registry) -> None:
    with pytest.raises(UnknownNameError, match="No operation 'enhance.soften_mor'. Did you mean 'enhance.soften_more'"):
        tree.entry("enhance.soften_mor")
    with pytest.raises(UnknownNameError, match="List them with: isocenter ops"):
        tree.entry("xyz")


def test_loading_is_what_imports(tree: Registry) -> None:
    with pytest.raises(ModuleNotFoundError, match="some"):
        tree.load("enhance.soften_more")


def test_an_operation_imported_by_its_own_name_is_known_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    point = importlib.metadata.EntryPoint("enhance.soften", "plugin.soften", "isocenter.ops")
    monkeypatch.setattr("isocenter.core.registry._points", lambda group: (point,))
    assert operation_name("plugin.soften", "Soften") == "enhance.soften"
    assert operation_name("plugin.soften", "Helper") == "Helper"
    assert operation_name("plugin.other", "Soften") == "Soften"


@pytest.mark.parametrize(
    ("stem", "name"), [("median", "Median"), ("nodule_candidates", "NoduleCandidates"), ("to_grid", "ToGrid"), ("n4", "N4")]
)
def test_class_names(stem: str, name: str) -> None:
    assert class_name(stem) == name
    assert operation_name(f"isocenter.ops.stage.{stem}", name) == f"stage.{stem}"
    assert operation_name(f"isocenter.ops.stage.{stem}", "Other") == "Other"
    assert operation_name("somewhere.else", name) == name


PLUGIN = '''
"""A plug-in."""

from isocenter.core.families import Filter


class Soften(Filter):
    """Soften, from elsewhere."""

    strength: float = 1.0

    def compute(self, array, context):
        return array * self.strength
'''


def test_third_parties_add_operations_by_entry_point(tmp_path: Path) -> None:
    """A distribution on the path, as pip lays it out, adds an operation to the real registry."""
    (tmp_path / "soften_plugin").mkdir()
    (tmp_path / "soften_plugin" / "__init__.py").write_text("")
    (tmp_path / "soften_plugin" / "soften.py").write_text(PLUGIN)
    info = tmp_path / "soften_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: soften-plugin\nVersion: 1.0\n")
    (info / "RECORD").write_text("soften_plugin/soften.py,,\nsoften_plugin-1.0.dist-info/METADATA,,\n")
    (info / "entry_points.txt").write_text("[isocenter.ops]\nenhance.soften = soften_plugin.soften\n")
    code = """
        import sys, isocenter as iso
        entry = iso.ops()["enhance.soften"]
        assert entry == "Soften, from elsewhere.", entry
        assert "soften_plugin" not in sys.modules
        made = iso.op("enhance.soften", strength=2.0)
        assert (made.name, made.strength) == ("enhance.soften", 2.0), made.name
        assert iso.enhance.Soften is type(made)
        assert made.to_dict() == {"op": "enhance.soften", "with": {"strength": 2.0}}
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={"PYTHONPATH": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_our_own_name_wins_over_an_entry_point_of_the_same_name(tree: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    point = importlib.metadata.EntryPoint("enhance.soften_more", "other.module", "isocenter.ops")
    monkeypatch.setattr("isocenter.core.registry._points", lambda group: (point,))
    again = Registry("some.ops", tree.folder, "isocenter.ops")
    assert again.entry("enhance.soften_more").module == "some.ops.enhance.soften_more"


def test_stages_offer_their_classes() -> None:
    for name in operations().names():
        stage, _, stem = name.partition(".")
        assert class_name(stem) in stage_dir(stage)
    with pytest.raises(AttributeError, match="stage 'denoise' has no operation 'Nothing'"):
        stage_member("denoise", "Nothing")
