"""Move an image to another grid: the only place where voxels are interpolated."""

from typing import Any

from isocenter.core.registry import stage_dir, stage_member


def __getattr__(name: str) -> Any:
    return stage_member("resample", name)


def __dir__() -> list[str]:
    return stage_dir("resample")
