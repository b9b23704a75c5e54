"""Tiny cohorts of phantoms with boxes and points, as arrays and as files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import numpy as np

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.io import door
from isocenter.learn.places.places import Places
from isocenter.testing.phantoms.ultrasound import ultrasound

Kind = Literal["points", "boxes"]


def head(seed: int) -> tuple[Image, Places]:
    """Return a head in ultrasound and the ends of its axes."""
    generator = np.random.default_rng([seed, 7])
    long, angle = generator.uniform(38.0, 48.0), generator.uniform(-15.0, 15.0)
    short = 0.8 * long
    found = ultrasound((40, 40), (3.2, 3.2), seed=seed, axes=(long, short), angle=angle)
    turn, centre = math.radians(angle), np.array(found.center)
    along, across = np.array([math.sin(turn), math.cos(turn)]), np.array([math.cos(turn), -math.sin(turn)])
    ends = [
        centre - along * long / 3.2,
        centre + along * long / 3.2,
        centre - across * short / 3.2,
        centre + across * short / 3.2,
    ]
    names = ("left", "right", "upper", "lower")
    return found.image, Places("points", np.array(ends), names, found.image.geometry)


def discs(seed: int, axes: int = 2) -> tuple[Image, Places]:
    """Return a noisy picture (or volume) of none to two bright balls, and their boxes."""
    generator = np.random.default_rng([seed, 3])
    shape = (40, 44) if axes == 2 else (16, 24, 24)
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), -1).astype(float)
    array = generator.normal(0.0, 8.0, shape) + generator.normal(0.0, 1.0) * grid[..., -1] / 4.0
    boxes = []
    for _ in range(seed % 3):
        radius = generator.uniform(3.0, 4.5)
        centre = np.array([generator.uniform(6, n - 7) for n in shape])
        array += 60.0 * (np.linalg.norm(grid - centre, axis=-1) <= radius)
        boxes.append([*(centre - radius), *(centre + radius)])
    dims = ("y", "x") if axes == 2 else ("z", "y", "x")
    image = Image(array.astype(np.float32), dims, Geometry.regular(shape, (1.5,) * axes))
    return image, Places("boxes", np.array(boxes).reshape(-1, 2 * axes), ("disc",) * len(boxes), image.geometry)


def write_cohort(root: Path, kind: Kind, count: int, first: int = 0) -> Path:
    """Write images, their tables of places and labels.csv; return the folder."""
    root.mkdir(parents=True)
    rows = ["image,label,patient,site,sex"]
    for k in range(first, first + count):
        image, places = head(k) if kind == "points" else discs(k)
        door.write(image, root / f"c{k:03d}.nii.gz")
        columns = "row,column" if kind == "points" else "row_low,column_low,row_high,column_high"
        lines = [f"label,{columns}"]
        lines += [",".join([n, *(f"{v:.4f}" for v in p)]) for n, p in zip(places.names, places.samples, strict=True)]
        (root / f"c{k:03d}.csv").write_text("\n".join(lines) + "\n")
        rows.append(f"c{k:03d}.nii.gz,c{k:03d}.csv,p{k:03d},{'north' if k % 2 else 'south'},{'F' if k % 3 else 'M'}")
    (root / "labels.csv").write_text("\n".join(rows) + "\n")
    return root
