"""What no file of the project may contain, and how long one may be."""

from __future__ import annotations

import ast
import re
import tokenize
from pathlib import Path

import pytest

from tests.house.tree import ROOT, parsed, relative, sources, texts

# Written in two parts, so that this file passes its own test.
FORBIDDEN = {
    "/wo" + "rk/": "a path of one machine",
    "/opt/py" + "pi": "a path of one machine",
    "/opt/whe" + "els": "a path of one machine",
    "/ro" + "ot/": "a path of one machine",
    "files.python" + "hosted": "the host of a registry",
    "pypi.org/" + "simple": "the host of a registry",
}


@pytest.mark.parametrize("word", FORBIDDEN)
def test_no_file_names_a_machine(word: str) -> None:
    guilty = []
    for path in texts():
        try:
            if word in path.read_text(encoding="utf-8"):
                guilty.append(relative(path))
        except UnicodeDecodeError:
            continue  # not text
    assert not guilty, f"{FORBIDDEN[word]}: {guilty}"


#: Longer than 400 lines, each with the reason why it is one subject all the same.
LONG = {
    "src/isocenter/core/geometry.py": "one value with all that derives from it",
}


@pytest.mark.parametrize("path", sources(), ids=relative)
def test_a_file_has_one_subject_and_fits_in_a_sitting(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines < 400 or relative(path) in LONG, f"{lines} lines: split it by subject"


#: Longer than 60 lines below the docstring, each with its reason.
LONG_FUNCTIONS: dict[str, str] = {}


@pytest.mark.parametrize("path", sources(), ids=relative)
def test_a_function_fits_on_a_screen(path: Path) -> None:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef) and node.end_lineno is not None:
            documented = ast.get_docstring(node) is not None
            first = node.body[1] if documented and len(node.body) > 1 else node.body[0]
            lines = node.end_lineno - first.lineno + 1
            assert lines < 60 or f"{relative(path)}:{node.name}" in LONG_FUNCTIONS, f"{node.name}: {lines} lines"


@pytest.mark.parametrize("path", sources(), ids=relative)
def test_a_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(parsed(path)), "a module starts with what it is for"


SILENCERS = re.compile(r"#\s*(type:\s*ignore\[[^\]]+\]|noqa:\s*[A-Z0-9, ]+|mypy:.*)(?P<rest>.*)$")


@pytest.mark.parametrize("path", [p for p in texts() if p.suffix == ".py"], ids=relative)
def test_a_silenced_check_gives_its_reason(path: Path) -> None:
    with path.open("rb") as handle:
        for token in tokenize.tokenize(handle.readline):
            match = SILENCERS.search(token.string) if token.type == tokenize.COMMENT else None
            if match:
                assert len(match["rest"].strip(" #:-")) > 5, (
                    f"{relative(path)}:{token.start[0]} silences a check without a reason"
                )


#: What an operation, a transform or an executor overrides: its docstring stands at the base.
INHERITED = {
    "align", "columns", "compute", "cost", "digest", "dims", "fit", "halo", "inverse", "predict", "reconstruct", "resolve",
    "table", "target",
}  # fmt: skip


@pytest.mark.parametrize("path", sources(), ids=relative)
def test_public_methods_are_documented(path: Path) -> None:
    bare = []
    for node in ast.walk(parsed(path)):
        if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
            continue
        for item in node.body:
            if isinstance(item, ast.FunctionDef) and not item.name.startswith("_") and not ast.get_docstring(item):
                overrides = bool(node.bases) and item.name in INHERITED
                typed = any(ast.unparse(d).rsplit(".", 1)[-1] in ("override", "overload") for d in item.decorator_list)
                if not overrides and not typed:
                    bare.append(f"{node.name}.{item.name}")
    assert not bare, f"without a docstring: {bare}"


def test_the_project_carries_its_papers() -> None:
    for name in ("README.md", "LICENSE", "CITATION.cff", "SECURITY.md", "CHANGELOG.md", "CONTRIBUTING.md", "CODE_OF_CONDUCT.md"):
        assert (ROOT / name).stat().st_size > 300, name
    assert "Apache License" in (ROOT / "LICENSE").read_text()
