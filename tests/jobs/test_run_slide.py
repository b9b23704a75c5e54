"""`isocenter run` on a whole slide: tissue and nuclei of known number, seams, outlines, resuming, and refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isocenter.core.errors import ContentError, SpecError
from isocenter.io import door
from isocenter.jobs.options import Options
from isocenter.jobs.run import prepare, run
from isocenter.jobs.slide_view import SlideView
from isocenter.jobs.verify import verify
from isocenter.pipeline.spec import load
from tests.jobs.make_cohort import tree
from tests.jobs.make_slide import MPP, section, write_slide

SMALL = """\
name: small-slide
inputs:
  overview: {dims: [cyx], mpp: 8.0}
  tile: {dims: [cyx], mpp: 0.5, tile: 384, halo: 64, within: tissue}
steps:
  - {op: segment.tissue, from: overview, to: tissue}
  - {op: segment.nuclei, from: tile, to: nuclei, with: {content: stained}}
report: {image: overview, labels: [tissue]}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, np.ndarray, np.ndarray]:
    folder = tmp_path_factory.mktemp("slide")
    picture, tissue, centers = section(1152, 60)
    write_slide(folder / "slide.tif", picture)
    (folder / "small.yaml").write_text(SMALL, encoding="utf-8")
    summary = run(folder / "slide.tif", folder / "out", study=str(folder / "small.yaml"))
    assert summary.exit_code == 0, summary.set_aside
    return folder, folder / "out", tissue, centers


def rows_of(path: Path) -> np.ndarray:
    return np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)


def test_every_nucleus_is_found_once_though_seams_cut_some(made: Any) -> None:
    _, out, tissue, centers = made
    cut = np.abs((centers + 192) % 384 - 192) < 9  # nearer to a seam than a nucleus is wide
    assert cut.any()
    found = rows_of(out / "tables" / "nuclei.csv")
    at = found[:, [2, 1]] * 1000.0 / MPP
    assert len(found) == len(centers)
    apart = np.sqrt(((at[:, None] - centers[None]) ** 2).sum(-1)).min(axis=1)
    assert apart.max() < 3.0
    header, row = (out / "tables" / "nuclei_counts.csv").read_text(encoding="utf-8").splitlines()
    counts = dict(zip(header.split(","), row.split(","), strict=True))
    area = tissue.sum() * (MPP * 1e-3) ** 2
    assert float(counts["region_area"]) == pytest.approx(area, rel=0.03)
    assert float(counts["density"]) == pytest.approx(60 / area, rel=0.03)


def test_outlines_lie_on_the_nuclei_in_pixels_of_the_finest_level(made: Any) -> None:
    _, out, tissue, centers = made
    nuclei = json.loads((out / "labels" / "nuclei.geojson").read_text(encoding="ascii"))["features"]
    middles = np.array([np.mean(one["geometry"]["coordinates"][0][:-1], axis=0) for one in nuclei])
    apart = np.sqrt((((middles[:, ::-1] - 0.5)[:, None] - centers[None]) ** 2).sum(-1)).min(axis=1)
    assert apart.max() < 3.0
    ring = np.array(
        json.loads((out / "labels" / "tissue.geojson").read_text(encoding="ascii"))["features"][0]["geometry"]["coordinates"][0]
    )
    rows, columns = np.nonzero(tissue)
    for low, high, values in ((ring[:, 1].min(), ring[:, 1].max(), rows), (ring[:, 0].min(), ring[:, 0].max(), columns)):
        assert abs(low - values.min()) < 40 and abs(high - values.max()) < 40


def test_the_folder_verifies_and_runs_again_to_the_same(made: Any) -> None:
    folder, out, _, _ = made
    checked = verify(out, recompute=True)
    assert checked.sound, checked.differences
    assert (out / "images" / "overview.png").is_file() and (out / "report.pdf").is_file()
    before = tree(out)
    assert run(folder / "slide.tif", out, study=str(folder / "small.yaml")).reused
    again = run(folder / "slide.tif", out, study=str(folder / "small.yaml"), force=True)
    assert again.exit_code == 0 and tree(out) == before
    table = out / "tables" / "nuclei.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("1,", "2,", 1), encoding="utf-8")
    assert not verify(out).sound


