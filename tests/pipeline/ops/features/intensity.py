from __future__ import annotations

from typing import Any

from isocenter.core.families import Extractor
from isocenter.core.operation import Context
from isocenter.core.results import Column
from tests.pipeline.ops._calls import count


class Intensity(Extractor):
    """Mean and number of samples of each region."""

    def columns(self, context: Context) -> tuple[Column, ...]:
        return (Column("mean", context.quantity or "1"), Column("samples"))

    def compute(self, array: Any, context: Context) -> Any:
        count(self.name)
        inside = array[context.region]
        return {"mean": float(inside.mean()), "samples": int(inside.size)} if inside.size else {"samples": 0}
