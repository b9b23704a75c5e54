"""Say what an input is, where it lies in the patient, and every problem found, with its consequence and its repair."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocenter.core.errors import ContentError, IsocenterError, MissingInputError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.io import door
from isocenter.io.inventory import Item, Refusal
from isocenter.jobs.options import parse_repair
from isocenter.jobs.words import describe_modality, listed
from isocenter.view.stack import stack_picture

__all__ = ["Info", "ItemInfo", "info"]


@dataclass(frozen=True)
class ItemInfo:
    """One thing that can be read, in words."""

    title: str
    facts: tuple[tuple[str, str], ...]
    picture: str
    problems: tuple[str, ...]
    data: dict[str, Any]


@dataclass(frozen=True)
class Info:
    """What was found at a path."""

    path: Path
    items: tuple[ItemInfo, ...]
    refused: tuple[tuple[str, str], ...]
    skipped: tuple[tuple[str, str], ...]
    kinds: tuple[str, ...]

    @property
    def usable(self) -> bool:
        """Whether anything can be read."""
        return bool(self.items)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "path": str(self.path),
            "usable": self.usable,
            "items": [item.data for item in self.items],
            "refused": [{"path": p, "reason": r, "kind": k} for (p, r), k in zip(self.refused, self.kinds, strict=True)],
            "skipped": [{"path": p, "reason": r} for p, r in self.skipped],
        }


def info(path: Path | str, repair: str | None = None) -> Info:
    """Inspect an input, and read every item once, so that a file whose voxels are broken is refused here.

    Parameters
    ----------
    path
        File, folder or archive.
    repair
        ``interpolate`` or ``nearest``: how missing slices would be filled.
    """
    root = Path(path)
    if not root.exists() and not root.is_symlink():
        raise MissingInputError(f"No file or folder at '{root}': check the path.")
    found = door.inspect(root, repair=parse_repair(repair))
    items: list[ItemInfo] = []
    refusals = list(found.refusals)
    for item in found.items:
        try:
            value = item.load()
        except IsocenterError as error:
            refusals.append(
                Refusal(
                    item.paths[0] if item.paths else root, str(error), "content" if isinstance(error, ContentError) else "format"
                )
            )
            continue
        items.append(_describe(item, value, found.path))
    return Info(
        root,
        tuple(items),
        tuple((_below(r.path, root), r.reason) for r in refusals),
        tuple((_below(p, root), reason) for p, reason in found.skipped),
        tuple(r.kind for r in refusals),
    )


def _below(path: Path, root: Path) -> str:
    try:
        return str(path.relative_to(root)) if path != root else path.name
    except ValueError:
        return path.name


def _describe(item: Item, value: Any, root: Path) -> ItemInfo:
    spec = item.spec
    grid: Geometry | None = spec.geometry
    shown = describe_modality(spec.modality) if item.kind == "image" else item.kind
    title = f"{item.name}: {shown} ({item.format}, {len(item.paths)} file{'s' if len(item.paths) != 1 else ''})"
    facts: list[tuple[str, str]] = []
    if grid is not None:
        facts += _geometry_facts(grid)
    if spec.dims:
        facts.append(("axes", " ".join(spec.dims)))
    if spec.dtype:
        facts.append(
            (
                "values",
                f"{spec.quantity or 'arbitrary units'}, stored as {spec.dtype.lstrip('<>|=')}, {spec.nbytes / 2**20:.1f} MiB",
            )
        )
    segments = getattr(value, "segments", None)
    if segments:
        facts.append(("segments", ", ".join(s.name for s in segments[:20]) + (" ..." if len(segments) > 20 else "")))
    facts += [(key.replace("_", " "), listed(v)) for key, v in sorted(item.attributes.items())]
    notes = getattr(getattr(value, "provenance", None), "notes", ())
    problems = [p.sentence() for p in item.problems]
    problems += [note for note in notes if not any(note in p for p in problems)]
    data: dict[str, Any] = {
        "name": item.name,
        "kind": item.kind,
        "format": item.format,
        "files": len(item.paths),
        "modality": spec.modality,
        "quantity": spec.quantity,
        "dims": list(spec.dims),
        "dtype": spec.dtype,
        "geometry": None
        if grid is None
        else {**grid.to_dict(), "spacing": list(grid.spacing), "orientation": grid.orientation, "shear_degrees": grid.shear},
        "segments": [s.name for s in segments] if segments else [],
        "attributes": dict(item.attributes),
        "problems": problems,
        "digest": getattr(value, "digest", None),
    }
    if item.format == "dicom":
        from isocenter.io.dicom.lint import lint  # what DICOM needs is loaded where there is some

        found = lint(item.paths, _plane(value))
        facts.append(("identifies", found.sentence()))
        data["identifying"] = found.to_dict()
    return ItemInfo(title, tuple(facts), stack_picture(grid) if grid is not None else "", tuple(problems), data)


def _plane(value: Any) -> Any:
    """Return one picture of what was read, the middle one of its planes; None where it is no picture."""
    if not isinstance(value, Image) or isinstance(value, LabelMap) or value.dims[-2:] != ("y", "x"):
        return None
    array = value.array
    for name in value.dims[:-2]:
        array = array.max(axis=0) if name == "c" else array[len(array) // 2]
    return array


def _geometry_facts(grid: Geometry) -> list[tuple[str, str]]:
    facts = [("size", " x ".join(str(n) for n in grid.shape) + " samples (array order)")]
    if grid.unit == "px":
        return [*facts, ("spacing", "unknown: no pixel size; measurements in mm will be refused")]
    facts.append(("spacing", " x ".join(f"{s:.6g}" for s in grid.spacing) + " mm"))
    facts.append(("extent", " x ".join(f"{s:.1f}" for s in grid.extent) + " mm"))
    words = {"L": "left", "R": "right", "A": "front", "P": "back", "S": "head", "I": "feet"}
    facts.append(("axes run to", ", ".join(words[letter] for letter in grid.orientation) + f" ({grid.orientation})"))
    facts.append(("origin", "L {:.2f}, P {:.2f}, S {:.2f} mm".format(*grid.origin)))
    if not grid.is_orthogonal:
        facts.append(("tilt", f"axes meet {grid.shear:.2f} degrees off a right angle (tilted gantry); the shear is kept"))
    return facts
