"""Small inputs for the contract suites: blobs, labels, signals and raw data that suit an operation's ports."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.families import Metric
from isocenter.core.geometry import Geometry
from isocenter.core.image import DIMS, SPATIAL, Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.core.operation import Operation
from isocenter.core.provenance import Provenance
from isocenter.core.raw import Raw
from isocenter.core.signal import Signal
from isocenter.core.transform import Affine

__all__ = ["dims_of", "dtypes_for", "field", "grid", "image", "inputs_for", "labels", "port_names", "richest", "with_shape"]

SHAPES = {1: (41,), 2: (19, 22), 3: (9, 12, 11)}
SPACINGS = {1: (1.5,), 2: (1.25, 0.75), 3: (2.5, 1.25, 0.75)}
COUNTS = {"t": 2, "c": 3}

#: Quantity -> (modality, lowest and highest value).
RANGES: dict[str | None, tuple[str | None, float, float]] = {
    "HU": ("CT", -1000.0, 500.0),
    "SUVbw": ("PT", 0.0, 12.0),
    "Bq/ml": ("PT", 0.0, 60000.0),
    "probability": (None, 0.0, 1.0),
    "optical density": ("SM", 0.0, 2.5),
    None: ("MR", 0.0, 1000.0),
}


def grid(shape: Sequence[int], spacing: Sequence[float] | None = None, unit: str = "mm") -> Geometry:
    """Return an oblique, anisotropic grid (an axis-parallel one of unit ``px``)."""
    if unit == "px":
        return Geometry.pixels(shape)
    steps = SPACINGS[len(shape)] if spacing is None else tuple(spacing)
    turn = Affine.rotation((1.0, 0.3, 0.2), 12.0)(np.eye(3)[::-1]).T
    return Geometry.regular(shape, steps, origin=(-31.5, 12.25, 104.0), direction=turn[:, 3 - len(shape) :], frame="1.2.3")


def field(shape: Sequence[int], seed: int = 0) -> npt.NDArray[np.float64]:
    """Return values in [0, 1]: a bright body with two bright spots and a dark cavity, and a little noise."""
    axes = [np.linspace(-1.0, 1.0, n) if n > 1 else np.zeros(1) for n in shape]
    mesh = np.meshgrid(*axes, indexing="ij")
    shift = 0.05 * seed

    def ball(center: float, width: float) -> npt.NDArray[np.float64]:
        found: npt.NDArray[np.float64] = np.exp(-sum((m - center) ** 2 for m in mesh) / width**2)
        return found

    values = (
        0.55 * (sum(m**2 for m in mesh) < 0.75)
        + 0.3 * ball(0.35 - shift, 0.25)
        + 0.2 * ball(-0.4, 0.2)
        - 0.3 * ball(0.05 + shift, 0.2)
    )
    noise = np.random.default_rng([7, seed]).random(tuple(shape))
    clipped: npt.NDArray[np.float64] = np.clip(0.1 + 0.75 * values + 0.08 * noise, 0.0, 1.0)
    return clipped


def dtypes_for(operation: Operation) -> tuple[str, ...]:
    """Return the sample types that images of the operation's quantity come in."""
    signed = ("int16", "int32", "float32", "float64")
    return signed if operation.quantities is not None and "HU" in operation.quantities else ("uint8", "uint16", *signed)


def with_shape(dims: Sequence[str], spatial: Sequence[int]) -> tuple[int, ...]:
    """Return the array shape of dims with these spatial sizes."""
    sizes = iter(spatial)
    return tuple(next(sizes) if d in SPATIAL else COUNTS[d] for d in dims)


