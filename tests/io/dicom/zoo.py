"""The DICOM samples, one row each: where they lie, how what is read of them is judged, and why that is right.

A judge gets the path (a file, or a folder of one row) and the folder of all data, and raises what it finds wrong.
References are read by other people's programs: nibabel, SimpleITK, pydicom.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import SimpleITK as sitk

from isocenter.core.labels import LabelMap, MaskStack
from isocenter.io.budget import Budget
from isocenter.io.dicom.dataset import open_file
from isocenter.io.dicom.layout import layout
from isocenter.io.dicom.pixels import locate, stored
from tests.io.dicom.samples import inspect, nifti, read, worst_difference

Array = np.ndarray[Any, Any]
Judge = Callable[[Path, Path], None]


@dataclass(frozen=True)
class Row:
    """A file or folder (or an archive, which is unpacked), its judge, and why."""

    path: str
    judge: Judge
    why: str


# -- judges --------------------------------------------------------------------------------------------


def in_the_world(reference: str, *, tolerance: float = 0.0, mm: float = 1e-3) -> Judge:
    """Equal to a NIfTI or NRRD sample by sample in the world; several items or time points to its volumes in turn.

    A colon and a number after the name of the reference choose one of its slices.
    """

    def judge(path: Path, data: Path) -> None:
        name, _, one = reference.partition(":")
        truth, affine = nifti(data / name) if ".nii" in name else itk(sitk.ReadImage(str(data / name)))
        truth = truth[:, :, [int(one)]] if one else truth
        found = [volume for value in items_of(path) for volume in volumes(value)]
        truths = [truth[..., t] for t in range(truth.shape[3])] if truth.ndim == 4 else [truth]
        assert len(found) == len(truths), [v[0].shape for v in found]
        for (volume, grid), expected in zip(found, truths, strict=True):
            assert worst_difference(volume, grid, expected, affine, mm) <= tolerance

    return judge


def colour_in_the_world(reference: str) -> Judge:
    """The channels equal those of an RGB NIfTI in the world."""

    def judge(path: Path, data: Path) -> None:
        truth, affine = nifti(data / reference)
        image = read(path)
        assert image.dims == ("c", "z", "y", "x") and image.channels == ("red", "green", "blue")
        for k, name in enumerate("RGB"):
            assert worst_difference(image.array[k], image.geometry.affine, truth[name], affine) == 0

    return judge


def mask_of(reference: str, value: int = 1) -> Judge:
    """One segment equals a label of an NRRD; slices that the object leaves out are empty."""

    def judge(path: Path, data: Path) -> None:
        labels = read(path)
        assert isinstance(labels, LabelMap)
        truth, affine = itk(sitk.ReadImage(str(data / reference)))
        assert worst_difference(labels.array == 1, labels.geometry.affine, truth == value, affine) == 0

    return judge


def overlapping(stem: str, count: int) -> Judge:
    """Each of several overlapping masks equals a label of one of the NRRD files."""

    def judge(path: Path, data: Path) -> None:
        masks = read(path)
        assert isinstance(masks, MaskStack) and masks.overlaps and len(masks) == 5
        known = [itk(sitk.ReadImage(str(data / f"{stem}-{k}.nrrd"))) for k in range(1, count + 1)]
        for row, mask in zip(masks.segments, masks.array, strict=True):
            found = [worst_difference(mask, masks.geometry.affine, truth == row.value, affine) for truth, affine in known]
            assert min(found) == 0

    return judge


def same_samples_as(other: str) -> Judge:
    """The stored samples are bit-equal to those of another file: the syntaxes between them are lossless."""

    def judge(path: Path, data: Path) -> None:
        one, two = samples(path), samples(data / other)
        assert one.dtype == two.dtype and np.array_equal(one, two)
        loads(path)

    return judge


def independent_decoder(path: Path, data: Path) -> None:
    """The stored samples are bit-equal to those that pydicom decodes, and the object loads."""
    assert np.array_equal(np.squeeze(samples(path)), np.squeeze(peer_samples(path)))
    loads(path)


def decoded_but_unplaced(words: str, other: str | None = None) -> Judge:
    """The samples can be decoded (as another file's, where one is named), but the object is refused: it says why."""

    def judge(path: Path, data: Path) -> None:
        refused("geometry", words)(path, data)
        expected = samples(data / other) if other else np.squeeze(peer_samples(path))
        assert np.array_equal(np.squeeze(samples(path)), np.squeeze(expected))

    return judge


def refused(kind: str, words: str) -> Judge:
    """Nothing is read; one refusal names the file or folder and the reason."""

    def judge(path: Path, data: Path) -> None:
        items, refusals = inspect(path)
        assert not items and len(refusals) == 1, (items, refusals)
        assert refusals[0].kind == kind and words in refusals[0].reason, refusals[0]
        # A folder's refusal names the series and the files that contradict each other.
        assert ".dcm" in refusals[0].reason if path.is_dir() else path.name in refusals[0].reason, refusals[0].reason

    return judge


def tilted(degrees: float) -> Judge:
    """The stack is kept with its shear, which is stated; each slice lies where its header says."""

    def judge(path: Path, data: Path) -> None:
        items, refusals = inspect(path)
        (item,) = items
        assert not refusals and item.spec.geometry is not None
        assert abs(item.spec.geometry.shear - degrees) < 0.05 and f"{degrees:.2f} degrees" in item.problems[-1].text
        slices_lie_where_their_headers_say(path, data)

    return judge


def slices_lie_where_their_headers_say(path: Path, data: Path) -> None:
    """Every file's pixels stand at its ImagePositionPatient, rescaled by its own slope and intercept."""
    headers = [pydicom.dcmread(p) for p in sorted(path.rglob("*")) if p.is_file()] if path.is_dir() else [pydicom.dcmread(path)]
    placed = [(np.array(h.ImagePositionPatient, float), h) for h in headers]
    for value in items_of(path):
        grid = value.geometry
        array = value.array if value.geometry.ndim == 3 else value.array[None]
        for k in range(array.shape[0]):
            start = grid.affine[:3, -1] + (k * grid.affine[:3, 0] if grid.ndim == 3 else 0)
            near = [h for place, h in placed if np.linalg.norm(place - start) < 1e-3 and (h.Rows, h.Columns) == array.shape[1:]]
            expected = [
                peer_samples(Path(h.filename)) * float(h.get("RescaleSlope", 1)) + float(h.get("RescaleIntercept", 0))
                for h in near
            ]
            assert any(np.array_equal(array[k], e) for e in expected), k


def two_orientations(path: Path, data: Path) -> None:
    """Two stacks, one of each orientation, none refused."""
    items, refusals = inspect(path)
    assert not refusals and sorted(i.spec.geometry.orientation for i in items if i.spec.geometry) == ["RIP", "SPL"]
    slices_lie_where_their_headers_say(path, data)


def as_simpleitk_reads_it(path: Path, data: Path) -> None:
    """Equal in the world to what SimpleITK's series reader makes of the same regular series."""
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(path))
    truth, affine = itk(sitk.ReadImage(names))
    image = read(path)
    assert worst_difference(image.array, image.geometry.affine, truth, affine) == 0


