"""Writing measurements as a DICOM structured report: TID 1500, one measurement group per region.

References
----------
DICOM PS3.16 TID 1500 (Measurement Report), TID 1410, 1411 and 1501 (measurement groups), CID 42 (why a value
is missing); PS3.3 A.35.13 (Comprehensive 3D SR IOD).
"""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from highdicom import sr
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from isocenter._version import __version__
from isocenter.core.codes import ANATOMY, TISSUE, Code, structure
from isocenter.core.errors import ContentError
from isocenter.core.labels import Segment
from isocenter.core.results import Column, Features
from isocenter.io.dicom.common import (
    MAKER,
    PENDING_INSTANCE,
    PENDING_SERIES,
    derive_uid,
    finish,
    long_string,
    moment,
    required_uid,
    write_equipment,
    write_person,
)
from isocenter.io.dicom.ucum import unit_code
from isocenter.io.dicom.write_seg import SegmentReference, WrittenSegmentation, tracking_uid

__all__ = ["SCHEME", "WrittenReport", "write_sr"]

#: Coding scheme of measurements that no standard names.
SCHEME = "99ISOCENTER"
_PROCEDURES = {
    "CT": Code("77477000", "SCT", "Computed tomography"),
    "MR": Code("113091000", "SCT", "Magnetic resonance imaging"),
    "PT": Code("82918005", "SCT", "Positron emission tomography"),
    "US": Code("16310003", "SCT", "Ultrasonography"),
    "CR": Code("168537006", "SCT", "Plain radiography"),
    "DX": Code("168537006", "SCT", "Plain radiography"),
    "MG": Code("71651007", "SCT", "Mammography"),
}
_IMAGING = Code("363679005", "SCT", "Imaging procedure")
_NOT_A_NUMBER = Code("114000", "DCM", "Not a number")
_INFINITE = {1: Code("114002", "DCM", "Positive Infinity"), -1: Code("114001", "DCM", "Negative Infinity")}


@dataclass(frozen=True)
class WrittenReport:
    """What `write_sr` wrote: the file, and the UIDs of the object and its series."""

    path: Path
    instance: str
    series: str


@dataclass(frozen=True)
class _Region:
    """One measurement group to be."""

    name: str
    cells: tuple[tuple[Column, Any], ...]
    segment: Segment | None = None
    reference: SegmentReference | None = None
    segmentation: WrittenSegmentation | None = None


def write_sr(
    features: Features | Sequence[Features],
    identity: Mapping[str, Any],
    path: str | Path,
    *,
    segmentations: Sequence[WrittenSegmentation] = (),
    description: str = "",
    series_number: int = 901,
    algorithm: str = MAKER,
    version: str = __version__,
) -> WrittenReport:
    """Write measurements as a Comprehensive 3D SR that refers to the images and, where there are any, to their SEG.

    Parameters
    ----------
    features
        One table or several; rows of one region are put together in one group.
    identity
        Of the measured image: DICOM keyword -> text, with ``SOPInstanceUIDs`` in slice order and ``SOPClassUID``.
    path
        The file; its folder must exist.
    segmentations
        What `write_seg` returned; a region is tied to the segment of its name.
    description
        SeriesDescription.
    series_number
        SeriesNumber.
    algorithm, version
        What measured.

    Returns
    -------
    WrittenReport
        The file and its UIDs.

    Raises
    ------
    ContentError
        If the source is not DICOM, or there is nothing to report.
    WriteError
        If the disk refuses.

    Notes
    -----
    A value that is not a finite number is written as an evaluation of that name whose code says so.
    """
    tables = [features] if isinstance(features, Features) else list(features)
    regions = _regions(tables, segmentations)
    if not regions:
        raise ContentError("The measurements have no rows: expected at least one region; there is nothing to report.")
    evidence = _evidence(identity, segmentations)
    who = sr.AlgorithmIdentification(name=long_string(algorithm) or MAKER, version=long_string(version) or __version__)
    with warnings.catch_warnings():
        # Advice to the programmer about names; what matters is checked by the tests' validator.
        warnings.simplefilter("ignore")
        groups = [_group(region, identity, who) for region in regions]
        dataset = _document(groups, evidence, identity, description, series_number)
    write_equipment(dataset)
    instance, series = finish(dataset, Path(path), identity)
    return WrittenReport(Path(path), instance, series)


