"""Every check of the contract suites on every registered operation."""

from __future__ import annotations

from isocenter.testing.contracts import Check, parametrize_with_checks


@parametrize_with_checks()
def test_contract(check: Check) -> None:
    check()
