"""Every hostile input of the table through the command line: the exit code that it must have, and nothing left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image as Pillow

import isocenter as iso
from tests.hostile.corpus import CANARY, Row, rows
from tests.hostile.server import Outcome, Server

ROWS = {row.path: row for row in rows()}
ABSENT = "shared test data 'hostile' is absent: set ISOCENTER_SHARED to the folder that has it"
SANITISED = [path for path, row in ROWS.items() if row.expected == "accept_sanitised"]


@pytest.fixture(scope="module")
def root(shared: Callable[[str], Path]) -> Path:
    return shared("hostile").resolve()


@pytest.fixture(scope="module")
def server(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve commands, and check at the end that nothing was left anywhere."""
    before = set(root.rglob("*"))
    marks = list(CANARY.iterdir()) if CANARY.exists() else []
    assert marks == [], "marks of an earlier run: remove them first"
    sound = [root / path for path, row in ROWS.items() if row.expected == "accept" and "control" in row.hazard]
    with Server(tmp_path_factory.mktemp("hostile"), sound) as found:
        yield found
        assert found.leftovers() == []
    assert set(root.rglob("*")) == before
    assert not CANARY.exists() or not list(CANARY.iterdir()), "a payload has run"


def look(server: Server, root: Path, row: Row) -> Outcome:
    return server.run("info", root / row.path, "--json", seconds=row.seconds, memory_mib=row.memory_mib)


def digests(outcome: Outcome) -> list[str]:
    return [item["digest"] for item in outcome.document["items"]]


@pytest.mark.parametrize("path", ROWS or [pytest.param("absent", marks=pytest.mark.skip(reason=ABSENT))])
def test_every_row_ends_as_the_table_says(path: str, root: Path, server: Server) -> None:
    row = ROWS[path]
    found = look(server, root, row)
    assert found.code in row.codes, (found.code, found.err[-500:], found.out[:500])
    assert found.seconds <= row.seconds
    assert found.peak_mib <= row.memory_mib
    assert found.err == "", "`info --json` says everything in its document"
    document = found.document
    assert document["usable"] == (found.code == 0) == bool(document["items"])
    for refusal in document["refused"]:
        reason = refusal["reason"]
        assert reason.isprintable() and len(reason) < 1001, reason
        assert "expected" in reason and "Traceback" not in reason, reason
        assert "root:" not in reason, "text of another file came through"
    if found.code == 3:
        assert document["refused"], "nothing usable, and no reason why"
    if row.expected == "accept":
        assert document["refused"] == []
    if row.expected == "accept_warn":
        assert any(item["problems"] for item in document["items"])
    if row.expected == "reject_geometry" and found.code == 3:
        assert document["refused"][0]["kind"] == "geometry"
    if row.expected == "reject_or_exact" and found.code == 0 and not path.endswith(".ome.tif"):
        control = digests(server.run("info", root / row.control, "--json"))
        assert set(digests(found)) == set(control), "accepted, but the samples are not those of the control"


@pytest.mark.parametrize("name", ["ometiff_xxe.ome.tif", "ometiff_external_uuid.ome.tif"])
def test_ome_tiff_that_points_elsewhere_holds_its_own_samples_or_is_refused(name: str, root: Path, server: Server) -> None:
    path = root / "raster" / name
    found = server.run("info", path, "--json")
    assert "root:" not in found.out
    if found.code == 0:
        with Pillow.open(path) as picture:
            assert np.array_equal(iso.read(path).array, np.asarray(picture))


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("series/gantry_tilt/", "degrees"),
        ("nifti/no_forms.nii", "Orientation unknown"),
        ("nifti/nan_inf_voxels.nii", "Without a finite value"),
        ("nifti/complex.nii", "complex"),
        ("dicom/window_width_0.dcm", "indow"),
        ("dicom/extra_pixels.dcm", "bytes"),
        ("dicom/polyglot_shebang.dcm", "preamble"),
        ("series/missing_slice/", "2.00 mm"),
        ("series/mixed_patient/", "different patients"),
        ("series/one_corrupt/", ".dcm"),
        ("nifti/q_s_disagree.nii", "left"),
        ("dicom/nested_2000.dcm", "nest"),
    ],
)
def test_the_document_says_what_is_wrong(path: str, words: str, root: Path, server: Server) -> None:
    document = look(server, root, ROWS[path]).document
    told = [r["reason"] for r in document["refused"]] + [p for item in document["items"] for p in item["problems"]]
    assert words in " ".join(told), told


def test_names_that_collide_in_an_archive_are_all_kept_or_refused(root: Path, server: Server) -> None:
    found = look(server, root, ROWS["archive/zip_dupnames.zip"])
    assert found.code == 3 or len(found.document["items"]) == 3


@pytest.mark.parametrize("path", SANITISED or [pytest.param("absent", marks=pytest.mark.skip(reason=ABSENT))])
def test_copies_are_clean(path: str, root: Path, server: Server, tmp_path: Path) -> None:
    shown = server.run("info", root / path)
    assert shown.code == 0
    for text in (shown.out, shown.err):
        assert not [c for c in text if not (c.isprintable() or c == "\n")], "control characters reach the terminal"
    out = tmp_path / "inside" / "copy"
    out.parent.mkdir()
    assert server.run("convert", root / path, f"{out}/").code == 0
    assert list(tmp_path.iterdir()) == [out.parent] and list(out.parent.iterdir()) == [out], "a file outside"
    (copy,) = out.rglob("*")
    assert copy.name.replace(".", "").isalnum() and copy.stat().st_mode & 0o111 == 0
    assert copy.read_bytes()[:132] == bytes(128) + b"DICM"
    data = pydicom.dcmread(copy)
    original = pydicom.dcmread(root / path, force=True)
    values, expected = (d.pixel_array * float(d.RescaleSlope) + float(d.RescaleIntercept) for d in (data, original))
    assert np.array_equal(values, expected)
    for element in [*data.file_meta.iterall(), *data.iterall()]:
        if element.VR == "UI":
            for uid in [element.value] if isinstance(element.value, str) else element.value:
                assert pydicom.uid.UID(uid).is_valid, (element.keyword, uid)
        elif isinstance(element.value, str):
            assert str(element.value).isprintable(), (element.keyword, element.value)


@pytest.mark.parametrize(
    "path",
    ["dicom/00_control_good.dcm", "dicom/nested_50000.dcm", "archive/tar_device_fifo.tar.gz", "dicom/jpeg_dims_lie_65500.dcm"],
)
def test_the_installed_command_ends_as_the_served_one(path: str, root: Path, server: Server) -> None:
    served = look(server, root, ROWS[path])
    fresh = subprocess.run(
        [sys.executable, "-m", "isocenter", "info", str(root / path), "--json"], capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip
    assert (fresh.returncode, fresh.stderr) == (served.code, served.err)
    one: Any = json.loads(fresh.stdout)
    assert one == served.document
