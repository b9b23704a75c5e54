"""MINC 1 (netCDF) and MINC 2 (HDF5): read, values as the slices' ranges say, geometry from start, step and direction cosines.

MINC's world counts to the Right, Anterior and Superior; here its first two axes change sign. Axes keep the order of the
file, with time and colour put first; a negative step stays one.

References
----------
R.D. Vincent et al., MINC 2.0: a flexible format for multi-modal images, Front. Neuroinform. 10 (2016) 35; MINC reference
manual (valid_range, image-min, image-max, direction_cosines).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import FormatError, GeometryError, UnsupportedError
from isocenter.core.extras import require
from isocenter.core.geometry import Geometry
from isocenter.core.image import DIMS, Image
from isocenter.core.operation import Spec
from isocenter.io import netcdf
from isocenter.io.budget import Budget
from isocenter.io.file_child import FileChild
from isocenter.io.inventory import Item, Problem
from isocenter.io.lazy import sourced
from isocenter.io.text import one_line

__all__ = ["NAME", "SUFFIXES", "inspect", "sniff"]

NAME = "minc"
SUFFIXES: tuple[str, ...] = (".mnc",)
HDF5 = b"\x89HDF\r\n\x1a\n"
SPACE = {"xspace": 0, "yspace": 1, "zspace": 2}
MILLIMETRES = {"mm": 1.0, "": 1.0, "millimetre": 1.0, "millimeter": 1.0, "cm": 10.0, "m": 1000.0, "um": 1e-3, "micron": 1e-3}
MODALITIES = {"mri__": "MR", "pet__": "PT", "ct___": "CT", "spect": "NM"}
SAMPLES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64")


def sniff(head: bytes, path: Path) -> bool:
    """Return whether a file's first bytes are those of netCDF, or of HDF5 under the name of MINC.

    Parameters
    ----------
    head
        The first bytes of the file.
    path
        The file.
    """
    return netcdf.sniff(head) or (head[:8] == HDF5 and path.name.lower().endswith(".mnc"))


@dataclass(frozen=True)
class Volume:
    """What the headers of one image say.

    Attributes
    ----------
    axes
        Name of every axis of the file, slowest first, and its attributes.
    shape, dtype
        Of the stored samples.
    attributes
        Of the image variable.
    limits
        Shapes of ``image-min`` and ``image-max``, which belong to the leading axes.
    modality
        As the file writes it.
    read
        Returns the stored samples, and both limits.
    """

    path: Path
    axes: tuple[tuple[str, Mapping[str, Any]], ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    attributes: Mapping[str, Any]
    limits: Mapping[str, tuple[int, ...]]
    modality: str
    read: Callable[[Volume], tuple[npt.NDArray[Any], dict[str, npt.NDArray[np.float64]]]]

    def wrong(self, what: str, expected: str) -> FormatError:
        """Return the error of a header that cannot be."""
        return FormatError(f"{self.path.name}: {what}: expected {expected}; get a sound copy.")


def _numbers(value: Any, count: int, default: list[float]) -> list[float] | None:
    """Return finite numbers of an attribute, None where it holds something else."""
    if value is None:
        return default
    found = value if isinstance(value, list) else [value]
    if len(found) != count or not all(isinstance(v, int | float) and math.isfinite(v) for v in found):
        return None
    return [float(v) for v in found]


def _axis(volume: Volume, name: str, facts: Mapping[str, Any]) -> tuple[float, float, npt.NDArray[np.float64]]:
    """Return start and step in mm, and the direction (R, A, S), of one spatial axis."""
    cosines = _numbers(facts.get("direction_cosines"), 3, [float(k == SPACE[name]) for k in range(3)])
    start, step = _numbers(facts.get("start"), 1, [0.0]), _numbers(facts.get("step"), 1, [math.nan])
    unit = MILLIMETRES.get(one_line(facts.get("units") or "", 16).strip().lower())
    if cosines is None or start is None or step is None or unit is None:
        raise GeometryError(
            f"{volume.path.name}: start, step, direction_cosines or units of {name} are no numbers in mm: expected them."
        )
    length = math.sqrt(sum(c * c for c in cosines))
    if not math.isfinite(step[0]):
        raise GeometryError(
            f"{volume.path.name}: no step is stated along {name} (mm unknown): expected one; the file is incomplete, convert it again."
        )
    if step[0] == 0 or abs(length - 1) > 1e-2:
        raise GeometryError(
            f"{volume.path.name}: {name} has a step of {step[0]:g} mm and a direction of length {length:g}: expected a step and a length of 1."
        )
    spacing = str(facts.get("spacing") or "regular").lower()
    values = facts.get("values")
    if spacing.startswith("irregular") and not (values and np.allclose(np.diff(values), step[0], atol=1e-3)):
        raise GeometryError(
            f"{volume.path.name}: samples along {name} lie at irregular places (a gap in mm unknown): expected even steps."
        )
    return start[0] * unit, step[0] * unit, np.array(cosines) / length


def _grid(volume: Volume) -> tuple[Geometry, tuple[str, ...], list[int]]:
    """Return the geometry, the dims, and the order in which the file's axes become them."""
    spatial = [k for k, (name, _) in enumerate(volume.axes) if name in SPACE]
    others = {name: k for k, (name, _) in enumerate(volume.axes) if name not in SPACE}
    if not 2 <= len(spatial) <= 3 or not set(others) <= {"time", "vector_dimension"}:
        names = one_line(", ".join(name for name, _ in volume.axes), 120)
        raise UnsupportedError(f"{volume.path.name}: axes {names}: expected two or three of space, with time or colour.")
    columns, origin = [], np.zeros(3)
    present = set()
    for k in spatial:
        name, facts = volume.axes[k]
        start, step, direction = _axis(volume, name, facts)
        columns.append(direction * step)
        origin += direction * start
        present.add(name)
    affine = np.zeros((4, len(spatial) + 1))
    affine[:3] = np.column_stack([*columns, origin])
    affine[:2] *= -1.0  # RAS to LPS
    affine[3, -1] = 1.0
    geometry = Geometry(tuple(volume.shape[k] for k in spatial), affine + 0.0)
    order = [others[n] for n in ("time", "vector_dimension") if n in others] + spatial
    dims = tuple(d for n, d in (("time", "t"), ("vector_dimension", "c")) if n in others) + DIMS[-len(spatial) :]
    return geometry, dims, order