def _regions(tables: Sequence[Features], segmentations: Sequence[WrittenSegmentation]) -> list[_Region]:
    cells: dict[str, list[tuple[Column, Any]]] = {}
    for table in tables:
        for name, row in zip(table.regions, table.rows, strict=True):
            cells.setdefault(name, []).extend(zip(table.columns, row, strict=True))
    found = []
    for name, pairs in cells.items():
        holder = next((s for s in segmentations if name in s.segments), None)
        if holder is None:
            found.append(_Region(name, tuple(pairs)))
            continue
        segment = next(row for row in holder.table if row.name == name)
        found.append(_Region(name, tuple(pairs), segment, holder.segments[name], holder))
    return found


def _instances(identity: Mapping[str, Any]) -> list[str]:
    instances = [str(v) for v in identity.get("SOPInstanceUIDs") or ()]
    if not instances:
        raise ContentError("The image has no SOPInstanceUIDs: expected an image read from DICOM, to which a result can refer.")
    return instances


def _evidence(identity: Mapping[str, Any], segmentations: Sequence[WrittenSegmentation]) -> list[Dataset]:
    """Return headers of everything that the report may refer to."""
    common = Dataset()
    write_person(common, identity)
    found = []

    def add(sop_class: str, instance: str, series: str) -> None:
        header = Dataset()
        header.update(common)
        header.SOPClassUID, header.SOPInstanceUID, header.SeriesInstanceUID = sop_class, instance, series
        found.append(header)

    series = required_uid(identity, "SeriesInstanceUID")
    for instance in dict.fromkeys(_instances(identity)):
        add(required_uid(identity, "SOPClassUID"), required_uid({"SOPInstanceUID": instance}, "SOPInstanceUID"), series)
    for written in segmentations:
        add(written.sop_class, written.instance, written.series)
    return found


def _concept(code: Code) -> sr.CodedConcept:
    return sr.CodedConcept(code.value, code.scheme, long_string(code.meaning) or "unnamed")


def _own(text: str) -> sr.CodedConcept:
    """Return a concept of our own scheme; a long name gets a short code, since many readers know no long ones."""
    meaning = long_string(text) or "value"
    value = meaning if len(meaning) <= 16 else "N" + hashlib.sha256(meaning.encode()).hexdigest()[:15].upper()
    return sr.CodedConcept(value, SCHEME, long_string(meaning.replace("_", " ")))


def _column_code(column: Column) -> sr.CodedConcept:
    """Return the concept of a column: its standard's, else one of our own scheme."""
    scheme, _, value = column.standard.partition(":")
    if scheme and value and len(scheme) <= 16 and len(value) <= 16:
        return sr.CodedConcept(value, scheme, long_string(column.name.replace("_", " ")) or value)
    return _own(column.name)


def _split(cells: Sequence[tuple[Column, Any]]) -> tuple[list[sr.Measurement], list[sr.QualitativeEvaluation]]:
    """Return measurements, and as evaluations the texts and the reasons why a value is missing."""
    numbers, words = [], []
    for column, value in cells:
        if value is None or (isinstance(value, str) and not long_string(value)):
            continue
        name = _column_code(column)
        if isinstance(value, str):
            words.append(sr.QualitativeEvaluation(name, _own(value)))
        elif math.isfinite(value):
            numbers.append(sr.Measurement(name=name, value=float(value), unit=_concept(unit_code(column.unit))))
        else:
            # A measurement without a value is allowed, but common readers of reports fail on it.
            reason = _NOT_A_NUMBER if math.isnan(value) else _INFINITE[1 if value > 0 else -1]
            words.append(sr.QualitativeEvaluation(name, _concept(reason)))
    return numbers, words


