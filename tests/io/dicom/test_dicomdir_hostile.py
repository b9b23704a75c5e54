"""DICOMDIRs that lie: each is answered by one sentence, nothing outside is opened, and images beside it are read for what they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from isocenter.io import door
from tests.io.dicom.directories import Record, directory, relinked
from tests.io.dicom.samples import ct_slice, inspect, save

LEVELS = (Record("PATIENT", patient="P1"), Record("STUDY"), Record("SERIES"))


def medium(root: Path, *, folder: str = "DIR", names: Callable[[int], str] = "{:03d}.dcm".format, of: str = "") -> Path:
    """Write three slices below a folder, and the DICOMDIR that lists them (as instances of `of` where that is given)."""
    slices = [ct_slice(2.0 * k) for k in range(3)]
    save(slices, root / folder)
    images = [
        Record("IMAGE", (folder.upper(), names(k)), sop=f"{of}.{k}" if of else str(data.SOPInstanceUID))
        for k, data in enumerate(slices)
    ]
    return directory(root / "DICOMDIR", (*LEVELS, *images))


def _missing(root: Path) -> Path:
    path = medium(root)
    (root / "DIR" / "001.dcm").unlink()
    return path


def _climbs(*parts: str) -> Callable[[Path], Path]:
    def make(root: Path) -> Path:
        (root / "in").mkdir()
        save([ct_slice(0.0)], root)
        return directory(root / "in" / "DICOMDIR", (*LEVELS, Record("IMAGE", parts)))

    return make


def _circle(following: int, lower: int, record: int = 4) -> Callable[[Path], Path]:
    """Let the links of a record lead to records of these numbers (0: to none)."""

    def make(root: Path) -> Path:
        import pydicom

        path = medium(root)
        at = [0, *(int(i.seq_item_tell) for i in pydicom.dcmread(path).DirectoryRecordSequence)]
        return relinked(path, {record: (at[following], at[lower])})

    return make


def _offset(value: int) -> Callable[[Path], Path]:
    return lambda root: relinked(medium(root), {4: (value, 0)})


def _first(value: int) -> Callable[[Path], Path]:
    return lambda root: relinked(medium(root), {}, first=value)


def _several_alike(root: Path) -> Path:
    path = medium(root)
    (root / "DIR" / "000.dcm").rename(root / "DIR" / "000.Dcm")
    (root / "DIR" / "000.DCm").write_bytes((root / "DIR" / "000.Dcm").read_bytes())
    return path


HOSTILE = {
    "missing": (_missing, "'DIR/001.dcm', which is no regular file below the folder"),
    "climbs out": (_climbs("..", "000.DCM"), "nothing outside is opened"),
    "climbs out in one part": (_climbs("../000.DCM"), "nothing outside is opened"),
    "absolute": (_climbs("/ETC", "PASSWD"), "nothing outside is opened"),
    "follows itself": (_circle(5, 0), "run in a circle"),
    "back to the patient": (_circle(0, 1), "run in a circle"),
    "back to the first image": (_circle(4, 0, record=5), "run in a circle"),
    "offset beyond the file": (_offset(1 << 30), "at offset 1073741824, beyond the file's"),
    "the largest offset": (_offset(0xFFFFFFFF), "beyond the file's"),
    "first record beyond the file": (_first(0x7FFFFFFF), "at offset 2147483647, beyond the file's"),
    "two files of one name but for case": (_several_alike, "which is no regular file"),
    "of another patient": (lambda root: medium(root, of="1.2.9"), "3 of 3 files that it lists hold another object than it says"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_lying_directory_is_refused_in_one_sentence(name: str, tmp_path: Path) -> None:
    make, says = HOSTILE[name]
    path = make(tmp_path)
    items, refusals = inspect(path)
    assert not items and len(refusals) == 1, (items, refusals)
    assert says in refusals[0].reason and "DICOMDIR" in refusals[0].reason
    assert refusals[0].reason.count(". ") == 0 and refusals[0].reason.endswith(".")


@pytest.mark.parametrize("name", ["follows itself", "offset beyond the file", "of another patient"])
def test_the_images_beside_it_are_read_for_what_they_are(name: str, tmp_path: Path) -> None:
    HOSTILE[name][0](tmp_path)
    found = door.inspect(tmp_path)
    (item,) = found.items
    assert item.load().shape[0] == 3 and all("DICOMDIR" in r.reason for r in found.refusals)


@pytest.mark.parametrize("change", [str.upper, str.lower, str.title])
def test_names_in_another_case_are_found(change: Callable[[str], str], tmp_path: Path) -> None:
    path = medium(tmp_path, folder="Dir", names=lambda k: f"{k:03d}.DCM")
    for file in sorted((tmp_path / "Dir").iterdir()):
        file.rename(file.with_name(change(file.name)))
    (tmp_path / "Dir").rename(tmp_path / change("dir"))
    items, refusals = inspect(path)
    assert not refusals and len(items) == 1 and items[0].load().shape[0] == 3


def test_files_of_another_medium_are_left_out_and_the_others_read(tmp_path: Path) -> None:
    path = medium(tmp_path)
    save([ct_slice(50.0)], tmp_path / "other")
    (tmp_path / "other" / "000.dcm").replace(tmp_path / "DIR" / "002.dcm")
    items, (refusal,) = inspect(path)
    assert items[0].load().shape[0] == 2 and "1 of 3 files" in refusal.reason and refusal.kind == "content"


def test_records_that_are_not_in_use_are_passed_over(tmp_path: Path) -> None:
    path = _missing(tmp_path)
    raw = bytearray(path.read_bytes())
    at = [k for k in range(len(raw)) if raw[k : k + 6] == b"\x04\x00\x10\x14US"][4]
    raw[at + 8 : at + 10] = b"\0\0"
    path.write_bytes(bytes(raw))
    items, refusals = inspect(path)
    assert not refusals and items[0].load().shape[0] == 2
