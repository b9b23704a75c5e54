"""Quality and cost of the ready-made segmenters, over whole sets: ``make figures`` (three minutes).

Prints one row per set: what it was run on, the scores against the truth there, and nanoseconds per sample. Sets that
are not on this machine are left out. None of the figures is held out: thresholds, and the outlines that are fitted to
X-rays, were chosen while looking at results on these same sets.
"""

from __future__ import annotations

import csv
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Picture

import isocenter as iso
from isocenter.core.families import Segmenter
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.kernels.labels import keep_largest
from isocenter.testing.phantoms.brain_mr import brain_mr
from isocenter.testing.phantoms.chest_ct import LARGE, chest_ct
from isocenter.testing.phantoms.fundus import fundus
from isocenter.testing.phantoms.ultrasound import ultrasound
from isocenter.testing.phantoms.vessel_tree import vessel_tree

Array = npt.NDArray[Any]


def dice(first: Array, second: Array) -> float:
    """Return the Dice similarity coefficient of two masks."""
    return 2.0 * float((first & second).sum()) / max(float(first.sum() + second.sum()), 1.0)


def matched(found: Array, truth: Array) -> tuple[float, int, int]:
    """Return F1 of objects that overlap by more than half (intersection over union), and how many there are in each."""
    truth = np.unique(np.append(0, truth.ravel()), return_inverse=True)[1][1:].reshape(truth.shape)
    table = np.zeros((int(found.max()) + 1, int(truth.max()) + 1))
    np.add.at(table, (found.ravel(), truth.ravel()), 1.0)
    union = table.sum(axis=1)[:, None] + table.sum(axis=0)[None] - table
    hits = int((table[1:, 1:] > 0.5 * union[1:, 1:]).sum())
    return 2.0 * hits / max(sum(table.shape) - 2, 1), table.shape[0] - 1, table.shape[1] - 1


def picture(array: Array) -> Image:
    """Return an image of a grey or colour (last axis) picture."""
    if array.ndim == 2:
        return Image(array, ("y", "x"), Geometry.pixels(array.shape))
    return Image(np.ascontiguousarray(np.moveaxis(array[..., :3], -1, 0)), ("c", "y", "x"), Geometry.pixels(array.shape[:2]))


def timed(operation: Segmenter, image: Image) -> tuple[Array, float]:
    """Return the labels, and the CPU nanoseconds per sample that they took."""
    start = time.process_time()
    labels = np.asarray(operation(image, threads=1).array)
    return labels, (time.process_time() - start) * 1e9 / labels.size


def radiographs(folder: Path) -> Iterator[str]:
    operation = iso.op("segment.lungs")
    scores, costs = [], []
    for file in sorted((folder / "images").glob("*.png")):
        truth = np.asarray(Picture.open(folder / "masks" / file.name).convert("L")) > 127
        found, cost = timed(operation, picture(np.asarray(Picture.open(file).convert("L"))))
        scores.append(dice(found > 0, truth))
        costs.append(cost)
    yield f"segment.lungs    {len(scores)} chest X-rays: Dice {np.mean(scores):.4f}, least {min(scores):.3f}; {np.median(costs):.0f} ns"


