"""Which case is which: told where it is asked for, and nowhere else."""

from __future__ import annotations

import csv
from pathlib import Path

from isocenter.jobs.options import Options
from isocenter.jobs.run import execute, prepare
from isocenter.jobs.verify import verify
from tests.jobs.make_cohort import STUDY, tree, write_cohort


def test_pseudonyms_lead_back_to_files_and_patients_on_demand(tmp_path: Path) -> None:
    source, study, out = tmp_path / "in", tmp_path / "small.yaml", tmp_path / "out"
    write_cohort(source, 3)
    study.write_text(STUDY)

    def run(identify: bool) -> dict[str, bytes]:
        options = Options(study=str(study), workers=1, identify=identify)
        result = execute(prepare([source], options), out, options)
        assert result.flow["analysed"] == 3 and verify(out).sound
        return tree(out)

    secret = (b"P001", b"Test^1", b"study01")
    assert not [path for path, data in run(False).items() if any(s in data for s in secret) and not path.endswith(".dcm")]
    run(True)
    table = out / "tables" / "identities.csv"
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    assert [r["patient_id"] for r in sorted(rows, key=lambda r: r["patient_id"])] == ["P000", "P001", "P002"]
    for row in rows:
        number = row["patient_id"][-1]
        assert row["patient_name"] == f"Test^{number}" and row["files"] == "12"
        assert row["first_file"].startswith(f"in/study0{number}/")
        assert (out / "cases" / row["case"]).is_dir()
    run(False)
    assert not table.exists(), "a run that was not asked leaves no names behind"
