"""Settings of measurements: the shipped ones by name, a YAML file of one's own, or a PyRadiomics parameter file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from isocenter.core.errors import ParameterError, SpecError, UnknownNameError, did_you_mean
from isocenter.core.image import Image
from isocenter.jobs import pyradiomics
from isocenter.ops.features.radiomics import Radiomics
from isocenter.pipeline import yaml

__all__ = ["Settings", "names", "of_image", "resolve"]

FOLDER = Path(__file__).resolve().parent / "settings"


@dataclass(frozen=True)
class Settings:
    """One way to measure.

    Attributes
    ----------
    name
        Of the shipped settings, or the file's.
    operation
        `features.radiomics` with these parameters.
    notes
        What a foreign parameter file asked for that is done in another way, or not at all.
    label
        Value of the label that a foreign parameter file measures; None: every one.
    resample_mask
        Whether the file asks to resample masks.
    normalise
        Scale and clipping of an image that is brought to mean 0 and deviation 1 first; None: it is not.
    """

    name: str
    operation: Radiomics
    notes: tuple[str, ...] = ()
    label: int | None = None
    resample_mask: bool = False
    normalise: tuple[float, float | None] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that say how it was measured."""
        extra = {"normalise": list(self.normalise)} if self.normalise else {}
        return {"op": self.operation.name, "version": self.operation.version, "with": self.operation.parameters(), **extra}


def names() -> list[str]:
    """Return the name of every shipped setting."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def resolve(text: str) -> Settings:
    """Return settings by name or from a file.

    Parameters
    ----------
    text
        A shipped name, or the path of a YAML (or JSON) file: ``with`` and parameters of features.radiomics, or a
        PyRadiomics parameter file (``setting``, ``imageType``, ``featureClass``).

    Raises
    ------
    UnknownNameError
        If there is neither a shipped setting nor a file of that name.
    SpecError, ParameterError
        If the file is no settings file or a parameter does not fit.
    """
    if text in names():
        return _shipped(text)
    path = Path(text)
    if path.suffix.lower() not in (".yaml", ".yml", ".json") and not path.is_file():
        raise UnknownNameError(
            f"No settings '{text}': there are {', '.join(names())}; or give a YAML file.{did_you_mean(text, names())}"
        )
    return _of_file(path)


@lru_cache(maxsize=16)
def _shipped(name: str) -> Settings:
    return _of_file(FOLDER / f"{name}.yaml")


def _of_file(path: Path) -> Settings:
    data: Any = yaml.load(yaml.read_file(path), path.name)
    if not isinstance(data, dict):
        raise SpecError("expected 'with:' and parameters of features.radiomics below it", path.name)
    if pyradiomics.is_parameter_file(data):
        foreign = pyradiomics.convert(data, path.name)
        operation = Radiomics(**foreign.parameters)
        return Settings(path.stem, operation, foreign.notes, foreign.label, foreign.resample_mask, foreign.normalise)
    unknown = sorted(set(data) - {"summary", "with", "op"})
    if unknown or not isinstance(data.get("with", {}), dict) or data.get("op", "features.radiomics") != "features.radiomics":
        what = f"it has {', '.join(map(repr, unknown))}" if unknown else "its 'with' or 'op' is something else"
        raise SpecError(f"{what}: expected 'summary' and, below 'with', parameters of features.radiomics", path.name)
    try:
        return Settings(path.stem, Radiomics(**data.get("with", {})))
    except ParameterError as error:
        raise ParameterError(f"{path.name}: {error}") from error


def of_image(image: Image) -> Settings:
    """Return the settings for an image for which none were chosen: by what its values are, and plain where it lies on no grid in mm."""
    if image.geometry.unit != "mm" or image.geometry.ndim < 3:
        return _shipped("plain")
    if image.quantity == "HU":
        return _shipped("ct")
    if image.quantity is not None and image.quantity.startswith("SUV"):
        return _shipped("pet")
    return _shipped("mr" if image.modality == "MR" else "plain")
