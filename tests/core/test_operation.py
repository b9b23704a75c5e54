"""Operation: parameters are validated with a sentence, stored exactly, and decide the cache key."""

from __future__ import annotations

import json
import pickle
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
from pydantic import Field, ValidationError

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.families import Filter
from isocenter.core.geometry import Geometry
from isocenter.core.operation import Context, Cost, Operation, Spec, default_threads
from isocenter.core.provenance import Provenance
from tests.core.values import Density, Shift, image


class Blur(Filter):
    """A filter with parameters of several kinds."""

    name: ClassVar[str] = "local.blur"
    sigma: float = Field(1.0, gt=0)
    radius: int = Field(2, ge=1, le=9)
    edge: Literal["nearest", "mirror"] = "nearest"
    per_axis: tuple[float, ...] | None = None

    def compute(self, array: Any, context: Context) -> Any:
        return array


class Needs(Filter):
    """A filter with a required parameter."""

    name: ClassVar[str] = "local.needs"
    level: float

    def compute(self, array: Any, context: Context) -> Any:
        return array


def made_wrong(kind: Any = Blur, **parameters: Any) -> Any:
    """Make an operation as YAML does, past the type checker."""
    return kind(**parameters)


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: Blur(sigma=0), r"Parameter 'sigma' of local.blur is 0: input should be greater than 0\."),
        (lambda: Blur(sigma=float("nan")), "Parameter 'sigma' of local.blur is nan"),
        (lambda: Blur(sigma=float("inf")), "finite"),
        (lambda: Blur(radius=1.5), "Parameter 'radius' of local.blur is 1.5"),
        (lambda: Blur(edge="wrap"), "'nearest' or 'mirror'"),
        (lambda: made_wrong(sigam=2.0), "has no parameter 'sigam': it has sigma, radius, edge, per_axis. Did you mean 'sigma'"),
        (lambda: made_wrong(Needs), "local.needs needs the parameter 'level'"),
        (lambda: Blur(radius="x" * 500), r"is 'x+\.\.\.: "),
    ],
)
def test_a_wrong_parameter_gets_a_sentence(build: Any, said: str) -> None:
    with pytest.raises(ParameterError, match=said) as caught:
        build()
    assert "\n" not in str(caught.value)


def test_all_wrong_parameters_are_named_at_once() -> None:
    with pytest.raises(ParameterError) as caught:
        Blur(sigma=-1, radius=99)
    assert "sigma" in str(caught.value)
    assert "radius" in str(caught.value)


def test_parameters_cannot_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        made_wrong().sigma = 3.0


@pytest.mark.parametrize("made", [Blur(), Blur(sigma=0.1, per_axis=(1.0, 2.5)), Needs(level=-3)])
def test_an_operation_survives_pickle_and_json(made: Any) -> None:
    twin = pickle.loads(pickle.dumps(made))
    assert twin == made
    assert hash(twin) == hash(made)
    step = json.loads(json.dumps(made.to_dict()))
    assert step["op"] == made.name
    assert type(made)(**step["with"]) == made


def test_defaults_are_part_of_the_record() -> None:
    assert Blur().record(("sha256:0",)).key == Blur(sigma=1.0).record(("sha256:0",)).key
    assert Blur().record(("sha256:0",)).key != Blur(sigma=2.0).record(("sha256:0",)).key
    assert Blur().record(("sha256:0",)).parameters == {"sigma": 1.0, "radius": 2, "edge": "nearest", "per_axis": None}


def test_a_name_is_the_path_of_its_file_and_else_the_class() -> None:
    class Elsewhere(Filter):
        """A filter outside ops."""

    assert Elsewhere.name == "Elsewhere"
    assert Blur.name == "local.blur"


# -- which images are taken ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "given", "core"),
    [
        (("yx", "zyx"), "zyx", "zyx"),
        (("yx", "zyx"), "tczyx", "zyx"),
        (("yx",), "cyx", "yx"),
        (("yx", "cyx"), "tcyx", "cyx"),
        (("cyx",), "yx", None),
        (("zyx",), "yx", None),
        (("yx",), "zyx", None),  # a third dimension is never looped over silently
        (("x", "yx"), "tx", "x"),
    ],
)
def test_which_axes_an_operation_sees(declared: tuple[str, ...], given: str, core: str | None) -> None:
    class Taking(Operation):
        """Takes some axes."""

        dims: ClassVar[tuple[str, ...]] = declared

    assert Taking().core_dims(tuple(given)) == (None if core is None else tuple(core))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (Spec("Features"), "needs an image, but was given Features"),
        (Spec.of(image((4, 5), "yx", quantity="HU").replace(geometry=Geometry.pixels((4, 5)))), "measures in mm"),
        (Spec.of(image(quantity="SUVbw")), "works on HU, but the image holds SUVbw"),
        (Spec.of(image()), "an unknown quantity"),
        (Spec("Image", ("t", "q"), "<f4", Geometry.regular((2,)), quantity="HU"), "takes images with axes x, y x, z y x"),
    ],
)
def test_a_refused_image_gets_a_sentence_with_the_operation(spec: Spec, said: str) -> None:
    with pytest.raises(ContentError, match=said) as caught:
        Density().check_image(spec)
    assert str(caught.value).startswith("local.density")


def test_a_missing_method_is_a_programming_error() -> None:
    with pytest.raises(TypeError, match="Operation has no compute"):
        Operation().compute(None, Context(Geometry.regular((3,)), ("x",)))
    assert Operation().halo(Geometry.regular((3,))) is None


# -- specs, costs and contexts -------------------------------------------------------------------------------


def test_a_spec_is_what_a_value_is() -> None:
    spec = Spec.of(image((2, 4, 5), "cyx", modality="CT", dtype=np.int16))
    assert (spec.kind, spec.dims, spec.dtype, spec.samples, spec.nbytes) == ("Image", ("c", "y", "x"), "<i2", 40, 80)
    assert spec.replace(dtype="<f4").nbytes == 160
    assert Spec.of(Provenance()).samples == 0
    assert Spec("Scores").nbytes == 0


def test_costs_add_in_time_and_peak_in_memory() -> None:
    assert Cost(1.0, 100) + Cost(2.0, 50) == Cost(3.0, 100)
    cost = Shift().cost(Spec.of(image()))
    assert cost.seconds > 0
    assert cost.bytes == 4 * 5 * 6 * 8
    assert Shift().cost() == Cost()


def test_randomness_depends_on_seed_and_operation_only() -> None:
    def drawn(seed: int, name: str) -> list[float]:
        return list(Context(Geometry.regular((3,)), ("x",), seed=seed, name=name).rng().random(3))

    assert drawn(1, "a") == drawn(1, "a")
    assert drawn(1, "a") != drawn(2, "a")
    assert drawn(1, "a") != drawn(1, "b")


def test_a_note_is_kept_once() -> None:
    context = Context(Geometry.regular((3,), 2.0), ("x",))
    context.note("noisy")
    context.note("noisy")
    assert context.notes == ["noisy"]
    assert context.spacing == (2.0,)


def test_there_is_a_thread() -> None:
    assert default_threads() >= 1
