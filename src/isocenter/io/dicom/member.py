"""Member: what one image file contributes to its series; its header is not kept."""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.core.errors import GeometryError, UnsupportedError
from isocenter.io.budget import Budget
from isocenter.io.dicom import values, video
from isocenter.io.dicom.clocks import clocks
from isocenter.io.dicom.dataset import File
from isocenter.io.dicom.dose import frames_of_dose
from isocenter.io.dicom.frame import Frame
from isocenter.io.dicom.identity import object_identity, patient_key, uid
from isocenter.io.dicom.kinds import kind_of
from isocenter.io.dicom.layout import Layout, layout
from isocenter.io.dicom.mosaic import frames_of_mosaic, is_mosaic
from isocenter.io.dicom.multiframe import frames_of_groups, is_enhanced
from isocenter.io.dicom.nuclear import frames_of_nuclear, is_nuclear_volume
from isocenter.io.dicom.pixels import Pixels, locate, quick_check
from isocenter.io.dicom.plane import has_plane, plane
from isocenter.io.dicom.rescale import IDENTITY, Rescale, read_rescale
from isocenter.io.dicom.words import clean

__all__ = ["Member", "member"]

#: Classes whose images are cross sections: without a geometry they are refused, not taken for photographs.
_SECTION_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1",
    "1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.5.1.4.1.1.130",
)  # fmt: skip
DOSE_CLASS = "1.2.840.10008.5.1.4.1.1.481.2"


@dataclass(slots=True)
class Member:
    """One image file.

    Attributes
    ----------
    pixels, layout, rescale
        Its samples.
    frames
        Its planes, empty where it is a picture without a place in the patient.
    modality, series, study, patient, sop, sop_class, frame_uid
        What it belongs to.
    warnings
        What was wrong with it, one sentence each.
    """

    pixels: Pixels
    layout: Layout
    rescale: Rescale
    frames: list[Frame]
    modality: str
    series: str
    study: str
    patient: str
    sop: str
    sop_class: str
    frame_uid: str
    number: int
    warnings: list[str]


def member(file: File, budget: Budget) -> Member:
    """Return what an image file contributes.

    Raises
    ------
    InputError
        If its pixels, geometry or values cannot be used.
    """
    data = file.data
    sop_class, sop = object_identity(file)
    series = uid(data, "SeriesInstanceUID")
    form = layout(file, budget)
    pixels = locate(file, form)
    quick_check(file, pixels)
    if file.syntax.codec == "video":
        video.check(pixels, budget)
    modality = values.text(data, "Modality").upper()
    rescale = read_rescale(data, form) if form.samples == 1 else IDENTITY
    number = int(values.lenient(data, "InstanceNumber") or 0)
    frames = _frames(file, form, pixels, rescale, modality, number, sop_class, sop)
    if frames and file.syntax.codec == "video":
        raise UnsupportedError(
            f"{clean(file.path)}: cross sections packed as {file.syntax.name}: expected video of pictures; export the file uncompressed."
        )
    width = values.lenient(data, "WindowWidth")
    if width is not None and width <= 0:
        file.warnings.append("WindowWidth (0028,1051) is not positive; displays fall back to the range of the values.")
    if form.photometric == "MONOCHROME1":
        file.warnings.append("Stored inverted (MONOCHROME1: low values are bright); values were kept, displays invert them.")
    if file.syntax.lossy or values.text(data, "LossyImageCompression") == "01":
        file.warnings.append("The pixels were compressed with loss; values differ from those measured.")
    return Member(
        pixels, form, rescale, frames, modality, series, uid(data, "StudyInstanceUID"), patient_key(data), sop, sop_class,
        uid(data, "FrameOfReferenceUID"), number, file.warnings,
    )  # fmt: skip


def _frames(
    file: File, form: Layout, pixels: Pixels, rescale: Rescale, modality: str, number: int, sop_class: str, sop: str
) -> list[Frame]:
    data = file.data
    if sop_class == DOSE_CLASS:
        return frames_of_dose(file, form, pixels, sop)
    if is_enhanced(data):
        return frames_of_groups(file, form, pixels, modality, sop)
    if is_nuclear_volume(data, form):
        return frames_of_nuclear(file, form, pixels, rescale, sop)
    if form.frames == 1 and is_mosaic(data) and has_plane(data):
        return frames_of_mosaic(file, form, pixels, rescale, modality, number, sop)
    if form.frames == 1 and (has_plane(data) or sop_class in _SECTION_CLASSES):
        where = plane(data, data, data)
        return [Frame(pixels, 0, where, rescale, number, sop, kind_of(data, modality), clocks(data))]
    if sop_class in _SECTION_CLASSES:
        raise GeometryError(
            f"{clean(file.path)}: {form.frames} frames of {modality or 'cross sections'} without positions (no plane in their functional groups): expected "
            "a position and an orientation of every frame; export the file again."
        )
    return []
