from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from isocenter.core.errors import MissingInputError, ParameterError
from isocenter.core.study import Study
from isocenter.io import atomic, store
from isocenter.pipeline import lineage, run, verify
from isocenter.pipeline.numbers import csv_long, csv_wide
from tests.pipeline import cases


def result(out: Path, seed: int = 1, text: str = cases.CHAIN) -> run.Outcome:
    """Write a small result folder with its lineage."""
    one = cases.study(seed)
    plan = cases.planned(text, one)
    done = run.execute(plan, one)
    out.mkdir(parents=True, exist_ok=True)
    (out / "images").mkdir()
    (out / "tables").mkdir()
    store.save(done.study["median"], out / "images" / "median.isocenter")
    store.save(done.study["bright"], out / "images" / "bright.isocenter")
    atomic.write_text(out / "tables" / "numbers.csv", csv_wide(done.study["numbers"], {"case": done.study.pseudonym}))
    atomic.write_text(out / "tables" / "all.csv", csv_long({"numbers": done.study["numbers"]}))
    atomic.write_text(out / "pipeline.yaml", plan.pipeline.to_yaml())
    atomic.write_text(out / "report.html", "<p>fine</p>")
    files: dict[str, lineage.FileOf | str] = {
        "images/median.isocenter": lineage.FileOf("median", "image"),
        "images/bright.isocenter": "bright",
        "tables/numbers.csv": lineage.FileOf("numbers", "table"),
        "tables/all.csv": lineage.FileOf("", "table"),
        "pipeline.yaml": lineage.FileOf("", "pipeline"),
        "report.html": lineage.FileOf("", "report"),
    }
    lineage.write(out, lineage.build(done, out, files))
    return done


def edit(out: Path, change: Callable[[dict[str, Any]], None]) -> None:
    held = json.loads((out / "lineage.json").read_text())
    change(held)
    (out / "lineage.json").write_text(json.dumps(held))


def flip(path: Path, where: int = -3) -> None:
    data = bytearray(path.read_bytes())
    data[where] ^= 1
    path.write_bytes(data)


def test_a_fresh_folder_verifies(tmp_path: Path) -> None:
    done = result(tmp_path / "out")
    assert verify.verify(tmp_path / "out") == []
    assert verify.verify(tmp_path / "out", lambda folder, held: done.digests) == []


def test_equal_runs_have_equal_lineage_without_time_or_place(tmp_path: Path) -> None:
    result(tmp_path / "one")
    result(tmp_path / "two")
    first = (tmp_path / "one" / "lineage.json").read_text()
    assert first == (tmp_path / "two" / "lineage.json").read_text()
    assert str(tmp_path) not in first


def test_every_number_names_cell_step_image_and_mask(tmp_path: Path) -> None:
    done = result(tmp_path / "out")
    held = json.loads((tmp_path / "out" / "lineage.json").read_text())
    mean = next(m for m in held["measurements"] if m["name"] == "mean")
    assert mean["step"] == "numbers" and mean["table"] in ("tables/numbers.csv", "tables/all.csv")
    assert mean["image"] == done.study["noisy"].digest and mean["mask"] == done.study["bright"].digest
    assert mean["value"] == done.study["numbers"]["mean"]
    assert [e["to"] for e in held["steps"]] == ["median", "noisy", "bright", "numbers"]
    assert held["steps"][1]["notes"] == ["noise was added"]
    assert held["sources"][0]["sources"][0]["notes"] == ["made for a test"]
    assert held["versions"]["numpy"]


@pytest.mark.parametrize(
    "name, step, kind",
    [
        ("images/median.isocenter", "median", "file"),
        ("images/bright.isocenter", "bright", "file"),
        ("report.html", "", "file"),
    ],
)
def test_one_changed_voxel_names_its_step(tmp_path: Path, name: str, step: str, kind: str) -> None:
    out = tmp_path / "out"
    result(out)
    flip(out / name)
    (found,) = verify.verify(out)
    assert (found.step, found.path, found.kind, found.counts) == (step, name, kind, True)


def test_one_changed_number_names_its_step(tmp_path: Path) -> None:
    out = tmp_path / "out"
    result(out)
    held = json.loads((out / "lineage.json").read_text())
    mean = next(m for m in held["measurements"] if m["name"] == "mean")
    path = out / mean["table"]
    text = path.read_text()
    path.write_text(text.replace(repr(mean["value"]), repr(mean["value"] + 1e-9)))
    (found,) = verify.verify(out)
    assert found.step == "numbers" and found.kind == "number" and "mean of foreground" in found.what


def _radius(held: dict[str, Any]) -> None:
    held["steps"][0]["parameters"]["radius"] = 2


def _radius_and_digest(held: dict[str, Any]) -> None:
    _radius(held)
    held["steps"][0]["digest"] = lineage.entry_digest(held["steps"][0])


def _limit_in_spec(held: dict[str, Any]) -> None:
    held["pipeline"]["spec"]["steps"][2]["with"]["above"] = 11


def _seed(held: dict[str, Any]) -> None:
    held["steps"][1]["seed"] = 5


def _output(held: dict[str, Any]) -> None:
    held["steps"][2]["output"] = "sha256:" + "0" * 64


def _note(held: dict[str, Any]) -> None:
    held["steps"][1]["notes"] = []


def _gone(held: dict[str, Any]) -> None:
    del held["steps"][1]


