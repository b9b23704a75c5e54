"""The public surface: every name that other people's code may rely on.

``python -m tests.house.surface`` writes it to ``api_surface.json``. Names are added freely; one that disappears
makes a test fail, and is taken out of the file by hand, with an entry in CHANGELOG.md.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

from isocenter.core.registry import operations
from tests.house.tree import SRC, parsed

FILE = Path(__file__).with_name("api_surface.json")

#: Packages and modules that are for others to import; the rest may change with any version.
PUBLIC = ("core", "testing", "learn", "io/door.py", "io/inventory.py", "pipeline/spec.py", "pipeline/plan.py", "pipeline/run.py")


def exported(path: Path) -> list[str]:
    """Return a module's ``__all__`` as written."""
    for node in parsed(path).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            try:
                return sorted(ast.literal_eval(node.value))
            except ValueError:  # computed, as the facade's is
                return []
    return []


def surface() -> dict[str, Any]:
    """Return facade, modules and operations with their public names."""
    import isocenter

    modules = {}
    for package in PUBLIC:
        where = SRC / package
        for path in sorted(where.rglob("*.py")) if where.is_dir() else [where]:
            names = exported(path) if path.exists() else []
            if names and not any(part.startswith("_") and part != "__init__.py" for part in path.relative_to(SRC).parts):
                stem = ".".join(path.relative_to(SRC).with_suffix("").parts)
                modules[stem.removesuffix(".__init__")] = names
    return {
        "facade": sorted(isocenter.__all__),
        "modules": modules,
        "operations": {
            name: [p.name for p in entry.parameters]
            for name, entry in operations().entries.items()
            if entry.module.startswith("isocenter.")
        },
    }


def main() -> None:
    """Write the surface as it is now."""
    FILE.write_text(json.dumps(surface(), indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
