from __future__ import annotations

from typing import Any

from isocenter.core.families import Filter
from isocenter.core.operation import Context


class Broken(Filter):
    """Fails in an unforeseen way."""

    def compute(self, array: Any, context: Context) -> Any:
        raise ZeroDivisionError("seven by nothing")
