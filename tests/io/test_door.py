"""The front door: what is found in files, folders and archives, what belongs together, and what is left alone."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import isocenter as iso
from isocenter.core.errors import (
    AmbiguousInputError,
    ContentError,
    FormatError,
    GeometryError,
    InputError,
    MissingInputError,
    UnsupportedError,
    WriteError,
)
from isocenter.core.operation import Spec
from isocenter.core.points import Contour, Contours, Mesh
from isocenter.io import door, seam
from isocenter.io.budget import Budget
from isocenter.io.cases import Case, load_case
from isocenter.io.inventory import Item
from isocenter.io.lazy import LazyArray, sourced
from tests.io.mutants import mutants

GRID = iso.Geometry.regular((4, 5, 6), (3.0, 1.0, 0.5))
VOLUME = iso.Image(np.arange(120, dtype=np.int16).reshape(4, 5, 6), ("z", "y", "x"), GRID)
MASK = iso.Image((np.asarray(VOLUME.array) > 60).astype(np.uint8), ("z", "y", "x"), GRID)


def slots(path: Path) -> list[list[str]]:
    """Return the slot names of every case at a path."""
    return [[item.name for item in case.items] for case in door.cases(door.inspect(path))]


# -- reading and writing ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.mha", "a.mhd", "a.tif", "A.NII.GZ"])
def test_write_and_read(name: str, tmp_path: Path) -> None:
    iso.write(VOLUME, tmp_path / name)
    again = iso.read(tmp_path / name)
    np.testing.assert_array_equal(again.array, VOLUME.array)
    assert again.geometry.matches(GRID)
    assert again.provenance.sources[0].digest == again.digest


def test_open_is_lazy(tmp_path: Path) -> None:
    iso.write(VOLUME, tmp_path / "a.nii.gz")
    image = iso.open(tmp_path / "a.nii.gz")
    assert isinstance(image.array, LazyArray)
    assert image.shape == (4, 5, 6)
    assert image.dtype == np.int16
    (tmp_path / "a.nii.gz").rename(tmp_path / "b.nii.gz")
    with pytest.raises(FileNotFoundError):
        image.load()
    (tmp_path / "b.nii.gz").rename(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(image.array[1], VOLUME.array[1])
    assert image.load().digest == VOLUME.digest


@pytest.mark.parametrize(
    ("name", "array", "fault"),
    [
        ("mask.nii.gz", np.asarray(MASK.array), None),
        ("a.nii.gz", np.asarray(MASK.array).astype(np.float64), None),
        ("a.nrrd", np.asarray(MASK.array) * np.uint16(300), None),
        ("a.nii", np.asarray(MASK.array) * 0.5, "whole numbers"),
        ("a.nii", np.asarray(MASK.array).astype(np.int16) - 1, "0 to 65535"),
        ("a.nii", np.asarray(MASK.array).astype(np.int32) * 70000, "0 to 65535"),
    ],
)
def test_read_labels(name: str, array: Any, fault: str | None, tmp_path: Path) -> None:
    iso.write(iso.Image(array, ("z", "y", "x"), GRID), tmp_path / name)
    if fault:
        with pytest.raises(ContentError, match=fault):
            iso.read_labels(tmp_path / name)
        return
    labels = iso.read_labels(tmp_path / name)
    assert isinstance(labels, iso.LabelMap)
    np.testing.assert_array_equal(labels.array, array)
    assert len(labels.segments) == 1


def test_other_nouns_by_suffix(tmp_path: Path) -> None:
    mesh = Mesh(np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2]]))
    iso.write(mesh, tmp_path / "a.glb")
    iso.write(iso.Scores({"dice": iso.Score(0.5)}), tmp_path / "a.csv")
    iso.write(mesh, tmp_path / "a.isocenter")
    assert (tmp_path / "a.glb").read_bytes()[:4] == b"glTF"
    assert "dice,0.5" in (tmp_path / "a.csv").read_text()
    with pytest.raises(UnsupportedError, match=r"expected one of .*\.nii\.gz"):
        iso.write(VOLUME, tmp_path / "a.xyz")
    with pytest.raises(UnsupportedError):
        iso.write(mesh, tmp_path / "a.nii")
    with pytest.raises(WriteError, match="create the folder first"):
        iso.write(VOLUME, tmp_path / "none" / "a.nii")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"NRRD0004\n", b"PK\x03\x04", b"\x1f\x8b\x08"])
@pytest.mark.parametrize("name", ["a.nii", "a.png", "a.txt", "a.zip", "a.nii.gz", "a.tif"])
def test_one_bad_file_is_one_refusal(content: bytes, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    found = door.inspect(tmp_path / name)
    assert not found.usable
    assert len(found.refusals) == 1
    assert found.refusals[0].reason.startswith(name)
    with pytest.raises(InputError, match=name):
        iso.read(tmp_path / name)


def test_a_missing_path() -> None:
    with pytest.raises(MissingInputError, match="no such file"):
        iso.read("/nowhere/at/all.nii")


def test_geometry_faults_are_told_apart(shared: Callable[[str], Path]) -> None:
    with pytest.raises(GeometryError):
        iso.read(shared("hostile/nifti/q_s_disagree.nii"))
    with pytest.raises(FormatError):
        iso.read(shared("hostile/nifti/trunc.nii"))


# -- folders ----------------------------------------------------------------------------------------------


def test_hazards_of_file_systems(tmp_path: Path) -> None:
    """Links, loops, pipes, devices and odd names: nothing is followed, nothing hangs, each is told."""
    folder = tmp_path / "in"
    (folder / "real").mkdir(parents=True)
    iso.write(VOLUME, folder / "real" / "sound.nii.gz")
    (folder / "real" / "loop").symlink_to(folder)
    (folder / "passwd.dcm").symlink_to("/etc/passwd")
    (folder / "dangling.dcm").symlink_to("/nonexistent")
    (folder / "zero.nii").symlink_to("/dev/zero")
    os.mkfifo(folder / "fifo.dcm")
    (folder / "new\nline.nii").write_bytes(b"x")
    (folder / "-rf").write_bytes(b"x")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfebad-utf8.nii")).write_bytes(b"x")
    deep = folder
    for _ in range(40):
        deep = deep / "d"
        deep.mkdir()
    (folder / ".hidden.nii").write_bytes(b"x")
    found = door.inspect(folder)
    assert [item.paths[0].name for item in found.items] == ["sound.nii.gz"]
    skipped = {path.name: why for path, why in found.skipped}
    assert skipped["loop"] == skipped["passwd.dcm"] == skipped["zero.nii"] == skipped["dangling.dcm"] == "a link (not followed)"
    assert skipped["fifo.dcm"] == "a named pipe"
    assert skipped["-rf"] == "not an image"
    assert len(found.refusals) == 2
    for refusal in found.refusals:
        assert "\n" not in refusal.reason
        refusal.reason.encode()  # it can be printed anywhere
    assert door.inspect(folder / "fifo.dcm").refusals[0].kind == "unsupported"
    assert door.inspect(folder / "zero.nii").refusals[0].kind == "unsupported"
    found = door.inspect(folder, budget=Budget(max_files=5))
    assert not found.usable
    assert found.refusals[0].kind == "budget"


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_an_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / "a.nii").write_bytes(b"x")
    (tmp_path / "a.nii").chmod(0)
    assert "check its permissions" in door.inspect(tmp_path).refusals[0].reason


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    found = door.inspect(tmp_path)
    assert not found.usable
    assert "no images were found" in found.refusals[0].reason
    with pytest.raises(InputError, match="no images were found"):
        iso.read_study(tmp_path)


@pytest.mark.parametrize("folder", ["seg", "labels", "roi"])
def test_a_file_that_is_asked_for_as_an_image_is_one_in_whatever_folder(folder: str, tmp_path: Path) -> None:
    """A cohort in a folder of this name could not be learned from: its images 'were no whole numbers'."""
    (tmp_path / folder).mkdir()
    path = tmp_path / folder / "a.nii"
    image = iso.Image(
        np.linspace(0.0, 2.5, 24, dtype=np.float32).reshape(2, 3, 4), ("z", "y", "x"), iso.Geometry.regular((2, 3, 4))
    )
    iso.write(image, path)
    for value in (iso.read(path), iso.open(path)):
        assert not isinstance(value, iso.LabelMap) and value.shape == (2, 3, 4)
    iso.write(MASK, tmp_path / folder / "b.nii")
    assert isinstance(iso.read_labels(tmp_path / folder / "b.nii"), iso.LabelMap)


def test_one_bad_file_does_not_stop_the_rest(tmp_path: Path) -> None:
    iso.write(VOLUME, tmp_path / "a.nii")
    (tmp_path / "b.nii").write_bytes((tmp_path / "a.nii").read_bytes()[:400])
    (tmp_path / "notes.txt").write_text("x")
    found = door.inspect(tmp_path)
    assert [i.paths[0].name for i in found.items] == ["a.nii"]
    assert [r.path.name for r in found.refusals] == ["b.nii"]
    assert [p.name for p, _ in found.skipped] == ["notes.txt"]


# -- what belongs together --------------------------------------------------------------------------------

LAYOUTS: list[tuple[dict[str, iso.Image], list[list[str]]]] = [
    ({"a.nii": VOLUME}, [["image"]]),
    ({"a.nii": VOLUME, "b.nii": VOLUME}, [["image"], ["image"]]),
    ({"a.nii": VOLUME, "a_mask.nii": MASK}, [["image", "mask"]]),
    ({"a.nii": VOLUME, "a_seg.nii": MASK, "b.nii": VOLUME, "b-label.nii": MASK}, [["image", "seg"], ["image", "labels"]]),
    ({"a_image.nrrd": VOLUME, "a_label.nrrd": MASK}, [["image", "labels"]]),
    ({"scan.nii": VOLUME, "left_lung_mask.nii": MASK, "gtv_mask.nii": MASK}, [["image", "gtv", "left_lung"]]),
    ({"image.nii": VOLUME, "mask.nii": MASK}, [["image", "mask"]]),
    ({"image/phantom.nii": VOLUME, "mask/mask.nii": MASK}, [["image", "mask"]]),
    (
        {"images/a.nii": VOLUME, "images/b.nii": VOLUME, "masks/a.nii": MASK, "masks/b.nii": MASK},
        [["image", "mask"], ["image", "mask"]],
    ),
    ({"imagesTr/x_0000.nii": VOLUME, "labelsTr/x.nii": MASK}, [["image", "mask"]]),
    ({"seg/a.nii": VOLUME, "seg/a_mask.nii": MASK, "seg/b.nii": VOLUME}, [["image", "mask"], ["image"]]),
    ({"masks/a.nii": MASK, "masks/b.nii": MASK}, [["labels"], ["labels"]]),
    ({"CT_image.nii": VOLUME, "PET_image.nii": VOLUME, "CT_mask.nii": MASK}, [["ct", "pet", "ct_mask"]]),
    ({"p1_t1.nii": VOLUME, "p1_flair.nii": VOLUME, "p2_t1.nii": VOLUME}, [["flair", "t1"], ["image"]]),
    ({"a.nii": VOLUME, "b.nii": VOLUME, "mask.nii": MASK}, [["image"], ["image"], ["labels"]]),
    ({"a_mask.nii": MASK}, [["labels"]]),
]


@pytest.mark.parametrize(("files", "expected"), LAYOUTS, ids=[" ".join(files) for files, _ in LAYOUTS])
def test_files_that_belong_together(files: dict[str, iso.Image], expected: list[list[str]], tmp_path: Path) -> None:
    for k, (name, image) in enumerate(files.items()):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        iso.write(image if image is MASK else image.with_array(np.asarray(image.array) + np.int16(k)), tmp_path / name)
    assert sorted(sorted(names) for names in slots(tmp_path)) == sorted(sorted(names) for names in expected)


def test_a_mask_on_another_grid_stays_alone(tmp_path: Path) -> None:
    iso.write(VOLUME, tmp_path / "a.nii")
    iso.write(MASK.replace(geometry=iso.Geometry.regular((4, 5, 6), 2.0)), tmp_path / "a_mask.nii")
    assert sorted(slots(tmp_path)) == [["image"], ["labels"]]


def test_a_study_holds_image_and_mask(tmp_path: Path) -> None:
    iso.write(VOLUME, tmp_path / "DOE_JOHN.nii.gz")
    iso.write(MASK, tmp_path / "DOE_JOHN_mask.nii.gz")
    study = iso.read_study(tmp_path)
    assert list(study) == ["image", "mask"]
    assert isinstance(study["mask"], iso.LabelMap)
    assert study["mask"].segments[0].name == "mask"
    assert "DOE" not in study.pseudonym
    assert "doe" not in str([list(study), study["image"].provenance, study["mask"].provenance, study["mask"].segments]).lower()


def test_pseudonyms_depend_on_content_alone(tmp_path: Path) -> None:
    for name in ("one/x.nii", "two/y.nii"):
        (tmp_path / name).parent.mkdir()
        iso.write(VOLUME, tmp_path / name)
    one, two = (door.cases(door.inspect(tmp_path / n))[0].pseudonym for n in ("one", "two"))
    assert one == two
    both = [case.pseudonym for case in door.cases(door.inspect(tmp_path))]
    assert len(set(both)) == 2
    assert one in both


def test_modality_from_a_name_is_said(tmp_path: Path) -> None:
    iso.write(VOLUME, tmp_path / "ct.nii")
    iso.write(VOLUME, tmp_path / "pet.nii")
    study = iso.read_study(tmp_path)
    assert study["pet"].modality == "PT"
    assert any("taken from the file's name" in note for note in study["pet"].provenance.notes)


def test_several_images_are_named(tmp_path: Path) -> None:
    iso.write(VOLUME, tmp_path / "a.nii")
    iso.write(VOLUME, tmp_path / "b.nii")
    with pytest.raises(AmbiguousInputError, match=r"holds 2 images.*a\.nii.*b\.nii.*read_study"):
        iso.read(tmp_path)
    with pytest.raises(AmbiguousInputError, match="holds 2 studies"):
        iso.read_study(tmp_path)


def test_items_travel_to_other_processes(tmp_path: Path) -> None:
    iso.write(VOLUME, tmp_path / "ct.nii.gz")
    iso.write(VOLUME, tmp_path / "pet.nrrd")
    iso.write(MASK, tmp_path / "ct_mask.mha")
    iso.write(iso.Image(np.zeros((4, 5), np.uint8), ("y", "x"), iso.Geometry.pixels((4, 5))), tmp_path / "photo.png")
    iso.write(VOLUME, tmp_path / "stack.tif")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "ct.nii.gz", "inner.nii.gz")
    found = door.inspect(tmp_path)
    assert len(found.items) == 6
    for item in found.items:
        copy = pickle.loads(pickle.dumps(item))
        assert copy.load().digest == item.load().digest


def test_contours_are_drawn_on_the_image_they_name() -> None:
    square = Contour(np.array([[1, 1, 3], [1, 3.2, 3], [2, 3.2, 3], [2, 1, 3]]))
    grid = GRID.with_frame("1.2.3")
    image = sourced(VOLUME.replace(geometry=grid), "x")
    items = (
        Item("image", "image", "x", Spec.of(image), (), lambda: image, uid="9.9"),
        Item("rs", "contours", "x", Spec("Contours"), (), lambda: (Contours("GTV", (square,)),), references=("1.2.3",)),
    )
    study = load_case(Case("case-1", items))
    mask = study["rs"].one("GTV")
    assert mask.geometry == grid
    assert set(np.argwhere(np.asarray(mask.array))[:, 0].tolist()) == {1}
    assert int(np.asarray(mask.array).sum()) > 0
    alone = load_case(
        Case("case-1", (items[0], Item("rs", "contours", "x", Spec("Contours"), (), items[1].load, references=("7",))))
    )
    assert list(alone) == ["image"]
    assert any("refer to an image that is not among the input" in n for n in alone["image"].provenance.notes)


# -- archives ---------------------------------------------------------------------------------------------


def test_archives_are_read_and_cleaned_up(tmp_path: Path) -> None:
    iso.write(VOLUME, tmp_path / "a.nii.gz")
    iso.write(MASK, tmp_path / "a_mask.nii.gz")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("a.nii.gz", "a_mask.nii.gz"):
            archive.write(tmp_path / name, f"study/{name}")
            (tmp_path / name).unlink()
        archive.writestr("study/inner.zip", b"PK\x05\x06" + bytes(18))
    code = (
        "import sys, tempfile, pathlib\nimport isocenter as iso\nfrom isocenter.io import door\n"
        "study = iso.read_study(sys.argv[1])\nassert list(study) == ['image', 'mask'], list(study)\n"
        "found = door.inspect(sys.argv[1])\nassert [w for p, w in found.skipped] == ['an archive inside an archive (not opened)']\n"
        "folder = found.items[0].paths[0]\nassert folder.exists()\n"
    )
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary)}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.zip")], check=True, env=environment, timeout=60)
    assert list(temporary.iterdir()) == []


# -- anything at all --------------------------------------------------------------------------------------


def test_mutated_files_end_in_a_sentence(tmp_path: Path) -> None:
    read = refused = 0
    for path in mutants(tmp_path, 700, seed=11):
        found = door.inspect(path)
        for refusal in found.refusals:
            assert "\n" not in refusal.reason
            assert "expected" in refusal.reason
            refused += 1
        for item in found.items:
            item.load()
            read += 1
    assert read > 50
    assert refused > 300


def test_a_cohort_written_under_faults_leaves_whole_files(tmp_path: Path) -> None:
    """Fail every step of writing five images in five formats: what stands under a final name is always whole."""
    names = ["a.nii", "b.nii.gz", "c.nrrd", "d.mha", "e.tif"]
    with seam.counting() as taken:
        for name in names:
            iso.write(VOLUME, tmp_path / name)
    whole = {name: (tmp_path / name).read_bytes() for name in names}
    for nth in range(1, len(taken) + 1):
        for path in tmp_path.iterdir():
            path.unlink()
        errors = 0
        with seam.failing(nth):
            for name in names:
                try:
                    iso.write(VOLUME, tmp_path / name)
                except WriteError:
                    errors += 1
        assert errors == 1
        for path in tmp_path.iterdir():
            assert path.read_bytes() == whole[path.name]
        for name in names:  # resume
            iso.write(VOLUME, tmp_path / name)
        assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == whole
