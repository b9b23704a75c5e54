"""What the trainings share: where they keep their state, folds, and the table of a score with its interval.

Each fold and seed is a folder with the plan, the last checkpoint, ``curves.csv`` and, when it is done, ``scores.json``. A second call
does only what is missing.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from isocenter.kernels.bootstrap import mean_interval

ROOT = Path(__file__).resolve().parents[2]


def data_folder(name: str) -> Path:
    """Return a set of the shared test data."""
    base = Path(os.environ.get("ISOCENTER_SHARED", ROOT.parent / "shared")).resolve()
    found = base / "data" / name
    if not found.is_dir():
        raise SystemExit(f"{name}: not found below {base}; set ISOCENTER_SHARED to the folder that has data/{name}")
    return found


def arguments(name: str, epochs: int) -> argparse.Namespace:
    """Return the options of a training."""
    parser = argparse.ArgumentParser(description=f"Train and score: {name}.")
    parser.add_argument("--out", type=Path, default=ROOT / ".train" / name)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--folds", type=int, nargs="+", default=None, help="do these only")
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def stratified_folds(strata: Sequence[Any], count: int, seed: int) -> list[list[int]]:
    """Return the test indices of each fold, every stratum spread evenly."""
    generator = np.random.default_rng(seed)
    folds: list[list[int]] = [[] for _ in range(count)]
    offset = 0
    for value in sorted(set(strata)):
        members = generator.permutation([k for k, s in enumerate(strata) if s == value])
        for k, member in enumerate(members):
            folds[(k + offset) % count].append(int(member))
        offset += len(members)
    return [sorted(f) for f in folds]


def once(folder: Path, work: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """Return the scores of a fold; compute and keep them where they are missing."""
    path = folder / "scores.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        found = dict(work())
        partial = folder / "scores.partial"
        partial.write_text(json.dumps(found, indent=1) + "\n")
        partial.replace(path)
        (folder / "last.pt").unlink(missing_ok=True)
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


def line(what: str, values: Sequence[float], groups: Sequence[Any] | None = None) -> str:
    """Return a row of the table: mean, 95 % bootstrap interval over the groups, n."""
    data = np.asarray(values, float)
    interval = mean_interval(data, None if groups is None else np.asarray(groups))
    shown = "" if interval is None else f"{interval[0]:.4f} to {interval[1]:.4f}"
    return f"| {what} | {data.mean():.4f} | {shown} | {len(data)} |"


def told(row: Any) -> None:
    """Print the row of an epoch."""
    scores = " ".join(f"{k} {v:.4f}" for k, v in row.scores.items())
    print(f"  epoch {row.epoch} loss {row.loss:.4f} rate {row.learning_rate:.2e} {scores}", flush=True)
