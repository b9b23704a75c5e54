"""Convert between formats without changing values, geometry, left or right."""

from __future__ import annotations

from pathlib import Path

from isocenter.core.errors import AmbiguousInputError, ContentError
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack
from isocenter.core.pyramid import Pyramid
from isocenter.io import door
from isocenter.jobs.options import parse_repair
from isocenter.jobs.outputs import file_part

__all__ = ["convert"]


#: Modality -> what its values are, for images whose format does not say.
_QUANTITIES = {"CT": "HU"}


def convert(
    source: Path | str, target: Path | str, repair: str | None = None, modality: str | None = None, layout: str | None = None
) -> list[str]:
    """Read one image or label map and write it in another format.

    Parameters
    ----------
    source
        File, folder or archive that holds one image (or one set of labels).
    target
        File whose ending names the format; a folder (existing, or a name without an ending) gets a
        DICOM series.
    repair
        ``interpolate`` or ``nearest`` for missing slices.
    modality
        DICOM Defined Term, where the source's format does not say it; a CT then holds HU.
    layout
        ``nnunet`` or ``monai``: all cases of the source become one data set below `target`.

    Returns
    -------
    list of str
        What was written, and every problem that the reader reported.
    """
    if layout is not None:
        from isocenter.jobs.convert_cohort import convert_cohort

        return convert_cohort(source, target, layout, repair)
    found = door.inspect(source, repair=parse_repair(repair))
    items = [item for item in found.items if item.kind in ("image", "labels", "pyramid")]
    if not items:
        reason = found.refusals[0].reason if found.refusals else "it holds no image"
        raise ContentError(f"Nothing to convert in '{source}': {reason}")
    if len(items) > 1:
        names = ", ".join(f"{item.name} ({item.spec.modality or item.kind})" for item in items[:8])
        raise AmbiguousInputError(
            f"'{source}' holds {len(items)} images: {names}; expected one: give the path of the one to convert."
        )
    value = items[0].load()
    if isinstance(value, Pyramid):
        value = door.whole(value, Path(source))
    if modality is not None and isinstance(value, Image):
        value = value.replace(modality=modality.upper(), quantity=value.quantity or _QUANTITIES.get(modality.upper()))
    path = Path(target)
    series = str(target).endswith("/") or path.is_dir() or not path.suffix
    lines = _write(value, path, series and path.suffix != ".zarr")  # a Zarr hierarchy is a folder too
    if path.suffix.lower() == ".mp4":
        lines.append(
            "note: MP4 keeps pictures for viewing, with loss: values differ, the modality is not kept; measure in another format."
        )
    return [*lines, *[f"note: {problem.sentence()}" for problem in items[0].problems]]


def _write(value: Image | MaskStack, path: Path, folder: bool) -> list[str]:
    if folder:
        from isocenter.io.dicom.write_series import write_series

        if not isinstance(value, Image) or isinstance(value, LabelMap):
            raise ContentError("Labels become a DICOM SEG only beside their source series: use isocenter run with --mask.")
        if value.modality in (None, "OT") and value.geometry.ndim == 3:
            raise ContentError(
                "A volume whose format does not say its modality: expected one, for DICOM keeps the geometry of CT, MR, PT ... "
                "only; say what it is with --modality CT."
            )
        files = write_series(value, path).paths
        return [f"wrote {len(files)} DICOM files into {path}"]
    if isinstance(value, MaskStack) and value.overlaps:
        lines = []
        for one in value:
            part = path.with_name(f"{file_part(one.segments[0].name)}-{path.name}")
            door.write(one, part)
            lines.append(f"wrote {part}")
        return lines
    door.write(value.to_labels() if isinstance(value, MaskStack) else value, path)
    return [f"wrote {path}"]