def _range(volume: Volume) -> tuple[float, float]:
    """Return the stored values that the limits of a slice belong to."""
    info = np.iinfo(volume.dtype)
    found = _numbers(volume.attributes.get("valid_range"), 2, [float(info.min), float(info.max)])
    if found is None or found[1] <= found[0]:
        raise volume.wrong("valid_range of the image is no range", "two ascending numbers")
    return found[0], found[1]


def _check_limits(volume: Volume) -> bool:
    """Return whether stored values stand for others."""
    if volume.dtype.kind == "f" or not volume.limits:
        return False
    shapes = {tuple(s) for s in volume.limits.values()}
    if (
        set(volume.limits) != {"image-min", "image-max"}
        or len(shapes) != 1
        or volume.shape[: len(next(iter(shapes)))] != next(iter(shapes))
    ):
        raise volume.wrong("image-min and image-max are not those of its slices", "one of each for the leading axes")
    return True


@dataclass(frozen=True)
class _Load:
    """Reads the samples."""

    volume: Volume
    scaled: bool
    spec: Spec
    order: tuple[int, ...]
    notes: tuple[str, ...]

    def __call__(self) -> Image:
        stored, limits = self.volume.read(self.volume)
        array = stored if not self.scaled else self._values(stored, limits)
        array = np.ascontiguousarray(np.transpose(array, self.order))
        assert self.spec.geometry is not None
        image = Image(
            array,
            self.spec.dims,
            self.spec.geometry,
            modality=self.spec.modality,
            channels=self._channels(array),
            times=self._times(array),
        )
        return sourced(image, NAME, self.notes)

    def _values(self, stored: npt.NDArray[Any], limits: dict[str, npt.NDArray[np.float64]]) -> npt.NDArray[Any]:
        low, high = _range(self.volume)
        least, most = limits["image-min"], limits["image-max"]
        if not (np.isfinite(least).all() and np.isfinite(most).all()):
            raise self.volume.wrong("image-min or image-max is not finite", "numbers")
        out = np.empty(stored.shape, str(self.spec.dtype))
        for place in np.ndindex(least.shape):
            slope = (most[place] - least[place]) / (high - low)
            out[place] = np.clip(stored[place].astype(np.float64), low, high) * slope + (least[place] - low * slope)
        return out

    def _channels(self, array: npt.NDArray[Any]) -> tuple[str, ...] | None:
        if "c" not in self.spec.dims:
            return None
        count = array.shape[self.spec.dims.index("c")]
        return ("red", "green", "blue") if count == 3 else None

    def _times(self, array: npt.NDArray[Any]) -> tuple[float, ...] | None:
        facts: Mapping[str, Any] = next((f for n, f in self.volume.axes if n == "time"), {})
        start, step = _numbers(facts.get("start"), 1, [0.0]), _numbers(facts.get("step"), 1, [0.0])
        if (
            "t" not in self.spec.dims
            or not start
            or not step
            or step[0] <= 0
            or str(facts.get("spacing") or "regular").startswith("irr")
        ):
            return None
        return tuple(start[0] + k * step[0] for k in range(array.shape[0]))


