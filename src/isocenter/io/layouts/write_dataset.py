"""Writing data sets in the layouts of nnU-Net and of MONAI (the Decathlon's): files first, their description last.

References
----------
As of `isocenter.io.layouts.dataset_json`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from isocenter.core.errors import ParameterError, WriteError
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.io import atomic, nifti
from isocenter.io.layouts.dataset_json import NAME

__all__ = ["CASE", "DatasetWriter", "require_empty"]

#: What a case may be called: it becomes a file name on every system.
CASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,63}(_[A-Za-z0-9.-]+){0,8}")
ENDING = ".nii.gz"


def require_empty(folder: Path) -> Path:
    """Create a folder for a data set, and return it.

    Raises
    ------
    WriteError
        If something stands in it already: two data sets in one folder would be mixed.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise WriteError(
            f"{folder}: something stands there already: expected a new or empty folder, so that no two data sets mix."
        )
    return atomic.make_folder(folder)


@dataclass
class DatasetWriter:
    """Writes cases one at a time.

    Parameters
    ----------
    root
        A new or empty folder.
    kind
        ``nnunet`` (one file a channel, numbered) or ``monai`` (one file a case if it has one channel; a list names them all).
    name
        Of the data set.
    channels
        Names of the channels in order.
    segments
        Value -> name of what labels show.
    """

    root: Path
    kind: Literal["nnunet", "monai"]
    name: str
    channels: Sequence[str]
    segments: Mapping[int, str]
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {"training": [], "test": []})

    def add(self, case: str, images: Sequence[Image], labels: LabelMap | None) -> list[Path]:
        """Write one case: for training where it has labels, else for the test.

        Raises
        ------
        ParameterError
            If its name is no file name, or it has another number of channels than the data set.
        GridMismatchError
            If its files lie on several grids.
        """
        if not CASE.fullmatch(case):
            raise ParameterError(f"Case '{case[:80]}': expected letters, digits, '.', '-' and '_', as its files bear the name.")
        if len(images) != len(self.channels):
            raise ParameterError(f"Case {case} has {len(images)} channels: expected {len(self.channels)}, as the others have.")
        for other in (*images[1:], *([labels] if labels is not None else [])):
            images[0].geometry.with_frame(None).require_match(
                other.geometry.with_frame(None), ("the first channel", "another file"), 0.1
            )
        part, folder = ("training", "Tr") if labels is not None else ("test", "Ts")
        numbered = self.kind == "nnunet" or len(images) > 1
        written, texts = [], []
        for k, image in enumerate(images):
            relative = f"images{folder}/{case}{f'_{k:04d}' if numbered else ''}{ENDING}"
            nifti.write(image, self._place(relative))
            written.append(self.root / relative)
            texts.append(f"./{relative}")
        row: dict[str, Any] = {"image": texts[0] if len(texts) == 1 else texts}
        if labels is not None:
            relative = f"labels{folder}/{case}{ENDING}"
            value = labels.replace(
                array=np.asarray(labels.array).astype(np.uint8 if max(self.segments, default=0) < 256 else np.uint16)
            )
            nifti.write(value, self._place(relative))
            written.append(self.root / relative)
            row["label"] = f"./{relative}"
        self.rows[part].append(row)
        return written

    def _place(self, relative: str) -> Path:
        path = self.root / relative
        atomic.make_folder(path.parent)
        return path

    def finish(self) -> Path:
        """Write ``dataset.json``, which makes a data set of the files."""
        channels = {str(k): name for k, name in enumerate(self.channels)}
        common = {"name": self.name, "numTraining": len(self.rows["training"])}
        if self.kind == "nnunet":
            labels = {"background": 0, **{name: value for value, name in self.segments.items()}}
            facts: dict[str, Any] = {**common, "channel_names": channels, "labels": labels, "file_ending": ENDING}
            atomic.make_folder(self.root / "labelsTr")
        else:
            named = {"0": "background", **{str(value): name for value, name in self.segments.items()}}
            size = {"tensorImageSize": "3D", "numTest": len(self.rows["test"])}
            facts = {**common, **size, "modality": channels, "labels": named, "validation": [], **self.rows}
        path = self.root / NAME
        atomic.write_text(path, json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
        return path
