"""Show operations. Plain text on purpose: listing must be instant, and a table library costs more than the list."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Sequence

from isocenter.core.registry import Entry

__all__ = ["as_json", "as_text"]


def as_json(entries: Sequence[Entry]) -> None:
    """Print operations as JSON: name, family, summary, parameters."""
    rows = [
        {
            "name": entry.name,
            "family": entry.family,
            "summary": entry.summary,
            "parameters": [
                {"name": p.name, "type": p.annotation, "default": p.default, "summary": p.summary} for p in entry.parameters
            ],
        }
        for entry in entries
    ]
    print(json.dumps(rows, indent=1, ensure_ascii=False))


def as_text(entries: Sequence[Entry], detailed: bool = False) -> None:
    """Print operations as a list, or one of them in full."""
    width = min(110, shutil.get_terminal_size().columns)
    if detailed:
        _one(entries[0], width)
        return
    longest = max((len(entry.name) for entry in entries), default=0)
    stage = ""
    for entry in entries:
        head = entry.name.split(".")[0]
        if head != stage:
            print(("" if not stage else "\n") + head)
            stage = head
        print(f"  {entry.name:<{longest}}  {textwrap.shorten(entry.summary, max(20, width - longest - 4), placeholder=' ...')}")
    print(f"\n{len(entries)} operations. One in full: isocenter ops NAME. Apply one: isocenter apply NAME INPUT -o OUTPUT")


def _one(entry: Entry, width: int) -> None:
    print(f"{entry.name} ({entry.family})\n")
    print(textwrap.indent(entry.doc, "  "))
    print("\nParameters as in a pipeline or with --set:")
    for parameter in entry.parameters:
        default = "required" if parameter.default is None else f"default {parameter.default}"
        print(f"  {parameter.name} ({parameter.annotation}; {default})")
        if parameter.summary:
            print(textwrap.indent(textwrap.fill(parameter.summary, width - 6), "      "))
    if not entry.parameters:
        print("  none")
    example = "".join(f" --set {p.name}={p.default}" for p in entry.parameters[:1] if p.default is not None)
    print(f"\nExample: isocenter apply {entry.name} INPUT -o OUTPUT{example}")