# -- MINC 2 -----------------------------------------------------------------------------------------------


def _hdf5(path: Path, budget: Budget) -> Volume:
    require("h5py", "Reading MINC 2")
    with FileChild("hdf5_worker", {"mode": "minc-header"}, path, "a MINC file", seconds=budget.seconds) as child:
        facts, _ = next(child.messages(0), ({}, bytearray()))
    return _described(path, facts)


def _described(path: Path, facts: Mapping[str, Any]) -> Volume:
    shape = tuple(int(n) for n in facts.get("shape", ()))
    names = [n.strip() for n in str(facts.get("image", {}).get("dimorder") or "").split(",")]
    if len(names) != len(shape) or len(set(names)) != len(names) or not shape or min(shape) < 1:
        raise FormatError(
            f"{path.name}: its image of {' x '.join(str(n) for n in shape)} samples has the axes {one_line(names, 80)}: expected one name for each."
        )
    axes = tuple((name, facts["axes"].get(name, {})) for name in names)
    limits = {n: tuple(s) for n, s in facts["limits"].items()}
    modality = str(facts.get("modality") or "")
    for (name, about), length in zip(axes, shape, strict=True):
        stated = about.get("length")
        if stated is not None and stated != length:
            raise FormatError(
                f"{path.name}: {name} has {stated:g} samples in its header and {length} in the image: expected one; get a sound copy."
            )
    return Volume(path, axes, shape, np.dtype(str(facts["dtype"])), facts["image"], limits, modality, _hdf5_samples)


def _hdf5_samples(volume: Volume) -> tuple[npt.NDArray[Any], dict[str, npt.NDArray[np.float64]]]:
    kind = volume.dtype.newbyteorder("<")
    out = np.empty(volume.shape, kind.newbyteorder("="))
    flat = out.reshape(-1)
    limits, filled = {}, 0
    request = {"mode": "minc-samples"}
    largest = (16 << 20) + out.nbytes // volume.shape[0]
    with FileChild(
        "hdf5_worker", request, volume.path, "a MINC file", seconds=60.0 + out.nbytes / (8 << 20), memory=(1 << 30) + 4 * largest
    ) as child:
        for facts, data in child.messages(largest):
            name = facts.get("name")
            if name in ("image-min", "image-max"):
                limits[name] = np.frombuffer(data, "<f8").reshape(volume.limits[name])
            elif name == "image":
                part = np.frombuffer(data, kind)
                if filled + part.size > flat.size:
                    raise volume.wrong("its image changed while it was read", "it to stay")
                flat[filled : filled + part.size] = part
                filled += part.size
    if filled != flat.size:
        raise volume.wrong(f"{filled} of {flat.size} samples can be read", "all of them")
    return out, limits


