from __future__ import annotations

import pickle

import pytest

from isocenter.core.errors import SpecError
from isocenter.core.labels import MaskStack
from isocenter.core.operation import Spec
from isocenter.core.study import Study
from isocenter.core.transform import Affine
from isocenter.pipeline import plan as planning
from isocenter.pipeline import run, spec
from tests.pipeline import cases


def steps(text: str) -> str:
    return "name: test\nsteps:\n" + "".join(f"  - {line}\n" for line in text.strip().splitlines())


def test_specs_are_resolved_and_costed_without_voxels() -> None:
    one = cases.study()
    plan = cases.planned(cases.CHAIN, one)
    assert plan.problems == ()
    assert [s.spec.kind for s in plan.steps] == ["Image", "Image", "LabelMap", "Features"]
    assert plan.steps[1].spec.dtype == "<f4" and plan.steps[1].spec.geometry == one["image"].geometry
    assert plan.cost.seconds > 0 and plan.cost.bytes > one["image"].nbytes
    assert plan.cost.bytes == max(s.peak for s in plan.steps)
    assert list(plan.results) == ["median", "noisy", "bright", "numbers"]
    rows = plan.table()
    assert [r["to"] for r in rows] == ["median", "noisy", "bright", "numbers"]
    assert rows[2]["from"] == ["noisy"] and "LabelMap z y x 6 x 8 x 10" in rows[2]["gives"]
    assert plan.with_files({"images/median.nii.gz": 100}).files == {"images/median.nii.gz": 100}
    assert pickle.loads(pickle.dumps(plan)).steps == plan.steps


def test_from_defaults_to_the_previous_image() -> None:
    plan = cases.planned(
        steps(
            """
            {op: segment.threshold, to: a}
            {op: denoise.median}
            {op: segment.threshold, to: b}
            {op: denoise.noisy}
            {op: features.intensity, from: [image, a]}
            """
        ),
        cases.study(),
    )
    assert [s.inputs for s in plan.steps] == [("image",), ("image",), ("median",), ("median",), ("image", "a")]


def test_optional_ports_are_passed_over_by_kind() -> None:
    one = cases.study(pet=cases.image(2, shape=(3, 4, 5), modality="PT"), move=Affine.translation((0, 0, 0)))
    text = "name: t\ninputs: {image: {}, pet: {modality: PT}, move: {kind: transform}}\nsteps:\n"
    plan = cases.planned(
        text
        + "  - {op: resample.coarser, from: [pet, image], to: a}\n  - {op: resample.coarser, from: [pet, move, image], to: b}\n"
        "  - {op: segment.threshold, from: [image, a], to: c}\n  - {op: measure.noise, from: a}\n",
        one,
    )
    assert plan.steps[0].inputs == ("pet", None, "image") and plan.steps[1].inputs == ("pet", "move", "image")
    assert plan.steps[0].spec.geometry == one["image"].geometry
    (problem,) = plan.problems
    assert "cannot take slot 'a' (Image)" in problem and "line 6" in problem
    done = run.execute(cases.planned(text + "  - {op: resample.coarser, from: [pet, image], to: a}\n", one), one)
    assert done.study["a"].geometry == one["image"].geometry
    assert done.steps[0].record.inputs == (one["pet"].digest, run.EMPTY_PORT, one["image"].digest)


@pytest.mark.parametrize(
    "text, told",
    [
        ("{op: features.intensity}", "also needs region (LabelMap or MaskStack)"),
        ("{op: denoise.median, from: [image, image]}", "after 1 inputs"),
        ("{op: segment.threshold}\n{op: denoise.median, from: threshold}", "label map"),
        ("{op: resample.coarser, with: {spacing: [1.0e-4, 1.0e-4, 1.0e-4]}}", "GiB"),
        ("{op: resample.coarser, with: {spacing: [1.0e-300, 1.0e-300, 1.0e-300]}}", "coarser"),
        ("{op: denoise.gaussian, with: {sigma: 400}}", "at most 1000"),
    ],
)
def test_what_does_not_fit_is_a_problem_with_its_line(text: str, told: str) -> None:
    plan = cases.planned(steps(text), cases.study(), planning.Limits(halo=1000))
    assert len(plan.problems) == 1 and told in plan.problems[0] and "line " in plan.problems[0]
    with pytest.raises(SpecError):
        plan.require()


def test_every_problem_at_once_but_not_what_follows_from_one() -> None:
    plan = cases.planned(
        steps(
            """
            {op: segment.lungs}
            {op: features.intensity, from: [image, lungs], to: a}
            {op: features.intensity, to: b}
            """
        ),
        Study("c", {"image": cases.image(quantity=None)}),
    )
    assert len(plan.problems) == 2
    assert "segment.lungs works on HU" in plan.problems[0] and "'b'" in plan.problems[1]


def test_too_long_a_plan_is_a_problem() -> None:
    plan = cases.planned(cases.CHAIN, cases.study(), planning.Limits(seconds=1e-9))
    assert "hours" in plan.problems[0]


def test_an_optional_step_that_does_not_fit_is_left_out_with_its_reason() -> None:
    one = Study("c", {"image": cases.image(quantity=None)})
    text = steps(
        "{op: segment.lungs, optional: true}\n{op: features.intensity, from: [image, lungs], optional: true}\n{op: denoise.median}"
    )
    plan = cases.planned(text, one)
    assert plan.problems == () and [s.to for s in plan.steps] == ["median"]
    assert "works on HU" in plan.left_out[0].reason and "left out" in plan.left_out[1].reason
    assert run.execute(plan, one).left_out == plan.left_out
    assert plan.table()[-1]["note"].startswith("left out: ")
    needed = cases.planned(text.replace("lungs], optional: true", "lungs]"), one)
    assert "the step that makes it is left out" in needed.problems[0]


