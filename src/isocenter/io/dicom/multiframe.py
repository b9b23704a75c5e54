"""Enhanced multi-frame objects: every frame its own place, values and kind, from the functional groups.

References
----------
DICOM PS3.3 C.7.6.16 (multi-frame functional groups), C.7.6.17 (dimensions).
"""

from __future__ import annotations

from typing import Any

from isocenter.core.errors import FormatError
from isocenter.io.dicom import values
from isocenter.io.dicom.clocks import clocks, moment_of_dt
from isocenter.io.dicom.dataset import File
from isocenter.io.dicom.elements import Dataset
from isocenter.io.dicom.frame import Frame
from isocenter.io.dicom.layout import Layout
from isocenter.io.dicom.pixels import Pixels
from isocenter.io.dicom.plane import plane
from isocenter.io.dicom.rescale import Rescale, read_rescale
from isocenter.io.dicom.words import clean

__all__ = ["MAP_CLASS", "Groups", "frames_of_groups", "is_enhanced"]


MAP_CLASS = "1.2.840.10008.5.1.4.1.1.30"


def is_enhanced(data: Dataset) -> bool:
    """Return whether a dataset describes its frames in functional groups that place them."""
    if not values.items(data, "PerFrameFunctionalGroupsSequence"):
        return False
    groups = Groups(data, 1)
    return groups.item(0, "PlanePositionSequence") is not None and groups.item(0, "PlaneOrientationSequence") is not None


class Groups:
    """The functional groups of an object: a frame's own, else the shared one.

    Parameters
    ----------
    data
        The dataset.
    frames
        How many frames it says it has.

    Raises
    ------
    FormatError
        If there are fewer per-frame groups than frames.
    """

    def __init__(self, data: Dataset, frames: int) -> None:
        self.data = data
        self.shared = values.first_item(data, "SharedFunctionalGroupsSequence")
        self.per_frame = values.items(data, "PerFrameFunctionalGroupsSequence")
        if len(self.per_frame) < frames:
            raise FormatError(
                f"{clean(data.path)}: PerFrameFunctionalGroupsSequence describes {len(self.per_frame)} of {frames} frames: expected every one; "
                "export the file again."
            )

    def item(self, frame: int, keyword: str) -> Dataset | None:
        """Return the first item of a group for a frame (counted from 0), or None."""
        found = values.first_item(self.per_frame[frame], keyword)
        if found is None and self.shared is not None:
            found = values.first_item(self.shared, keyword)
        return found


def frames_of_groups(file: File, form: Layout, pixels: Pixels, modality: str, sop: str) -> list[Frame]:
    """Return the frames of an enhanced object.

    Raises
    ------
    GeometryError
        If a frame has no place.
    """
    data = file.data
    groups = Groups(data, form.frames)
    mapped = values.text(data, "SOPClassUID") == MAP_CLASS
    frames = []
    for k in range(form.frames):
        position, orient, measures = (
            groups.item(k, name) or data
            for name in ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence")
        )
        transform = groups.item(k, "PixelValueTransformationSequence")
        rescale = read_rescale(transform if transform is not None else data, form)
        if mapped:
            rescale = _real_world(groups.item(k, "RealWorldValueMappingSequence"), rescale)
        kind, times = _kind(groups, k, modality)
        frames.append(Frame(pixels, k, plane(position, orient, measures), rescale, k + 1, sop, kind, times))
    return frames


def _real_world(item: Dataset | None, rescale: Rescale) -> Rescale:
    """Return how the samples of a parametric map become what it maps, with the unit (UCUM)."""
    if item is None:
        return rescale
    slope, intercept = values.number(item, "RealWorldValueSlope"), values.number(item, "RealWorldValueIntercept")
    code = values.first_item(item, "MeasurementUnitsCodeSequence")
    unit = clean(values.text(code, "CodeValue"), 16) if code is not None else ""
    return Rescale(1.0 if slope is None or slope == 0 else slope, intercept or 0.0, unit)


def _kind(groups: Groups, k: int, modality: str) -> tuple[tuple[tuple[str, Any], ...], dict[str, float]]:
    found: list[tuple[str, Any]] = []
    times: dict[str, float] = {}
    own = groups.per_frame[k]
    for sequence, keyword, name in (
        ("MRImageFrameTypeSequence", "FrameType", "image type"), ("CTImageFrameTypeSequence", "FrameType", "image type"),
        ("PETFrameTypeSequence", "FrameType", "image type"), ("MRImageFrameTypeSequence", "ComplexImageComponent", "component"),
        ("CTReconstructionSequence", "ConvolutionKernel", "kernel"),
    ):  # fmt: skip
        item = groups.item(k, sequence)
        text = clean("/".join(values.texts(item, keyword)[:5]), 64) if item is not None else ""
        if text:
            found.append((name, text))
    for sequence, keyword, name in (
        ("MREchoSequence", "EffectiveEchoTime", "echo"),
        ("MRDiffusionSequence", "DiffusionBValue", "b-value"),
    ):
        item = groups.item(k, sequence)
        number = values.number(item, keyword) if item is not None else None
        if number is not None:
            found.append((name, round(number, 4)))
    content = groups.item(k, "FrameContentSequence")
    if content is not None:
        times = clocks(content)
        stamp = moment_of_dt(values.text(content, "FrameReferenceDateTime")) or moment_of_dt(
            values.text(content, "FrameAcquisitionDateTime")
        )
        if stamp is not None:
            times["AcquisitionDateTime"] = stamp
    cardiac = values.first_item(own, "CardiacSynchronizationSequence")
    delay = values.number(cardiac, "NominalCardiacTriggerDelayTime") if cardiac is not None else None
    if delay is not None:
        times["NominalCardiacTriggerDelayTime"] = delay
    return tuple(found), times
