"""The child that reads whole slides by OpenSlide (see `isocenter.io.file_child`)."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

from isocenter.io.file_worker import Message, UnreadError, serve

__all__ = ["main"]


def _number(text: Any) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def _handle(request: dict[str, Any]) -> Iterator[Message]:
    openslide = importlib.import_module("openslide")
    try:
        slide = openslide.OpenSlide(request["path"])
    except openslide.OpenSlideUnsupportedFormatError:
        raise UnreadError(
            "no slide that OpenSlide reads: expected one of a known scanner; export it as a pyramidal TIFF."
        ) from None
    with slide:
        if request["mode"] == "header":
            mpp = [_number(slide.properties.get(f"openslide.mpp-{axis}")) for axis in "xy"]
            vendor = slide.properties.get("openslide.vendor", "")
            yield (
                {
                    "sizes": [list(size) for size in slide.level_dimensions],
                    "mpp": mpp if None not in mpp else None,
                    "vendor": vendor,
                },
                b"",
            )
            return
        picture = slide.read_region(tuple(request["at"]), int(request["level"]), tuple(request["size"]))
        yield {}, picture.tobytes()


def main() -> None:
    """Answer one request about a slide."""
    serve(_handle)
