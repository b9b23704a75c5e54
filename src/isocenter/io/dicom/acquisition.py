"""What each kind of image says about its acquisition: the modality's own modules, for phantoms.

Attributes that may be empty are. Those that must have a value get a fixed one that the image itself does not
know: an original image, FDG with the usual corrections in frames of three minutes for PET, a research sequence for
MR, a postero-anterior chest for digital X-ray. They make a phantom a valid series; they are no record of a scan.

References
----------
DICOM PS3.3 A.3 (CT), A.4 (MR), A.21 (PET), A.6 (ultrasound), A.26 (digital X-ray), A.8 (secondary capture).
"""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.dataset import Dataset

from isocenter.core.codes import Code
from isocenter.core.errors import ContentError
from isocenter.core.image import Image
from isocenter.io.dicom.common import code_item, decimal

__all__ = ["SOP_CLASSES", "PetAcquisition", "clock_after", "describe", "sop_class"]

SOP_CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "PT": "1.2.840.10008.5.1.4.1.1.128",
    "US": "1.2.840.10008.5.1.4.1.1.6.1",
    "US cine": "1.2.840.10008.5.1.4.1.1.3.1",
    "DX": "1.2.840.10008.5.1.4.1.1.1.1",
    "SC": "1.2.840.10008.5.1.4.1.1.7",
}


@dataclass(frozen=True)
class PetAcquisition:
    """What turns activity into SUV.

    Attributes
    ----------
    dose
        Injected activity in Bq at the time of injection.
    weight
        Of the patient, kg.
    delay
        Whole seconds from injection to the start of the scan.
    half_life
        Seconds; default fluorine-18.
    """

    dose: float = 3.7e8
    weight: float = 75.0
    delay: int = 3600
    half_life: float = 6586.2


def sop_class(image: Image) -> str:
    """Return which key of `SOP_CLASSES` an image is written as; secondary capture where nothing else fits."""
    modality = image.modality or ""
    if modality in ("CT", "MR", "PT") and image.geometry.unit == "mm" and "c" not in image.dims:
        return modality
    if modality == "US" and image.geometry.ndim == 2:
        return "US cine" if "t" in image.dims else "US"
    if modality == "DX" and image.dims == ("y", "x") and image.geometry.unit == "mm":
        return "DX"
    return "SC"


def describe(target: Dataset, kind: str, image: Image, moment: tuple[str, str], pet: PetAcquisition | None) -> None:
    """Fill in the modules of a kind of image that are the same for every file of the series.

    Parameters
    ----------
    target
        The dataset that is built.
    kind
        A key of `SOP_CLASSES`.
    image
        What is written.
    moment
        Date and time of the study.
    pet
        Of a PET image; the standard acquisition where None.
    """
    {"CT": _ct, "MR": _mr, "DX": _dx}.get(kind, lambda _: None)(target)
    if kind == "PT":
        _pet(target, image, moment, pet or PetAcquisition())
    if kind in ("US", "US cine"):
        _ultrasound(target, image, kind)
    if kind == "SC":
        target.ConversionType = "WSD"
        target.PatientOrientation = ""
        if image.geometry.unit == "mm" and image.geometry.ndim == 2:
            target.PixelSpacing = [decimal(v) for v in image.geometry.spacing]
            target.PixelSpacingCalibrationType = "GEOMETRY"


def _ct(target: Dataset) -> None:
    target.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    target.KVP = None
    target.RescaleType = "HU"


def _mr(target: Dataset) -> None:
    target.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    target.ScanningSequence, target.SequenceVariant, target.ScanOptions = "RM", "NONE", ""
    target.MRAcquisitionType = "3D"
    target.RepetitionTime = target.EchoTime = target.EchoTrainLength = None


