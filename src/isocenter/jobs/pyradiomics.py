"""PyRadiomics parameter files: what they ask for, said in parameters of features.radiomics, with a note on each difference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from isocenter.core.errors import SpecError
from isocenter.kernels.responses.wavelets import WAVELETS

__all__ = ["Converted", "convert", "is_parameter_file"]

#: Feature class -> our families.
_CLASSES: dict[str, tuple[str, ...]] = {
    "firstorder": ("statistics", "histogram"), "shape": ("morphology",), "glcm": ("glcm",), "glrlm": ("glrlm",),
    "glszm": ("glszm",), "gldm": ("ngldm",), "ngtdm": ("ngtdm",),
}  # fmt: skip

_ORDERS = {"sitkNearestNeighbor": "nearest", "sitkLinear": "linear", "sitkBSpline": "cubic"}

#: SimpleITK's numbers of the same.
_NUMBERS = {1: "sitkNearestNeighbor", 2: "sitkLinear", 3: "sitkBSpline"}

#: Image types that are taken over by name.
_OTHERS = ("gradient", "square", "squareroot", "logarithm", "exponential")

#: Settings that change nothing here, and why.
_SILENT = {
    "preCrop": "regions are always cropped first",
    "padDistance": "the margin is what interpolation needs",
    "geometryTolerance": "grids are compared in mm",
    "minimumROISize": "small regions are measured, and told by their count of samples",
    "minimumROIDimensions": "small regions are measured, and told by their count of samples",
    "additionalInfo": "",
    "enableCExtensions": "",
    "label_channel": "",
    "kernelRadius": "",
    "maskedKernel": "",
    "initValue": "",
    "voxelBatch": "",
    "force2Ddimension": "",
    "normalizeScale": "",
    "removeOutliers": "",
    "resegmentMode": "",
}  # fmt: skip


@dataclass
class Converted:
    """Parameters of features.radiomics, and what differs.

    Attributes
    ----------
    parameters
        Of the operation.
    found
        One sentence per difference.
    label
        Value of the label to measure.
    resample_mask
        Whether masks on another grid are resampled.
    normalise
        Scale, and the deviations beyond which values are clipped (None: none), of an image brought to mean 0 and deviation 1
        first; None: it is not.
    """

    parameters: dict[str, Any] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)
    label: int | None = 1
    resample_mask: bool = False
    normalise: tuple[float, float | None] | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """One sentence per difference."""
        return tuple(self.found)


def is_parameter_file(data: Mapping[str, Any]) -> bool:
    """Return whether a mapping is a PyRadiomics parameter file."""
    return bool({"setting", "imageType", "featureClass", "voxelSetting"} & set(data))


def convert(data: Mapping[str, Any], source: str) -> Converted:
    """Return the parameters that a PyRadiomics parameter file asks for.

    Parameters
    ----------
    data
        Its content.
    source
        Its name, for messages.

    Raises
    ------
    SpecError
        If it is no parameter file after all.
    """
    result = Converted(parameters={"discretisation": "width_from_zero", "bin_width": 25.0, "aggregations": ("3d_average",)})
    settings = data.get("setting") or {}
    if not isinstance(settings, Mapping):
        raise SpecError("'setting' is no mapping: expected names and values", source)
    for name, value in settings.items():
        if name in _HANDLERS:
            _HANDLERS[name](result, value, settings)
        elif name not in _SILENT:
            result.found.append(f"Setting '{name}' is not known and was passed over.")
        elif _SILENT[name]:
            result.found.append(f"Setting '{name}' has no effect: {_SILENT[name]}.")
    _families(result, data.get("featureClass"))
    _image_types(result, data.get("imageType"))
    result.found.append(
        "The mesh closes at the border of the mask and lies halfway between samples; kurtosis is excess kurtosis."
    )
    return result


def _image_types(result: Converted, types: Any) -> None:
    """Take over the image types; what they are there and here is the same but for what is noted."""
    wanted: Mapping[str, Any] = types if isinstance(types, Mapping) else dict.fromkeys(types or ("Original",))
    found: dict[str, Any] = {"boundary": "nearest", "log_kernel": "recursive", "original": "Original" in wanted}
    others = []
    for name, given in wanted.items():
        own = dict(given or {})
        if name == "LoG":
            found["log"] = [float(v) for v in own.pop("sigma", ())]
            if not found["log"]:
                result.found.append("Image type LoG names no sigma and is left out, as it is there.")
        elif name == "Wavelet":
            _wavelet(result, found, own)
        elif name.lower() in _OTHERS:
            others.append(name.lower())
        elif name != "Original":
            result.found.append(f"Image type {name} is not measured here" + (": use features.lbp." if "LBP" in name else "."))
        if own:
            result.found.append(f"Of image type {name} the setting {', '.join(own)} is passed over: all types share theirs.")
    if others:
        found["others"] = others
        if result.parameters.get("spacing"):
            result.found.append(
                f"{', '.join(others)}: scaled by the largest magnitude of the image as it was read; there of the interpolated part."
            )
    if result.parameters["aggregations"] == ("2.5d_average",) and (found.get("wavelet") or found.get("log")):
        found["in_plane"] = True
        if found.get("log"):
            result.found.append("Laplacians of Gaussians act in the slice, as all else does; there they act in space.")
    if {"log", "wavelet", "others"} & {name for name, value in found.items() if value}:
        result.parameters["responses"] = found


def _wavelet(result: Converted, found: dict[str, Any], own: dict[str, Any]) -> None:
    name = str(own.pop("wavelet", "coif1"))
    if name not in WAVELETS:
        result.found.append(f"Wavelet '{name}' is not known here and was passed over: there are {', '.join(WAVELETS)}.")
        return
    found["wavelet"] = name
    if own.pop("level", 1) != 1 or own.pop("start_level", 0) != 0:
        result.found.append("Of the wavelet the first level alone is measured.")
    result.found.append("Beyond the edges of the image wavelets take its nearest sample; there the image begins again.")


def _families(result: Converted, classes: Any) -> None:
    wanted = classes or dict.fromkeys(_CLASSES)
    families: list[str] = []
    for name in wanted:
        if name == "shape2D":
            result.found.append("Class 'shape2D' is not measured here: use features.shape on a slice.")
        elif name not in _CLASSES:
            result.found.append(f"Feature class '{name}' is not known and was passed over.")
        else:
            families.extend(_CLASSES[name])
            chosen = wanted[name] if isinstance(wanted, Mapping) else None
            if chosen:
                result.found.append(f"Of class '{name}' all features are given, not {len(chosen)} chosen ones.")
    if "ngldm" in families:
        result.found.append("Class 'gldm' is the IBSI's NGLDM, whose dependence counts the sample itself.")
    if "histogram" in families:
        result.found.append("'firstorder' entropy and uniformity are of the histogram of levels.")
    result.parameters["families"] = tuple(dict.fromkeys(families)) or ("statistics",)


def _width(result: Converted, value: Any, settings: Mapping[str, Any]) -> None:
    if settings.get("binCount") is None:
        result.parameters["bin_width"] = float(value)
        if settings.get("resegmentRange") is None:
            result.found.append("Bin edges lie at multiples of the width, as they do there; the IBSI starts at the lowest value.")


def _count(result: Converted, value: Any, settings: Mapping[str, Any]) -> None:
    if value is not None:
        result.parameters.update(discretisation="count", bin_count=int(value))


def _spacing(result: Converted, value: Any, settings: Mapping[str, Any]) -> None:
    if not value:
        return
    given = [float(v) for v in value]
    result.parameters["spacing"] = tuple(reversed(given))
    result.parameters.setdefault("order", "cubic")
    result.found.append(
        "The interpolated grid shares its centre with the image's, as the IBSI defines it; there it shares the corner of the "
        "box around the region. The mask is interpolated linearly; there it takes the nearest sample."
    )


def _order(result: Converted, value: Any, settings: Mapping[str, Any]) -> None:
    name = _NUMBERS.get(value, value) if isinstance(value, int) else value
    if name in _ORDERS:
        result.parameters["order"] = _ORDERS[str(name)]
    elif name is not None:
        result.found.append(f"Interpolator '{name}' is not known here; cubic splines are taken.")


def _range(result: Converted, value: Any, settings: Mapping[str, Any]) -> None:
    if not value:
        return
    mode, ends = settings.get("resegmentMode", "absolute"), [float(v) for v in value]
    if mode == "sigma":
        far = ends if len(ends) == 1 else [-ends[0], ends[1]]
        if len(set(far)) > 1:
            result.found.append(f"A range of {ends} standard deviations is taken as {max(far):g} on both sides.")
        result.parameters["outlier_sigma"] = max(far)
    elif mode == "absolute":
        result.parameters.update(lowest=ends[0], **({"highest": ends[1]} if len(ends) > 1 else {}))
    else:
        result.found.append("A range relative to the maximum is not known here; nothing is left out.")


def _label(result: Converted, value: Any, settings: Mapping[str, Any]) -> None:
    result.label = int(value)


def _correct(result: Converted, value: Any, settings: Mapping[str, Any]) -> None:
    result.resample_mask = bool(value)


def _flat(result: Converted, value: Any, settings: Mapping[str, Any]) -> None:
    if value:
        result.parameters["aggregations"] = ("2.5d_average",)
        axis = int(settings.get("force2Ddimension", 0))
        if axis != 0:
            result.found.append(f"Slices are those along the first stored axis, not along axis {axis}.")


def _shift(result: Converted, value: Any, settings: Mapping[str, Any]) -> None:
    if value:
        result.found.append(f"Intensities are not shifted by {value} for energy and root mean square.")


def _weights(result: Converted, value: Any, settings: Mapping[str, Any]) -> None:
    if value is not None:
        result.found.append("Directions are not weighted by their length.")


def _normalise(result: Converted, value: Any, settings: Mapping[str, Any]) -> None:
    if value:
        outliers = settings.get("removeOutliers")
        result.normalise = (float(settings.get("normalizeScale", 1)), None if outliers is None else float(outliers))


def _fixed(expected: Any, text: str) -> Callable[[Converted, Any, Mapping[str, Any]], None]:
    """Return a handler that notes any value but the IBSI's."""

    def handle(result: Converted, value: Any, settings: Mapping[str, Any]) -> None:
        if value is not None and value != expected:
            result.found.append(f"{text}, as the IBSI defines it, not {value}.")

    return handle


_HANDLERS: dict[str, Callable[[Converted, Any, Mapping[str, Any]], None]] = {
    "binWidth": _width, "binCount": _count, "resampledPixelSpacing": _spacing, "interpolator": _order,
    "resegmentRange": _range, "label": _label, "correctMask": _correct, "force2D": _flat, "voxelArrayShift": _shift,
    "weightingNorm": _weights, "normalize": _normalise,
    "distances": _fixed([1], "Neighbours are those at a distance of [1]"),
    "symmetricalGLCM": _fixed(True, "Co-occurrence is counted both ways"),
    "gldm_a": _fixed(0, "Dependences are of equal levels (0)"),
}  # fmt: skip
