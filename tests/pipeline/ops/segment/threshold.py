from __future__ import annotations

from typing import Any

from isocenter.core.families import Segmenter
from isocenter.core.operation import Context
from tests.pipeline.ops._calls import count


class Threshold(Segmenter):
    """Values at or above a limit.

    Parameters
    ----------
    above
        The limit.
    """

    above: float = 0.0

    def compute(self, array: Any, context: Context) -> Any:
        count(self.name)
        found = array >= self.above
        return found if context.region is None else found & context.region
