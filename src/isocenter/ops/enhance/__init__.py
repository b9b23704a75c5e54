"""Make structures easier to see; values may lose their meaning."""

from typing import Any

from isocenter.core.registry import stage_dir, stage_member


def __getattr__(name: str) -> Any:
    return stage_member("enhance", name)


def __dir__() -> list[str]:
    return stage_dir("enhance")
