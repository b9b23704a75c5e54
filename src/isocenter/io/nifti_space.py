"""Where NIfTI voxels lie: qform, sform and units to a `Geometry`, and back.

References
----------
R.W. Cox et al., NIfTI-1 data format (nifti1.h), methods 1 to 3 of "3D image (volume) orientation".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import GeometryError
from isocenter.core.geometry import Geometry
from isocenter.core.image import SPATIAL
from isocenter.io.inventory import Problem
from isocenter.io.nifti_header import Header

__all__ = ["RAS", "Space", "from_grid", "to_grid"]

FloatArray = npt.NDArray[np.float64]

#: What turns a position in LPS into one in RAS, and back.
RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
MILLIMETRES = {1: 1000.0, 2: 1.0, 3: 0.001}
UNIT_NAMES = {1: "metres", 2: "millimetres", 3: "micrometres"}
#: mm between the corners of two grids up to which they count as one.
TOLERANCE = 1e-3


def _fault(name: str, what: str, expected: str) -> GeometryError:
    return GeometryError(f"{name}: {what}: expected {expected}; correct the header with a tool that knows where it came from.")


def _columns(matrix: FloatArray, dims: Sequence[str]) -> FloatArray:
    """Return the columns of an (i j k origin) matrix that belong to the spatial `dims`, in array order."""
    return matrix[:, [*["xyz".index(d) for d in dims if d in SPATIAL], 3]]


def _rotation(a: float, b: float, c: float, d: float) -> FloatArray:
    """Return the rotation matrix of a unit quaternion."""
    return np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )


def _qform(header: Header, name: str) -> FloatArray:
    """Return the 4 x 4 matrix (RAS) of the quaternion form."""
    b, c, d, x, y, z = header.quaternion
    steps = np.array(header.pixdim[1:4])
    flat = len(header.shape)
    steps[flat:] = np.where(steps[flat:] > 0, steps[flat:], 1.0)  # axes that the image does not have
    if not (np.isfinite(steps) & (steps > 0)).all():
        raise _fault(name, f"pixdim {tuple(header.pixdim[1:4])} of the qform", "positive voxel sizes")
    if not np.isfinite(header.quaternion).all():
        raise _fault(name, f"quaternion {header.quaternion}", "finite numbers")
    norm = b * b + c * c + d * d
    if norm > 1.0 + 1e-5:
        raise _fault(name, f"quaternion ({b:g}, {c:g}, {d:g}) of length {norm**0.5:.6g}", "a rotation, of length 1 at most")
    if norm > 1.0 - 1e-7:  # half a turn: the remaining part would be lost in rounding
        b, c, d, a = b / norm**0.5, c / norm**0.5, d / norm**0.5, 0.0
    else:
        a = (1.0 - norm) ** 0.5
    matrix = np.eye(4)
    matrix[:3, :3] = _rotation(a, b, c, d)
    matrix[:3, :3] *= steps * [1.0, 1.0, -1.0 if header.pixdim[0] < 0 else 1.0]
    matrix[:3, 3] = x, y, z
    return matrix


def _sform(header: Header, name: str) -> FloatArray:
    matrix = np.vstack([header.srow, [0.0, 0.0, 0.0, 1.0]])
    if not np.isfinite(matrix).all():
        raise _fault(name, "the sform holds values that are not finite", "positions in mm")
    return matrix


def _grid(matrix: FloatArray, header: Header, dims: Sequence[str], scale: float, what: str, name: str) -> Geometry:
    shape = dict(zip("xyz", (*header.shape, 1, 1, 1)[:3], strict=True))
    affine = _columns(RAS @ matrix, dims)
    affine[:3] *= scale
    try:
        return Geometry(tuple(shape[d] for d in dims if d in SPATIAL), affine)
    except GeometryError as error:
        raise GeometryError(f"{name}: {what}: {error}") from error


def _sides_swapped(one: Geometry, other: Geometry) -> bool:
    """Return whether two grids put left and right on different sides of the same array."""
    a, b = one.affine[:3, : one.ndim], other.affine[:3, : other.ndim]
    if one.ndim == 3 and np.linalg.det(a) * np.linalg.det(b) < 0:
        return True
    axis = int(np.argmax(np.abs(one.direction[0])))
    return bool(one.direction[0, axis] * other.direction[0, axis] < -0.25)


def _compare(used: Geometry, other: Geometry, name: str) -> Problem | None:
    """Return how the unused qform differs from the sform; refuse where it is about left and right."""
    match = used.matches(other, TOLERANCE)
    if match:
        return None
    if _sides_swapped(used, other):
        raise GeometryError(
            f"{name}: qform and sform disagree about left and right (they lie up to {match.distance:.4g} mm apart): expected "
            "both to agree; find out which is true and correct the other in the header."
        )
    return Problem(
        f"qform and sform differ by up to {match.distance:.4g} mm; the sform is used.",
        f"Software that prefers the qform places the image up to {match.distance:.4g} mm elsewhere.",
    )


def to_grid(header: Header, dims: Sequence[str], name: str, unit: str | None = None) -> tuple[Geometry, list[Problem]]:
    """Return where the voxels lie (LPS, mm, array order), and what should be known about it.

    Parameters
    ----------
    header
        The file's header.
    dims
        Names of the array axes.
    name
        The file's name, for messages.
    unit
        ``px`` where the file says that its image has no pixel size.

    Raises
    ------
    GeometryError
        If no sound geometry can be had, or left and right are in doubt.
    """
    if unit == "px":
        shape = dict(zip("xyz", (*header.shape, 1, 1, 1)[:3], strict=True))
        return Geometry.pixels([shape[d] for d in dims if d in SPATIAL]), []
    problems: list[Problem] = []
    code = header.units & 7
    scale = MILLIMETRES.get(code, 1.0)
    if code not in MILLIMETRES:
        problems.append(Problem("The unit of length is not stated; millimetres are taken.", "Sizes are wrong if that is not so."))
    elif scale != 1.0:
        problems.append(Problem(f"Lengths are in {UNIT_NAMES[code]}; they were converted to millimetres."))
    if header.sform > 0:
        geometry = _grid(_sform(header, name), header, dims, scale, "sform", name)
        problems += _beside(geometry, header, dims, scale, name)
    elif header.qform > 0:
        geometry = _grid(_qform(header, name), header, dims, scale, "qform", name)
    else:
        steps = np.array([header.pixdim[1 + "xyz".index(d)] for d in dims if d in SPATIAL])
        if not (np.isfinite(steps) & (steps > 0)).all():
            raise _fault(name, f"pixdim {tuple(header.pixdim[1:4])} and neither qform nor sform", "positive voxel sizes")
        matrix = np.diag([*[s if np.isfinite(s) and s > 0 else 1.0 for s in header.pixdim[1:4]], 1.0])
        geometry = _grid(matrix, header, dims, scale, "pixdim", name)
        problems.append(
            Problem(
                "Orientation unknown: neither qform nor sform is set.",
                "Left and right, and the position in the patient, are not known; sizes in mm are.",
            )
        )
    if not geometry.is_orthogonal:
        problems.append(Problem(f"The axes are {geometry.shear:.3g} degrees off a right angle; the sheared grid is kept."))
    return geometry, problems


def _beside(geometry: Geometry, header: Header, dims: Sequence[str], scale: float, name: str) -> list[Problem]:
    """Return how the rest of the header contradicts the sform that is used."""
    if header.qform > 0:
        try:
            other = _grid(_qform(header, name), header, dims, scale, "qform", name)
        except GeometryError:
            return [
                Problem(
                    "The qform is not a rotation; the sform is used.", "Software that prefers the qform may refuse the image."
                )
            ]
        found = _compare(geometry, other, name)
        return [] if found is None else [found]
    steps = np.array([abs(header.pixdim[1 + "xyz".index(d)]) * scale for d in dims if d in SPATIAL])
    if np.allclose(steps, geometry.spacing, rtol=1e-3, atol=0):
        return []
    shown = " x ".join(f"{s:.4g}" for s in steps)
    used = " x ".join(f"{s:.4g}" for s in geometry.spacing)
    return [Problem(f"The voxel sizes of pixdim ({shown} mm) are not those of the sform ({used} mm), which is used.")]


# -- back -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Space:
    """The spatial fields of a header that is to be written."""

    pixdim: tuple[float, float, float, float]
    qform: Literal[0, 1]
    quaternion: tuple[float, ...]
    sform: Literal[0, 1]
    srow: FloatArray


def _completed(geometry: Geometry) -> FloatArray:
    """Return a 4 x 4 matrix (LPS; columns i j k origin), missing axes as unit steps at right angles."""
    n = geometry.ndim
    steps = geometry.affine[:3, :n][:, ::-1]
    if n < 3:
        basis, _ = np.linalg.qr(np.column_stack([steps, np.eye(3)]))
        steps = np.column_stack([steps, basis[:, n:3]])
        if n == 2 and np.linalg.det(steps) < 0:
            steps[:, 2] *= -1.0
    matrix = np.eye(4)
    matrix[:3, :3] = steps
    matrix[:3, 3] = geometry.origin
    return matrix


def _quaternion(rotation: FloatArray) -> tuple[float, float, float]:
    """Return (b, c, d) of a rotation matrix, with a >= 0.

    The largest of the four squares is taken first, so that nothing is divided by a small number.
    """
    r = rotation
    squares = [1 + r[0, 0] + r[1, 1] + r[2, 2], 1 + r[0, 0] - r[1, 1] - r[2, 2],
               1 - r[0, 0] + r[1, 1] - r[2, 2], 1 - r[0, 0] - r[1, 1] + r[2, 2]]  # fmt: skip
    k = int(np.argmax(squares))
    half = 0.5 * squares[k] ** 0.5
    s = 0.25 / half
    q = {
        0: (half, (r[2, 1] - r[1, 2]) * s, (r[0, 2] - r[2, 0]) * s, (r[1, 0] - r[0, 1]) * s),
        1: ((r[2, 1] - r[1, 2]) * s, half, (r[0, 1] + r[1, 0]) * s, (r[0, 2] + r[2, 0]) * s),
        2: ((r[0, 2] - r[2, 0]) * s, (r[0, 1] + r[1, 0]) * s, half, (r[1, 2] + r[2, 1]) * s),
        3: ((r[1, 0] - r[0, 1]) * s, (r[0, 2] + r[2, 0]) * s, (r[1, 2] + r[2, 1]) * s, half),
    }[k]
    sign = -1.0 if q[0] < 0 else 1.0
    return float(sign * q[1]), float(sign * q[2]), float(sign * q[3])


def from_grid(geometry: Geometry) -> Space:
    """Return the spatial fields for a geometry: the sform always, the qform where it says the same."""
    if geometry.unit == "px":
        return Space((1.0, 1.0, 1.0, 1.0), 0, (0.0,) * 6, 0, np.zeros((3, 4)))
    matrix = RAS @ _completed(geometry)
    steps = np.linalg.norm(matrix[:3, :3], axis=0)
    rotation = matrix[:3, :3] / steps
    sign = -1.0 if np.linalg.det(rotation) < 0 else 1.0
    rotation = rotation * [1.0, 1.0, sign]
    u, _, vt = np.linalg.svd(rotation)
    b, c, d = _quaternion(u @ vt)
    quaternion = (b, c, d, *[float(v) for v in matrix[:3, 3]])
    a, e, f = (float(s) for s in steps)
    # The qform serves only where no corner moves by more than the tolerance as a reader will see it: stored in 32 bits,
    # and near half a turn the part that is not stored is what rounding leaves of it, or nothing.
    stored = [float(np.float32(v)) for v in (b, c, d)]
    rest = max(0.0, 1.0 - sum(v * v for v in stored)) ** 0.5
    seen = [_rotation(rest, *stored), *([_rotation(0.0, *stored)] if rest * rest < 4e-7 else [])]
    reach = steps * [max(1, n) for n in (*geometry.shape[::-1], 1, 1)[:3]]
    exact = all(bool((np.abs(one - rotation) @ reach < TOLERANCE / 2).all()) for one in seen)
    return Space((sign, a, e, f), 1 if exact else 0, quaternion if exact else (0.0,) * 6, 1, matrix[:3])
