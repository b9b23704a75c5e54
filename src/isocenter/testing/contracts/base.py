"""The machinery of the contract suites: what a check is, which apply to an operation, and how they are run."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from isocenter.core.errors import IsocenterError
from isocenter.core.operation import Operation
from isocenter.core.registry import operations

__all__ = [
    "Check",
    "ContractViolation",
    "all_checks",
    "check",
    "checks_for",
    "examples_of",
    "expect",
    "parametrize_with_checks",
    "require_one_sentence",
]

#: The modules that hold checks; importing one registers them.
_SUITES = (
    "common", "values", "spacing", "filter", "reference_filter", "resampler", "segmenter", "editor", "surfacer", "extractor",
    "measure", "metric", "registrar", "fuser", "reconstructor", "predictor", "detector", "signal_extractor", "signal_filter", "fittable",
)  # fmt: skip


class ContractViolation(AssertionError):  # noqa: N818 - it is what pytest shows, and says what it is
    """An operation breaks a promise; the message names operation, example, check and what was seen."""


@dataclass(frozen=True)
class _Rule:
    name: str
    families: tuple[str, ...]
    function: Callable[[Any], None]
    when: Callable[[Any], bool] | None

    def applies(self, operation: Operation) -> bool:
        if self.families and operation.family not in self.families:
            return False
        return self.when is None or self.when(operation)


_RULES: dict[str, _Rule] = {}


def check(*families: str, when: Callable[[Any], bool] | None = None) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Register a function of one operation as a check.

    Parameters
    ----------
    families
        Names of the families it applies to; none means every one.
    when
        Whether it applies to an operation of those families; None means it does.
    """

    def register(function: Callable[[Any], None]) -> Callable[[Any], None]:
        if function.__name__ in _RULES:
            raise ValueError(f"Check '{function.__name__}' is defined twice: expected another name.")
        _RULES[function.__name__] = _Rule(function.__name__, families, function, when)
        return function

    return register


@dataclass(frozen=True)
class Check:
    """One promise of one operation, ready to be run.

    Attributes
    ----------
    name
        The check's name, ``input_untouched`` for instance.
    operation
        The operation's registered name.
    summary
        What is checked, in one line.
    function
        Runs it; raises `ContractViolation` where the promise is broken.
    """

    name: str
    operation: str
    summary: str
    function: Callable[[], None]

    @property
    def id(self) -> str:
        """``operation-check``, as pytest shows it."""
        return f"{self.operation}-{self.name}"

    def __call__(self) -> None:
        """Run the check."""
        self.function()

    def __repr__(self) -> str:
        return f"<Check {self.id}: {self.summary}>"


def expect(condition: Any, message: str) -> None:
    """Raise `ContractViolation` with `message` unless `condition` holds."""
    if not condition:
        raise ContractViolation(message)


def require_one_sentence(error: IsocenterError, what: str) -> None:
    """Raise unless an error's text is a sentence that a user can act on."""
    text = str(error)
    fine = len(text) >= 20 and "\n" not in text and text.rstrip()[-1] in ".?)" and "Traceback" not in text
    expect(fine, f"the error for {what} reads {text!r}: expected one sentence that says what was wrong and what to do")


def examples_of(operation: type[Operation] | Operation) -> tuple[Operation, ...]:
    """Return the examples of an operation that its checks run on: its own, or one with all defaults."""
    if isinstance(operation, Operation):
        return (operation,)
    own = getattr(operation, "examples", None)
    return tuple(own()) if own is not None else (operation(),)


def _load_suites() -> None:
    for name in _SUITES:
        importlib.import_module(f"isocenter.testing.contracts.{name}")


def _resolve(operation: str | type[Operation] | Operation) -> type[Operation] | Operation:
    if isinstance(operation, str):
        loaded: type[Operation] = operations().load(operation)
        return loaded
    return operation


def checks_for(operation: str | type[Operation] | Operation) -> list[Check]:
    """Return every check that applies to an operation.

    Parameters
    ----------
    operation
        A registered name, a class, or one instance (then it alone is the example).

    Returns
    -------
    list of Check
        Those for all operations first, then those of its family.
    """
    _load_suites()
    target = _resolve(operation)
    try:
        examples = examples_of(target)
        if not examples:
            raise ContractViolation("examples() is empty: expected at least one")
    except (IsocenterError, ContractViolation) as problem:
        owner = target if isinstance(target, type) else type(target)
        return [_broken(owner.name, "has_examples", "The operation gives examples of itself.", problem)]
    found = []
    for rule in _RULES.values():
        chosen = [e for e in examples if rule.applies(e)]
        if chosen:
            summary = (rule.function.__doc__ or rule.name).strip().splitlines()[0]
            found.append(Check(rule.name, chosen[0].name, summary, _Runner(rule, tuple(chosen))))
    return found


@dataclass(frozen=True)
class _Runner:
    """Runs one rule on every example it applies to (a class, so that checks can be pickled to test workers)."""

    rule: _Rule
    examples: tuple[Operation, ...]

    def __call__(self) -> None:
        for example in self.examples:
            try:
                self.rule.function(example)
            except ContractViolation as violation:
                raise ContractViolation(f"{_shown(example)} breaks '{self.rule.name}': {violation}") from violation.__cause__


def _shown(example: Operation) -> str:
    given = ", ".join(f"{k}={v!r}" for k, v in example.parameters().items())
    return f"{example.name}({given})"


def _broken(name: str, rule: str, summary: str, problem: Exception) -> Check:
    def report() -> None:
        raise ContractViolation(f"{name} breaks '{rule}': {problem}") from problem

    return Check(rule, name, summary, report)


def all_checks(names: Iterable[str] | None = None) -> list[Check]:
    """Return the checks of every registered operation (or of those named).

    An operation that cannot be imported gives one check, ``loads``, that says why.
    """
    found = []
    for name in operations().names() if names is None else names:
        try:
            found.extend(checks_for(name))
        except Exception as problem:  # noqa: BLE001 - whatever a module raises on import must not hide the others
            found.append(_broken(name, "loads", "The module of the operation can be imported.", problem))
    return found


def parametrize_with_checks(targets: Iterable[str | type[Operation] | Operation] | None = None) -> Any:
    """Return a pytest decorator that runs a test once for every check of every target.

    Parameters
    ----------
    targets
        Names, classes or instances; None means every registered operation.
    """
    import pytest

    found = all_checks() if targets is None else [c for target in targets for c in checks_for(target)]
    return pytest.mark.parametrize("check", found, ids=[c.id for c in found])
