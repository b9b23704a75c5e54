"""Radiomics: features.radiomics against PyRadiomics, all feature classes of one region, on one thread.

PyRadiomics has no wheel for Python 3.11 and later: build it from its source into the environment that this runs in.
Both are handed arrays in memory. We compute more (IBSI morphology, local intensity, both histograms, distance zones, and
textures averaged and merged); what both define alike is compared before anything is timed. Our image is made anew in
each run, so that the digests of its lineage are part of the time, as hashes are part of theirs.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Work = Callable[[], Any]

ROOT = Path(__file__).resolve().parent.parent
NAMES = ROOT / "tests/ops/features/pyradiomics_names.csv"

#: Where two definitions differ by a constant or a divisor (see docs/concepts/radiomics.md), or the mesh closes otherwise.
APART = {
    "Kurtosis", "MajorAxisLength", "MinorAxisLength", "LeastAxisLength", "MeshVolume", "SurfaceArea", "Sphericity",
    "SurfaceVolumeRatio",
}  # fmt: skip

Case = tuple[npt.NDArray[Any], npt.NDArray[Any], tuple[float, float, float], float]


def brain() -> Case:
    """Return PyRadiomics' brain1: 4,137 samples of an MR of 256 x 256 x 25."""
    from isocenter.io import door

    folder = Path(os.environ.get("ISOCENTER_SHARED", ROOT.parent / "shared")) / "data/pyradiomics"
    image, labels = door.read(folder / "brain1_image.nrrd"), door.read_labels(folder / "brain1_label.nrrd")
    steps = image.geometry.spacing
    return np.asarray(image.array), np.asarray(labels.array), (steps[0], steps[1], steps[2]), 25.0


def _scan(radius: float) -> Case:
    rng = np.random.default_rng(0)
    coarse = rng.standard_normal((32, 32, 32)).repeat(8, 0).repeat(8, 1).repeat(8, 2)
    array = np.rint(40 + 60 * coarse + 30 * rng.standard_normal(coarse.shape)).astype(np.int16)
    z, y, x = np.ogrid[-128:128, -128:128, -128:128]
    wobble = 1 + 0.15 * np.sin(z / 9) * np.cos(y / 7)
    return array, ((z**2 + y**2 + x**2) < (radius * wobble) ** 2).astype(np.uint8), (1.0, 0.9, 0.9), 25.0


def lesion() -> Case:
    """Return a body of 19 thousand samples in a CT of 256^3."""
    return _scan(16.5)


def organ() -> Case:
    """Return a body of 700 thousand samples in a CT of 256^3."""
    return _scan(55.0)


def _names() -> list[tuple[str, str, str]]:
    with NAMES.open(encoding="utf-8", newline="") as handle:
        return [(row["class"], row["name"], row["tag"]) for row in csv.DictReader(handle) if row["name"] not in APART]


#: Image types of the rows "with wavelet and two LoG", as we are asked for them and as they come out: tag prefix, name there.
RESPONSES = {"wavelet": "coif1", "log": [2, 3], "log_kernel": "recursive", "boundary": "nearest"}
TYPES = [f"wavelet-{a}{b}{c}" for a in "LH" for b in "LH" for c in "LH"] + ["log-sigma-2-mm-3D", "log-sigma-3-mm-3D"]


def _ours(case: Case, responses: bool = False) -> Work:
    import isocenter as iso
    from isocenter.core.labels import Segment

    array, mask, spacing, width = case
    grid = iso.Geometry.regular(array.shape, spacing)
    more: dict[str, Any] = {"responses": RESPONSES} if responses else {}
    operation = iso.op("features.radiomics", discretisation="width_from_zero", bin_width=width, **more)
    suffixes = {"glcm": "_3D_avg", "glrlm": "_3D_avg", "firstorder": "", "shape": ""}
    wanted = [tag + suffixes.get(kind, "_3D") for kind, _, tag in _names()]
    wanted += [f"{one}_{tag}{suffixes.get(kind, '_3D')}" for one in (TYPES if responses else ()) for kind, _, tag in _inner()]

    def work() -> Any:
        image = iso.Image(array, ("z", "y", "x"), grid, quantity="HU")
        found = operation(image, iso.LabelMap(mask, ("z", "y", "x"), grid, (Segment(1, "region"),)), threads=1)
        values = {c.tag: v for c, v in zip(found.columns, found.rows[0], strict=True)}
        return np.array([values[tag] for tag in wanted])

    return work


def _inner() -> list[tuple[str, str, str]]:
    return [row for row in _names() if row[0] != "shape"]


def _theirs(case: Case, responses: bool = False, **settings: Any) -> Work:
    import logging

    import SimpleITK as sitk
    from radiomics import featureextractor  # type: ignore[import-not-found]  # a peer, in the benchmark environment only

    logging.getLogger("radiomics").setLevel(logging.ERROR)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    array, mask, spacing, width = case
    image, region = sitk.GetImageFromArray(array), sitk.GetImageFromArray(mask)
    image.SetSpacing(spacing[::-1])
    region.SetSpacing(spacing[::-1])
    extractor = featureextractor.RadiomicsFeatureExtractor(binWidth=width, **settings)

    if responses:
        extractor.enableImageTypes(Original={}, Wavelet={"wavelet": "coif1"}, LoG={"sigma": [2, 3]})
    wanted = [f"original_{kind}_{name}" for kind, name, _ in _names()]
    wanted += [f"{one}_{kind}_{name}" for one in (TYPES if responses else ()) for kind, name, _ in _inner()]

    def work() -> Any:
        found = extractor.execute(image, region)
        return np.array([float(found[name]) for name in wanted])

    return work


