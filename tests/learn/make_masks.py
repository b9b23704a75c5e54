"""Small cohorts with masks for tests: one noisy disc in each picture, and a table."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

import isocenter as iso
from isocenter.core.labels import LabelMap, Segment

SIDE = 32


def disc(seed: int) -> tuple[iso.Image, LabelMap]:
    """Return a picture of one bright disc on a ground of blocks and noise, and its mask."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    at, size = generator.uniform(11, 21, 2), generator.uniform(5, 7.5)
    inside = np.hypot(y - at[0], x - at[1]) < size
    ground = np.kron(generator.normal(0, 18, (4, 4)), np.ones((SIDE // 4, SIDE // 4)))
    array = np.clip(60 + 90 * inside + ground + generator.normal(0, 12, (SIDE, SIDE)), 0, 255).astype(np.uint8)
    geometry = iso.Geometry.regular((SIDE, SIDE), (1.0, 1.0))
    mask = LabelMap(inside.astype(np.uint8), ("y", "x"), geometry, (Segment(1, "disc"),))
    return iso.Image(array, ("y", "x"), geometry), mask


def discs(folder: Path, count: int = 18, seed: int = 0, sites: str = "") -> Path:
    """Write a cohort of discs, one a patient, sites in turn where they are given, and its table."""
    (folder / "masks").mkdir(parents=True)
    rows = []
    for k in range(count):
        image, mask = disc(1000 * seed + k)
        name = f"p{k:03d}.nii.gz"
        iso.write(image, folder / name)
        iso.write(mask, folder / "masks" / name)
        rows.append((name, f"masks/{name}", f"patient{k}", *((sites[k % len(sites)],) if sites else ())))
    write_table(folder, rows)
    return folder


def write_table(folder: Path, rows: list[tuple[str, ...]]) -> None:
    """Write labels.csv: image, label, patient, and the site where rows have one."""
    with (folder / "labels.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows([("image", "label", "patient", "site")[: len(rows[0])], *rows])


def read_table(folder: Path) -> list[tuple[str, ...]]:
    """Return the rows of labels.csv."""
    with (folder / "labels.csv").open(newline="") as handle:
        return [tuple(row) for row in csv.reader(handle)][1:]
