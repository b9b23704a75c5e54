"""The rows of the shared expectation table, and what each one asks of the command line."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import shared_folder

ENTRIES = ("file", "file+store", "directory", "archive", "dicomdir")
#: Where the payloads of the corpus would leave their mark.
CANARY = Path("/tmp/hostile-canary")

#: Expectation -> exit codes of ``isocenter info`` that meet it.
CODES = {
    "accept": {0}, "accept_warn": {0}, "accept_sanitised": {0}, "reject": {3}, "reject_geometry": {3}, "reject_or_exact": {0, 3}, "survive": {0, 3},
}  # fmt: skip
#: Rows whose detail allows two outcomes, and which one is ours.
SETTLED = {
    "series/gantry_tilt/": {0},  # the shear is kept and stated in degrees
    "series/mixed_orientation/": {3}, "series/mixed_size/": {3}, "series/mixed_spacing/": {3}, "series/mixed_patient/": {3},
    "series/mixed_frame_of_reference/": {3}, "series/mixed_rescale/": {0}, "series/dup_sop_same/": {3},
    "nifti/q_s_disagree.nii": {3},
}  # fmt: skip
#: Sound files, by the folder of what is compared with them.
CONTROLS = {
    "dicom": "dicom/00_control_good.dcm", "nifti": "nifti/00_control.nii", "raster": "raster/00_control.png", "archive": "dicom/00_control_good.dcm",
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One hostile input."""

    path: str
    hazard: str
    expected: str
    detail: str
    seconds: float
    memory_mib: float

    @property
    def codes(self) -> set[int]:
        """Exit codes that meet the expectation."""
        return SETTLED.get(self.path, CODES[self.expected])

    @property
    def control(self) -> str:
        """The sound file that an accepted ``reject_or_exact`` must equal."""
        return "dicom/00_control_good.dcm" if self.path.endswith("_dcm.png") else CONTROLS[self.path.split("/")[0]]


def rows() -> list[Row]:
    """Return the rows of the entry points that lead to the front door; none where the data are absent."""
    table = shared_folder() / "hostile" / "EXPECT.csv"
    if not table.is_file():
        return []
    with table.open(newline="", encoding="utf-8") as handle:
        return [
            Row(r["path"], r["hazard"], r["expected"], r["detail"], float(r["max_s"]), float(r["max_rss_mib"]))
            for r in csv.DictReader(handle)
            if r["entry"] in ENTRIES
        ]
