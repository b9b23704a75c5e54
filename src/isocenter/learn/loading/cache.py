"""Cases prepared once: held in memory, or arrays under names that derive from the files and from what was done to them, mapped."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, FormatError, GridMismatchError
from isocenter.core.provenance import digest_json
from isocenter.io.atomic import replacing
from isocenter.learn.data.cohort import Cohort
from isocenter.learn.loading.patches import Places, class_places

__all__ = ["Case", "HeldCase", "OpenCase", "Prepared", "StoredCase", "file_digest", "hold", "prepare", "store"]

FloatArray = npt.NDArray[np.float32]
#: Samples (channels, *spatial), and class indices of the spatial shape where there is a mask.
Prepared = tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8] | None]


class OpenCase(NamedTuple):
    """Arrays of a case.

    Attributes
    ----------
    image, truth
        Samples (channels, *spatial), and class indices or None.
    places
        Flat indices of samples of each class, to lay patches around.
    """

    image: FloatArray
    truth: npt.NDArray[np.uint8] | None
    places: Places


@dataclass(frozen=True, eq=False)
class HeldCase:
    """One prepared case in memory.

    Attributes
    ----------
    identifier
        Of the sample.
    arrays
        What `open` gives.
    """

    identifier: str
    arrays: OpenCase

    @property
    def shape(self) -> tuple[int, ...]:
        """Channels and samples along each spatial axis."""
        return self.arrays.image.shape

    @property
    def held(self) -> int:
        """Bytes in memory."""
        truth = self.arrays.truth
        return self.arrays.image.nbytes + (0 if truth is None else truth.nbytes)

    def open(self) -> OpenCase:
        """Return the arrays."""
        return self.arrays


@dataclass(frozen=True)
class StoredCase:
    """One prepared case on the disk.

    Attributes
    ----------
    identifier
        Of the sample.
    image, truth
        Files of its arrays; no truth where the label is no mask.
    shape
        Channels and samples along each spatial axis.
    """

    identifier: str
    image: Path
    truth: Path | None
    shape: tuple[int, ...]

    @property
    def held(self) -> int:
        """Bytes in memory: none, the arrays are mapped."""
        return 0

    def open(self) -> OpenCase:
        """Return the arrays, mapped: only what is touched is read."""
        image = np.load(self.image, mmap_mode="r", allow_pickle=False)
        if self.truth is None:
            return OpenCase(image, None, ())
        classes, indices = np.load(_places_of(self.truth), allow_pickle=False)
        places = tuple(indices[classes == k] for k in np.unique(classes))
        return OpenCase(image, np.load(self.truth, mmap_mode="r", allow_pickle=False), places)


Case = HeldCase | StoredCase


def file_digest(path: Path) -> str:
    """Return the digest of a file's bytes, or of all files of a folder and their names below it."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    total = hashlib.sha256()
    for file in files:
        total.update(file.relative_to(path.parent).as_posix().encode() + b"\0" if len(files) > 1 else b"")
        with file.open("rb") as handle:
            total.update(hashlib.file_digest(handle, "sha256").digest())
    return total.hexdigest()


def hold(identifier: str, samples: FloatArray, mask: npt.NDArray[np.uint8] | None) -> HeldCase:
    """Return a case in memory.

    Parameters
    ----------
    identifier
        Of the sample.
    samples, mask
        (channels, *spatial), and class indices or None.

    Raises
    ------
    ContentError, GridMismatchError
        As of `store`.
    """
    _check(identifier, samples, mask)
    image = np.ascontiguousarray(samples, dtype=np.float32)
    return HeldCase(identifier, OpenCase(image, mask, () if mask is None else class_places(mask)))


def store(folder: Path, identifier: str, key: str, make: Callable[[], Prepared]) -> StoredCase:
    """Return a case's stored arrays, made now unless they stand there already.

    Parameters
    ----------
    folder
        The cache; arrays in it are never changed, so that several runs may share it.
    identifier
        Of the sample.
    key
        Digest of everything that the arrays depend on.
    make
        Gives samples (channels, *spatial) and class indices or None.

    Raises
    ------
    ContentError
        If the samples are not finite.
    GridMismatchError
        If the mask has another shape.
    """
    image, truth, none = (folder / f"{key}-{part}.npy" for part in ("image", "truth", "none"))
    whole = (truth.is_file() and _places_of(truth).is_file()) or none.is_file()
    if not (image.is_file() and whole):
        samples, mask = make()
        _check(identifier, samples, mask)
        folder.mkdir(parents=True, exist_ok=True)
        # The image last: where it stands, all of the case does.
        if mask is not None:
            places = class_places(mask)
            classes = [np.full(found.size, k, np.int64) for k, found in enumerate(places)]
            empty = np.zeros(0, np.int64)
            _save(_places_of(truth), np.stack([np.concatenate([empty, *classes]), np.concatenate([empty, *places])]))
        _save(truth if mask is not None else none, mask if mask is not None else np.zeros(0, np.uint8))
        _save(image, np.asarray(samples, dtype=np.float32))
    try:
        shape = np.load(image, mmap_mode="r", allow_pickle=False).shape
    except ValueError as error:
        raise FormatError(f"{image.name}: the prepared array is damaged ({error}): delete it, it will be made again.") from error
    return StoredCase(identifier, image, truth if truth.is_file() else None, tuple(shape))


def prepare(
    cohort: Cohort,
    folder: Path,
    recipe: str,
    make: Callable[[Cohort, int], Prepared],
    indices: Sequence[int] | None = None,
) -> Iterator[StoredCase]:
    """Prepare the cases of a cohort, or take them as they were prepared before; an interrupted run goes on where it was.

    Parameters
    ----------
    cohort
        The cases.
    folder
        The cache.
    recipe
        Digest of the preparation: another one gives other arrays.
    make
        Gives the arrays of the case at a position.
    indices
        Which cases; None for all.
    """
    for k in range(len(cohort)) if indices is None else indices:
        sample = cohort.samples[k]
        label = sample.label
        sources = [file_digest(cohort.file(k)), file_digest(label) if isinstance(label, Path) else ""]
        key = digest_json(["prepared", 1, recipe, sources]).removeprefix("sha256:")[:32]
        yield store(folder, sample.identifier, key, lambda k=k: make(cohort, k))  # type: ignore[misc]  # the default binds this k


def _check(identifier: str, samples: FloatArray, mask: npt.NDArray[np.uint8] | None) -> None:
    if not np.isfinite(samples).all():
        raise ContentError(
            f"'{identifier}': holds values that are not finite: expected finite samples; repair it or leave it out."
        )
    if mask is not None and mask.shape != samples.shape[1:]:
        raise GridMismatchError(
            f"'{identifier}': its mask has {mask.shape} samples and its image {samples.shape[1:]}: expected one grid; resample the mask."
        )


def _places_of(truth: Path) -> Path:
    return truth.with_name(truth.name.replace("-truth.npy", "-places.npy"))


def _save(path: Path, array: npt.NDArray[np.generic]) -> None:
    with replacing(path) as handle:
        np.lib.format.write_array(handle, np.ascontiguousarray(array), allow_pickle=False)
