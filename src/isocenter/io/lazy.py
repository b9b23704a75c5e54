"""Lazy samples: an array that is read when it is first sliced, and values that remember where they came from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from isocenter.core.image import Image
from isocenter.core.labels import MaskStack
from isocenter.core.provenance import Provenance

__all__ = ["LazyArray", "sourced"]

V = TypeVar("V", bound=Image | MaskStack)


class LazyArray:
    """An array whose samples are read once, at the first slice; its shape and type are known before.

    Parameters
    ----------
    shape, dtype
        What reading will give.
    read
        Reads the samples.
    """

    def __init__(self, shape: tuple[int, ...], dtype: Any, read: Callable[[], npt.NDArray[Any]]) -> None:
        self.shape = tuple(shape)
        self.dtype = np.dtype(dtype)
        self._read = read
        self._samples: npt.NDArray[Any] | None = None

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def _whole(self) -> npt.NDArray[Any]:
        if self._samples is None:
            self._samples = self._read()
        return self._samples

    def __getitem__(self, key: Any) -> Any:
        return self._whole()[key]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        whole = self._whole()
        if dtype is not None and np.dtype(dtype) != whole.dtype:
            return whole.astype(dtype)
        return whole.copy() if copy else whole

    def __repr__(self) -> str:
        return f"<LazyArray {self.shape} {self.dtype}{'' if self._samples is None else ', read'}>"


def sourced(value: V, format: str, notes: Iterable[str] = ()) -> V:
    """Return a value that was just read, with its digest as its source.

    Parameters
    ----------
    value
        An image, label map or mask stack in memory.
    format
        Name of the format.
    notes
        Problems found and repairs made, one sentence each.
    """
    import dataclasses

    result = dataclasses.replace(value, provenance=Provenance.read(value.digest, format, notes))
    # The digest does not depend on the provenance: what was just computed need not be computed again.
    result.__dict__["digest"] = value.digest
    if isinstance(value, Image) and "present" in value.__dict__:
        result.__dict__["present"] = value.__dict__["present"]
    return result
