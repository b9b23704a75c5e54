"""Registry: names found by scanning file names and reading docstrings, importing nothing.

``ops/denoise/median.py`` is ``denoise.median`` and holds ``class Median``; the same rule serves networks,
formats and paradigms. Third parties add theirs by the entry-point group ``isocenter.ops``.
"""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import re
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

from isocenter.core.errors import UnknownNameError, did_you_mean

__all__ = ["Entry", "Parameter", "Registry", "class_name", "operation_name", "operations", "stage_dir", "stage_member"]


def class_name(stem: str) -> str:
    """Return the class that a file holds: ``nodule_candidates`` -> ``NoduleCandidates``."""
    return "".join(part[:1].upper() + part[1:] for part in stem.split("_"))


def operation_name(module: str, qualname: str) -> str:
    """Return the registered name of a class from the module it is defined in.

    An operation of a third party is known by its entry point, whichever way it was imported, so that the
    lineage and the cache of another process name it alike.
    """
    parts = module.split(".")
    if parts[0] != "isocenter":
        for point in _points("isocenter.ops"):
            if point.value.split(":")[0] == module and class_name(point.name.rsplit(".", 1)[-1]) == qualname:
                return point.name
    if "ops" in parts and class_name(parts[-1]) == qualname:
        return ".".join(parts[parts.index("ops") + 1 :])
    return qualname


@dataclass(frozen=True)
class Parameter:
    """One parameter as written in the source: name, annotation, default (as text; None if required), meaning."""

    name: str
    annotation: str
    default: str | None
    summary: str = ""


@dataclass(frozen=True)
class Entry:
    """One registered thing.

    Attributes
    ----------
    name
        ``stage.stem``.
    module
        Import path of its module.
    path
        Its file, None for one from an entry point.
    """

    name: str
    module: str
    path: Path | None

    @cached_property
    def _class(self) -> ast.ClassDef | None:
        if self.path is None:
            return None
        wanted = class_name(self.name.rsplit(".", 1)[-1])
        tree = ast.parse(self.path.read_text(encoding="utf-8"))
        return next((n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == wanted), None)

    @cached_property
    def _doc(self) -> str:
        node = self._class
        return (ast.get_docstring(node) or "") if node is not None else ""

    @cached_property
    def _summary(self) -> str:
        """The first line of the docstring, found in the text: parsing every file would take most of a listing's time."""
        if self.path is not None:
            wanted = class_name(self.name.rsplit(".", 1)[-1])
            text = self.path.read_text(encoding="utf-8")
            found = re.search(rf'^class {wanted}\([^)]*\):\s*\n\s+"""([^"\\\n]+)(?:"""|$)', text, re.MULTILINE)
            if found is not None:
                return found.group(1).strip()
        return self._doc.split("\n", 1)[0].strip()

    @property
    def summary(self) -> str:
        """First line of the class's docstring."""
        return self._summary

    @property
    def doc(self) -> str:
        """The whole docstring."""
        return self._doc

    @property
    def family(self) -> str:
        """Name of the family it derives from."""
        node = self._class
        if node is None or not node.bases:
            return ""
        return ast.unparse(node.bases[0]).rsplit(".", 1)[-1]

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters, read from the source."""
        node = self._class
        if node is None:
            return ()
        meanings = _documented(self._doc)
        found = []
        for item in node.body:
            if not isinstance(item, ast.AnnAssign) or not isinstance(item.target, ast.Name):
                continue
            annotation = ast.unparse(item.annotation)
            if annotation.startswith("ClassVar") or item.target.id.startswith("_"):
                continue
            found.append(Parameter(item.target.id, annotation, _default(item.value), meanings.get(item.target.id, "")))
        return tuple(found)

    def load(self) -> Any:
        """Import and return the class."""
        return getattr(importlib.import_module(self.module), class_name(self.name.rsplit(".", 1)[-1]))


def _default(value: ast.expr | None) -> str | None:
    """Return a parameter's default as text, None where it is required."""
    if value is None:
        return None
    if isinstance(value, ast.Call) and ast.unparse(value.func).rsplit(".", 1)[-1] == "Field":
        if value.args:
            text = ast.unparse(value.args[0])
            return None if text in ("...", "Ellipsis") else text
        named = {k.arg: k.value for k in value.keywords}
        chosen = named.get("default") or named.get("default_factory")
        return None if chosen is None else ast.unparse(chosen)
    return ast.unparse(value)


