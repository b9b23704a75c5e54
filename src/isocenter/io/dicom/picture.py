"""Images without a place in the patient: radiographs, ultrasound, endoscopy, photographs, screen captures.

A spacing is used only where the file gives one and says what it means: a detector's pixel size is not a size
in the body, and an ultrasound calibration holds inside its region.

References
----------
DICOM PS3.3 10.7 (basic pixel spacing calibration), C.8.5.5 (US region calibration), C.7.6.5 (cine).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from isocenter.core.errors import FormatError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.operation import Spec
from isocenter.io.budget import Budget
from isocenter.io.dicom import values, video
from isocenter.io.dicom.assemble import FrameReader
from isocenter.io.dicom.colour import RGB, Palette, to_rgb
from isocenter.io.dicom.elements import Dataset
from isocenter.io.dicom.identity import key
from isocenter.io.dicom.member import Member
from isocenter.io.dicom.pixels import Pixels
from isocenter.io.dicom.plane import spacing_of
from isocenter.io.dicom.rescale import Rescale, into, result_dtype
from isocenter.io.dicom.volume import Header, provenanced, slot_name
from isocenter.io.inventory import Item, Problem

__all__ = ["Calibration", "calibration", "frame_times", "picture_item"]

_PROJECTIONS = ("CR", "DX", "MG", "XA", "RF", "IO", "PX", "RG")
_LETTERS = {
    "L": (1.0, 0.0, 0.0),
    "R": (-1.0, 0.0, 0.0),
    "P": (0.0, 1.0, 0.0),
    "A": (0.0, -1.0, 0.0),
    "H": (0.0, 0.0, 1.0),
    "F": (0.0, 0.0, -1.0),
}
_CENTIMETRES = 3


@dataclass(frozen=True, slots=True)
class Calibration:
    """mm between rows and columns (None: not calibrated), which way they run, and what to know about it."""

    spacing: tuple[float, float] | None
    direction: tuple[tuple[float, float, float], tuple[float, float, float]] | None
    problems: tuple[Problem, ...]


def calibration(data: Dataset, modality: str) -> Calibration:
    """Read the pixel size of a picture.

    Raises
    ------
    GeometryError
        If a spacing is given but impossible.
    """
    problems: list[Problem] = []
    spacing = spacing_of(data)
    if modality == "US" and values.items(data, "SequenceOfUltrasoundRegions"):
        spacing, note = _regions(data)
        problems.extend(note)
    elif modality in _PROJECTIONS:
        detector = spacing_of(data, "ImagerPixelSpacing")
        if (
            spacing is None
            or (detector is not None and spacing == detector)
            or (detector is None and not values.has(data, "PixelSpacingCalibrationType"))
        ):
            spacing = spacing or detector
            if spacing is not None:
                problems.append(
                    Problem(
                        f"The pixel size of {spacing[0]:g} x {spacing[1]:g} mm is that of the detector plane; magnification is not corrected.",
                        "Lengths in the body are smaller than measured, by the magnification (typically 5 to 20 %).",
                    )
                )
    elif spacing is None:
        spacing = spacing_of(data, "NominalScannedPixelSpacing")
    if spacing is None and not problems:
        problems.append(Problem("The file gives no pixel size; the image is in pixels.", "Steps that measure in mm refuse it."))
    direction = _direction(data)
    if direction is None and modality in _PROJECTIONS:
        problems.append(
            Problem(
                "PatientOrientation is missing; left and right in the image are unknown.",
                "Rows were taken to run from right to left.",
            )
        )
    return Calibration(spacing, direction, tuple(problems))


def _regions(data: Dataset) -> tuple[tuple[float, float] | None, list[Problem]]:
    """Return the spacing that all two-dimensional regions in centimetres agree on."""
    found = set()
    for region in values.items(data, "SequenceOfUltrasoundRegions"):
        units = values.integer(region, "PhysicalUnitsXDirection"), values.integer(region, "PhysicalUnitsYDirection")
        steps = values.number(region, "PhysicalDeltaX"), values.number(region, "PhysicalDeltaY")
        if units == (_CENTIMETRES, _CENTIMETRES) and steps[0] and steps[1]:
            found.add((abs(steps[1]) * 10.0, abs(steps[0]) * 10.0))
    if len(found) == 1:
        spacing = found.pop()
        if all(1e-4 < s < 100 for s in spacing):
            return spacing, [
                Problem("The pixel size is that of the calibrated ultrasound region.", "Outside that region mm mean nothing.")
            ]
    if len(found) > 1:
        return None, [
            Problem(
                "The ultrasound regions have different pixel sizes; the image is in pixels.", "Crop one region to measure in mm."
            )
        ]
    return None, [
        Problem("No ultrasound region is calibrated in cm; the image is in pixels.", "Steps that measure in mm refuse it.")
    ]


def _direction(data: Dataset) -> tuple[tuple[float, float, float], tuple[float, float, float]] | None:
    """Return the directions of rows and columns that PatientOrientation states (its leading letters)."""
    stated = values.texts(data, "PatientOrientation")
    if len(stated) != 2 or any(not s or s[0] not in _LETTERS for s in stated):
        return None
    x, y = _LETTERS[stated[0][0]], _LETTERS[stated[1][0]]
    return None if abs(float(np.dot(x, y))) > 0 else (y, x)


def frame_times(data: Dataset, frames: int) -> tuple[float, ...] | None:
    """Return seconds of every frame of a cine, None where the file does not say."""
    try:
        steps = values.numbers(data, "FrameTimeVector")
        if len(steps) == frames and all(s >= 0 for s in steps):
            return tuple(float(v) for v in np.round(np.cumsum(steps) * 1e-3, 6))
        step = values.number(data, "FrameTime")
        if step is None or step <= 0:
            rate = values.number(data, "CineRate") or values.number(data, "RecommendedDisplayFrameRate")
            step = 1000.0 / rate if rate and rate > 0 else None
    except FormatError:  # a rate that cannot be read is no reason to refuse the frames
        return None
    return None if step is None or step <= 0 else tuple(round(k * step * 1e-3, 6) for k in range(frames))


def picture_item(
    member: Member, header: Header, calibrated: Calibration, times: tuple[float, ...] | None, budget: Budget
) -> Item:
    """Return the item of one picture or cine.

    Parameters
    ----------
    member, header
        The file.
    calibrated
        From `calibration`.
    times
        From `frame_times`.
    budget
        Limits of one image.
    """
    form = member.layout
    channels = RGB if header.palette is not None or form.samples == 3 else None
    size = (form.rows, form.columns)
    geometry = Geometry.pixels(size)
    if calibrated.spacing is not None:
        direction = None if calibrated.direction is None else np.array(calibrated.direction).T
        geometry = Geometry.regular(size, calibrated.spacing, direction=direction, frame=member.frame_uid or None)
    shape = ((form.frames,) if form.frames > 1 else ()) + ((3,) if channels else ()) + size
    dims = (("t",) if form.frames > 1 else ()) + (("c",) if channels else ()) + ("y", "x")
    dtype = header.palette[1].dtype if header.palette is not None else result_dtype(form, [member.rescale])
    samples = budget.check_shape(shape, dtype.itemsize, member.pixels.path) // dtype.itemsize
    problems = [*(Problem(t) for t in (*member.warnings, *header.text_problems)), *calibrated.problems]
    modality = member.modality or None
    spec = Spec("Image", dims, dtype.str, geometry, modality, None, samples)
    load = partial(
        _load, member.pixels, member.rescale, header.palette, spec, channels, times if form.frames > 1 else None, _notes(problems)
    )
    return Item(
        slot_name(member.modality), "image", "dicom", spec, (member.pixels.path,), load, key("study", member.study)[:16] if member.study else "",
        member.patient, tuple(problems), header.facts, {**header.identity, "SOPInstanceUIDs": (member.sop,)}, (), member.series,
    )  # fmt: skip


def _notes(problems: Sequence[Problem]) -> tuple[str, ...]:
    return tuple(p.sentence() for p in problems)


def _frames(pixels: Pixels) -> Iterator[tuple[Any, str]]:
    """Give the stored frames one after the other, each with its photometric interpretation."""
    if pixels.syntax.codec == "video":
        yield from ((samples, "RGB") for samples in video.frames(pixels))
        return
    reader = FrameReader()
    for k in range(pixels.layout.frames):
        yield reader.read(pixels, k)


def _load(
    pixels: Pixels, rescale: Rescale, palette: Palette | None, spec: Spec, channels: tuple[str, ...] | None, times: tuple[float, ...] | None,
    notes: tuple[str, ...],
) -> Image:  # fmt: skip
    """Read a picture: every frame converted and put in its place."""
    assert spec.geometry is not None
    form = pixels.layout
    dtype = np.dtype(str(spec.dtype))
    out: Any = np.empty((form.frames, 3 if channels else 1, *spec.geometry.shape), dtype)
    for k, (samples, photometric) in enumerate(_frames(pixels)):
        if channels:
            out[k] = np.moveaxis(to_rgb(samples, photometric, palette), -1, 0)
        elif not into(out[k, 0], samples, rescale):
            out = out.astype(np.int32)
            into(out[k, 0], samples, rescale)
    shape = ((form.frames,) if form.frames > 1 else ()) + ((3,) if channels else ()) + spec.geometry.shape
    image = Image(
        out.reshape(shape),
        spec.dims,
        spec.geometry,
        modality=spec.modality,
        quantity=spec.quantity,
        channels=channels,
        times=times,
    )
    return provenanced(image, notes)