def test_the_plan_counts_the_tiles_and_the_shipped_study_is_chosen(made: Any) -> None:
    folder, _, _, _ = made
    planned = prepare([folder / "slide.tif"])
    assert [one.study for one in planned.analyses] == ["slide"]
    assert "whole slide in colour" in planned.analyses[0].why
    small = prepare([folder / "slide.tif"], Options(study=str(folder / "small.yaml")))
    assert small.seconds > 0 and [row["op"] for row in small.analyses[0].rows] == ["segment.tissue", "segment.nuclei"]


def test_a_view_averages_down_to_the_size_of_a_sample_that_is_asked_for(made: Any) -> None:
    folder, _, _, _ = made
    pyramid = door.inspect(folder / "slide.tif").items[0].load()
    view = SlideView(pyramid, 1.0)
    assert (view.level, view.factor, view.geometry.shape) == (0, 2, (576, 576))
    whole = np.asarray(pyramid.levels[0].read(((0, 1152), (0, 1152))))
    expected = np.rint(whole.reshape(3, 576, 2, 576, 2).mean(axis=(2, 4)))
    np.testing.assert_array_equal(view.whole().array, expected)
    part = view.read(((10, 30), (5, 8)))
    np.testing.assert_array_equal(part.array, expected[:, 10:30, 5:8])
    # Centres of averaged samples lie half a fine sample further in; corners of the picture stay where they are.
    np.testing.assert_allclose(view.geometry.to_world([[-0.5, -0.5]]), pyramid.geometry.to_world([[-0.5, -0.5]]), atol=1e-12)
    np.testing.assert_allclose(part.geometry.to_world([[0, 0]]), view.geometry.to_world([[10, 5]]), atol=1e-12)


def test_a_slide_without_a_pixel_size_is_not_analysed(tmp_path: Path) -> None:
    write_slide(tmp_path / "bare.tif", section(512, 3)[0], (1, 4), mpp=None)
    with pytest.raises(ContentError, match="pixel size is expected"):
        prepare([tmp_path / "bare.tif"])
    (tmp_path / "small.yaml").write_text(SMALL, encoding="utf-8")
    with pytest.raises(ContentError, match="no pixel size"):
        run(tmp_path / "bare.tif", tmp_path / "out", study=str(tmp_path / "small.yaml"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            ("to: nuclei, with: {content: stained}}", "to: nuclei}\n  - {op: denoise.median, from: tile, to: smooth}"),
            "give labels",
        ),
        (("report:", "  - {op: denoise.median, from: nuclei, to: smooth}\nreport:"), "given a label map"),
        (("mpp: 0.5, tile: 384", "tile: 384"), "without 'mpp'"),
        (("tile: 384", "tile: 7"), "64 to 8192"),
        (("mpp: 8.0", "mpp: fine"), "micrometres per sample"),
    ],
)
def test_studies_that_cannot_be_run_on_a_slide_are_refused(
    made: Any, tmp_path: Path, change: tuple[str, str], words: str
) -> None:
    (tmp_path / "odd.yaml").write_text(SMALL.replace(*change), encoding="utf-8")
    with pytest.raises((SpecError, ContentError), match=words):
        run(made[0] / "slide.tif", tmp_path / "out", study=str(tmp_path / "odd.yaml"))


def test_what_a_view_says_survives_yaml() -> None:
    pipeline = load(SMALL)
    assert pipeline.inputs["tile"].mpp == 0.5 and pipeline.inputs["tile"].within == "tissue"
    assert load(pipeline.to_yaml()) == pipeline or load(pipeline.to_yaml()).digest == pipeline.digest
