"""The demonstration: the main job on phantoms of known truth and on real images that dependencies carry."""

from __future__ import annotations

import csv
import importlib.util
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from isocenter.core.errors import IsocenterError
from isocenter.core.labels import LabelMap
from isocenter.io import door
from isocenter.io.dicom.write_series import write_series
from isocenter.jobs import run as job
from isocenter.testing.phantoms.cells import cells
from isocenter.testing.phantoms.chest_ct import ChestCT, chest_ct

__all__ = ["Check", "DemoResult", "demo"]

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Check:
    """One comparison with what is known to be true."""

    name: str
    expected: str
    found: str
    passed: bool


@dataclass(frozen=True)
class DemoResult:
    """The checks, where the reports lie, and how long everything took."""

    checks: tuple[Check, ...]
    reports: tuple[tuple[str, Path], ...]
    seconds: float

    @property
    def exit_code(self) -> int:
        """0 if every check passed, else 1."""
        return 0 if all(check.passed for check in self.checks) else 1


def demo(out: Path | str, *, progress: Progress | None = None) -> DemoResult:
    """Write inputs, run the main job on each, and compare with the truth.

    Parameters
    ----------
    out
        Folder for inputs and results; inputs of an earlier demonstration are replaced.
    progress
        Called with (text, done, total).
    """
    started = time.monotonic()
    root = Path(out)
    parts = (_phantom_chest, _phantom_cells, _real_slice, _real_series, _gap, _real_mr)
    checks: list[Check] = []
    reports: list[tuple[str, Path]] = []
    for k, part in enumerate(parts):
        if progress is not None:
            progress(part.__doc__ or "", k, len(parts))
        found, report = part(root)
        checks.extend(found)
        if report is not None:
            reports.append(((part.__doc__ or "").rstrip("."), report))
    return DemoResult(tuple(checks), tuple(reports), time.monotonic() - started)


Part = tuple[list[Check], Path | None]


def _phantom_chest(root: Path) -> Part:
    """Chest CT phantom (DICOM)."""
    phantom = chest_ct()
    source = root / "inputs" / "chest-ct"
    shutil.rmtree(source, ignore_errors=True)
    write_series(phantom.image, source)
    summary = job.run(source, root / "chest-ct")
    checks = [_equal("chest CT: study chosen by content", "ct-chest", summary.cases[0].study)]
    back = door.read(source)
    same = np.array_equal(np.asarray(back.array), np.asarray(phantom.image.array))
    checks.append(Check("chest CT: voxels through DICOM", "identical", "identical" if same else "differ", same))
    lungs = door.read_labels(root / "chest-ct" / "labels" / "lungs.nii.gz")
    checks += _lung_checks(lungs, phantom) if isinstance(lungs, LabelMap) else []
    nodules = door.read_labels(root / "chest-ct" / "labels" / "nodules.nii.gz")
    hits = _hits(nodules, phantom) if isinstance(nodules, LabelMap) else 0
    checks.append(
        _equal(
            "chest CT: nodules found", f"{len(phantom.nodules)} of {len(phantom.nodules)}", f"{hits} of {len(phantom.nodules)}"
        )
    )
    return checks, summary.report


def _lung_checks(lungs: LabelMap, phantom: ChestCT) -> list[Check]:
    checks = []
    voxel = phantom.image.geometry.voxel_size / 1000.0
    for side in ("right lung", "left lung"):
        truth = phantom.region(side)
        found = lungs.mask(side) if any(s.name == side for s in lungs.segments) else np.zeros_like(truth)
        overlap = 2.0 * float((truth & found).sum()) / max(1.0, float(truth.sum() + found.sum()))
        expected, measured = float(truth.sum()) * voxel, float(found.sum()) * voxel
        right = abs(measured - expected) <= 0.03 * expected
        checks.append(Check(f"chest CT: volume of the {side}", f"{expected:.0f} ml within 3 %", f"{measured:.0f} ml", right))
        checks.append(Check(f"chest CT: Dice of the {side}", ">= 0.95", f"{overlap:.3f}", overlap >= 0.95))
    return checks


