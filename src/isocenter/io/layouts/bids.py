"""Brain Imaging Data Structure: subject, session and suffix of a file, in the raw dataset or a derivative of it.

References
----------
K. Gorgolewski et al., The brain imaging data structure, Sci. Data 3 (2016) 160044; BIDS specification, sections common
principles (entities) and derivatives (masks, segmentations).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Entities", "entities"]

#: Folder of a data type -> modality.
DATATYPES = {"anat": "MR", "func": "MR", "dwi": "MR", "fmap": "MR", "perf": "MR", "pet": "PT"}
MASKS = ("mask", "dseg")
_NAME = re.compile(r"(sub-[A-Za-z0-9]+(?:_[a-z]+-[A-Za-z0-9+]+)*)_([A-Za-z0-9]+)\.[A-Za-z.0-9]+")


@dataclass(frozen=True)
class Entities:
    """What a name says.

    Attributes
    ----------
    root
        The dataset; derivatives count to the dataset they lie in.
    subject, session
        Labels; the session is empty where there is none.
    suffix
        ``T1w``, ``bold``, ``mask`` ...
    label
        Which structure a mask shows (entity ``label`` or ``desc``), else empty.
    modality
        By the data type's folder, None where it does not say.
    """

    root: Path
    subject: str
    session: str
    suffix: str
    label: str
    modality: str | None

    @property
    def mask(self) -> bool:
        """Whether the file holds labels."""
        return self.suffix in MASKS


def entities(path: Path) -> Entities | None:
    """Return what the name and place of a file say, None where it is no file of a BIDS dataset.

    Parameters
    ----------
    path
        Below a folder ``sub-LABEL`` of the same label.
    """
    found = _NAME.fullmatch(path.name)
    if found is None:
        return None
    pairs = dict(part.split("-", 1) for part in found[1].split("_"))
    folder = next((p for p in path.parents if p.name == f"sub-{pairs['sub']}"), None)
    if folder is None:
        return None
    root = folder.parent
    for above in folder.parents:
        if above.name == "derivatives":
            root = above.parent
    label = pairs.get("label") or pairs.get("desc") or ""
    return Entities(root, pairs["sub"], pairs.get("ses", ""), found[2], label, DATATYPES.get(path.parent.name))
