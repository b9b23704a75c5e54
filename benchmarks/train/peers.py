"""The same cases, the same CPU seconds, one thread: isocenter's U-Net beside nnU-Net v2 and MONAI, scored by one function.

    .venvs/bench/bin/python -m benchmarks.train.peers [--set lungfields nuclei] [--budget 300] [--only NAME]

Each contestant first takes a few steps, so that the number of rounds is known which ends within the budget; then it trains anew,
from its first import on, with that number. The test fold is that of ``benchmarks.train.lungfields`` and ``nuclei`` (seed 0, fold 0)
and is looked at once. What is done already is kept in ``.train/peers`` and not done again.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

import isocenter as iso
from benchmarks.train.common import ROOT, data_folder, stratified_folds
from benchmarks.train.contest import Array, Job, write_cases
from isocenter.core.geometry import Geometry
from isocenter.kernels.bootstrap import mean_interval
from isocenter.kernels.surface_distance import boundary_distances


@dataclass(frozen=True)
class Contestant:
    """Who trains, how, and how the cost of a round is tried: with which options, and how many such rounds make one."""

    name: str
    module: str
    options: dict[str, Any] = field(default_factory=dict)
    trial: dict[str, Any] = field(default_factory=dict)
    times: float = 1.0


def _contestants(budget: float) -> tuple[Contestant, ...]:
    """Return who trains; a round is an epoch of 18 steps, of 4 steps, and of all cases."""
    own: dict[str, Any] = {"steps": 18, "budget": budget}
    nnunet: dict[str, Any] = {"steps": 4, "batch": 2}
    monai: dict[str, Any] = {"network": "unet", "batch": 8}
    return (
        Contestant("isocenter", "ours", own | {"precision": "bfloat16"}, {"steps": 3}, 6.0),
        Contestant("nnU-Net v2, 2d, bfloat16", "nnunet", nnunet | {"precision": "bfloat16"}, {"steps": 1}, 4.0),
        Contestant("MONAI U-Net", "monai_unet", monai | {"precision": "float32"}, {"cases": 40}, 4.0),
        Contestant("isocenter, float32", "ours", own | {"precision": "float32"}, {"steps": 3}, 6.0),
        Contestant("nnU-Net v2, 2d", "nnunet", nnunet | {"precision": "float32"}, {"steps": 1}, 4.0),
        Contestant("MONAI U-Net, bfloat16", "monai_unet", monai | {"precision": "bfloat16"}, {"cases": 40}, 4.0),
        Contestant(
            "MONAI SegResNet, bfloat16",
            "monai_unet",
            {"network": "segresnet", "batch": 4, "precision": "bfloat16"},
            {"cases": 20},
            8.0,
        ),
    )


#: Rounds of a trial.
TRIAL = 4

SETS = ("lungfields", "nuclei")


def main() -> None:
    parser = argparse.ArgumentParser(description="Train with the same cases and CPU seconds as peers do.")
    parser.add_argument("--out", type=Path, default=ROOT / ".train" / "peers")
    parser.add_argument("--set", nargs="+", choices=SETS, default=["lungfields"], dest="sets")
    parser.add_argument("--budget", type=float, default=300.0, help="CPU seconds of each training")
    parser.add_argument("--only", nargs="+", default=[], help="names of contestants; all without it")
    options = parser.parse_args()
    for name in options.sets:
        place = options.out / f"{name}-{options.budget:g}"
        mirror = _lungfields(place / "cases") if name == "lungfields" else _nuclei(place / "cases")
        rows: dict[str, dict[str, Any]] = {}
        for contestant in _contestants(options.budget):
            if not options.only or contestant.name in options.only:
                rows[contestant.name] = contested(contestant, place, options.budget, mirror)
                print(f"{contestant.name}: {_brief(rows[contestant.name])}", flush=True)
        print(f"\n{name}, {options.budget:g} CPU seconds, one thread\n\n{table(rows)}")


def contested(contestant: Contestant, place: Path, budget: float, mirror: tuple[int, ...]) -> dict[str, Any]:
    """Return the scores and the cost of a contestant; train it where they are missing."""
    folder = place / contestant.name.replace(" ", "-").replace(",", "")
    done = folder / "result.json"
    if done.exists():
        loaded: dict[str, Any] = json.loads(done.read_text(encoding="utf-8"))
        return loaded
    job = Job(place / "cases", folder, TRIAL, 0, False, mirror, contestant.options)
    if not _prepared(contestant, job, place):
        return {"missing": True}
    trial = _run(contestant, replace(job, out=folder / "trial", options=contestant.options | contestant.trial), place)
    if trial is None:
        return {"missing": True}
    marks = trial["marks"]
    each = contestant.times * (marks[-2] - marks[1]) / (TRIAL - 2)  # the first round warms up, the last one may validate
    rounds = max(int((0.97 * budget - marks[0]) / each), 1)
    print(f"{contestant.name}: {marks[0]:.1f} s before the first of {rounds} rounds of {each:.2f} s", flush=True)
    facts = _run(contestant, replace(job, rounds=rounds, predict=True), place)
    assert facts is not None  # it could be run a minute ago
    result = {k: v for k, v in facts.items() if k != "marks"} | {"cpu": facts["marks"][-1], "rounds": rounds}
    result |= scores(job, {k: np.load(folder / f"labels-{k:03d}.npy") for k in job.fold()["test"]})
    done.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return result


def scores(job: Job, found: Mapping[int, Array]) -> dict[str, list[float]]:
    """Return Dice and the 95th percentile of the surface distance of the foreground of each test case."""
    dice, far = [], []
    for case, labels in sorted(found.items()):
        p, t = labels > 0, job.truth(case) > 0
        dice.append(2.0 * float((p & t).sum()) / max(float(p.sum() + t.sum()), 1.0))
        grid = Geometry.pixels(t.shape)
        if p.any() and t.any():
            one, two = boundary_distances(p, t, grid)
            far.append(float(max(np.percentile(one, 95), np.percentile(two, 95))))
        else:
            far.append(0.0 if p.any() == t.any() else grid.diagonal)
    return {"dice": dice, "hd95": far}


def table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the contestants as a Markdown table; differences are those of the first one less the others, case by case."""
    lines = [
        "| who | Dice | first less this | HD95, px | first less this | batch | steps | CPU s | peak MiB | CPU ms an image used |",
        "| --- | --- | --- | --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    first: Mapping[str, Any] | None = None
    for name, row in rows.items():
        if row.get("missing"):
            lines.append(f"| {name} | not installed | | | | | | | | |")
            continue
        first = row if first is None else first
        cells = []
        for key, digits in (("dice", 4), ("hd95", 2)):
            apart = None if row is first else np.subtract(first[key], row[key])
            cells += [_mean(row[key], digits), "" if apart is None else _mean(apart, digits)]
        used = 1000.0 * row["predict"] / len(row["dice"])
        cells += [f"{row['batch']}", f"{row['steps']}", f"{row['cpu']:.0f}", f"{row['peak_mib']:.0f}", f"{used:.0f}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _mean(values: Sequence[float] | Array, digits: int) -> str:
    interval = mean_interval(values)
    shown = "" if interval is None else f" ({interval[0]:.{digits}f} to {interval[1]:.{digits}f})"
    return f"{float(np.mean(values)):.{digits}f}{shown}"


def _brief(row: Mapping[str, Any]) -> str:
    if row.get("missing"):
        return "not installed"
    return f"Dice {np.mean(row['dice']):.4f}, HD95 {np.mean(row['hd95']):.2f}, {row['steps']} steps, {row['cpu']:.0f} CPU s"


def _environment(place: Path) -> dict[str, str]:
    """Return one thread for all libraries, and the folders that nnU-Net asks for."""
    found = dict(os.environ) | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "nnUNet_n_proc_DA": "0", "nnUNet_def_n_proc": "1"}
    return found | {f"nnUNet_{part}": str(place / "nnunet" / part) for part in ("raw", "preprocessed", "results")}


def _prepared(contestant: Contestant, job: Job, place: Path) -> bool:
    """Let nnU-Net plan and preprocess once; the others do all within their training."""
    if contestant.module != "nnunet" or (place / "nnunet" / "done").exists():
        return True
    for part in ("raw", "preprocessed", "results"):
        shutil.rmtree(place / "nnunet" / part, ignore_errors=True)
        (place / "nnunet" / part).mkdir(parents=True)
    if _started(contestant, job, place, "--prepare") is None:
        return False
    (place / "nnunet" / "done").touch()
    return True


def _run(contestant: Contestant, job: Job, place: Path) -> dict[str, Any] | None:
    if _started(contestant, job, place) is None:
        return None
    loaded: dict[str, Any] = json.loads((job.out / "facts.json").read_text(encoding="utf-8"))
    return loaded


def _started(contestant: Contestant, job: Job, place: Path, *arguments: str) -> str | None:
    """Run a contestant and return what it printed; None where its package is not installed."""
    job.out.mkdir(parents=True, exist_ok=True)
    job.write(job.out / "job.json")
    module = f"benchmarks.train.contestants.{contestant.module}"
    command = [sys.executable, "-W", "ignore", "-m", module, str(job.out / "job.json"), *arguments]
    environment = _environment(place) | ({"nnUNet_n_proc_DA": "1"} if arguments else {})  # its planner wants one at least
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    (job.out / "log.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    if "ModuleNotFoundError" in done.stderr:
        return None
    if done.returncode:
        raise SystemExit(f"{contestant.name} failed; see {job.out / 'log.txt'}:\n{done.stderr[-2000:]}")
    return done.stdout


def _lungfields(folder: Path) -> tuple[int, ...]:
    """Write the lung fields as cases, and return the axes along which they may be mirrored."""
    data = data_folder("cxr_lungs")
    rows = list(csv.DictReader((data / "labels.csv").open()))
    images = [np.asarray(iso.read(data / "images" / r["file"]).array) for r in rows]
    truths = [(np.asarray(iso.read(data / "masks" / r["file"]).array) > 127).astype(np.uint8) for r in rows]
    _write(folder, images, truths, [f"{r['source']} {r['label']}" for r in rows])
    return (1,)


def _nuclei(folder: Path) -> tuple[int, ...]:
    """Write the nuclei as cases: the foreground, one channel in which they are bright."""
    from benchmarks.train.nuclei import ready

    data = data_folder("nuclei")
    rows = list(csv.DictReader((data / "labels.csv").open()))
    images = [np.asarray(ready(iso.read(data / "images" / r["file"])).array) for r in rows]
    truths = [(np.asarray(iso.read(data / "labels" / r["file"]).array) > 0).astype(np.uint8) for r in rows]
    _write(folder, images, truths, [r["stain"] for r in rows])
    return (0, 1)


def _write(folder: Path, images: Sequence[Array], truths: Sequence[Array], strata: Sequence[str]) -> None:
    """Write cases with the fold of ``benchmarks.train.lungfields``: seed 0, fold 0, an eighth of the training part held out."""
    test = stratified_folds(strata, 5, 0)[0]
    train = [k for k in range(len(images)) if k not in test]
    held = [train[k] for k in stratified_folds([strata[k] for k in train], 8, 1)[0]]
    write_cases(folder, images, truths, {"train": train, "held": held, "test": test})


if __name__ == "__main__":
    main()