def _seconds(time: str) -> int:
    padded = time.split(".")[0].ljust(6, "0")
    return int(padded[:2]) * 3600 + int(padded[2:4]) * 60 + int(padded[4:6])


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}{seconds % 3600 // 60:02d}{seconds % 60:02d}"


def clock_after(time: str, offset: float) -> str:
    """Return the time of day `offset` seconds after `time`, to the microsecond; it stops before midnight."""
    micro = min(round((_seconds(time) + offset) * 1e6), 86_400_000_000 - 1)
    return f"{_clock(micro // 1_000_000)}.{micro % 1_000_000:06d}"


def _pet(target: Dataset, image: Image, moment: tuple[str, str], pet: PetAcquisition) -> None:
    units = {"Bq/ml": "BQML", "SUVbw": "GML"}.get(image.quantity or "")
    if units is None:
        raise ContentError(f"PET of {image.quantity or 'an unknown quantity'} cannot be written: expected Bq/ml or SUVbw.")
    date, time = moment
    # The clock may not pass midnight between injection and scan: dates of both are the study's.
    start = max(_seconds(time), pet.delay)
    target.ImageType = ["ORIGINAL", "PRIMARY"]
    target.SeriesType = ["STATIC", "IMAGE"]
    target.Units = units
    if units == "GML":
        target.SUVType = "BW"
    target.CountsSource = "EMISSION"
    target.NumberOfSlices = image.geometry.shape[0]
    target.CorrectedImage = ["DECY", "ATTN", "SCAT", "RAN", "NORM"]
    target.DecayCorrection = "START"
    target.CollimatorType = "NONE"
    target.SeriesTime = target.AcquisitionTime = _clock(start)
    target.SeriesDate = target.AcquisitionDate = date
    target.FrameReferenceTime = "90000"
    target.ActualFrameDuration = "180000"
    target.DecayFactor = "1"
    target.PatientWeight = decimal(pet.weight)
    tracer = Dataset()
    tracer.Radiopharmaceutical = "FDG"
    tracer.RadiopharmaceuticalStartTime = _clock(start - pet.delay)
    tracer.RadiopharmaceuticalStartDateTime = date + _clock(start - pet.delay)
    tracer.RadionuclideTotalDose = decimal(pet.dose)
    tracer.RadionuclideHalfLife = decimal(pet.half_life)
    tracer.RadionuclideCodeSequence = [code_item(Code("77004003", "SCT", "^18^Fluorine"))]
    tracer.RadiopharmaceuticalCodeSequence = [code_item(Code("35321007", "SCT", "Fluorodeoxyglucose F^18^"))]
    target.RadiopharmaceuticalInformationSequence = [tracer]
    # Empty is "not known"; PatientPosition may not stand beside them.
    target.PatientOrientationCodeSequence = []
    target.PatientGantryRelationshipCodeSequence = []


def _ultrasound(target: Dataset, image: Image, kind: str) -> None:
    target.ImageType = ["ORIGINAL", "PRIMARY"]
    target.PatientOrientation = ""
    if kind == "US cine":
        times = image.times or ()
        step = 1000.0 * (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else 40.0
        target.FrameTime = decimal(step)
        target.FrameIncrementPointer = 0x00181063  # FrameTime
    if image.geometry.unit == "mm":
        rows, columns = image.geometry.shape
        region = Dataset()
        region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
        region.RegionLocationMinX0 = region.RegionLocationMinY0 = 0
        region.RegionLocationMaxX1, region.RegionLocationMaxY1 = columns - 1, rows - 1
        region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3  # cm
        region.PhysicalDeltaY, region.PhysicalDeltaX = (s / 10.0 for s in image.geometry.spacing)
        target.SequenceOfUltrasoundRegions = [region]


def _dx(target: Dataset) -> None:
    target.ImageType = ["ORIGINAL", "PRIMARY", ""]
    target.PresentationIntentType = "FOR PRESENTATION"
    target.PixelIntensityRelationship, target.PixelIntensityRelationshipSign = "LOG", -1
    target.RescaleIntercept, target.RescaleSlope, target.RescaleType = "0", "1", "US"
    target.PresentationLUTShape = "IDENTITY"
    target.LossyImageCompression = "00"
    target.BurnedInAnnotation = "NO"
    target.ImageLaterality = "U"
    target.PatientOrientation = ["L", "F"]
    target.AnatomicRegionSequence = [code_item(Code("51185008", "SCT", "Chest"))]
    target.DetectorType = ""
    target.PositionerType = ""
    target.AcquisitionContextSequence = []
    target.ViewPosition = "PA"
    target.ViewCodeSequence = [code_item(Code("399348003", "SCT", "postero-anterior"))]
    target.ViewCodeSequence[0].ViewModifierCodeSequence = []
