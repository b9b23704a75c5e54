"""isocenter measure: one image, cohorts with broken rows, resuming, other grids, and foreign settings."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from isocenter.cli.main import main
from isocenter.core.errors import FormatError, ParameterError, SpecError, UnknownNameError, UnsupportedError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.io import door
from isocenter.jobs.measure import measure
from isocenter.jobs.measure_settings import names, of_image, resolve

DIMS = ("z", "y", "x")
GRID = Geometry.regular((14, 24, 20), (2.0, 1.0, 1.0), origin=(-10.0, -12.0, 30.0))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def blob(grid: Geometry = GRID, centre: tuple[float, float, float] = (0.0, 0.0, 43.0), radius: float = 6.0) -> Any:
    points = grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1))
    return np.linalg.norm(points - np.array(centre), axis=-1) < radius


def save_mask(path: Path, mask: Any, grid: Geometry = GRID, *segments: Segment) -> Path:
    table = segments or (Segment(1, "lesion"),)
    door.write(LabelMap(np.asarray(mask).astype(np.uint8), DIMS, grid, table), path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    values = ndimage.gaussian_filter(np.random.default_rng(4).standard_normal(GRID.shape), 1) * 300
    door.write(Image(np.rint(values).astype(np.int16), DIMS, GRID, modality="CT", quantity="HU"), tmp_path / "image.nii.gz")
    save_mask(tmp_path / "mask.nii.gz", blob())
    return tmp_path


def test_one_image_with_two_masks_makes_two_rows(folder: Path) -> None:
    second = save_mask(folder / "other.nrrd", blob(radius=4.0))
    out = folder / "table.csv"
    result = measure(folder / "image.nii.gz", [folder / "mask.nii.gz", second], out, settings="plain")
    assert (result.rows, result.exit_code, result.set_aside) == (2, 0, ())
    table, columns = rows(out), rows(folder / "table.columns.csv")
    assert list(table[0])[:4] == ["image", "mask", "region", "settings"]
    assert list(table[0])[4:] == [c["column"] for c in columns]
    assert list(columns[0])[:4] == ["column", "tag", "ibsi_code", "unit"]
    volume = next(c for c in columns if c["tag"] == "morph_vol_approx")
    assert (volume["ibsi_code"], volume["unit"]) == ("YEKZ", "mm^3")
    assert float(table[0][volume["column"]]) == blob().sum() * 2.0
    assert "features.radiomics" in (folder / "table.settings.yaml").read_text()


def test_every_object_can_be_a_row(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two = blob(radius=3.0, centre=(-5.0, -5.0, 40.0)) | blob(radius=2.0, centre=(4.0, 4.0, 50.0))
    save_mask(folder / "cells.nii.gz", two)
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as stop:
        main(["measure", "image.nii.gz", "cells.nii.gz", "-o", "cells.csv", "--objects", "--settings", "plain"])
    assert stop.value.code == 0
    table = rows(folder / "cells.csv")
    assert len({row["region"] for row in table}) == 2 and all(row["region"].endswith((" 1", " 2")) for row in table)
    parts = sum(float(row["morphology_volume_voxel"]) for row in table)
    whole = measure(folder / "image.nii.gz", [folder / "cells.nii.gz"], folder / "whole.csv", settings="plain")
    assert whole.rows == 1 and parts == float(rows(folder / "whole.csv")[0]["morphology_volume_voxel"])


def test_the_command_line_writes_the_reference_columns(folder: Path, shared: Callable[[str], Path]) -> None:
    phantom = shared("ibsi") / "1_ct_phantom"
    out = folder / "t.csv"
    with pytest.raises(SystemExit) as stop:
        main(["measure", str(phantom / "dicom/image"), str(phantom / "dicom/mask"), "-o", str(out), "--settings", "ibsi-a"])
    assert stop.value.code == 0
    (row,) = rows(out)
    tags = {c["tag"]: c["column"] for c in rows(folder / "t.columns.csv")}
    with (shared("ibsi") / "1_reference_values/ibsi_1_chest_config_a.csv").open(newline="") as handle:
        wanted = [line for line in csv.DictReader(handle, delimiter=";") if line["reference value"]]
    for line in wanted:
        value = float(row[tags[line["tag"]]])
        closest = min(abs(v - float(line["reference value"])) for v in (value, float(f"{value:.3g}")))
        assert closest <= float(line["tolerance"]) * (1 + 1e-9) + 1e-12, line["tag"]
    assert len(wanted) == 406


def cohort(folder: Path, count: int = 50) -> Path:
    lines = ["image,mask,label,patient"]
    for k in range(count - 3):
        name = f"mask{k}.nii.gz"
        save_mask(folder / name, blob(centre=(k % 3 - 1.0, 0.0, 43.0), radius=4.0 + k % 4))
        lines.append(f"image.nii.gz,{name},,p{k}")
    save_mask(folder / "empty.nii.gz", np.zeros(GRID.shape))
    (folder / "broken.nii.gz").write_bytes(b"this is no image")
    lines += ["image.nii.gz,empty.nii.gz,,e", "image.nii.gz,broken.nii.gz,,b", "image.nii.gz,mask.nii.gz,7,l"]
    path = folder / "cohort.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_three_broken_of_fifty_leave_47_rows_and_three_reasons(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed, out = cohort(folder), folder / "table.csv"
    with pytest.raises(SystemExit) as stop:
        main(["measure", str(listed), "-o", str(out), "--settings", "plain", "--json"])
    assert stop.value.code == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["rows"], len(said["set_aside"])) == (47, 3)
    table = rows(out)
    assert [row["patient"] for row in table] == [f"p{k}" for k in range(47)]  # in the cohort's order, from two processes
    aside = rows(folder / "table.set_aside.csv")
    assert [row["mask"] for row in aside] == ["empty.nii.gz", "broken.nii.gz", "mask.nii.gz"]
    assert "no region" in aside[0]["reason"] and "label '7'" in aside[2]["reason"] and aside[1]["reason"]
    before = out.read_bytes()
    again = measure(listed, [], out, settings="plain")
    assert again.reused == 47 and out.read_bytes() == before  # nothing is measured twice, and nothing differs
    assert measure(listed, [], out, settings="mr", workers=1).reused == 0  # other settings are another measurement


def test_a_stopped_cohort_goes_on(folder: Path) -> None:
    listed, out = cohort(folder, 12), folder / "table.csv"

    def stop(text: str, done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(listed, [], out, settings="plain", workers=1, progress=stop)
    assert not out.exists()
    assert measure(listed, [], out, settings="plain", workers=1).reused == 5
    (folder / "mask0.nii.gz").write_bytes((folder / "mask3.nii.gz").read_bytes())
    assert measure(listed, [], out, settings="plain", workers=1).reused == 8  # a changed mask is measured again


def test_masks_on_another_grid(folder: Path) -> None:
    fine = Geometry.regular((28, 48, 40), (1.0, 0.5, 0.5), origin=(-10.0, -12.0, 30.0))
    inside = save_mask(folder / "fine.nii.gz", blob(fine), fine)
    result = measure(folder / "image.nii.gz", [inside], folder / "a.csv", settings="plain")
    assert result.exit_code == 0  # every sample lies in the image
    assert "moved by up to" in result.notes[0] and " mm" in result.notes[0]
    assert float(rows(folder / "a.csv")[0]["morphology_volume_voxel"]) == pytest.approx(blob(fine).sum() * 0.25, rel=0.08)
    leaving = Geometry.regular((28, 48, 40), (1.0, 0.5, 0.5), origin=(-10.0, -20.0, 30.0))
    outside = save_mask(folder / "outside.nii.gz", blob(leaving, centre=(0.0, -11.0, 43.0)), leaving)
    refused = measure(folder / "image.nii.gz", [outside], folder / "b.csv", settings="plain")
    assert (refused.exit_code, refused.table) == (3, None)
    assert "lie outside the image" in refused.set_aside[0][3] and "--resample-mask" in refused.set_aside[0][3]
    asked = measure(folder / "image.nii.gz", [outside], folder / "b.csv", settings="plain", resample_mask=True)
    assert asked.exit_code == 0 and "volume changed by -" in asked.notes[0]


def test_settings_follow_what_the_values_are(folder: Path) -> None:
    image = Image(np.zeros(GRID.shape, np.int16), DIMS, GRID)
    assert of_image(image).name == "plain"
    assert of_image(image.replace(quantity="HU")).name == "ct"
    assert of_image(image.replace(quantity="SUVbw")).name == "pet"
    assert of_image(image.replace(modality="MR")).name == "mr"
    assert set(names()) >= {"ct", "mr", "pet", "plain", "ibsi-digital", *(f"ibsi-{k}" for k in "abcde")}
    for name in names():
        assert resolve(name).name == name


def test_own_settings_and_their_mistakes(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("with: {discretisation: width, bin_width: 10}\n")
    assert resolve(str(path)).operation.bin_width == 10
    for text, error in (("with: {binwidth: 1}", ParameterError), ("steps: []", SpecError), ("- 1", SpecError)):
        path.write_text(text)
        with pytest.raises(error, match=r"own\.yaml"):
            resolve(str(path))
    with pytest.raises(UnknownNameError, match="ibsi-a"):
        resolve("ibsi_a")


def test_parameter_files_of_pyradiomics_are_taken_with_notes(tmp_path: Path) -> None:
    path = tmp_path / "Params.yaml"
    path.write_text(
        "imageType: {Original: {}, LoG: {sigma: [1.0]}}\n"
        "featureClass: {shape: , firstorder: [], glcm: [JointEnergy], gldm: , shape2D: }\n"
        "setting:\n  binWidth: 10\n  label: 2\n  interpolator: sitkLinear\n  resampledPixelSpacing: [1, 2, 3]\n"
        "  resegmentRange: [-3, 3]\n  resegmentMode: sigma\n  voxelArrayShift: 300\n  normalize: true\n  normalizeScale: 100\n"
        "  distances: [1, 2]\n  preCrop: true\n  fancy: 3\n"
    )
    found = resolve(str(path))
    given = found.operation
    assert given.spacing == (3.0, 2.0, 1.0)  # theirs is x, y, z
    assert (given.discretisation, given.bin_width, given.order, given.outlier_sigma) == ("width_from_zero", 10.0, "linear", 3.0)
    assert given.families == ("morphology", "statistics", "histogram", "glcm", "ngldm")
    assert (found.label, found.normalise) == (2, (100.0, None))
    assert given.responses.log == (1.0,) and given.responses.log_kernel == "recursive" and given.responses.original
    told = " ".join(found.notes)
    for word in (
        "shape2D",
        "shifted",
        "distance",
        "preCrop",
        "fancy",
        "NGLDM",
        "centre",
    ):
        assert word in told, word


def test_image_types_of_pyradiomics_are_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "Params.yaml"
    path.write_text("imageType: {Wavelet: {level: 2, binWidth: 10}, Square: {}, LBP2D: {}, LoG: {}}\nsetting: {force2D: true}\n")
    found = resolve(str(path))
    given = found.operation.responses
    assert (given.wavelet, given.others, given.original, given.in_plane) == ("coif1", ("square",), False, True)
    told = " ".join(found.notes)
    for word in ("first level", "binWidth", "features.lbp", "no sigma", "begins again"):
        assert word in told, word
    path.write_text("imageType: {Wavelet: {wavelet: bior1.1}}\n")
    assert "'bior1.1' is not known" in " ".join(resolve(str(path)).notes)


def test_a_parameter_file_measures_with_it(folder: Path) -> None:
    path = folder / "Params.yaml"
    path.write_text("setting: {binWidth: 5, normalize: true, normalizeScale: 100}\nfeatureClass: {firstorder: [], glcm: []}\n")
    result = measure(folder / "image.nii.gz", [folder / "mask.nii.gz"], folder / "t.csv", settings=str(path))
    assert result.exit_code == 0 and any("mean 0" in note for note in result.notes)
    assert abs(float(rows(folder / "t.csv")[0]["intensity_mean"])) < 100


@pytest.mark.parametrize(
    "arguments, code",
    [
        (["image.nii.gz", "mask.nii.gz", "-o", "t.xlsx"], 3),
        (["image.nii.gz", "-o", "t.csv"], 2),
        (["image.nii.gz", "mask.nii.gz", "-o", "t.csv", "--settings", "ibsi-f"], 2),
        (["image.nii.gz", "mask.nii.gz", "-o", "nowhere/t.csv"], 3),
        (["image.nii.gz", "absent.nii.gz", "-o", "t.csv"], 3),
        (["absent.csv", "-o", "t.csv"], 3),
    ],
)
def test_mistakes_have_their_exit_code(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as stop:
        main(["measure", *arguments])
    assert stop.value.code == code
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err + captured.out


def test_cohorts_that_are_no_tables_are_refused(folder: Path) -> None:
    (folder / "bad.csv").write_text("a,b\n1,2\n")
    with pytest.raises(FormatError, match="'image' and 'mask'"):
        measure(folder / "bad.csv", [], folder / "t.csv")
    with pytest.raises(UnsupportedError, match=r"\.csv or \.parquet"):
        measure(folder / "bad.csv", [], folder / "t.txt")
