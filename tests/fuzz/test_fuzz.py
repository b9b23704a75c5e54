"""Mutated inputs end in a value or in a sentence; the fuzzer itself sees crashes, hangs and stray exceptions."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from isocenter.io import door, hdf5_worker
from tests.fuzz import engine
from tests.fuzz.containers import KINDS
from tests.fuzz.engine import Fuzzer


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Fuzzer:
    return Fuzzer(7, tmp_path_factory.mktemp("fuzz"))


def test_two_thousand_mutations_crash_hang_and_raise_nothing(fuzzer: Fuzzer) -> None:
    report = fuzzer.run(0, 2000)
    assert report.findings == [], str(report)
    assert report.done == 2000 and report.read > 300 and report.refused > 1000, str(report)
    assert 0 < report.taken_mib < 256, str(report)


def test_every_mutation_can_be_made_again(fuzzer: Fuzzer) -> None:
    for number in range(0, 400, 7):
        assert fuzzer.input(number) == fuzzer.input(number)
    assert len({fuzzer.input(n)[1] for n in range(400)}) > 350
    changed = sum(fuzzer.input(n)[1] != fuzzer.sound[fuzzer.input(n)[0]] for n in range(400))
    assert changed > 350


def test_sound_files_are_read(fuzzer: Fuzzer, tmp_path: Path) -> None:
    for name in fuzzer.names:
        (tmp_path / name).write_bytes(fuzzer.sound[name])
        known = name in ("array.npy", "odd_seg.dcm")  # sound as files; refused for want of a rate, or of segments
        assert engine.look(tmp_path / name)[0] != known, name


@pytest.mark.parametrize(("does", "says"), [("exits", "ended the process"), ("hangs", "hung"), ("raises", "ZeroDivisionError")])
def test_a_door_that_breaks_is_seen(fuzzer: Fuzzer, monkeypatch: pytest.MonkeyPatch, does: str, says: str) -> None:
    looked = engine.look

    def broken(path: Path) -> tuple[bool, list[str]]:
        if path.name.startswith("5-"):
            if does == "exits":
                os._exit(9)
            if does == "hangs":
                time.sleep(60)
            raise ZeroDivisionError
        return looked(path)

    monkeypatch.setattr(engine, "look", broken)
    monkeypatch.setattr(engine, "SECONDS", 0.7)
    report = fuzzer.run(0, 10)
    assert report.done == 10 and [f.number for f in report.findings] == [5] and says in report.findings[0].what


def test_an_exception_of_a_library_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> object:
        raise KeyError("x")

    monkeypatch.setattr("isocenter.io.nifti.inspect", fails)
    path = tmp_path / "a.nii"
    path.write_bytes(bytes(352))
    assert door.inspect(path).refusals
    assert engine.look(path)[1] == ["KeyError .nii"]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_containers_that_children_read_crash_hang_and_raise_nothing(kind: str, tmp_path: Path) -> None:
    fuzzer = Fuzzer(7, tmp_path, kind)
    report = fuzzer.run(0, 60)
    assert report.findings == [] and report.done == 60, str(report)
    assert report.read > 3 and report.refused > 10, str(report)
    assert report.children_mib > 0 or kind == "minc", str(report)
    assert all(fuzzer.input(n) == fuzzer.input(n) for n in range(0, 60, 9))


def test_a_child_that_dies_over_a_file_is_counted_and_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fuzzer = Fuzzer(7, tmp_path, "ismrmrd")
    handle = hdf5_worker._handle

    def dies(request: dict[str, Any]) -> Any:
        if "/3-" in request["path"]:
            os._exit(9)
        return handle(request)

    monkeypatch.setattr(hdf5_worker, "_handle", dies)
    report = fuzzer.run(0, 12)
    assert report.findings == [] and report.ended == 1 and report.refused >= 1 and report.read >= 1, str(report)