# -- MINC 1 -----------------------------------------------------------------------------------------------


def _classic(path: Path, budget: Budget) -> Volume:
    file = netcdf.parse(path, budget)
    image = file.variables.get("image")
    if image is None:
        raise UnsupportedError(f"{path.name}: a netCDF file without the variable 'image': expected a MINC image.")
    unsigned = (
        str(image.attributes.get("signtype") or ("unsigned" if image.dtype.itemsize == 1 else "signed__"))
        .lower()
        .startswith("unsigned")
    )
    dtype = np.dtype(f">{'u' if unsigned and image.dtype.kind == 'i' else image.dtype.kind}{image.dtype.itemsize}")
    axes = tuple((name, file.variables[name].attributes if name in file.variables else {}) for name in image.dims)
    limits = {n: file.variables[n].shape for n in ("image-min", "image-max") if n in file.variables}
    if any(file.variables[n].dtype.kind not in "fiu" for n in limits):
        raise FormatError(f"{path.name}: image-min or image-max is text: expected numbers; get a sound copy.")
    study = file.variables.get("study")
    modality = "" if study is None else str(study.attributes.get("modality") or "")

    return Volume(path, axes, image.shape, dtype, image.attributes, limits, modality, _classic_samples)


def _classic_samples(volume: Volume) -> tuple[npt.NDArray[Any], dict[str, npt.NDArray[np.float64]]]:
    file = netcdf.parse(volume.path, Budget())
    limits = {n: np.asarray(file.read(n), np.float64) for n in volume.limits}
    stored = file.read("image").view(volume.dtype)
    return stored.astype(volume.dtype.newbyteorder("=")), limits


def inspect(path: Path, budget: Budget) -> list[Item]:
    """Return the image of a MINC file.

    Parameters
    ----------
    path
        The file.
    budget
        Limits.

    Raises
    ------
    FormatError, GeometryError, UnsupportedError, BudgetError, MissingExtraError
        If it cannot be used, with the reason.
    """
    with path.open("rb") as handle:
        head = handle.read(8)
    if head != HDF5 and not netcdf.sniff(head):
        raise FormatError(f"{path.name}: its first bytes are those of no MINC file: expected netCDF or HDF5; get a fresh copy.")
    volume = _hdf5(path, budget) if head == HDF5 else _classic(path, budget)
    if volume.dtype.newbyteorder("=").name not in SAMPLES:
        raise UnsupportedError(
            f"{path.name}: samples of type {one_line(volume.dtype, 40)}: expected whole or real numbers (no labels as text)."
        )
    geometry, dims, order = _grid(volume)
    scaled = _check_limits(volume)
    if scaled:
        _range(volume)
    native = volume.dtype.newbyteorder("=")
    dtype = np.dtype("float64" if native.itemsize > 2 else "float32") if scaled else native
    samples = budget.check_shape(volume.shape, dtype.itemsize, path) // dtype.itemsize
    modality = MODALITIES.get(volume.modality.lower())
    problems: list[Problem] = []
    if any(
        "step" in facts and facts["step"] is not None and "start" not in facts for name, facts in volume.axes if name in SPACE
    ):
        problems.append(
            Problem("The start of an axis is not stated; it was taken as 0 mm.", "The place in the world is not known.")
        )
    spec = Spec("Image", dims, dtype.str, geometry, modality, None, samples)
    load = _Load(volume, scaled, spec, tuple(order), tuple(p.sentence() for p in problems))
    return [Item("image", "image", NAME, spec, (path,), load, problems=tuple(problems))]
