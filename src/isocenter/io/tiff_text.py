"""What the description of a TIFF says of its pages: OME, ImageJ and Aperio name axes, pixel sizes and times in text.

References
----------
OME-TIFF specification (attributes of the Pixels element); ImageJ's TIFF description; Aperio, SVS description.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

__all__ = ["Meaning", "meaning_of"]

MILLIMETRES = {
    "\u00b5m": 1e-3, "\u03bcm": 1e-3, "um": 1e-3, "micron": 1e-3, "microns": 1e-3, "\\u00b5m": 1e-3, "mm": 1.0, "cm": 10.0, "m": 1e3,
    "nm": 1e-6, "pm": 1e-9, "inch": 25.4, "in": 25.4,
}  # fmt: skip


@dataclass(frozen=True)
class Meaning:
    """What a description says: names and extents of the page axes, pixel size, times."""

    axes: tuple[tuple[str, int], ...] = ()
    spacing: dict[str, float] | None = None
    times: tuple[float, ...] | None = None
    modality: str | None = None


def _attribute(text: str, name: str) -> str:
    found = re.search(rf'\b{name}\s*=\s*"([^"]{{0,64}})"', text)
    return found[1] if found else ""


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if math.isfinite(value) and value > 0 else 0.0


def _ome(text: str, count: int) -> Meaning:
    """Read the attributes of the first Pixels element; the XML itself is never interpreted, so no entity can be."""
    element = re.search(r"<Pixels\b[^>]{0,4000}>", text[:200_000])
    if element is None:
        return Meaning()
    pixels = element[0]
    spacing = {}
    for axis in "xyz":
        size = _positive(_attribute(pixels, f"PhysicalSize{axis.upper()}"))
        scale = MILLIMETRES.get(_attribute(pixels, f"PhysicalSize{axis.upper()}Unit") or "um", 0.0)
        if size * scale > 0:
            spacing[axis] = size * scale
    sizes = {a: int(v) if (v := _attribute(pixels, f"Size{a.upper()}")).isdigit() and len(v) < 8 else 1 for a in "ztc"}
    order = _attribute(pixels, "DimensionOrder").lower()[2:]
    axes = tuple((a, sizes[a]) for a in reversed(order) if sizes.get(a, 1) > 1) if sorted(order) == ["c", "t", "z"] else ()
    step = _positive(_attribute(pixels, "TimeIncrement")) * {"": 1.0, "s": 1.0, "ms": 1e-3}.get(
        _attribute(pixels, "TimeIncrementUnit"), 0.0
    )
    times = tuple(k * step for k in range(sizes["t"])) if step and sizes["t"] > 1 else None
    if math.prod(n for _, n in axes) != count:  # samples of a pixel count as channels in OME
        axes = tuple((a, n) for a, n in axes if a != "c")
    return Meaning(axes if math.prod(n for _, n in axes) == count else (), spacing, times)


def _imagej(text: str, resolution: tuple[float, float], count: int) -> Meaning:
    fields = dict(line.partition("=")[::2] for line in text[:10_000].splitlines() if "=" in line)
    scale = MILLIMETRES.get(fields.get("unit", "").lower(), 0.0)
    spacing = {}
    if scale:
        for axis, per_unit in zip("xy", resolution, strict=True):
            if per_unit > 0:
                spacing[axis] = scale / per_unit
        if _positive(fields.get("spacing", "")):
            spacing["z"] = _positive(fields["spacing"]) * scale
    sizes = {a: int(fields[k]) for a, k in (("t", "frames"), ("z", "slices"), ("c", "channels")) if fields.get(k, "").isdigit()}
    axes = tuple((a, sizes[a]) for a in "tzc" if sizes.get(a, 1) > 1)
    step = _positive(fields.get("finterval", ""))
    times = tuple(k * step for k in range(sizes["t"])) if step and sizes.get("t", 1) > 1 else None
    return Meaning(axes if math.prod(n for _, n in axes) == count else (), spacing, times)


def meaning_of(text: str, resolution: tuple[float, float], count: int) -> Meaning:
    """Return what a description says.

    Parameters
    ----------
    text
        Of the first page.
    resolution
        Pixels per unit along x and y, as the page states them.
    count
        Number of pages.
    """
    if text.startswith("ImageJ="):
        return _imagej(text, resolution, count)
    if "<OME" in text[:2000]:
        return _ome(text, count)
    mpp = re.search(r"\bMPP\s*=\s*([0-9.]{1,12})", text[:10_000]) if text.startswith("Aperio") else None
    if mpp and _positive(mpp[1]):
        size = _positive(mpp[1]) * 1e-3
        return Meaning((), {"x": size, "y": size}, None, "SM")
    return Meaning()
