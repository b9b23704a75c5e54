"""Pipeline specification: what a YAML or JSON pipeline says, checked, as frozen values.

A pipeline holds names only: registered operations, slots of a study, plain parameters. It never holds import
paths, expressions, URLs, environment variables or file paths, so it can be read from anyone.

    name: ct-lung
    steps:
      - {op: denoise.median,   with: {radius: 1}}
      - {op: segment.lungs,    to: lungs}
      - {op: features.texture, from: [image, lungs], to: texture, with: {bin_width: 25}}
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isocenter.core.errors import SpecError
from isocenter.core.registry import Registry
from isocenter.pipeline import check, document, json, yaml
from isocenter.pipeline.model import MASK, Input, Pipeline, Step

__all__ = ["MASK", "Input", "Pipeline", "Step", "load"]


def load(
    source: Path | str | bytes | Mapping[str, Any],
    *,
    registry: Registry | None = None,
    name: str = "",
    limits: document.Limits | None = None,
) -> Pipeline:
    """Read and check a pipeline.

    Parameters
    ----------
    source
        A `Path` is read as a file (JSON where its suffix is ``.json``, else YAML); str and bytes are the YAML text
        itself; a mapping holds the plain values.
    registry
        Where operations are looked up; default: all that are installed.
    name
        What the text is called in messages; default: the file's name.
    limits
        How large it may be.

    Raises
    ------
    SpecError
        With every problem found, each with its line.
    MissingInputError
        If the file does not exist.
    """
    if isinstance(source, Mapping):
        source = json_text(source)
        label, reader = name or "pipeline specification", json.read
    elif isinstance(source, Path):
        label, reader = name or source.name, json.read if source.suffix.lower() == ".json" else yaml.read
        source = yaml.read_file(source, limits)
    else:
        label, reader = name or "pipeline specification", yaml.read
    found = reader(source, label, limits)
    problems = list(found.problems)
    pipeline = check.pipeline(found, problems, registry)
    if problems or pipeline is None:
        raise SpecError(document.sentences(problems) or ["not a pipeline"], label)
    return pipeline


def json_text(values: Mapping[str, Any]) -> str:
    """Return plain values as JSON text, so that they pass the same checks as a file.

    Raises
    ------
    SpecError
        If they hold anything that JSON has not.
    """
    import json

    try:
        return json.dumps(values, ensure_ascii=False, indent=1)
    except (TypeError, ValueError, RecursionError) as error:
        raise SpecError(
            f"values that are not plain text, numbers, lists and mappings ({error})", "pipeline specification"
        ) from None
