from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.core.errors import MissingInputError, SpecError
from isocenter.pipeline import spec
from tests.pipeline import cases

SOUND = """\
name: sound
steps:
  - {op: denoise.gaussian, with: {sigma: 1.5}}
  - {op: denoise.median, to: twice, with: {radius: 2}}
"""


def problems(text: str | bytes) -> tuple[str, ...]:
    with pytest.raises(SpecError) as caught:
        spec.load(text, registry=cases.REGISTRY)
    return caught.value.problems


def inside(step: str = "", top: str = "") -> str:
    """An otherwise sound pipeline with one more step or top-level line."""
    return SOUND + (f"  - {step}\n" if step else "") + (f"{top}\n" if top else "")


# Hazard -> (the hazard inside an otherwise sound pipeline of ours, its sound twin, what the sentence says).
HAZARDS: dict[str, tuple[str | bytes, str | bytes, str]] = {
    "yaml_python_apply": (inside('!!python/object/apply:builtins.open ["x", "w"]'), inside("{op: denoise.noisy}"), "tag"),
    "yaml_python_name": (inside("{op: !!python/name:os.system }"), inside("{op: denoise.noisy}"), "tag"),
    "yaml_python_new": (
        inside('{op: denoise.noisy, with: !!python/object/new:os.system ["true"]}'),
        inside("{op: denoise.noisy, with: {}}"),
        "tag",
    ),
    "yaml_billion_laughs": (
        "name: sound\ndescription: &a [x, x, x, x, x, x, x, x, x, x]\n"
        + "x0: &b0 [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n"
        + "".join(f"x{k}: &b{k} [" + ", ".join([f"*b{k - 1}"] * 10) + "]\n" for k in range(1, 7))
        + "steps: [{op: denoise.median}]\n",
        "name: sound\nsteps:\n  - {op: denoise.median, with: &w {radius: 2}}\n  - {op: denoise.median, to: again, with: *w}\n",
        "aliases",
    ),
    "yaml_deep": (
        inside("{op: denoise.noisy, with: {pause: " + "[" * 500 + "]" * 500 + "}}"),
        inside("{op: denoise.noisy, with: {pause: 0}}"),
        "nested deeper",
    ),
    "yaml_dupkeys": (
        inside("{op: denoise.noisy, with: {pause: 1, pause: 2}}"),
        inside("{op: denoise.noisy, with: {pause: 1}}"),
        "key 'pause' is given twice",
    ),
    "yaml_recursive": (
        inside("{op: denoise.noisy, with: &x {pause: *x}}"),
        inside("{op: denoise.noisy, with: &x {pause: 1}}"),
        "lies within",
    ),
    "yaml_huge_int": (
        inside("{op: denoise.median, to: m, with: {radius: " + "9" * 20_000 + "}}"),
        inside("{op: denoise.median, to: m, with: {radius: 9}}"),
        "20000 digits",
    ),
    "yaml_inf": (
        inside("{op: denoise.gaussian, to: g, with: {sigma: .inf}}"),
        inside("{op: denoise.gaussian, to: g, with: {sigma: 1.0}}"),
        "not a finite number",
    ),
    "yaml_nan": (
        inside("{op: denoise.gaussian, to: g, with: {sigma: .nan}}"),
        inside("{op: denoise.gaussian, to: g, with: {sigma: 2}}"),
        "not a finite number",
    ),
    "yaml_negative": (
        inside("{op: denoise.median, to: m, with: {radius: -3}}"),
        inside("{op: denoise.median, to: m, with: {radius: 3}}"),
        "greater than or equal to 0",
    ),
    "yaml_kernel_huge": (
        inside("{op: denoise.median, to: m, with: {radius: 100000001}}"),
        inside("{op: denoise.median, to: m, with: {radius: 10}}"),
        "at most 2048",
    ),
    "yaml_unknown_op": (
        inside("{op: denoise.gausian, to: g}"),
        inside("{op: denoise.gaussian, to: g}"),
        "Did you mean 'denoise.gaussian'",
    ),
    "yaml_unknown_param": (
        inside("{op: denoise.gaussian, to: g, with: {sigmaa: 1}}"),
        inside("{op: denoise.gaussian, to: g, with: {sigma: 1}}"),
        "Did you mean 'sigma'",
    ),
    "yaml_wrong_type": (
        'name: sound\nsteps: "denoise.gaussian"\n',
        "name: sound\nsteps: [{op: denoise.gaussian}]\n",
        "expected a list",
    ),
    "yaml_norway": (inside(top="applies: {modality: no}"), inside(top="applies: {modality: 'no'}"), "without quotes"),
    "yaml_empty": ("", SOUND, "empty"),
    "yaml_binary": (SOUND.encode() + bytes(range(128, 255)), SOUND.encode(), "not UTF-8"),
    "yaml_nul": (SOUND.encode() + b"title: a\0b\n", SOUND.encode() + b"title: ab\n", "NUL"),
    "yaml_utf16": (SOUND.encode("utf-16"), SOUND.encode("utf-8-sig"), "UTF-16"),
    "yaml_tabs": (SOUND + "report:\n\ttitle: x\n", SOUND + "report:\n  title: x\n", "spaces, not tabs"),
    "yaml_multidoc": (SOUND + "---\n" + SOUND, "---\n" + SOUND, "second document"),
    "yaml_output_traversal": (
        inside(top="output: ../../../x.nii"),
        inside(top="title: 'to ../../../x.nii, said a title'"),
        "names no files",
    ),
    "yaml_env_expand": (
        inside("{op: denoise.noisy, with: {pause: '${HOME}'}}"),
        inside("{op: denoise.noisy, with: {pause: 2}}"),
        "environment variable",
    ),
    "yaml_eval_expr": (
        inside("""{op: denoise.noisy, with: {pause: "__import__('os').system('x')"}}"""),
        inside("{op: denoise.noisy, with: {pause: 3}}"),
        "expression",
    ),
    "yaml_url_ssrf": (
        inside("{op: denoise.noisy, from: 'http://169.254.169.254/latest'}"),
        inside("{op: denoise.noisy, from: image}"),
        "name of a slot",
    ),
    "yaml_model_http": (
        inside("{op: denoise.noisy, with: {pause: 'http://127.0.0.1:9/evil.pt'}}"),
        inside("{op: denoise.noisy, with: {pause: 4}}"),
        "a URL",
    ),
    "yaml_cycle": (
        inside("{op: denoise.noisy, from: b, to: a}\n  - {op: denoise.noisy, from: a, to: b}"),
        inside("{op: denoise.noisy, from: image, to: a}\n  - {op: denoise.noisy, from: a, to: b}"),
        "only later",
    ),
    "json_deep": ("[" * 50_000, "{}", "nested deeper"),
    "json_nan": (
        '{"name": "sound", "steps": [{"op": "denoise.gaussian", "with": {"sigma": NaN}}]}',
        '{"name": "sound", "steps": [{"op": "denoise.gaussian", "with": {"sigma": 1}}]}',
        "not a finite number",
    ),
    "json_dup": (
        '{"name": "sound", "steps": [], "steps": [{"op": "denoise.median"}]}',
        '{"name": "sound", "steps": [{"op": "denoise.median"}]}',
        "key 'steps' is given twice",
    ),
}