def three_times(path: Path, data: Path) -> None:
    """Sixty positions x three times, ordered by ContentTime: each sample as one file of that time has it."""
    image = read(path)
    assert image.shape == (3, 60, 256, 256)
    headers = [pydicom.dcmread(p) for p in sorted(path.rglob("*.dcm"))]
    times = sorted({float(h.ContentTime) for h in headers})
    assert image.times is not None and len(times) == 3 and image.times[0] == 0 and image.times[1] < image.times[2]
    where = image.geometry.affine[:3, 0], image.geometry.affine[:3, 3]
    for header in headers:
        k = round(float((np.array(header.ImagePositionPatient, float) - where[1]) @ where[0] / (where[0] @ where[0])))
        assert np.linalg.norm(where[1] + k * where[0] - np.array(header.ImagePositionPatient, float)) < 1e-2
        assert np.array_equal(image.array[times.index(float(header.ContentTime)), k], header.pixel_array)


# -- reading -------------------------------------------------------------------------------------------


def items_of(path: Path) -> list[Any]:
    """Load everything at a path; nothing may be refused."""
    items, refusals = inspect(path)
    assert not refusals, refusals[0].reason
    return [item.load() for item in items]


def loads(path: Path) -> None:
    """The one object of a file loads in the shape that its inspection promised."""
    items, refusals = inspect(path)
    assert len(items) == 1, refusals
    value: Any = items[0].load()
    assert value.geometry.shape == items[0].spec.geometry.shape  # type: ignore[union-attr]  # images and labels have a grid


def volumes(value: Any) -> list[tuple[Array, Array]]:
    """Return (samples z y x, affine) of every time point; a single slice is a volume of one."""
    grid = value.geometry
    times = list(value.array) if "t" in value.dims else [value.array]
    if grid.ndim == 3:
        return [(one, grid.affine) for one in times]
    affine = np.zeros((4, 4))
    affine[:, 1:] = grid.affine
    affine[:3, 0] = np.cross(grid.affine[:3, 0], grid.affine[:3, 1])
    return [(one[None], affine) for one in times]


def itk(image: Any) -> tuple[Array, Array]:
    """Return samples in x y z order and the LPS affine."""
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return sitk.GetArrayFromImage(image).T, affine


def samples(path: Path) -> Array:
    """Return the stored samples of a file, as isocenter decodes them."""
    file = open_file(path, Budget())
    return stored(locate(file, layout(file, Budget())))[0]


def peer_samples(path: Path) -> Array:
    """Return the stored samples of a file, as pydicom decodes them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header = pydicom.dcmread(path, force=True)
        if "TransferSyntaxUID" not in header.file_meta:  # the files without a header of Part 10 are implicit
            header.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
        if "FloatPixelData" in header or "DoubleFloatPixelData" in header:
            return np.asarray(header.pixel_array)
        return np.asarray(pydicom.pixels.pixel_array(header, raw=True))
