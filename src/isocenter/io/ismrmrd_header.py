"""Headers of ISMRM raw data: of every acquisition, and of the encoding, as values that were checked.

References
----------
S.J. Inati et al., ISMRM Raw data format, Magn. Reson. Med. 77 (2017) 411-421; the schema ismrmrd.xsd.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import FormatError
from isocenter.core.geometry import Geometry
from isocenter.io.text import one_line

__all__ = ["Encoding", "Heads", "encoding_of", "image_grid"]

Whole = npt.NDArray[np.int64]
LARGEST = 1 << 20


@dataclass(frozen=True)
class Heads:
    """Headers of all acquisitions.

    Parameters
    ----------
    whole
        Flags, scan counter, time stamp, samples, coils, first and last samples to discard, centre sample, encoding
        space, dimensions of the trajectory, and nine loop counters.
    real
        Microseconds a sample, position (mm), directions of readout, phase and slice encoding.
    """

    whole: Whole
    real: npt.NDArray[np.float64]
    WHOLE: ClassVar[int] = 19
    REAL: ClassVar[int] = 13

    def __len__(self) -> int:
        return len(self.whole)

    flags = property(lambda self: self.whole[:, 0])
    samples = property(lambda self: self.whole[:, 3])
    coils = property(lambda self: self.whole[:, 4])
    centre = property(lambda self: self.whole[:, 7])
    space = property(lambda self: self.whole[:, 8])
    trajectory = property(lambda self: self.whole[:, 9])
    loops = property(lambda self: self.whole[:, 10:19])
    dwell = property(lambda self: self.real[:, 0])
    position = property(lambda self: self.real[:, 1:4])

    def ends(self, rows: Whole) -> tuple[Whole, Whole]:
        """Return the first sample that is kept of some acquisitions, and the one behind the last."""
        return self.whole[rows, 5], self.whole[rows, 3] - self.whole[rows, 6]

    def kept(self, row: int) -> tuple[int, int]:
        """Return the first sample that is kept of an acquisition, and the one behind the last."""
        return int(self.whole[row, 5]), int(self.whole[row, 3] - self.whole[row, 6])

    def check(self, path: Path) -> None:
        """Refuse headers that contradict themselves.

        Raises
        ------
        FormatError
            With the number of the first acquisition that does.
        """
        first, last = self.ends(np.arange(len(self)))
        centre = np.asarray(self.centre)
        used = np.asarray(self.samples) > 0
        bad = used & ((last <= first) | (centre < first) | (centre >= last))
        bad |= used & (np.asarray(self.coils) < 1) | (np.asarray(self.trajectory) > 4) | ~np.isfinite(self.real).all(axis=1)
        if bad.any():
            k = int(np.argmax(bad))
            raise FormatError(
                f"{path.name}: acquisition {k + 1} of {int(self.samples[k])} samples keeps {int(first[k])} to {int(last[k])} around {int(centre[k])} of "
                f"{int(self.coils[k])} channels: expected a centre inside, a channel and finite numbers; get a sound copy."
            )


@dataclass(frozen=True)
class Encoding:
    """One encoding space, axes in the order readout, phase, slice.

    Attributes
    ----------
    trajectory
        ``cartesian`` (EPI included, once its lines are turned round), ``radial``, ``spiral`` ...
    matrix, field
        Samples and mm of the encoded space.
    image_matrix, image_field
        Of the image to be reconstructed.
    centres
        Counter of the centre of k-space along each axis.
    sequence
        Numbers of the sequence, with unit in their names.
    """

    trajectory: str
    matrix: tuple[int, int, int]
    field: tuple[float, float, float]
    image_matrix: tuple[int, int, int]
    image_field: tuple[float, float, float]
    centres: tuple[int, int, int]
    sequence: Mapping[str, float]

    def per_mm(self, trajectory: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return coordinates in 1/mm of those in cycles per sample (-0.5 to 0.5) or per field of view."""
        if not np.isfinite(trajectory).all():
            trajectory = np.nan_to_num(trajectory, nan=0.0, posinf=0.0, neginf=0.0)
        dims = min(3, trajectory.shape[-1])
        cycles = float(np.abs(trajectory[..., :dims]).max(initial=0.0)) <= 0.51
        scale = np.array([(m if cycles else 1.0) / f for m, f in zip(self.matrix, self.field, strict=True)][:dims], np.float32)
        return trajectory[..., :dims] * scale

    def facts(self, heads: Heads, rows: Whole) -> dict[str, Any]:
        """Return what the acquisition states."""
        return {
            "encoded_matrix": list(self.matrix[::-1]), "encoded_field_of_view": list(self.field[::-1]),
            "readout_oversampling": self.field[0] / self.image_field[0],
            "dwell_time": float(heads.dwell[rows[0]]) * 1e-6, **self.sequence,
        }  # fmt: skip


