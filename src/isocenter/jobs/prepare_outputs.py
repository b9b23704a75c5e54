"""What a preparation leaves behind beside the slots: the picture of before and after, the pipeline, and a DICOM series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isocenter.core.errors import InputError
from isocenter.core.image import Image
from isocenter.core.signal import Signal
from isocenter.core.study import Study
from isocenter.io import atomic, door
from isocenter.jobs.outputs import Outputs
from isocenter.pipeline.spec import Pipeline
from isocenter.view.difference import difference
from isocenter.view.traces import traces

__all__ = ["pair_of", "picture_of", "write_prepared"]


def pair_of(pipeline: Pipeline, study: Study) -> tuple[Any, Any]:
    """Return the values before and after; twice the same where nothing was done."""
    before, after = (list(pipeline.report["compare"]) + ["", ""])[:2]
    first = study[before]
    return first, study.slots.get(after, first)


def picture_of(before: Any, after: Any) -> bytes | None:
    """Return before and after side by side as PNG; None where the values are neither images nor signals."""
    if isinstance(before, Image) and isinstance(after, Image):
        return difference(before, after)
    if isinstance(before, Signal) and isinstance(after, Signal):
        return traces({"before": before, "after": after})
    return None


def write_prepared(outputs: Outputs, pipeline: Pipeline, study: Study, identity: Mapping[str, Any]) -> None:
    """Write the picture, ``prepare.yaml``, signals, and a DICOM series where the source was DICOM.

    Parameters
    ----------
    identity
        Identity of the source series; empty where the source was no DICOM.
    """
    names = list(pipeline.report["compare"])
    before, after = pair_of(pipeline, study)
    picture = picture_of(before, after)
    if picture is not None:
        atomic.write_bytes(outputs.path("images/before-after.png", "", "before and after"), picture)
    atomic.write_bytes(outputs.path("prepare.yaml", "", "pipeline"), pipeline.to_yaml().encode())
    for name, value in study.slots.items():
        if isinstance(value, Signal):
            door.write(value, outputs.path(f"signals/{name}.csv", name, "signal"))
    if after is before and isinstance(before, Image):
        # Nothing was done: the image as read is the prepared one, under the name that scripts look for.
        _copy(outputs, before, names)
    if identity and isinstance(after, Image):
        _write_series(outputs, after, names[-1] if after is not before else names[0], identity)


def _copy(outputs: Outputs, image: Image, names: list[str]) -> None:
    for relative in [path for path, shown in outputs.files.items() if shown.slot == names[0] and path.startswith("images/")]:
        other = relative.replace(f"/{names[0]}.", f"/{names[-1]}.")
        content = (outputs.folder / relative).read_bytes()
        atomic.write_bytes(outputs.path(other, names[0], "image"), content)


def _write_series(outputs: Outputs, image: Image, slot: str, identity: Mapping[str, Any]) -> None:
    from isocenter.io.dicom.write_series import write_series

    folder = outputs.folder / "dicom" / "prepared"
    try:
        written = write_series(image, folder, identity=identity, description="Prepared", series_number=9001)
    except InputError as error:
        outputs.notes.append(f"No DICOM series of the prepared image: {error}")
        return
    for path in written.paths:
        outputs.path(str(path.relative_to(outputs.folder)), slot, "DICOM series")
