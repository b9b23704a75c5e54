"""The documentation is true: its Python runs, its YAML loads, its commands exist, its links lead somewhere."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"])
WITH_PYTHON = [p for p in PAGES if "```python" in p.read_text(encoding="utf-8") and p.name != "CONTRIBUTING.md"]


def fenced(page: Path) -> list[tuple[str, str]]:
    """Return (language, text) of every code block of a page."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.M | re.S)


def blocks(page: Path, language: str) -> list[str]:
    """Return the code blocks of a page in one language."""
    return [text for found, text in fenced(page) if found == language]


def name(page: Path) -> str:
    """Return a page as it is shown in test names."""
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", WITH_PYTHON, ids=name)
def test_python_on_a_page_runs_from_top_to_bottom(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "page"}
    for number, text in enumerate(blocks(page, "python"), start=1):
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a page that warns frightens its reader
            exec(compile(text, f"{name(page)} block {number}", "exec"), namespace)  # noqa: S102  # our own pages


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "yaml")], ids=name)
def test_yaml_on_a_page_is_a_pipeline(page: Path) -> None:
    from isocenter.pipeline import spec

    for text in blocks(page, "yaml"):
        if "steps:" in text:
            assert spec.load(text).steps


def test_every_command_on_a_page_exists() -> None:
    from isocenter.cli.main import app

    verbs = {c.name or c.callback.__name__ for c in app.registered_commands if c.callback}
    verbs |= {str(group.name) for group in app.registered_groups}
    for page in PAGES:
        for text in (t for language, t in fenced(page) if language in ("", "sh")):
            for verb in re.findall(r"^isocenter (\w+)", text, flags=re.M):
                assert verb in verbs, f"{name(page)}: isocenter {verb} does not exist"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if target.endswith("reference/index.md"):
            continue  # generated with the site
        assert (page.parent / target).exists(), f"{name(page)}: {target} does not exist"


def test_every_page_is_in_the_navigation() -> None:
    listed = set(re.findall(r"[\w/.-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))
    there = {p.relative_to(ROOT / "docs").as_posix() for p in (ROOT / "docs").rglob("*.md")}
    assert listed == there | {"reference/index.md"}
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").split("nav:")[1]
    pages = re.findall(r"[\w/-]+\.md", nav)
    assert pages[1] == "concepts/coordinate-systems.md", "coordinate systems come first"


def test_every_promise_names_tests_that_exist() -> None:
    rows = [r for r in (ROOT / "docs" / "requirements.md").read_text(encoding="utf-8").splitlines() if r.startswith("| ")][2:]
    for row in rows:
        tests = re.findall(r"`(tests/[\w/.]+)`", row)
        assert tests, row
        for test in tests:
            assert (ROOT / test).is_file(), f"{test} does not exist: {row}"


def test_the_reference_has_a_page_per_operation() -> None:
    import importlib.util

    found = importlib.util.spec_from_file_location("hooks", ROOT / "docs" / "hooks.py")
    assert found is not None
    assert found.loader is not None
    hooks = importlib.util.module_from_spec(found)
    found.loader.exec_module(hooks)
    listing = hooks.index()
    for entry in hooks.entries():
        page = hooks.page(entry)
        assert f"({entry.name}.md)" in listing
        assert entry.summary in page
        assert f"**{entry.family}**: " in page
        assert hooks.ports(entry.family), f"{entry.family} is in the table of families"
        for parameter in entry.parameters:
            assert f"`{parameter.name}`" in page