@pytest.mark.parametrize("name", HAZARDS)
def test_hazard_inside_a_sound_pipeline_is_refused_and_its_twin_is_not(name: str, tmp_path: Path) -> None:
    bad, good, told = HAZARDS[name]
    for text, suffix in ((bad, "bad"), (good, "good")):
        path = tmp_path / (suffix + (".json" if name.startswith("json") else ".yaml"))
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        if suffix == "bad":
            with pytest.raises(SpecError) as caught:
                spec.load(path, registry=cases.REGISTRY)
            assert told in str(caught.value), str(caught.value)
            assert len(str(caught.value)) < 2500
        elif name != "json_deep":
            assert spec.load(path, registry=cases.REGISTRY).steps


def test_the_table_covers_every_shared_hazard(shared: Callable[[str], Path]) -> None:
    files = [p for p in shared("hostile/spec").iterdir() if p.suffix in (".yaml", ".json")]
    assert {p.stem for p in files} == set(HAZARDS) and len(files) == 31


@pytest.mark.parametrize("name", HAZARDS)
def test_shared_hazard_is_refused(name: str, shared: Callable[[str], Path]) -> None:
    path = shared(f"hostile/spec/{name}.{'json' if name.startswith('json') else 'yaml'}")
    with pytest.raises(SpecError) as caught:
        spec.load(path)
    assert path.name in str(caught.value) and "\n" not in str(caught.value)


def test_every_problem_at_once_each_with_its_line() -> None:
    text = (
        "name: Bad Name\n"
        "titel: x\n"
        "applies: {modality: [CT, no]}\n"
        "steps:\n"
        "  - {op: denoise.gausian}\n"
        "  - op: denoise.gaussian\n"
        "    with:\n"
        "      sigmaa: 1\n"
        "      sigma: -1\n"
        "  - {op: segment.threshold, from: imgae, to: median}\n"
        "  - {op: denoise.median, to: median, sigma: 3}\n"
        "  - {op: denoise.median, to: image}\n"
        "  - 7\n"
    )  # fmt: skip
    found = problems(text)
    lines = [int(p.split(":")[0].removeprefix("line ")) for p in found]
    assert lines == sorted(lines)
    assert {1, 2, 3, 5, 8, 9, 10, 11, 12, 13} <= set(lines)
    told = " | ".join(found)
    for words in (
        "Did you mean 'title'",
        "Did you mean 'image'",
        "slot 'median' is made twice (first by the step on line 10)",
        "slot 'image' is an input",
        "a step is the number 7",
    ):
        assert words in told, told


NAMES = st.sampled_from(["image", "ct", "noisy2", "a_b", "y", "no", "null", "true", "x1", "on"])
WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Cf", "Co", "Cn", "Zl", "Zp")), min_size=1, max_size=20
)