@pytest.mark.parametrize(
    "change, step",
    [
        (_radius, "median"), (_radius_and_digest, "median"), (_limit_in_spec, "bright"), (_seed, "noisy"), (_output, "bright"),
        (_note, "noisy"), (_gone, "bright"),
    ],
)  # fmt: skip
def test_a_change_in_the_chain_names_the_step(tmp_path: Path, change: Callable[[dict[str, Any]], None], step: str) -> None:
    out = tmp_path / "out"
    result(out)
    edit(out, change)
    found = verify.verify(out)
    assert found and found[0].step == step and found[0].path == "lineage.json"


@pytest.mark.parametrize("key", ["versions", "facts", "case", "seed", "sources", "measurements", "left_out", "head"])
def test_a_change_anywhere_else_is_found(tmp_path: Path, key: str) -> None:
    out = tmp_path / "out"
    result(out)

    def change(held: dict[str, Any]) -> None:
        held[key] = (
            {"numpy": "0"}
            if isinstance(held[key], dict)
            else []
            if isinstance(held[key], list) and held[key]
            else ["x"]
            if isinstance(held[key], list)
            else "9"
        )

    edit(out, change)
    assert any(d.counts for d in verify.verify(out))


def test_a_changed_parameter_in_the_written_pipeline_names_the_step(tmp_path: Path) -> None:
    out = tmp_path / "out"
    result(out)
    path = out / "pipeline.yaml"
    path.write_text(path.read_text().replace("above: 10", "above: 12"))
    (found,) = verify.verify(out)
    assert found.step == "bright" and found.path == "pipeline.yaml"


def test_missing_and_extra_files(tmp_path: Path) -> None:
    out = tmp_path / "out"
    result(out)
    (out / "report.html").unlink()
    (out / "notes.txt").write_text("mine")
    (out / "run.json").write_text("{}")
    (out / ".cache").mkdir()
    (out / ".cache" / "x").write_text("y")
    found = verify.verify(out)
    assert [(d.path, d.kind, d.counts) for d in found] == [("report.html", "missing", True), ("notes.txt", "extra", False)]


def test_recomputing_names_the_first_step_that_differs(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = result(out)

    def again(folder: Path, held: Mapping[str, Any]) -> Mapping[str, str]:
        assert folder == out and held["seed"] == 0
        return {**done.digests, "noisy": "sha256:1", "bright": "sha256:2", "numbers": "sha256:3"}

    found = verify.verify(out, again)
    assert [d.step for d in found] == ["noisy", "bright", "numbers"]
    assert "its inputs are the same" in found[0].what and "'noisy'" in found[2].what


@pytest.mark.parametrize("name", ["../outside.txt", "/etc/passwd", "link.txt"])
def test_listed_paths_that_lead_elsewhere_are_not_followed(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    result(out)
    (tmp_path / "outside.txt").write_text("secret")
    (out / "link.txt").symlink_to(tmp_path / "outside.txt")

    def change(held: dict[str, Any]) -> None:
        held["files"].append({"path": name, "sha256": "", "bytes": 6, "slot": "", "step": "", "how": ""})
        held["head"] = lineage.head_digest(held)

    edit(out, change)
    assert any("not followed" in d.what for d in verify.verify(out))
    with pytest.raises((ParameterError, MissingInputError)):
        lineage.build(run.Outcome(Study("a")), out, {name: ""})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"format": "isocenter lineage 1"}',
        "[" * 100_000,
        '{"a": 1, "a": 2}',
        '{"format": "isocenter lineage 1", "cases": 3}',
    ],
)
def test_a_lineage_that_is_none_gives_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "lineage.json").write_text(text)
    found = verify.verify(tmp_path)
    assert found and found[0].kind == "lineage" and found[0].counts


def test_a_folder_without_lineage_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="lineage.json"):
        verify.verify(tmp_path)


def cohort(out: Path) -> None:
    for seed in (1, 2):
        result(out / "cases" / f"case-{seed}", seed)
    atomic.write_text(out / "index.html", "<p>two</p>")
    folders = {f"case-{seed}": f"cases/case-{seed}" for seed in (1, 2)}
    lineage.write(
        out, lineage.build_cohort(out, folders, {"index.html": lineage.FileOf("", "report")}, set_aside=[("case-3", "it failed")])
    )


def test_a_cohort_verifies_and_names_case_and_step(tmp_path: Path) -> None:
    cohort(tmp_path)
    assert verify.verify(tmp_path) == []
    flip(tmp_path / "cases" / "case-2" / "images" / "median.isocenter")
    (found,) = verify.verify(tmp_path)
    assert (found.case, found.step, found.path) == ("case-2", "median", "cases/case-2/images/median.isocenter")


def test_a_case_exchanged_as_a_whole_is_found(tmp_path: Path) -> None:
    cohort(tmp_path)
    edit(
        tmp_path / "cases" / "case-1",
        lambda held: held.update(facts={"x": 1}, head=lineage.head_digest({**held, "facts": {"x": 1}})),
    )
    (found,) = verify.verify(tmp_path)
    assert found.case == "case-1" and found.kind == "lineage"


def test_absolute_folders_are_left_out_of_notes() -> None:
    assert (
        lineage._scrubbed("Read /home/ann/scans/ct.nii with 3 mm, 2/3 of it in Bq/ml.")
        == "Read ct.nii with 3 mm, 2/3 of it in Bq/ml."
    )
