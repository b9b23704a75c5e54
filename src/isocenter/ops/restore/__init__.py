"""Learned and model-based restoration."""

from typing import Any

from isocenter.core.registry import stage_dir, stage_member


def __getattr__(name: str) -> Any:
    return stage_member("restore", name)


def __dir__() -> list[str]:
    return stage_dir("restore")
