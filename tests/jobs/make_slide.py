"""A synthesised slide of known truth, and a synthesised EEG: what the tests of slides and signals run on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

from isocenter.core.signal import Signal

#: Micrometres per pixel of the slide's finest level.
MPP = 0.5
RATE = 256.0
CHANNELS = ("Fp1", "Fp2", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8", "T7", "T8")


def section(size: int = 1536, count: int = 120, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a stained section on glass (rows, columns, 3), where tissue is, and the centres (row, column) of its nuclei."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size].astype(np.float32)
    tissue = ((y - 0.5 * size) / (0.36 * size)) ** 2 + ((x - 0.42 * size) / (0.3 * size)) ** 2 < 1
    picture = np.full((size, size, 3), 244.0, np.float32)
    picture[tissue] = (232.0, 170.0, 205.0)
    centers: list[tuple[float, float]] = []
    while len(centers) < count:
        at = rng.uniform(0.1 * size, 0.9 * size, 2)
        inside = ((at[0] - 0.5 * size) / (0.33 * size)) ** 2 + ((at[1] - 0.42 * size) / (0.27 * size)) ** 2 < 1
        if inside and all(np.hypot(*(at - other)) > 40 for other in centers):
            centers.append((float(at[0]), float(at[1])))
    for k, (row, column) in enumerate(centers):
        box = np.s_[int(row) - 16 : int(row) + 17, int(column) - 16 : int(column) + 17]
        wide = 9.0 + k % 3
        picture[box][(((y[box] - row) / 9.0) ** 2 + ((x[box] - column) / wide) ** 2) < 1] = (96.0, 62.0, 150.0)
    noise = rng.normal(0.0, 3.0, picture.shape).astype(np.float32)
    return np.clip(picture + noise, 0, 255).astype(np.uint8), tissue, np.array(centers)


def write_slide(path: Path, picture: np.ndarray, factors: tuple[int, ...] = (1, 4, 16), mpp: float | None = MPP) -> None:
    """Write a picture as a pyramidal TIFF."""
    with tifffile.TiffWriter(path) as writer:
        for factor in factors:
            height, width = picture.shape[0] // factor, picture.shape[1] // factor
            level = picture[: height * factor, : width * factor].astype(np.float32)
            level = level.reshape(height, factor, width, factor, 3).mean(axis=(1, 3)).astype(np.uint8)
            stated = {} if mpp is None else {"resolution": (1e4 / (mpp * factor),) * 2, "resolutionunit": "CENTIMETER"}
            writer.write(
                level,
                tile=(256, 256),
                photometric="rgb",
                metadata=None,
                compression="zlib",
                subfiletype=int(factor > 1),
                **stated,
            )


def eeg(seconds: float = 20.0, seed: int = 0) -> Signal:
    """Return alpha of 10 Hz on every channel, most of all at the back, under bursts of muscle from four places."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    rhythms = np.stack([np.sin(2 * np.pi * f * time + p) for f, p in ((2.5, 0.1), (6.0, 1.0), (10.0, 0.4))])
    weights = 8 * rng.standard_normal((len(CHANNELS), 3))
    weights[:, 2] = np.where([name.startswith("O") for name in CHANNELS], 60.0, 25.0)
    bursts = rng.standard_normal((4, time.size)) * (0.3 + (np.sin(2 * np.pi * 0.2 * time + np.arange(4)[:, None]) > 0.4))
    samples = weights @ rhythms + 20 * rng.standard_normal((len(CHANNELS), 4)) @ bursts
    return Signal(samples + 0.5 * rng.standard_normal(samples.shape), RATE, CHANNELS, "uV")