def ours_brain() -> Work:
    return _ours(brain())


def pyradiomics_brain() -> Work:
    return _theirs(brain())


def pyradiomics_brain_cropped() -> Work:
    return _theirs(brain(), preCrop=True, additionalInfo=False)


def ours_lesion() -> Work:
    return _ours(lesion())


def pyradiomics_lesion() -> Work:
    return _theirs(lesion())


def pyradiomics_lesion_cropped() -> Work:
    return _theirs(lesion(), preCrop=True, additionalInfo=False)


def ours_organ() -> Work:
    return _ours(organ())


def pyradiomics_organ() -> Work:
    return _theirs(organ())


def pyradiomics_organ_cropped() -> Work:
    return _theirs(organ(), preCrop=True, additionalInfo=False)


def _box(case: Case, margin: int = 10) -> Case:
    """Return a case cut to the box around its region by hand, with room for what filters read."""
    array, mask, spacing, width = case
    found = [np.flatnonzero(mask.any(axis=tuple(k for k in range(3) if k != axis))) for axis in range(3)]
    place = tuple(slice(max(0, int(w[0]) - margin), int(w[-1]) + 1 + margin) for w in found)
    return np.ascontiguousarray(array[place]), np.ascontiguousarray(mask[place]), spacing, width


def ours_lesion_types() -> Work:
    return _ours(lesion(), True)


def pyradiomics_lesion_types() -> Work:
    return _theirs(lesion(), True)


def pyradiomics_lesion_types_cropped() -> Work:
    return _theirs(lesion(), True, preCrop=True, padDistance=10, additionalInfo=False)


def ours_box_types() -> Work:
    return _ours(_box(lesion()), True)


def pyradiomics_box_types() -> Work:
    return _theirs(_box(lesion()), True)


def pyradiomics_box_types_cropped() -> Work:
    return _theirs(_box(lesion()), True, preCrop=True, padDistance=10, additionalInfo=False)


def ours_organ_types() -> Work:
    return _ours(organ(), True)


def pyradiomics_organ_types() -> Work:
    return _theirs(organ(), True)


def pyradiomics_organ_types_cropped() -> Work:
    return _theirs(organ(), True, preCrop=True, padDistance=10, additionalInfo=False)


def alike_types(ours: npt.NDArray[Any], theirs: npt.NDArray[Any]) -> str | None:
    """Require equal values: of the image and its wavelet bands to 5e-6, of LoG (their recursion goes on for ever) to 2e-4.

    Where they crop, their filters end at the crop: what then differs is counted.
    """
    names = [f"original {name}" for _, name, _ in _names()] + [f"{one} {name}" for one in TYPES for _, name, _ in _inner()]
    room = np.array([2e-4 if "log" in name else 5e-6 for name in names])
    apart = [n for n, a, b, r in zip(names, ours, theirs, room) if not np.isclose(a, b, rtol=float(r), atol=1e-9)]
    return f"{len(apart)} of {len(names)}: {', '.join(apart[:4])}" if apart else None


def alike(ours: npt.NDArray[Any], theirs: npt.NDArray[Any]) -> str | None:
    """Require equal values to within one in a million."""
    apart = [f"{name} {a:.6g} {b:.6g}" for (_, name, _), a, b in zip(_names(), ours, theirs) if not np.isclose(a, b, rtol=1e-6)]
    return ", ".join(apart) or None


if __name__ == "__main__":
    from benchmarks.common import Row, main

    def row(text: str, name: str) -> Row:
        peers = {"PyRadiomics": f"pyradiomics_{name}", "PyRadiomics, preCrop, no diagnostics": f"pyradiomics_{name}_cropped"}
        return Row(f"All classes, {text}, one thread", __file__, f"ours_{name}", peers, alike, 3)

    def types(text: str, name: str) -> Row:
        peers = {"PyRadiomics": f"pyradiomics_{name}", "PyRadiomics, preCrop, no diagnostics": f"pyradiomics_{name}_cropped"}
        return Row(f"All classes, wavelet and two LoG, {text}, one thread", __file__, f"ours_{name}", peers, alike_types, 2)

    main(
        [
            row("brain1, 4,137 samples of 256 x 256 x 25", "brain"),
            row("a lesion of 19,000 samples in a CT of 256^3", "lesion"),
            row("an organ of 700,000 samples in a CT of 256^3", "organ"),
            types("a lesion of 19,000 samples in a CT of 256^3", "lesion_types"),
            types("the same lesion in a box cut by hand", "box_types"),
            types("an organ of 700,000 samples in a CT of 256^3", "organ_types"),
        ],
        "Radiomics",
    )
