"""Writing MetaImage: samples unchanged, direction and offset exact (world LPS, as ITK has it)."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import UnsupportedError
from isocenter.core.image import SPATIAL, Image
from isocenter.core.labels import MaskStack
from isocenter.io import atomic, facts
from isocenter.io.nrrd_write import storable
from isocenter.io.reread import same_bytes
from isocenter.io.text import file_name

__all__ = ["TYPES", "write"]

TYPES = {
    "i1": "MET_CHAR", "u1": "MET_UCHAR", "i2": "MET_SHORT", "u2": "MET_USHORT", "i4": "MET_INT", "u4": "MET_UINT",
    "i8": "MET_LONG_LONG", "u8": "MET_ULONG_LONG", "f4": "MET_FLOAT", "f8": "MET_DOUBLE",
}  # fmt: skip


def _numbers(values: npt.ArrayLike) -> str:
    return " ".join(repr(float(v)) for v in np.asarray(values).ravel())


def _matrix(value: Image | MaskStack, dims: tuple[str, ...]) -> tuple[npt.NDArray[np.float64], list[float], list[float]]:
    """Return direction rows, spacing and offset of the stored axes, fastest first.

    MetaImage's world has as many axes as the image, so a plane or line that is not axis-parallel in the patient
    cannot be written.
    """
    geometry = value.geometry
    names = [d for d in dims[::-1] if d != "c"]
    spatial = [d for d in dims if d in SPATIAL]
    directions, steps, offset = np.eye(len(names)), [1.0] * len(names), [0.0] * len(names)
    world = [k for k, d in enumerate(names) if d != "t"]
    for k, d in enumerate(names):
        if d in SPATIAL and geometry.unit == "mm":
            column = geometry.direction[:, spatial.index(d)]
            directions[k, world] = column[: len(world)]
            steps[k] = geometry.spacing[spatial.index(d)]
    if geometry.unit == "mm":
        for row, k in enumerate(world):
            offset[k] = geometry.origin[row]
    times = getattr(value, "times", None)
    if times and "t" in names and len(times) > 1:
        steps[names.index("t")], offset[names.index("t")] = float(times[1] - times[0]), float(times[0])
    return directions, steps, offset


def _flat(value: Image | MaskStack) -> bool:
    """Return whether a plane or line lies where MetaImage can say it does."""
    n = value.geometry.ndim
    if n == 3 or value.geometry.unit == "px":
        return True
    return not np.any(value.geometry.affine[n:3])


def _data_name(header: Path, voxels: bytes | memoryview) -> str:
    """Return the name of the data file beside `header`.

    An earlier header of that name may refer to an earlier data file; it must stay true until it is replaced, so
    other samples never take the place of those.
    """
    plain = file_name(header.stem, "image")
    earlier = header.with_name(plain + ".raw")
    digest = hashlib.sha256(voxels)
    if not os.path.lexists(earlier):
        return earlier.name
    if earlier.is_file() and not earlier.is_symlink():
        with earlier.open("rb") as handle:
            if hashlib.file_digest(handle, "sha256").digest() == digest.digest():
                return earlier.name
    return f"{plain}-{digest.hexdigest()[:8]}.raw"


def write(value: Any, path: Path) -> None:
    """Write an image, label map or mask stack.

    ``.mha`` is one file; ``.mhd`` is the header, with the samples in a ``.raw`` file of that name beside it.

    Parameters
    ----------
    value
        Image, LabelMap or MaskStack.
    path
        Ends in ``.mha`` or ``.mhd``.

    Raises
    ------
    UnsupportedError
        If MetaImage cannot hold it.
    WriteError
        If the disk refuses.
    """
    path = Path(path)
    if not isinstance(value, Image | MaskStack):
        raise UnsupportedError(f"{path.name}: a {type(value).__name__} is no image: expected an Image, LabelMap or MaskStack.")
    suffix = path.suffix.lower()
    if suffix not in (".mha", ".mhd"):
        raise UnsupportedError(f"{path.name}: MetaImage is written as .mha or .mhd: expected one of these suffixes.")
    if not _flat(value):
        raise UnsupportedError(
            f"{path.name}: an image of fewer than three axes that lies oblique in the patient: expected NIfTI or NRRD for it."
        )
    dims: tuple[str, ...] = ("c", *value.dims) if isinstance(value, MaskStack) else value.dims
    array = storable(np.asarray(value.array), path, set(TYPES), "MetaImage")
    channels = array.shape[dims.index("c")] if "c" in dims else 1
    if "c" in dims:
        array = np.ascontiguousarray(np.moveaxis(array, dims.index("c"), -1))
    content = facts.describe(value, dims)
    if isinstance(value, MaskStack):
        content["masks"] = True
    sizes = [n for d, n in zip([*[d for d in dims if d != "c"], "c"], array.shape) if d != "c"][::-1]
    directions, steps, offset = _matrix(value, dims)
    voxels = array.reshape(-1).view(np.uint8).data if array.size else b""
    data = "LOCAL" if suffix == ".mha" else _data_name(path, voxels)
    lines = [
        "ObjectType = Image", f"NDims = {len(sizes)}", "Comment = " + facts.encode(content), "BinaryData = True",
        "BinaryDataByteOrderMSB = False", "CompressedData = False", f"TransformMatrix = {_numbers(directions)}",
        f"Offset = {_numbers(offset)}", f"ElementSpacing = {_numbers(steps)}", "DimSize = " + " ".join(str(n) for n in sizes),
        f"ElementNumberOfChannels = {channels}", f"ElementType = {TYPES[array.dtype.str[1:]]}", f"ElementDataFile = {data}",
    ]  # fmt: skip
    head = ("\n".join(lines) + "\n").encode()
    if suffix == ".mhd":  # the samples first: a header never stands without them
        atomic.write_bytes(path.with_name(data), voxels)
        atomic.write_bytes(path, head)
        return
    with atomic.replacing(path, same_bytes(voxels, array.nbytes, 0, "raw", head)) as handle:
        handle.write(head)
        handle.write(voxels)