def image(
    operation: Operation,
    dims: Sequence[str],
    *,
    shape: Sequence[int] | None = None,
    spacing: Sequence[float] | None = None,
    dtype: str = "float32",
    unit: str = "mm",
    seed: int = 0,
    constant: bool = False,
) -> Image:
    """Return an image that an operation takes.

    Parameters
    ----------
    operation
        Chooses quantity and modality.
    dims
        Its axes.
    shape, spacing
        Of the spatial axes, mm; None takes small anisotropic ones.
    dtype, unit, seed
        Sample type, ``mm`` or ``px``, and which of several images.
    constant
        Every sample has one value.
    """
    dims = tuple(d for d in DIMS if d in dims)
    count = sum(d in SPATIAL for d in dims)
    spatial = SHAPES[count] if shape is None else tuple(shape)
    quantity = operation.quantities[0] if operation.quantities else None
    modality, low, high = RANGES.get(quantity, RANGES[None])
    if dtype == "uint8":
        low, high = max(low, 0.0), min(high, 255.0)
    full = with_shape(dims, spatial)
    values = np.empty(full)
    looped = full[: len(full) - count]
    for k, index in enumerate(np.ndindex(*looped)):
        values[index] = field(spatial, seed + k)
    array = low + (high - low) * (np.full(full, 0.4) if constant else values)
    if np.dtype(dtype).kind in "iu":
        array = np.rint(array)
    geometry = grid(spatial, spacing, unit)
    array = np.ascontiguousarray(array.astype(dtype))
    return _sourced(Image(array, dims, geometry, modality=modality, quantity=quantity, **_axis_names(dims)))


def _axis_names(dims: tuple[str, ...]) -> dict[str, Any]:
    names: dict[str, Any] = {}
    if "c" in dims:
        names["channels"] = ("red", "green", "blue")
    if "t" in dims:
        names["times"] = (0.0, 2.5)
    return names


def _sourced(value: Any) -> Any:
    """Return a value that says it was read, so that lineage has a beginning to be kept."""
    return value.replace(provenance=Provenance.read(value.digest, "contract"))


def labels(
    dims: Sequence[str],
    *,
    shape: Sequence[int] | None = None,
    spacing: Sequence[float] | None = None,
    unit: str = "mm",
    seed: int = 0,
) -> LabelMap:
    """Return labels of two segments (values 1 and 3) with a hole and a lone island."""
    dims = tuple(d for d in DIMS if d in dims)
    count = sum(d in SPATIAL for d in dims)
    spatial = SHAPES[count] if shape is None else tuple(shape)
    full = with_shape(dims, spatial)
    array = np.zeros(full, np.uint8)
    for k, index in enumerate(np.ndindex(*full[: len(full) - count])):
        axes = [np.linspace(-1.0, 1.0, n) if n > 1 else np.zeros(1) for n in spatial]
        mesh = np.meshgrid(*axes, indexing="ij")
        block = np.zeros(spatial, np.uint8)
        radius = np.sqrt(sum((m + 0.15 + 0.04 * (seed + k)) ** 2 for m in mesh))
        block[radius < 0.62] = 1
        block[(radius < 0.62) & (mesh[-1] > 0.1)] = 3
        block[radius < 0.17] = 0
        block[tuple(max(0, n - 2) for n in spatial)] = 1
        array[index] = block
    times = {"times": (0.0, 2.5)} if "t" in dims else {}
    channels = {"channels": ("red", "green", "blue")} if "c" in dims else {}
    rows = (Segment(1, "liver"), Segment(3, "lesion"))
    return _sourced(LabelMap(array, dims, grid(spatial, spacing, unit), rows, **times, **channels))  # type: ignore[arg-type]  # of two kinds


def richest(operation: Operation) -> tuple[str, ...]:
    """Return the declared axes with the most spatial ones, and channels only where it must have them."""
    return tuple(d for d in DIMS if d in max(operation.dims, key=lambda s: (sum(d in SPATIAL for d in s), -len(s))))


def dims_of(operation: Operation) -> list[tuple[str, ...]]:
    """Return every declared set of axes."""
    return [tuple(d for d in DIMS if d in wanted) for wanted in operation.dims]


def port_names(operation: Operation) -> list[tuple[str, str, bool]]:
    """Return (name, annotation, optional) of each port: the positional parameters of ``__call__``."""
    function = type(operation).fit if operation.family == "Fittable" else type(operation).__call__  # type: ignore[attr-defined]  # Fittable has fit
    found = []
    for name, parameter in list(inspect.signature(function).parameters.items())[1:]:
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            continue
        annotation = parameter.annotation if isinstance(parameter.annotation, str) else _spelled(parameter.annotation)
        many = parameter.kind is inspect.Parameter.VAR_POSITIONAL
        found.append((f"*{name}" if many else name, annotation, parameter.default is not inspect.Parameter.empty))
    return found


