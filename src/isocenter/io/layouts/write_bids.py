"""Writing a derivative data set after BIDS: images and segmentations of each subject with what they came from.

References
----------
BIDS specification 1.10, derivatives: common data types and metadata, imaging derivatives (segmentations, ``dseg.tsv``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from isocenter._version import __version__
from isocenter.core.errors import ParameterError
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack
from isocenter.io import atomic, nifti

__all__ = ["BidsWriter"]

#: Suffixes of the specification that a slot may already be named after.
SUFFIXES = {
    s.lower(): s for s in ("T1w", "T2w", "FLAIR", "PDw", "T1map", "T2map", "T2star", "angio", "bold", "dwi", "asl", "pet")
}
_ENDING = ".nii.gz"


def _word(text: str) -> str:
    """Return a text as a label of BIDS: letters and digits alone."""
    return re.sub(r"[^A-Za-z0-9]", "", text)


@dataclass
class BidsWriter:
    """Writes cases one at a time below one root.

    Parameters
    ----------
    root
        A new or empty folder.
    source
        Name of the data set that the cases come from.
    """

    root: Path
    source: str

    def begin(self) -> Path:
        """Write ``dataset_description.json``, which makes a derivative data set of the folder."""
        facts = {
            "Name": f"isocenter derivatives of {self.source}",
            "BIDSVersion": "1.10.0",
            "DatasetType": "derivative",
            "GeneratedBy": [{"Name": "isocenter", "Version": __version__}],
            "SourceDatasets": [{"URL": self.source}],
        }
        path = self.root / "dataset_description.json"
        atomic.write_text(path, json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
        return path

    def add(self, subject: str, images: Mapping[str, Image], labels: Mapping[str, LabelMap | MaskStack]) -> list[Path]:
        """Write one case.

        Parameters
        ----------
        subject
            Its name; what is no letter or digit is left out.
        images, labels
            Slot -> value. Overlapping labels become one binary mask each.

        Returns
        -------
        list of Path
            Everything written.

        Raises
        ------
        ParameterError
            If the subject's name holds no letter or digit, or its folder stands already.
        """
        label = _word(subject)
        folder = self.root / f"sub-{label}"
        if not label or folder.exists():
            raise ParameterError(
                f"Case '{subject[:80]}' as BIDS subject 'sub-{label}': expected letters or digits that no other case has."
            )
        written: list[Path] = []
        kind = next((_datatype(image) for image in images.values()), "anat")
        for slot, image in images.items():
            suffix = SUFFIXES.get(slot.lower(), "ct" if image.modality == "CT" else _word(slot))
            written += self._put(folder / _datatype(image) / f"sub-{label}_{suffix}", image, _known(image))
        for slot, value in labels.items():
            stem = folder / kind / f"sub-{label}_desc-{_word(slot)}"
            for name, part, rows in _parts(stem, value):
                written += self._put(name, part, {"Type": "ROI"})
                if rows:
                    path = Path(f"{name}.tsv")
                    atomic.write_text(path, "index\tname\n" + "".join(f"{index}\t{text}\n" for index, text in rows))
                    written.append(path)
        return written

    def _put(self, stem: Path, value: Image | LabelMap, facts: Mapping[str, Any]) -> list[Path]:
        atomic.make_folder(stem.parent)
        picture, side = Path(f"{stem}{_ENDING}"), Path(f"{stem}.json")
        nifti.write(value, picture)
        atomic.write_text(side, json.dumps(dict(facts), indent=1, sort_keys=True) + "\n")
        return [picture, side]


def _known(image: Image) -> dict[str, str]:
    """Return what the sidecar may say of an image: what is known of it, and nothing that the specification would like to hear."""
    facts = {"Modality": image.modality, "Units": image.quantity}
    return {key: value for key, value in facts.items() if value is not None}


def _datatype(image: Image) -> str:
    """Return the folder of an image: the specification's, and ``ct`` where it has none (proposal 24)."""
    if image.modality == "CT":
        return "ct"
    if image.modality == "PT":
        return "pet"
    return "func" if "t" in image.dims else "anat"


def _parts(stem: Path, value: LabelMap | MaskStack) -> list[tuple[Path, LabelMap, Sequence[tuple[int, str]]]]:
    """Return (name without ending, labels, rows of the table) of each file that a value needs."""
    if isinstance(value, LabelMap):
        rows = [(segment.value, " ".join(segment.name.split())) for segment in value.segments]
        return [(Path(f"{stem}_dseg"), value, [(0, "background"), *rows])]
    found: list[tuple[Path, LabelMap, Sequence[tuple[int, str]]]] = []
    dims = tuple(d for d in value.dims if d in "tzyx")
    for k, segment in enumerate(value.segments):
        mask = np.asarray(value.array[k]).astype(np.uint8)
        one = LabelMap(mask, dims, value.geometry, (type(segment)(1, segment.name),))
        found.append((Path(f"{stem}{_word(segment.name)}_mask"), one, []))
    return found
