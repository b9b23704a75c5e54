"""isocenter: medical images from the scanner to a checked result.

    import isocenter as iso

    image = iso.read("ct/")
    smooth = iso.op("denoise.median", radius=1)(image)
    iso.write(smooth, "smooth.nii.gz")
    result = iso.run("ct-chest", "ct/", out="results/")

Importing the package loads nothing; every public name is loaded when it is first used.
This is software for research and quality-controlled use, not a certified medical device.
"""

from __future__ import annotations

import importlib
from typing import Any

from isocenter._version import __version__

#: Public name -> (module, attribute); attribute None is the module itself.
_PUBLIC: dict[str, tuple[str, str | None]] = {
    **{
        name: (f"isocenter.core.{module}", name)
        for module, names in {
            "geometry": ("Geometry",),
            "image": ("Image",),
            "labels": ("LabelMap", "MaskStack", "Segment"),
            "points": ("Points", "Boxes", "Contour", "Contours", "Mesh"),
            "transform": ("Transform", "Affine", "Displacement"),
            "results": ("Features", "Prediction", "Score", "Scores"),
            "signal": ("Signal",),
            "raw": ("Raw",),
            "pyramid": ("Pyramid",),
            "study": ("Study",),
            "provenance": ("Provenance",),
            "errors": ("IsocenterError",),
        }.items()
        for name in names
    },
    **{name: ("isocenter.io.door", name) for name in ("read", "read_study", "read_labels", "open", "write", "inspect")},
    "op": ("isocenter._facade", "op"),
    "ops": ("isocenter.ops", None),
    "run": ("isocenter._facade", "run"),
    **{
        stage: (f"isocenter.ops.{stage}", None)
        for stage in (
            "classify", "correct", "denoise", "detect", "edit", "enhance", "evaluate", "explain", "features", "filter",
            "forensics", "fuse", "plan", "reconstruct", "register", "resample", "restore", "segment",
        )
    },
}  # fmt: skip

__all__ = ["__version__", *sorted(_PUBLIC)]  # noqa: PLE0604  # strings all: the names of the table above


def __getattr__(name: str) -> Any:
    try:
        module, attribute = _PUBLIC[name]
    except KeyError:
        raise AttributeError(f"module 'isocenter' has no attribute '{name}'") from None
    loaded = importlib.import_module(module)
    value = loaded if attribute is None else getattr(loaded, attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
