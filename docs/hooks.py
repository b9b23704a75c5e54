"""Makes the reference: one page per operation, from what the registry reads in the source."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from isocenter.core import families  # noqa: E402  # the path must be set first
from isocenter.core.registry import Entry, class_name, operations  # noqa: E402  # the path must be set first


def entries() -> list[Entry]:
    """Return the operations of this project (not those of plug-ins that happen to be installed)."""
    return [e for e in operations().entries.values() if e.module.startswith("isocenter.")]


def ports(family: str) -> str:
    """Return what goes in and what comes out, from the table of families."""
    for line in (families.__doc__ or "").splitlines():
        if line.startswith(family + " "):
            return "; ".join(part.strip() for part in line[len(family) :].split("  ") if part.strip())
    return ""


def _sections(doc: str) -> dict[str, str]:
    """Return the sections of a NumPy-style docstring; the text before the first one under an empty name."""
    found: dict[str, list[str]] = {"": []}
    lines, current = doc.splitlines(), ""
    for k, line in enumerate(lines):
        if k + 1 < len(lines) and line.strip() and set(lines[k + 1].strip()) == {"-"}:
            current = line.strip()
            found[current] = []
        elif not (set(line.strip()) == {"-"} and line.strip()):
            found[current].append(line)
    return {name: "\n".join(text).strip() for name, text in found.items()}


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _yaml(default: str | None) -> str:
    """Return a default, written as Python, as YAML; empty where there is none to show."""
    try:
        value = ast.literal_eval(default or "None")
    except ValueError:
        return ""  # an expression: the table of parameters shows it
    return "" if value is None else json.dumps(value)


def page(entry: Entry) -> str:
    """Return the page of one operation as Markdown."""
    sections = _sections(entry.doc)
    parts = [f"# {entry.name}", sections.pop(""), f"**{entry.family}**: {ports(entry.family)}"]
    sections.pop("Parameters", None)
    if entry.parameters:
        rows = ["| parameter | type | default | meaning |", "| --- | --- | --- | --- |"]
        for p in entry.parameters:
            default = "required" if p.default is None else f"`{_cell(p.default)}`"
            rows.append(f"| `{p.name}` | `{_cell(p.annotation)}` | {default} | {_cell(p.summary)} |")
        parts += ["## Parameters", "\n".join(rows)]
    given = ", ".join(f"{p.name}: {text}" for p in entry.parameters if (text := _yaml(p.default)))
    step = f"- {{op: {entry.name}, with: {{{given}}}}}" if given else f"- {{op: {entry.name}}}"
    stage, stem = entry.name.split(".")
    parts += [
        "## Use",
        f"```python\niso.op({entry.name!r})            # = iso.{stage}.{class_name(stem)}()\n```",
        f"```yaml\n{step}\n```",
    ]
    for name in ("Notes", "References"):
        if sections.get(name):
            parts += [f"## {name}", sections[name]]
    return "\n\n".join(parts) + "\n"


def index() -> str:
    """Return the list of all operations as Markdown."""
    lines = ["# Operations", "", "Every operation, by stage. The pages are made from the operations' own docstrings.", ""]
    stage = ""
    for entry in entries():
        head = entry.name.split(".")[0]
        if head != stage:
            stage = head
            lines += ["", f"## {stage}", "", "| operation | what it does |", "| --- | --- |"]
        lines.append(f"| [{entry.name}]({entry.name}.md) | {_cell(entry.summary)} |")
    return "\n".join(lines) + "\n"


def on_config(config: Any) -> Any:
    """Put the pages of the reference into the navigation."""
    section = next(item["Operations"] for item in config["nav"] if "Operations" in item)
    by_stage: dict[str, list[Any]] = {}
    for entry in entries():
        by_stage.setdefault(entry.name.split(".")[0], []).append({entry.name: f"reference/{entry.name}.md"})
    section[1:] = [{stage: pages} for stage, pages in by_stage.items()]
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages."""
    from mkdocs.structure.files import File

    old = files.get_file_from_path("reference/index.md")
    if old is not None:
        files.remove(old)
    files.append(File.generated(config, "reference/index.md", content=index()))
    for entry in entries():
        files.append(File.generated(config, f"reference/{entry.name}.md", content=page(entry)))
    return files
