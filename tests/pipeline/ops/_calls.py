"""Counts what the test operations compute."""

from __future__ import annotations

from collections import Counter

CALLS: Counter[str] = Counter()


def count(name: str) -> None:
    CALLS[name] += 1