def _number(fields: Mapping[str, Sequence[str]], key: str, space: int, path: Path, default: float | None = None) -> float:
    found = fields.get(key, ())
    text = found[space] if space < len(found) else ""
    try:
        value = float(text) if len(text) < 40 and "_" not in text else math.nan
    except ValueError:
        value = default if default is not None and not text else math.nan
    if not math.isfinite(value) or not 0 <= value <= LARGEST:
        raise FormatError(
            f"{path.name}: {key} of its XML header is {one_line(text, 24)!r}: expected a number from 0 to {LARGEST}; get a sound copy."
        )
    return value


def encoding_of(fields: Mapping[str, Sequence[str]], space: int, path: Path) -> Encoding:
    """Return an encoding space of the XML header.

    Parameters
    ----------
    fields
        From `isocenter.io.plain_xml.leaves`.
    space
        Its number.
    path
        The file, for the message.

    Raises
    ------
    FormatError
        If a size is missing or impossible.
    """

    def three(kind: str, what: str) -> tuple[float, float, float]:
        x, y, z = (_number(fields, f"encoding/{kind}/{what}/{axis}", space, path) for axis in "xyz")
        if min(x, y, z) <= 0:
            raise FormatError(
                f"{path.name}: {kind} of {x:g} x {y:g} x {z:g} in its XML header: expected more than 0 along each axis."
            )
        return x, y, z

    def whole(kind: str) -> tuple[int, int, int]:
        x, y, z = three(kind, "matrixSize")
        return int(x), int(y), int(z)

    found = fields.get("encoding/trajectory", ())
    kind = one_line(found[space] if space < len(found) else "", 24).lower()
    sequence = {}
    for name, key in (
        ("TR", "repetition_time_ms"),
        ("TE", "echo_time_ms"),
        ("TI", "inversion_time_ms"),
        ("flipAngle_deg", "flip_angle_degrees"),
    ):
        if fields.get(f"sequenceParameters/{name}"):
            sequence[key] = _number(fields, f"sequenceParameters/{name}", 0, path)
    if fields.get("acquisitionSystemInformation/systemFieldStrength_T"):
        sequence["field_strength"] = _number(fields, "acquisitionSystemInformation/systemFieldStrength_T", 0, path)
    matrix = whole("encodedSpace")
    centres = [matrix[0] // 2]
    for k, name in ((1, "kspace_encoding_step_1"), (2, "kspace_encoding_step_2")):
        centres.append(int(_number(fields, f"encoding/encodingLimits/{name}/center", space, path, float(matrix[k] // 2))))
    return Encoding(
        "cartesian" if kind in ("cartesian", "epi") else kind or "unknown", matrix, three("encodedSpace", "fieldOfView_mm"), whole("reconSpace"),
        three("reconSpace", "fieldOfView_mm"), (centres[0], centres[1], centres[2]), sequence,
    )  # fmt: skip


def image_grid(heads: Heads, rows: Whole, slices: Whole, encoding: Encoding) -> Geometry | None:
    """Return the grid of the image to be reconstructed, None where the acquisitions state no common one.

    The sample of index n // 2 along every encoded axis lies at the stated position, as the Fourier transform has it.
    """
    firsts = [int(rows[np.flatnonzero(slices == s)[0]]) for s in np.unique(slices)]
    axes = heads.real[firsts, 4:13].reshape(len(firsts), 3, 3)  # readout, phase, slice
    if not np.allclose(axes, axes[:1], atol=1e-4) or not np.allclose(axes[0] @ axes[0].T, np.eye(3), atol=1e-3):
        return None
    nx, ny, nz = encoding.image_matrix
    steps = [f / n for f, n in zip(encoding.image_field, (nx, ny, nz), strict=True)]
    places = np.asarray(heads.position)[firsts]
    through = axes[0, 2] * steps[2]
    depth, start = nz, places[0] - through * (nz // 2)
    if len(firsts) > 1:
        gaps = np.diff(places, axis=0)
        if nz > 1 or not np.allclose(gaps, gaps[:1], atol=1e-3) or np.linalg.norm(gaps[0]) < 1e-3:
            return None
        through, depth, start = gaps[0], len(firsts), places[0]
    affine = np.zeros((4, 4))
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = through, axes[0, 1] * steps[1], axes[0, 0] * steps[0]
    affine[:3, 3] = start - affine[:3, 1] * (ny // 2) - affine[:3, 2] * (nx // 2)
    affine[3, 3] = 1.0
    return Geometry((depth, ny, nx), affine)