PARAMETERS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "denoise.median": st.fixed_dictionaries({}, optional={"radius": st.integers(0, 9)}),
    "denoise.gaussian": st.fixed_dictionaries({"sigma": st.floats(0.01, 50)}),
    "segment.threshold": st.fixed_dictionaries({"above": st.floats(-1e6, 1e6)}),
}


@st.composite
def pipelines(draw: st.DrawFn) -> spec.Pipeline:
    steps: list[spec.Step] = []
    for k in range(draw(st.integers(1, 5))):
        op = draw(st.sampled_from(sorted(PARAMETERS)))
        parameters = draw(PARAMETERS[op])
        earlier = ["image", *[s.to for s in steps if not s.each]]
        taken = draw(st.just(()) | st.tuples(st.sampled_from(earlier)))
        when = draw(st.sampled_from([None, None, "masks", "no-masks", "slot:gtv", "no-slot:gtv"]))
        steps.append(
            spec.Step(
                op,
                parameters,
                taken,
                f"{draw(NAMES)}_{k}",
                draw(st.sampled_from([None, None, "masks"])),
                when,
                draw(st.booleans()),
            )
        )
    return spec.Pipeline(
        draw(st.sampled_from(["a", "ct-chest", "no", "x-1-y"])),
        tuple(steps),
        draw(st.just("") | WORDS),
        draw(st.just("") | WORDS),
        draw(
            st.fixed_dictionaries(
                {}, optional={"modality": st.lists(WORDS, min_size=1, max_size=3), "priority": st.integers(-5, 5)}
            )
        ),
        {"image": spec.Input("image", modality=("CT", "no"), optional=draw(st.booleans()))} if draw(st.booleans()) else {},
        draw(
            st.fixed_dictionaries(
                {}, optional={"title": WORDS, "columns": st.lists(WORDS, min_size=1, max_size=3), "window": st.just([-5, 2.5])}
            )
        ),
    )


@settings(max_examples=80, deadline=None)
@given(pipelines())
def test_round_trip(one: spec.Pipeline) -> None:
    text = one.to_yaml()
    again = spec.load(text, registry=cases.REGISTRY)
    assert again == one and again.digest == one.digest and again.to_yaml() == text
    assert spec.load(one.to_dict(), registry=cases.REGISTRY) == one


def test_digest_depends_on_what_is_said_not_on_how() -> None:
    other = "# spelt otherwise\nsteps:\n- op: denoise.gaussian\n  with:\n    sigma: 1.5\n- with: {radius: 2}\n  to: twice\n  op: denoise.median\nname: 'sound'\n"
    assert cases.load(SOUND).digest == cases.load(other).digest
    assert cases.load(SOUND).digest != cases.load(SOUND.replace("1.5", "1.6")).digest


def test_lines_are_kept() -> None:
    assert [s.line for s in cases.load(SOUND).steps] == [3, 4]
    assert cases.load(SOUND).steps[1].place == "step 'twice' (denoise.median, line 4)"


@pytest.mark.parametrize("value", ["'1'", "true", "[1]", "1.5", "{a: 1}", "null"])
def test_a_parameter_is_never_turned_into_another_type(value: str) -> None:
    assert any("radius" in p for p in problems(inside(f"{{op: denoise.median, to: m, with: {{radius: {value}}}}}")))


@pytest.mark.parametrize(
    "text",
    [
        "${X}",
        "$(id)",
        "`id`",
        "a://b",
        "../a",
        "a/../b",
        "/etc",
        "~/x",
        "C:/x",
        "a\\b",
        "file:x",
        "m/w.pt",
        "%PATH%",
        "{{x}}",
        "x.__class__",
        "f(1)",
    ],
)
def test_texts_that_are_no_names(text: str) -> None:
    from isocenter.pipeline.check_steps import unsafe

    assert unsafe(text)


@pytest.mark.parametrize("text", ["HU", "Bq/ml", "mm^3", "lung-left", "GTV 1", "1.2.840.10008", "optical density", "10%"])
def test_texts_that_are_names(text: str) -> None:
    from isocenter.pipeline.check_steps import unsafe

    assert not unsafe(text)


@pytest.mark.parametrize("text", ["{mask}", "each"])
@pytest.mark.parametrize("quote", ["'", ""])
def test_the_mask_of_a_repeated_step_may_be_written_in_each_way(text: str, quote: str) -> None:
    one = cases.load(f"name: a\nsteps: [{{op: features.intensity, from: [image, {quote}{text}{quote}], each: masks}}]")
    assert one.steps[0].inputs == ("image", spec.MASK)


def test_missing_and_oversized_files(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError):
        spec.load(tmp_path / "none.yaml")
    (tmp_path / "big.yaml").write_text("#" * (1 << 20) + "\n" + SOUND)
    with pytest.raises(SpecError, match="at most 1048576"):
        spec.load(tmp_path / "big.yaml", registry=cases.REGISTRY)


def test_sentences_stay_short_whatever_the_numbers() -> None:
    (told,) = problems(inside("{op: denoise.gaussian, to: g, with: {sigma: 1.0e+300}}"))
    assert "more than 10^12" in told and len(told) < 200
    assert any("Parameters stand under 'with'" in p for p in problems(inside("{op: gausian, sigma: 1}")))
