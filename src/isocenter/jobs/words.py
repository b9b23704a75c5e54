"""Plain values in words, for the terminal and the report."""

from __future__ import annotations

from typing import Any

__all__ = ["describe_modality", "listed"]

_NAMES = {"PT": "PET", "US": "ultrasound", "CR": "X-ray (CR)", "DX": "X-ray (DX)", "SM": "slide microscopy"}


def describe_modality(modality: str | None) -> str:
    """Return a modality in words: ``CT``, or ``of unknown modality``."""
    return _NAMES.get(modality or "", modality or "") or "of unknown modality"


def listed(value: Any) -> str:
    """Return a plain value as text; a list without its brackets."""
    return ", ".join(str(v) for v in value) if isinstance(value, list | tuple) else str(value)