def microscopy(folder: Path) -> Iterator[str]:
    operation = iso.op("segment.nuclei")
    with (folder / "labels.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    for name, stains in (("fluorescence", {"fluo"}), ("stained and bright field", {"he", "bf"})):
        scores, costs = [], []
        for row in rows:
            if row["stain"] not in stains:
                continue
            array, truth = (np.asarray(Picture.open(folder / part / row["file"])) for part in ("images", "labels"))
            found, cost = timed(operation, picture(array))
            scores.append((dice(found > 0, truth > 0), *matched(found, truth)))
            costs.append(cost)
        overlap, agreement, seen, real = np.mean(scores, axis=0)
        yield (
            f"segment.nuclei   {len(scores)} {name}: Dice {overlap:.4f}, F1 {agreement:.4f}, count {100 * (seen / real - 1):+.1f} %; "
            f"{np.median(costs):.0f} ns"
        )


def phantoms(_: Path) -> Iterator[str]:
    options: list[dict[str, Any]] = [{}, {"prone": True}, {"tilt": 15.0}, {"noise": 60.0, "contrast": True}, {"effusion": 0.3}]
    scans = [chest_ct(*LARGE, **kwargs) for kwargs in options]
    for name, part in (("segment.body", "body"), ("segment.lungs", "lungs")):
        results = [(timed(iso.op(name), scan.image), scan.region(part)) for scan in scans]
        scores = [dice(found > 0, truth) for (found, _), truth in results]
        volumes = [100.0 * (float((found > 0).sum()) / float(truth.sum()) - 1.0) for (found, _), truth in results]
        cost = np.median([c for (_, c), _ in results])
        yield f"{name:16} {len(scans)} phantoms: Dice at least {min(scores):.4f}, volume {min(volumes):+.1f} to {max(volumes):+.1f} %; {cost:.0f} ns"
    hits = total = others = 0
    costs = []
    for scan in scans:
        found, cost = timed(iso.op("segment.nodule_candidates"), scan.image)
        costs.append(cost)
        seen: set[int] = set()
        for k in range(len(scan.nodules.positions)):
            labels = set(np.unique(found[scan.truth.mask(f"nodule {k + 1}")]).tolist()) - {0}
            hits, total, seen = hits + bool(labels), total + 1, seen | labels
        others += int(found.max()) - len(seen)
    yield f"segment.nodule_candidates {hits} of {total} nodules, {others / len(scans):.1f} others a scan; {np.median(costs):.0f} ns"
    scan = chest_ct(*LARGE, tumour=True, nodules=())
    found, cost = timed(iso.op("segment.tumour_candidates"), scan.image)
    yield f"segment.tumour_candidates wall mass: Dice {dice(found == 1, scan.region('tumour')):.3f}, {int(found.max()) - 1} others; {cost:.0f} ns"


def heads(folder: Path) -> Iterator[str]:
    scores = []
    for path in sorted(folder.glob("*_image.png")):
        drawn = np.asarray(iso.read(path.with_name(path.name.replace("_image", "_mask"))).array) > 0
        truth = keep_largest(drawn)  # a bar of one sample in column 0 is part of every drawn mask
        scores.append(dice(np.asarray(iso.op("segment.head_ellipse")(iso.read(path)).array) > 0, truth))
    yield f"segment.head_ellipse {len(scores)} pictures: Dice {np.mean(scores):.4f}, least {min(scores):.4f}"


def heads_of_phantoms(_: Path) -> Iterator[str]:
    options: list[dict[str, Any]] = [{}, {"axes": (52.0, 45.0), "angle": 60.0}, {"axes": (40.0, 30.0)}, {"spacing": (0.4, 0.6)}]
    errors = []
    for given in options:
        phantom = ultrasound(**given)
        note = iso.op("segment.head_ellipse")(phantom.image).provenance.steps[-1].notes[0]
        errors.append(100.0 * (float(note.split("HC ")[1].split()[0]) / phantom.circumference - 1.0))
    yield f"segment.head_ellipse {len(options)} phantoms: circumference {min(errors):+.1f} to {max(errors):+.1f} %"


def other_phantoms(_: Path) -> Iterator[str]:
    scan, head = chest_ct(), brain_mr()
    eyes = [fundus(seed=seed) for seed in range(4)]
    trees = [vessel_tree(seed=seed) for seed in range(4)]
    brain = (np.asarray(head.truth.array) > 0) & ~head.region("scalp") & ~head.region("skull")
    rows: list[tuple[str, list[tuple[Image, Array]]]] = [
        ("airway", [(scan.image, scan.region("airway"))]),
        ("bone", [(scan.image, scan.region("bone"))]),
        ("skull_strip", [(head.image, brain)]),
        ("fundus_view", [(eye.image, np.asarray(eye.truth.one("field of view").array) > 0) for eye in eyes]),
        ("optic_disc", [(eye.image, np.asarray(eye.truth.one("optic disc").array) > 0) for eye in eyes]),
        ("vessels", [(tree.image, np.asarray(tree.truth.array) > 0) for tree in trees]),
    ]
    for name, pairs in rows:
        scores = [dice(np.asarray(iso.op(f"segment.{name}")(image).array) > 0, truth) for image, truth in pairs]
        yield f"segment.{name:12} {len(scores)} phantoms: Dice {np.mean(scores):.3f}, least {min(scores):.3f}"


def real_scans(data: Path) -> Iterator[str]:
    """Volumes and notes where no truth is known: they were looked at."""
    trunk, cropped = data / "ct_totalseg/example_ct_sm.nii.gz", data / "ct_totalseg/pulmonary/ct_cropped.nii.gz"
    tumour = data / "ibsi/1_ct_phantom/image/phantom.nii.gz"
    pairs = [(trunk, "body"), (trunk, "bone"), (tumour, "lungs"), (cropped, "lungs")]
    pairs += [(path, "tumour_candidates") for path in (trunk, tumour, cropped)]
    for path, name in pairs:
        image = iso.read(path).replace(quantity="HU", modality="CT")
        result = iso.op(f"segment.{name}")(image)
        voxel = image.geometry.voxel_size / 1000.0
        found = [f"{voxel * float(n):.0f} ml" for n in np.bincount(np.asarray(result.array).ravel())[1:]]
        yield f"segment.{name} {path.parent.name}/{path.name}: {', '.join(found) or 'nothing'}. {' '.join(result.provenance.steps[-1].notes)}"
    with tempfile.TemporaryDirectory() as folder:
        shutil.unpack_archive(data / "brain_mr/t1_structural_dicom.tar.xz", folder)
        head = iso.read(folder)
    brain = np.asarray(iso.op("segment.skull_strip")(head).array)
    yield f"segment.skull_strip brain_mr/t1: {float(brain.sum()) * head.geometry.voxel_size / 1000.0:.0f} ml"


def main() -> None:
    """Print the table."""
    shared = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parents[2] / "shared")
    sets: list[tuple[Path, Callable[[Path], Iterator[str]]]] = [
        (Path(), phantoms),
        (Path(), other_phantoms),
        (Path(), heads_of_phantoms),
        (shared / "data", real_scans),
        (shared / "data/fetal_head", heads),
        (shared / "data/cxr_lungs", radiographs),
        (shared / "data/nuclei", microscopy),
    ]
    for folder, rows in sets:
        if folder.exists():
            for row in rows(folder):
                print(row, flush=True)


if __name__ == "__main__":
    main()
