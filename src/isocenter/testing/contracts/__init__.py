"""Contract suites: what every operation guarantees, as checks that anyone can run on their own operation.

A plug-in author tests a whole operation in three lines::

    from isocenter.testing.contracts import parametrize_with_checks

    @parametrize_with_checks(["mine.sharpen", Sharpen(sigma=2.0)])
    def test_contract(check):
        check()

and looks at a single one with ``checks_for("mine.sharpen")``. A broken promise raises `ContractViolation`, which
names the operation, the check and what was seen.

An operation with required parameters gives examples of itself, and one that needs particular inputs gives those::

    @classmethod
    def examples(cls) -> tuple["Sharpen", ...]:
        return (cls(sigma=1.0), cls(sigma=3.0))

    def example_inputs(self) -> tuple[tuple[Image, ...], ...]:
        return ((chest(),),)
"""

from isocenter.testing.contracts.base import (
    Check,
    ContractViolation,
    all_checks,
    check,
    checks_for,
    examples_of,
    parametrize_with_checks,
)

__all__ = ["Check", "ContractViolation", "all_checks", "check", "checks_for", "examples_of", "parametrize_with_checks"]