def _documented(doc: str) -> dict[str, str]:
    """Return parameter name -> description from a NumPy-style ``Parameters`` section."""
    lines = doc.splitlines()
    try:
        start = next(k for k, line in enumerate(lines) if line.strip() == "Parameters") + 2
    except StopIteration:
        return {}
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for k in range(start, len(lines)):
        line = lines[k]
        if line and not line.startswith(" "):
            if k + 1 < len(lines) and set(lines[k + 1].strip()) == {"-"}:
                break
            for name in line.split(":")[0].split(","):
                current = found.setdefault(name.strip(), current if "," in line and name != line.split(",")[0] else [])
        elif line.strip():
            current.append(line.strip())
    return {name: " ".join(text) for name, text in found.items()}


class Registry:
    """Names below one package, with those of an entry-point group.

    Parameters
    ----------
    package
        Import path whose sub-packages are the stages, for instance ``isocenter.ops``.
    folder
        Where that package lies on disk.
    group
        Entry-point group of third parties; an entry ``my.thing = my_package.thing`` names the *module*.
    """

    def __init__(self, package: str, folder: Path, group: str | None = None) -> None:
        self.package = package
        self.folder = folder
        self.group = group

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """Every entry by name, sorted."""
        found = {}
        for path in self.folder.rglob("*.py"):
            if path.stem.startswith("_"):
                continue
            parts = path.relative_to(self.folder).with_suffix("").parts
            if any(p.startswith("_") for p in parts) or len(parts) < 2:
                continue
            name = ".".join(parts)
            found[name] = Entry(name, f"{self.package}.{name}", path)
        if self.group:
            for point in _points(self.group):
                found.setdefault(point.name, Entry(point.name, point.value, _module_path(point)))
        return dict(sorted(found.items()))

    def names(self) -> list[str]:
        """Every name, sorted."""
        return list(self.entries)

    def __contains__(self, name: object) -> bool:
        return name in self.entries

    def entry(self, name: str) -> Entry:
        """Return the entry of a name.

        Raises
        ------
        UnknownNameError
            With the names it may have been meant for.
        """
        try:
            return self.entries[name]
        except KeyError:
            raise UnknownNameError(
                f"No operation '{name}'.{did_you_mean(name, self.entries) or ' List them with: isocenter ops'}"
            ) from None

    def load(self, name: str) -> Any:
        """Import and return the class of a name."""
        return self.entry(name).load()


@cache
def _points(group: str) -> tuple[importlib.metadata.EntryPoint, ...]:
    """Return the entry points of a group (the installed distributions are read once)."""
    return tuple(importlib.metadata.entry_points(group=group))


def _module_path(point: importlib.metadata.EntryPoint) -> Path | None:
    """Return the file of an entry point's module without importing it, where its distribution lists it."""
    tail = point.value.split(":")[0].replace(".", "/") + ".py"
    for item in (point.dist.files or ()) if point.dist is not None else ():
        if str(item).endswith(tail):
            return Path(str(item.locate()))
    return None


@lru_cache(maxsize=1)
def operations() -> Registry:
    """Return the registry of operations."""
    return Registry("isocenter.ops", Path(__file__).resolve().parent.parent / "ops", "isocenter.ops")


def stage_member(stage: str, name: str) -> Any:
    """Return the class ``Median`` of the stage ``denoise`` (serves ``isocenter.denoise.Median``)."""
    for entry in operations().entries.values():
        head, _, stem = entry.name.partition(".")
        if head == stage and class_name(stem) == name:
            return entry.load()
    raise AttributeError(f"stage '{stage}' has no operation '{name}'")


def stage_dir(stage: str) -> list[str]:
    """Return the class names of a stage."""
    return [class_name(name.partition(".")[2]) for name in operations().names() if name.startswith(f"{stage}.")]
