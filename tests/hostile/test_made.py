"""Hostile inputs of our own through the command line, each in a child with limits of time and memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.corpus import CANARY
from tests.hostile.made import MADE, make
from tests.hostile.server import Server

SECONDS, MEMORY = 10.0, 400.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("made")
    sound = [make(name, folder) for name in ("dicom/control", "nifti/control.nii", "raster/control.png") if name in MADE]
    with Server(tmp_path_factory.mktemp("served"), sound) as found:
        yield found
        assert found.leftovers() == []
    assert not CANARY.exists() or not list(CANARY.iterdir()), "a payload has run"


@pytest.mark.parametrize("name", MADE)
def test_every_input_ends_as_it_must(name: str, server: Server, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    path = make(name, inside)
    before = sorted(p for p in tmp_path.rglob("*"))
    found = server.run("info", path, "--json", seconds=SECONDS, memory_mib=2 * MEMORY)
    assert found.code in MADE[name][1], (found.code, found.err[-500:], found.out[:800])
    assert found.seconds <= SECONDS and found.peak_mib <= MEMORY
    assert found.err == "" and "Traceback" not in found.out and "root:" not in found.out
    document = found.document
    assert document["usable"] == (found.code == 0)
    for refusal in document["refused"]:
        assert refusal["reason"].isprintable() and "expected" in refusal["reason"] and len(refusal["reason"]) < 1001
    assert found.code == 0 or document["refused"]
    assert sorted(p for p in tmp_path.rglob("*")) == before, "something was written"
