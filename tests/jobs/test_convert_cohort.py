"""Cohorts to nnU-Net's and MONAI's layouts and back: voxels, grids, names and values stay; hostile descriptions are refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import isocenter as iso
from isocenter.cli.main import main
from isocenter.core.errors import FormatError, IsocenterError, WriteError
from isocenter.io import door
from isocenter.io.layouts.dataset_json import listing
from isocenter.jobs.convert_cohort import convert_cohort

GRID = iso.Geometry.regular((4, 5, 6), (2.0, 1.0, 0.5), (3.0, -2.0, 7.0))


def cohort(root: Path) -> Path:
    """Write three cases of two channels in nnU-Net's layout, the last one without labels."""
    facts = {
        "channel_names": {"0": "T1", "1": "FLAIR"},
        "labels": {"background": 0, "edema": 1, "core": 2},
        "file_ending": ".nii.gz",
    }
    rng = np.random.default_rng(1)
    for k in range(3):
        part = "Tr" if k < 2 else "Ts"
        for folder in (f"images{part}", "labelsTr"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        for channel in range(2):
            image = iso.Image(rng.integers(0, 999, GRID.shape).astype(np.int16), ("z", "y", "x"), GRID)
            iso.write(image, root / f"images{part}" / f"brain_{k}_{channel:04d}.nii.gz")
        if k < 2:
            labels = iso.Image(rng.integers(0, 3, GRID.shape).astype(np.uint8), ("z", "y", "x"), GRID)
            iso.write(labels, root / "labelsTr" / f"brain_{k}.nii.gz")
    (root / "dataset.json").write_text(json.dumps(facts), encoding="utf-8")
    return root


def held(root: Path) -> dict[str, tuple[dict[str, np.ndarray], dict[str, np.ndarray]]]:
    found = {}
    for case in door.cases(door.inspect(root)):
        study = door.load_case(case)
        name = next(item.identity["LayoutCase"] for item in case.items)
        masks = {s.name: np.asarray(v.array) == s.value for v in study.labels.values() for s in v.segments}
        assert all(v.geometry.matches(GRID) for v in study.images.values())
        found[name] = ({k: np.asarray(v.array) for k, v in study.images.items()}, masks)
    return found


@pytest.mark.parametrize("layout", ["nnunet", "monai"])
def test_there_and_back(tmp_path: Path, layout: str) -> None:
    source = cohort(tmp_path / "source")
    lines = convert_cohort(source, tmp_path / "out", layout)
    assert "2 cases with labels and 1 without" in lines[0] and len(lines) == 1
    one, two = held(source), held(tmp_path / "out")
    assert list(one) == list(two) == ["brain_0", "brain_1", "brain_2"]
    for name, (images, masks) in one.items():
        assert list(images) == ["t1", "flair"] == list(two[name][0])
        for slot, array in images.items():
            np.testing.assert_array_equal(array, two[name][0][slot])
        assert set(masks) == (set() if name == "brain_2" else {"edema", "core"})
        for slot, array in masks.items():
            np.testing.assert_array_equal(array, two[name][1][slot])
    with pytest.raises(WriteError, match="new or empty folder"):
        convert_cohort(source, tmp_path / "out", layout)


HOSTILE = {
    "absolute": '{"training": [{"image": "/etc/passwd", "label": "/etc/passwd"}]}',
    "upwards": '{"training": [{"image": "../secret.nii.gz"}]}',
    "link": '{"training": ["inside.nii.gz"]}',
    "zero byte": '{"training": ["a\\u0000b"]}',
    "deep": "[" * 100_000,
    "no object": "[1, 2]",
    "no list": '{"training": 7, "channel_names": {"x": "CT"}}',
    "numbers": '{"training": [5, null, {"image": {}}]}',
    "itself": '{"training": ["."]}',
    "long name": '{"training": ["' + "a" * 5000 + '"]}',
    "twice": '{"training": ["real.nii.gz", "real.nii.gz"]}',
    "ending": '{"channel_names": {"0": "CT"}, "file_ending": "/../../x"}',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_descriptions_are_refused_in_a_sentence(tmp_path: Path, name: str) -> None:
    root = tmp_path / "set"
    (root / "labelsTr").mkdir(parents=True)
    iso.write(iso.Image(np.ones(GRID.shape, np.uint8), ("z", "y", "x"), GRID), root / "real.nii.gz")
    (tmp_path / "secret.nii.gz").write_bytes((root / "real.nii.gz").read_bytes())
    (root / "inside.nii.gz").symlink_to(tmp_path / "secret.nii.gz")
    (root / "dataset.json").write_text(HOSTILE[name], encoding="utf-8")
    with pytest.raises(IsocenterError) as caught:
        listing(root)
    assert "expected" in str(caught.value) and len(str(caught.value)) < 1500
    found = door.inspect(root)
    assert [refusal.path.name for refusal in found.refusals] == ["dataset.json"]
    assert [item.paths[0].name for item in found.items] == ["real.nii.gz"]


def test_a_huge_description_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "dataset.json").open("wb") as handle:
        handle.truncate(1 << 30)
    with pytest.raises(FormatError, match="more than 16 MiB"):
        listing(tmp_path)


def test_the_command_line_says_what_was_set_aside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = cohort(tmp_path / "source")
    with pytest.raises(SystemExit) as left:
        main(["convert", str(source), str(tmp_path / "out"), "--layout", "monai"])
    assert left.value.code == 0 and "2 cases with labels" in capsys.readouterr().out
    (source / "labelsTr" / "brain_1.nii.gz").write_bytes(b"broken")
    with pytest.raises(SystemExit) as left:
        main(["convert", str(source), str(tmp_path / "again"), "--layout", "monai"])
    assert left.value.code == 1 and "set aside brain_1.nii.gz" in capsys.readouterr().out
    with pytest.raises(SystemExit) as left:
        main(["convert", str(source), str(tmp_path / "third"), "--layout", "kitti"])
    assert left.value.code == 2


def test_a_derivative_after_bids(tmp_path: Path) -> None:
    source, target = cohort(tmp_path / "source"), tmp_path / "out"
    lines = convert_cohort(source, target, "bids")
    assert "3 subjects" in lines[0] and len(lines) == 1
    facts = json.loads((target / "dataset_description.json").read_text())
    assert facts["DatasetType"] == "derivative" and facts["GeneratedBy"][0]["Name"] == "isocenter"
    assert sorted(p.name for p in target.iterdir()) == ["dataset_description.json", "sub-brain0", "sub-brain1", "sub-brain2"]
    for path in target.rglob("*.nii.gz"):
        assert path.with_name(path.name.removesuffix(".nii.gz") + ".json").is_file(), path.name
    (names,) = (target / "sub-brain0").rglob("*_dseg.tsv")
    assert names.read_text().splitlines() == ["index\tname", "0\tbackground", "1\tedema", "2\tcore"]
    one = held(source)
    studies = [door.load_case(case) for case in door.cases(door.inspect(target))]
    assert len(studies) == 3 and all(v.geometry.matches(GRID) for study in studies for v in study.images.values())
    assert sum(bool(study.labels) for study in studies) == 2, "labels are found beside their images again"
    images = {p.name: np.asarray(iso.read(p).array) for p in (target / "sub-brain1").rglob("*.nii.gz") if "dseg" not in p.name}
    wanted = list(one["brain_1"][0].values())
    assert len(images) == 2 and all(any(np.array_equal(a, b) for b in wanted) for a in images.values())


def test_overlapping_labels_become_one_mask_each(tmp_path: Path) -> None:
    from isocenter.core.labels import MaskStack, Segment
    from isocenter.io.layouts.write_bids import BidsWriter

    image = iso.Image(np.zeros(GRID.shape, np.int16), ("z", "y", "x"), GRID, modality="CT")
    masks = np.zeros((2, *GRID.shape), bool)
    masks[0, 1:3], masks[1, 2:4] = True, True
    stack = MaskStack(masks, ("z", "y", "x"), GRID, (Segment(1, "lung left"), Segment(2, "tumour")))
    writer = BidsWriter(tmp_path, "study")
    written = writer.add("case 1", {"image": image}, {"rois": stack})
    names = sorted(p.name for p in written if p.name.endswith(".nii.gz"))
    assert names == ["sub-case1_ct.nii.gz", "sub-case1_desc-roislungleft_mask.nii.gz", "sub-case1_desc-roistumour_mask.nii.gz"]
    with pytest.raises(IsocenterError, match="no other case has"):
        writer.add("case-1", {"image": image}, {})
    assert np.array_equal(np.asarray(iso.read_labels(tmp_path / "sub-case1" / "ct" / names[2]).array) > 0, masks[1])
