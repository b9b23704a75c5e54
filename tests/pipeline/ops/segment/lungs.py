from __future__ import annotations

from typing import Any, ClassVar

from isocenter.core.families import Segmenter
from isocenter.core.operation import Context
from tests.pipeline.ops._calls import count


class Lungs(Segmenter):
    """Air, where values are HU."""

    quantities: ClassVar[tuple[str, ...] | None] = ("HU",)
    segments: ClassVar[tuple[str, ...]] = ("lungs",)

    def compute(self, array: Any, context: Context) -> Any:
        count(self.name)
        return array < -400