def _sources(region: _Region, identity: Mapping[str, Any]) -> list[tuple[str, str, list[int] | None]]:
    """Return (SOP class, instance, frames) of the images that a region was drawn on."""
    instances = _instances(identity)
    sop_class = required_uid(identity, "SOPClassUID")
    if len(set(instances)) == 1:  # one file: of several frames where their numbers are known
        numbers = [int(n) for n in identity.get("FrameNumbers") or ()]
        chosen = [numbers[k] for k in region.reference.slices] if region.reference and numbers else []
        return [(sop_class, instances[0], sorted(chosen) or None)]
    slices = range(len(instances)) if region.reference is None else region.reference.slices
    return [(sop_class, instances[k], None) for k in slices]


def _group(region: _Region, identity: Mapping[str, Any], algorithm: sr.AlgorithmIdentification) -> Any:
    known = region.segment or structure(region.name)
    code = (known.code if known else None) or TISSUE
    category = (known.category if known else None) or TISSUE
    laterality = known.laterality if known else None
    sites = None
    if category.value == ANATOMY.value:
        sites = [sr.FindingSite(_concept(code), None if laterality is None else _concept(laterality))]
    numbers, words = _split(region.cells)
    label = long_string(region.name) or "region"
    common: dict[str, Any] = {
        "tracking_identifier": sr.TrackingIdentifier(tracking_uid(identity, region.name), label),
        "finding_type": _concept(code),
        "finding_category": _concept(category),
        "finding_sites": sites,
        "algorithm_id": algorithm,
        "measurements": numbers,
        "qualitative_evaluations": words or None,
    }
    sources = _sources(region, identity)
    if region.reference is None or region.segmentation is None:
        images = [sr.SourceImageForMeasurementGroup(*source) for source in sources]
        return sr.MeasurementsAndQualitativeEvaluations(**common, source_images=images)
    written, reference = region.segmentation, region.reference
    pictures = [sr.SourceImageForSegmentation(*source) for source in sources]
    if written.slices == 1:
        frame = sr.ReferencedSegmentationFrame(
            written.sop_class, written.instance, list(reference.frames), reference.number, pictures[0]
        )
        for item in frame:
            # A frame of a binary SEG is of one segment; the standard wants its number or the segment's, not both.
            for reference_item in item.ReferencedSOPSequence:
                if "ReferencedFrameNumber" in reference_item and "ReferencedSegmentNumber" in reference_item:
                    del reference_item.ReferencedSegmentNumber
        return sr.PlanarROIMeasurementsAndQualitativeEvaluations(**common, referenced_segment=frame)
    segment = sr.ReferencedSegment(written.sop_class, written.instance, reference.number, source_images=pictures)
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(**common, referenced_segment=segment)


def _document(
    groups: Sequence[Any], evidence: Sequence[Dataset], identity: Mapping[str, Any], description: str, series_number: int
) -> Dataset:
    observer = sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=derive_uid("device", __version__),
            name=MAKER,
            manufacturer_name=MAKER,
            model_name=MAKER,
            serial_number=__version__,
        ),
    )
    modality = str(identity.get("Modality") or "")
    report = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=observer),
        procedure_reported=_concept(_PROCEDURES.get(modality, _IMAGING)),
        imaging_measurements=list(groups),
        title=codes.DCM.ImagingMeasurementReport,
    )
    date, time = moment(identity)
    made: Dataset = sr.Comprehensive3DSR(
        evidence=list(evidence),
        content=report[0],
        series_instance_uid=PENDING_SERIES,
        series_number=series_number,
        sop_instance_uid=PENDING_INSTANCE,
        instance_number=1,
        manufacturer=MAKER,
        is_complete=True,
        series_description=long_string(description) or "Measurements",
        content_date=date,
        content_time=time,
        coding_schemes=[
            CodingSchemeIdentificationItem(SCHEME, name="Measurement names of isocenter", responsible_organization=MAKER)
        ],
    )
    return made
