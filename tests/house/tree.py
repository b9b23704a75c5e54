"""The source tree as the tests of the house see it: read, never imported."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src" / "isocenter"

#: The folders and files that the project consists of (build outputs and other people's environments are not it).
PARTS = ("src", "tests", "docs", "examples", "benchmarks", ".ci", ".github")


@cache
def sources() -> tuple[Path, ...]:
    """Return every Python file of the package."""
    return tuple(sorted(p for p in SRC.rglob("*.py") if "__pycache__" not in p.parts))


@cache
def texts() -> tuple[Path, ...]:
    """Return every text file of the project."""
    found = [p for p in ROOT.iterdir() if p.is_file()]
    for part in PARTS:
        found.extend(p for p in (ROOT / part).rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return tuple(sorted(p for p in found if p.suffix not in (".png", ".pyc", ".nbi", ".nbc", ".ico", ".woff2")))


@cache
def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def relative(path: Path) -> str:
    """Return a path as it is written in messages."""
    return path.relative_to(ROOT).as_posix()