def _hits(nodules: LabelMap, phantom: ChestCT) -> int:
    """Return how many true nodules have a candidate at their centre or within half their diameter."""
    mask = nodules.mask()
    where = nodules.geometry.to_world(np.argwhere(mask))
    assert phantom.nodules.values is not None
    found = 0
    for center, diameter in zip(phantom.nodules.positions, phantom.nodules.values, strict=True):
        found += bool(len(where)) and float(np.linalg.norm(where - center, axis=1).min()) <= diameter / 2.0
    return found


def _phantom_cells(root: Path) -> Part:
    """Cell phantom (PNG)."""
    phantom = cells()
    source = root / "inputs" / "cells.png"
    source.parent.mkdir(parents=True, exist_ok=True)
    door.write(phantom.image, source)
    summary = job.run(source, root / "cells", study="cells")
    truth = sum(1 for v in phantom.truth.present if v > 0)
    found = door.read_labels(root / "cells" / "labels" / "nuclei.nii.gz")
    count = sum(1 for v in found.present if v > 0) if isinstance(found, LabelMap) else 0
    check = Check("cells: nuclei counted", f"{truth} within 10 %", str(count), abs(count - truth) <= 0.1 * truth)
    return [check], summary.report


def _shipped(package: str, *parts: str) -> Path:
    """Return a file that an installed package carries."""
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.origin is not None  # a core dependency
    return Path(spec.origin).parent.joinpath(*parts)


def _real_slice(root: Path) -> Part:
    """Real CT slice (DICOM)."""
    source = _shipped("pydicom", "data", "test_files", "CT_small.dcm")
    summary = job.run(source, root / "ct-slice")
    image = door.read(source)
    checks = [_equal("CT slice: size", "128 x 128", " x ".join(str(n) for n in image.shape))]
    checks.append(_equal("CT slice: spacing in plane", "0.661 mm", f"{image.geometry.spacing[-1]:.3f} mm"))
    return checks, summary.report


def _real_series(root: Path) -> Part:
    """Real CT series of five slices (DICOM)."""
    source = _shipped("pydicom", "data", "test_files", "dicomdirtests", "98892001", "CT5N")
    summary = job.run(source, root / "ct-series")
    image = door.read(source)
    return [_equal("CT series: size", "5 x 16 x 16", " x ".join(str(n) for n in image.shape))], summary.report


def _gap(root: Path) -> Part:
    """Real CT series with a gap (refused)."""
    source = _shipped("pydicom", "data", "test_files", "dicomdirtests", "77654033", "CT2")
    try:
        job.run(source, root / "ct-gap")
    except IsocenterError as error:
        named = "202.5" in str(error)
        return [
            Check("CT series with a gap", "refused, 202.5 mm named", "refused" + (", 202.5 mm named" if named else ""), named)
        ], None
    return [Check("CT series with a gap", "refused, 202.5 mm named", "accepted", False)], None


def _real_mr(root: Path) -> Part:
    """Real 4D MR (NIfTI)."""
    source = _shipped("nibabel", "tests", "data", "example4d.nii.gz")
    summary = job.run(source, root / "mr-4d", study="mr-generic")
    image = door.read(source)
    checks = [_equal("4D MR: size", "2 x 24 x 96 x 128", " x ".join(str(n) for n in image.shape))]
    with (root / "mr-4d" / "tables" / "tissue_intensity.csv").open(newline="", encoding="utf-8") as handle:
        rows: list[dict[str, Any]] = list(csv.DictReader(handle))
    checks.append(_equal("4D MR: time points measured", "2", str(len(rows))))
    return checks, summary.report


def _equal(name: str, expected: str, found: str) -> Check:
    return Check(name, expected, found, expected == found)