def masked() -> Study:
    stack = MaskStack(cases.mask().array.astype(bool)[None], ("z", "y", "x"), cases.mask().geometry, cases.mask().segments)
    return cases.study(gtv=cases.mask(), node=stack)


@pytest.mark.parametrize("written", ["'{mask}'", "each"])
def test_each_repeats_a_step_for_every_mask(written: str) -> None:
    one = masked()
    text = steps(
        f"{{op: features.intensity, from: [image, {written}], each: masks, to: i}}\n{{op: features.intensity, from: [image, gtv], when: 'slot:gtv'}}"
    )
    plan = cases.planned(text, one)
    assert plan.problems == ()
    assert [(s.name, s.to, s.inputs) for s in plan.steps] == [
        ("i", "i_gtv", ("image", "gtv")), ("i", "i_node", ("image", "node")), ("intensity", "intensity", ("image", "gtv")),
    ]  # fmt: skip
    assert run.execute(plan, one).study["i_gtv"]["samples"] == 36
    without = cases.planned(text, cases.study())
    assert [s.reason for s in without.left_out] == ["no masks came along", "there is no slot 'gtv'"] and without.problems == ()


@pytest.mark.parametrize(
    "when, with_masks, without",
    [
        ("masks", True, False),
        ("no-masks", False, True),
        ("slot:gtv", True, False),
        ("no-slot:gtv", False, True),
        ("slot:nothing", False, False),
    ],
)
def test_conditions(when: str, with_masks: bool, without: bool) -> None:
    text = steps(f"{{op: denoise.median, when: '{when}'}}\n{{op: denoise.noisy}}")
    assert ("median" in cases.planned(text, masked()).results) is with_masks
    assert ("median" in cases.planned(text, cases.study()).results) is without


def test_a_result_may_stand_in_for_a_mask_that_did_not_come_along() -> None:
    text = steps("{op: segment.threshold, to: gtv, when: 'no-slot:gtv'}\n{op: features.intensity, from: [image, gtv]}")
    for one, count in ((masked(), 1), (cases.study(), 2)):
        plan = cases.planned(text, one)
        assert plan.problems == () and len(plan.steps) == count


def test_inputs_are_bound_by_name_then_by_meaning() -> None:
    text = "name: two\ninputs: {ct: {modality: CT}, pet: {modality: [PT]}}\nsteps: [{op: denoise.median, from: ct}, {op: denoise.noisy, from: pet}]"
    ct, pet = cases.image(), cases.image(2, modality="PT", quantity="SUVbw")
    named = Study("c", {"image": ct, "second": pet})
    plan = cases.planned(text, named)
    assert plan.aliases == {"ct": "image", "pet": "second"} and plan.problems == ()
    assert [s.inputs for s in plan.steps] == [("image",), ("second",)]
    assert run.execute(plan, named).study["noisy"].quantity == "SUVbw"
    for slots, told in (
        ({"ct": ct}, "needs 'pet' (PT)"),
        ({"ct": ct, "pet": cases.image(3)}, "has modality CT, expected PT"),
        ({"ct": ct, "a": pet, "b": pet}, "could be a or b"),
    ):
        assert any(told in p for p in cases.planned(text, Study("c", slots)).problems)


def test_the_only_image_serves_as_image_whatever_its_slot() -> None:
    plan = cases.planned(cases.CHAIN, Study("c", {"t1": cases.image()}))
    assert plan.aliases == {"image": "t1"} and plan.steps[0].inputs == ("t1",)


def test_a_plan_is_made_from_specs_alone() -> None:
    known = {"image": Spec.of(cases.image())}
    plan = planning.plan(cases.load(cases.CHAIN), known, registry=cases.REGISTRY)
    assert plan.problems == () and plan.slots == known


def test_no_image_at_all() -> None:
    plan = cases.planned(cases.CHAIN, Study("c", {"gtv": cases.mask()}))
    assert "needs 'image'" in plan.problems[0]


def test_a_repeated_step_may_take_what_an_earlier_one_made_of_the_same_mask() -> None:
    text = steps(
        "{op: resample.coarser, from: each, each: masks, to: coarse, with: {spacing: [3.0, 1.0, 1.0]}}\n"
        "{op: features.intensity, from: [image, 'coarse_{mask}'], each: masks, to: i}"
    )
    one = cases.study(gtv=cases.mask(), node=cases.mask("node", start=1))
    plan = cases.planned(text, one)
    assert plan.problems == () and [s.inputs for s in plan.steps[2:]] == [("image", "coarse_gtv"), ("image", "coarse_node")]
    assert cases.load(cases.load(text).to_yaml()) == cases.load(text)


def test_no_image_is_asked_for_where_no_step_takes_it() -> None:
    text = "name: t\ninputs: {pet: {}, ct: {}}\nsteps: [{op: measure.noise, from: pet}]"
    one = Study("c", {"pet": cases.image(), "ct": cases.image(2)})
    assert cases.planned(text, one).problems == ()
    bare = spec.Pipeline("bare", (spec.Step("measure.noise", {}, ("pet",)),))
    assert planning.plan(bare, cases.specs(one), registry=cases.REGISTRY).problems == ()
