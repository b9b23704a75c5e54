from __future__ import annotations

import time
from typing import Any

from isocenter.core.families import Filter
from isocenter.core.operation import Context
from tests.pipeline.ops._calls import count


class Noisy(Filter):
    """Adds noise that depends on the seed, after a pause.

    Parameters
    ----------
    pause
        Seconds.
    """

    pause: float = 0.0

    def compute(self, array: Any, context: Context) -> Any:
        count(self.name)
        time.sleep(self.pause)
        context.note("noise was added")
        return array + context.rng().standard_normal(array.shape, dtype="float32")
