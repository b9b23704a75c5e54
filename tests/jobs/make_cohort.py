"""Small cohorts for tests: DICOM studies of one phantom each."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.io.dicom.write_series import write_series

STUDY = """\
name: small
steps:
  - {op: denoise.median, with: {radius: 1}, to: smooth}
  - {op: segment.threshold, from: smooth, to: ball, with: {lower: 0}}
  - {op: features.shape, from: [image, ball], to: ball_shape}
  - {op: features.intensity, from: [image, ball], to: ball_intensity}
report:
  labels: [ball]
  key: [volume_mesh, mean]
"""


def ball(seed: int, size: int = 12) -> Image:
    """Return a CT of a noisy ball in air, another one for every seed."""
    rng = np.random.default_rng(seed)
    z, y, x = np.indices((size, size, size)) - (size - 1) / 2
    inside = (2 * z) ** 2 + y**2 + x**2 <= (size / 3 + rng.uniform(-1, 1)) ** 2 * 1.5
    values = np.where(inside, 60, -1000) + rng.normal(0, 12, inside.shape)
    geometry = Geometry.regular(inside.shape, (2.0, 1.0, 1.0), (-5.0, -5.0, -10.0))
    return Image(array=values.round().astype(np.int16), dims=("z", "y", "x"), geometry=geometry, modality="CT", quantity="HU")


def write_cohort(folder: Path, count: int, size: int = 12) -> None:
    """Write `count` DICOM studies of `size` samples along each axis below a folder."""
    for k in range(count):
        identity = {"PatientID": f"P{k:03d}", "PatientName": f"Test^{k}", "StudyInstanceUID": f"1.2.826.0.1.3680043.10.1.{k + 1}"}
        write_series(ball(k, size), folder / f"study{k:02d}", identity=identity)


def tree(folder: Path) -> dict[str, bytes]:
    """Return every result file below a folder by relative path: all but wall-clock facts and the cache."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "run.json" and ".isocenter" not in path.parts
    }
