"""The error tree is the one that is drawn, and every message is the sentence."""

from __future__ import annotations

import builtins
import copy
import pickle
import re

import pytest

from isocenter.core import errors
from isocenter.core.errors import IsocenterError, SpecError, did_you_mean

ROWS = re.compile(r"^    (?P<indent>[│ ├└─]*)(?P<name>[A-Z]\w+Error)(?: +(?P<builtin>[A-Z]\w+Error))?(?= |$)")


def drawn() -> dict[str, tuple[str | None, str | None]]:
    """Return name -> (parent, builtin) as drawn in the docstring."""
    found: dict[str, tuple[str | None, str | None]] = {}
    path: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        match = ROWS.match(line)
        if not match:
            continue
        depth = len(match["indent"])
        while path and path[-1][0] >= depth:
            path.pop()
        found[match["name"]] = (path[-1][1] if path else None, match["builtin"])
        path.append((depth, match["name"]))
    return found


def defined() -> dict[str, type[IsocenterError]]:
    return {k: v for k, v in vars(errors).items() if isinstance(v, type) and issubclass(v, IsocenterError)}


def test_every_class_is_drawn_and_every_drawn_class_exists() -> None:
    assert set(drawn()) == set(defined())
    assert set(defined()) < set(errors.__all__)


@pytest.mark.parametrize("name", sorted(defined()))
def test_parent_and_builtin_are_as_drawn(name: str) -> None:
    parent, builtin = drawn()[name]
    bases = [b.__name__ for b in defined()[name].__bases__]
    if parent is None:
        assert bases == ["Exception"]
        return
    assert bases[0] == parent
    assert bases[1:] == ([builtin] if builtin else [])
    if builtin:
        assert issubclass(defined()[name], getattr(builtins, builtin))


@pytest.mark.parametrize("name", sorted(defined()))
def test_an_error_is_its_sentence_and_travels(name: str) -> None:
    sentence = "ct/07.dcm: the slice at 12.5 mm is missing: expected even steps; repair it with --repair interpolate."
    error = defined()[name](sentence)
    for one in (error, pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(one) is type(error)
        assert str(one) == sentence
    assert str(defined()[name]("")) == ""


def test_an_error_without_a_sentence_names_its_kind() -> None:
    assert str(errors.InputError()) == "InputError"


def test_a_spec_error_lists_every_problem() -> None:
    error = SpecError(["line 3: no operation 'x'", "line 5: ..."], "study.yaml")
    assert error.problems == ("line 3: no operation 'x'", "line 5: ...")
    assert str(error) == "study.yaml: line 3: no operation 'x'; line 5: ..."
    twin = pickle.loads(pickle.dumps(error))
    assert (twin.problems, twin.source, str(twin)) == (error.problems, error.source, str(error))
    assert SpecError("one").problems == ("one",)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("denoise.medain", " Did you mean 'denoise.median' or 'denoise.gaussian'?"),
        ("filter.gaussian", " Did you mean 'denoise.gaussian'?"),  # the right name in another stage
        ("zzz", ""),
    ],
)
def test_did_you_mean(name: str, said: str) -> None:
    assert did_you_mean(name, iter(["denoise.median", "denoise.gaussian", "segment.otsu"])) == said


def test_did_you_mean_offers_few() -> None:
    assert did_you_mean("a", ["a1", "a2", "a3", "a4"], limit=2).count("'") == 4