def _spelled(annotation: Any) -> str:
    names = [getattr(a, "__name__", str(a)) for a in typing.get_args(annotation)] or [
        getattr(annotation, "__name__", str(annotation))
    ]
    return " | ".join(names)


def inputs_for(
    operation: Operation,
    dims: Sequence[str] | None = None,
    *,
    optional: bool = False,
    **options: Any,
) -> tuple[Any, ...]:
    """Return inputs in port order.

    Parameters
    ----------
    operation
        What they are for; its own ``example_inputs`` are taken where it has them and nothing particular is asked.
    dims
        Axes of the images; None takes the richest declared ones.
    optional
        Whether optional ports are given something too.
    options
        As of `image`: shape, spacing, dtype, unit, seed, constant.
    """
    own = getattr(operation, "example_inputs", None)
    if own is not None and dims is None and not options and not optional:
        first: tuple[Any, ...] = own()[0]
        return first
    wanted = richest(operation) if dims is None else tuple(dims)
    found: list[Any] = []
    for position, (name, annotation, is_optional) in enumerate(port_names(operation)):
        if is_optional and not optional and not (name == "grid" and operation.family == "Resampler"):
            found.append(None)
            continue
        found.extend(_port(operation, position, name, annotation, wanted, options))
    while found and found[-1] is None:
        found.pop()
    return tuple(found)


def _port(
    operation: Operation, position: int, name: str, annotation: str, dims: tuple[str, ...], options: dict[str, Any]
) -> list[Any]:
    plain = {k: v for k, v in options.items() if k in ("shape", "spacing", "unit", "seed")}
    seed = int(plain.pop("seed", 0)) + position
    rest = {k: v for k, v in options.items() if k != "seed"}
    if name.startswith("*"):
        return [image(operation, dims, seed=seed + k, **rest) for k in range(2)]
    if "Transform" in annotation:
        return [Affine.rotation((0.2, 0.1, 1.0), 4.0, center=(-25.0, 15.0, 110.0))]
    if "Geometry" in annotation:
        return [_other_grid(image(operation, dims, **rest).geometry)]
    if "Iterable" in annotation:
        return [[image(operation, dims, seed=seed + k, **rest) for k in range(3)]]
    if "Raw" in annotation:
        return [raw()]
    if "Signal" in annotation:
        return [signal()]
    compares_labels = isinstance(operation, Metric) and operation.compares == "labels"
    if "LabelMap" in annotation or compares_labels:
        spatial = (
            dims if compares_labels or operation.family in ("Editor", "Surfacer") else tuple(d for d in dims if d in SPATIAL)
        )
        return [labels(spatial, seed=seed if compares_labels else 0, **plain)]
    return [image(operation, dims, seed=seed, **rest)]


def _other_grid(geometry: Geometry) -> Geometry:
    """Return a grid with another spacing, shape and place that overlaps the given one."""
    steps = tuple(s * f for s, f in zip(geometry.spacing, (0.8, 1.3, 1.1), strict=False))
    coarse = Geometry(geometry.shape, geometry.affine, geometry.frame, geometry.unit)
    shape = tuple(n + 1 for n in geometry.shape)
    affine = np.array(coarse.affine)
    affine[:3, : coarse.ndim] *= np.asarray(steps) / np.asarray(coarse.spacing)
    affine[:3, coarse.ndim] += affine[:3, : coarse.ndim] @ np.full(coarse.ndim, 0.37)
    return Geometry(shape, affine, coarse.frame, coarse.unit)


def raw() -> Raw:
    """Return Cartesian k-space of a small object."""
    values = field((24, 20))
    spectrum = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(values))).astype(np.complex64)
    return Raw(spectrum, "kspace", ("line", "readout"), {"trajectory": "cartesian"}, Geometry.regular((24, 20), (1.25, 0.75)))


def signal() -> Signal:
    """Return two seconds of two channels with two tones and noise."""
    time = np.arange(512) / 256.0
    noise = np.random.default_rng(5).standard_normal((2, 512)) * 0.1
    tones = np.stack([np.sin(2 * np.pi * 10 * time), 0.5 * np.sin(2 * np.pi * 50 * time)])
    return Signal((tones + noise).astype(np.float32), 256.0, ("C3", "C4"), "uV")
