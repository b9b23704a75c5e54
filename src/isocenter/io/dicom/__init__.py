"""DICOM: files to items and refusals.

``inspect_files`` and ``sniff`` are what the front door calls; `isocenter.io.dicom.rtstruct.to_masks` rasterises
contours on any grid, and `isocenter.io.dicom.dataset.pydicom_dataset` opens a header for the writers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isocenter.io.dicom.inspection import inspect_files, sniff

__all__ = ["inspect_files", "sniff"]


def __getattr__(name: str) -> Any:
    # Loaded on first use: the package is imported by the front door also where no DICOM is read.
    if name in __all__:
        from isocenter.io.dicom import inspection

        return getattr(inspection, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
