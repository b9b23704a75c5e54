"""Optional dependencies: imported where they are used, missed with a sentence that helps."""

from __future__ import annotations

import importlib
from types import ModuleType

from isocenter.core.errors import MissingExtraError

__all__ = ["EXTRAS", "require"]

#: Extra -> the import names it brings.
EXTRAS: dict[str, tuple[str, ...]] = {
    "deep": ("torch", "monai", "einops", "safetensors", "onnx", "onnxruntime", "onnxscript", "sklearn", "threadpoolctl"),
    "web": ("django", "ninja"),
    "render": ("vtk", "pyvista"),
    "wsi": ("openslide", "imagecodecs", "zarr"),
    "video": ("av",),
    "raw": ("h5py",),
    "dicom-net": ("pynetdicom", "dicomweb_client"),
    "federated": ("flwr",),
    "parquet": ("pyarrow",),
}


def require(module: str, feature: str) -> ModuleType:
    """Import an optional module.

    Parameters
    ----------
    module
        Its import name, for instance ``pyarrow.parquet``.
    feature
        What needs it, as the start of a sentence: ``Writing Parquet tables``.

    Raises
    ------
    MissingExtraError
        If it is not installed; the message names the feature and the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        top = module.split(".")[0]
        extra = next((name for name, modules in EXTRAS.items() if top in modules), None)
        how = f'pip install "isocenter[{extra}]"' if extra else f"pip install {top}"
        raise MissingExtraError(f"{feature} needs the package '{top}', which is not installed: {how}") from error
