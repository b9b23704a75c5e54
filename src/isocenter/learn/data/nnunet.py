"""Cohorts from the layout of nnU-Net: ``imagesTr``, ``labelsTr`` and ``dataset.json``.

References
----------
F. Isensee et al., nnU-Net, Nat. Methods 18 (2021) 203-211; its documentation of the dataset format.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from isocenter.core.errors import ContentError, FormatError, SpecError
from isocenter.core.text import plain
from isocenter.learn.data.cohort import Cohort, Sample

__all__ = ["from_nnunet"]


def from_nnunet(root: str | Path, *, channel: int | None = None, name: str | None = None) -> Cohort:
    """Read a segmentation cohort in nnU-Net's layout.

    Parameters
    ----------
    root
        The folder with ``dataset.json``.
    channel
        Which channel is read where a case has several files; None refuses such a set.
    name
        Of the cohort; nnU-Net's name of the set where None.

    Raises
    ------
    FormatError
        If it is no such folder.
    SpecError
        With one sentence for each case without its image or mask.
    """
    base = Path(root)
    facts = _facts(base)
    channels = facts.get("channel_names") or facts.get("modality") or {"0": "image"}
    if len(channels) > 1 and channel is None:
        raise ContentError(
            f"{plain(base.name)}: each case has {len(channels)} files ({plain(', '.join(map(str, channels.values())), 200)}): "
            "expected one image a case; choose a channel, or merge them into images of several channels."
        )
    ending = str(facts.get("file_ending", ".nii.gz"))
    masks = sorted(p for p in (base / "labelsTr").glob(f"*{ending}") if not p.name.startswith("."))
    problems, samples = [], []
    for mask in masks:
        case = mask.name.removesuffix(ending)
        image = base / "imagesTr" / f"{case}_{channel or 0:04d}{ending}"
        if image.is_file():
            samples.append(Sample(case, image, mask, case))
        else:
            problems.append(
                f"case '{plain(case, 100)}': there is no imagesTr/{plain(image.name, 100)}; expected one for its mask."
            )
    if problems:
        raise SpecError(problems, plain(base.name))
    if not samples:
        raise FormatError(f"{plain(base.name)}: labelsTr holds no mask *{plain(ending)}: expected one a case.")
    notes = (
        "Segmentation, as the layout is nnU-Net's.",
        "The layout names no patients, so each case counts as a patient of its own: give a table if some share one.",
    )
    return Cohort(tuple(samples), "segmentation", name or str(facts.get("name") or base.resolve().name), base, notes)


def _facts(base: Path) -> dict[str, Any]:
    path = base / "dataset.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FormatError(
            f"{plain(base.name)}: dataset.json cannot be read ({plain(error, 100)}): expected the layout of nnU-Net."
        ) from error
    if not isinstance(facts, dict) or not (base / "labelsTr").is_dir():
        raise FormatError(f"{plain(base.name)}: expected an object in dataset.json, and folders imagesTr and labelsTr beside it.")
    return facts
