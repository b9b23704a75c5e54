"""Writing NIfTI: samples and affine unchanged, what the header has no field for in an extension.

References
----------
R.W. Cox et al., NIfTI-1 data format (nifti1.h).
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import UnsupportedError
from isocenter.core.image import DIMS, SPATIAL, Image
from isocenter.core.labels import LabelMap, MaskStack
from isocenter.io import atomic, nifti_extension
from isocenter.io.facts import describe
from isocenter.io.nifti_header import CODES, LABEL_INTENT, SIZES, VECTOR_INTENT, Header, pack
from isocenter.io.nifti_space import from_grid
from isocenter.io.reread import same_bytes

__all__ = ["write"]


def _storable(array: npt.NDArray[Any], path: Path) -> npt.NDArray[Any]:
    """Return the array in a type that NIfTI has, little-endian, without changing a value."""
    if array.dtype == np.bool_:
        array = array.view(np.uint8)
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    if array.dtype.newbyteorder("<").str[1:] not in CODES:
        raise UnsupportedError(f"{path.name}: samples of type {array.dtype} have no NIfTI type: expected integers or floats.")
    return np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))


def _compose(value: Image | MaskStack, path: Path) -> tuple[bytes, npt.NDArray[Any]]:
    """Return the header with its extension, and the voxels in file order."""
    array: npt.NDArray[Any] = np.asarray(value.array)
    masks = isinstance(value, MaskStack)
    dims: tuple[str, ...] = ("c", *value.dims) if masks else value.dims
    facts = describe(value, dims)
    if masks:
        facts["masks"] = True
    array = _storable(array, path)
    size = dict(zip(dims, array.shape, strict=True))
    channels = getattr(value, "channels", None)
    colour = array.dtype == np.uint8 and channels in (("red", "green", "blue"), ("red", "green", "blue", "alpha"))
    # File order is c t z y x, fastest last; colour samples of one voxel stand together.
    array = array.reshape([size.get(d, 1) for d in DIMS])
    array = np.moveaxis(array, 1, -1) if colour else array.swapaxes(0, 1)
    shape = [size.get(d, 1) for d in ("x", "y", "z")][: max(1, sum(d in SPATIAL for d in dims))]
    if "t" in dims or ("c" in dims and not colour):
        shape = [*[size.get(d, 1) for d in ("x", "y", "z")], size.get("t", 1)]
        shape += [size["c"]] if "c" in dims and not colour else []
    version = 1 if max(shape) <= 32767 else 2
    extension = nifti_extension.pack(facts)
    times = getattr(value, "times", None) or ()
    steps = np.diff(times)
    regular = len(steps) > 0 and steps[0] > 0 and bool(np.allclose(steps, steps[0], rtol=1e-4))
    start = float(times[0]) if times and regular else 0.0
    step = float(steps[0]) if regular else 1.0
    space = from_grid(value.geometry)
    header = Header(
        version, "<", True, tuple(shape), array.dtype, array.shape[-1] if colour else 1, 1.0, 0.0,
        (*space.pixdim, step, 1.0, 1.0, 1.0),
        (2 if value.geometry.unit == "mm" else 0) + (8 if regular else 0),
        space.qform, space.quaternion, space.sform, space.srow, SIZES[version] + 4 + len(extension),
        LABEL_INTENT if isinstance(value, LabelMap) else VECTOR_INTENT if "c" in dims and not (colour or masks) else 0,
        start, bool(extension),
    )  # fmt: skip
    return pack(header) + extension, np.ascontiguousarray(array)


@contextmanager
def _sink(path: Path, handle: BinaryIO) -> Iterator[BinaryIO]:
    if not path.name.lower().endswith(".gz"):
        yield handle
        return
    # No time stamp and no name inside: equal images give equal files.
    with gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=handle, mtime=0) as packed:
        yield cast(BinaryIO, packed)


def write(value: Any, path: Path) -> None:
    """Write an image, label map or mask stack.

    Samples keep their type; the affine goes into the sform, and into the qform where it is orthogonal. Modality,
    quantity, channels, times and the segment table go into a header extension, from which `inspect` restores
    them. Equal values give equal files, compressed ones too.

    Parameters
    ----------
    value
        Image, LabelMap or MaskStack.
    path
        Ends in ``.nii`` or ``.nii.gz``.

    Raises
    ------
    UnsupportedError
        If NIfTI cannot hold it.
    WriteError
        If the disk refuses.
    """
    path = Path(path)
    if not isinstance(value, Image | MaskStack):
        raise UnsupportedError(f"{path.name}: a {type(value).__name__} is no image: expected an Image, LabelMap or MaskStack.")
    if not path.name.lower().endswith((".nii", ".nii.gz")):
        raise UnsupportedError(f"{path.name}: NIfTI is written as .nii or .nii.gz: expected one of these suffixes.")
    head, array = _compose(value, path)
    voxels = array.reshape(-1).view(np.uint8).data if array.size else b""
    coding: Literal["raw", "gzip"] = "gzip" if path.name.lower().endswith(".gz") else "raw"
    check = same_bytes(voxels, array.nbytes, 0, coding, head)
    with atomic.replacing(path, check) as handle, _sink(path, handle) as sink:
        sink.write(head)
        sink.write(voxels)
