"""The report of a run tells how stable its radiomics are, where the study asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from isocenter.core.errors import IsocenterError
from isocenter.jobs import run as job
from tests.jobs.test_stability import write_balls

STUDY = """
name: balls
report: {report}
steps:
  - {{op: features.radiomics, each: masks, from: [image, each], to: radiomics, with: {{families: [morphology, statistics]}}}}
"""


def study(folder: Path, report: str) -> Path:
    path = folder / "balls.yaml"
    path.write_text(STUDY.format(report=report))
    return path


def test_the_report_tells_the_correlation_of_every_feature(tmp_path: Path) -> None:
    image, labels = write_balls(tmp_path)
    pages = []
    for name, report in (("with", "{stability: 3}"), ("without", "{title: Balls}")):
        result = job.run(image, tmp_path / name, study=str(study(tmp_path, report)), masks={"parts": labels})
        assert result.exit_code == 0
        pages.append((tmp_path / name / "report.html").read_text())
        (facts,) = (tmp_path / name / "tables").glob("radiomics*.columns.csv")
        assert facts.read_text().startswith("name,tag,unit")
    assert "Stability of radiomics" in pages[0] and "measured 3 times" in pages[0] and "excellent" in pages[0]
    assert "Stability" not in pages[1]


def test_a_number_that_makes_no_sense_is_told_before_anything_runs(tmp_path: Path) -> None:
    image, _ = write_balls(tmp_path)
    with pytest.raises(IsocenterError, match="measured again"):
        job.run(image, tmp_path / "out", study=str(study(tmp_path, "{stability: 1}")))
