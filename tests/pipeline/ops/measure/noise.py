from __future__ import annotations

from typing import Any

from isocenter.core.families import Measure
from isocenter.core.operation import Context
from isocenter.core.results import Score
from tests.pipeline.ops._calls import count


class Noise(Measure):
    """Standard deviation."""

    def compute(self, array: Any, context: Context) -> Any:
        count(self.name)
        return {"deviation": Score(float(array.std()))}
