"""Operations: one file, one operation, in the stages that a study passes through.

Calling the package lists them: ``isocenter.ops()``. (The facade's function and this package share a name, and
Python binds the package over the function as soon as one operation is imported; so they are one thing.)
"""

import sys
from types import ModuleType

from isocenter.core.registry import operations


class _Operations(ModuleType):
    """The package, callable."""

    def __call__(self) -> dict[str, str]:
        """Return every operation's name with its one-line summary; nothing heavy is imported."""
        return {name: entry.summary for name, entry in operations().entries.items()}


sys.modules[__name__].__class__ = _Operations
