"""Segment an input with one segmenter: a run of a study of one step, with the quality flags it raised."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from isocenter.core.errors import ParameterError, UnknownNameError
from isocenter.core.registry import operations
from isocenter.jobs import run as job
from isocenter.jobs.apply import parse_settings
from isocenter.jobs.options import Options
from isocenter.pipeline import yaml

__all__ = ["segment", "study_of"]


def study_of(name: str, settings: Sequence[str] = ()) -> str:
    """Return the study of one step that segments with `name`, as YAML.

    Raises
    ------
    UnknownNameError, ParameterError
        If there is no such segmenter, or a setting does not fit it.
    """
    operation = name if "." in name else f"segment.{name}"
    known = operations()
    if operation not in known or known.entry(operation).family != "Segmenter":
        there = [n.removeprefix("segment.") for n in known.names() if known.entry(n).family == "Segmenter"]
        raise UnknownNameError(f"No segmenter '{name}': expected one of {', '.join(there)}.")
    given = parse_settings(settings)
    known.load(operation)(**given)  # a wrong setting is reported before anything is read
    slot = operation.rpartition(".")[2]
    document = {
        "name": f"segment-{slot.replace('_', '-')}",
        "title": f"Segment: {slot.replace('_', ' ')}",
        "description": known.entry(operation).summary,
        "steps": [{"op": operation, "from": "image", "to": slot, **({"with": given} if given else {})}],
        "report": {"labels": [slot], "figures": [slot]},
    }
    return yaml.dump(document)


def segment(
    inputs: Sequence[Path | str], name: str, out: Path | str, *, settings: Sequence[str] = (), options: Options | None = None
) -> job.Summary:
    """Segment inputs and write labels, a picture of each beside it, a report, and the lineage.

    Parameters
    ----------
    inputs
        Images, as for a run.
    name
        Segmenter, with or without ``segment.`` in front.
    out
        Folder for the results.
    settings
        ``NAME=VALUE`` texts.
    options
        As for a run; its study is not used.

    Returns
    -------
    Summary
        As of a run; the notes of its cases are the segmenter's quality flags.
    """
    if options is not None and options.study is not None:
        raise ParameterError("A segmentation has its own study: expected none in the options.")
    with tempfile.TemporaryDirectory() as folder:
        # The run keeps a copy (pipeline.yaml) beside its results, which verify reads.
        study = Path(folder) / "segment.yaml"
        study.write_text(study_of(name, settings), encoding="utf-8")
        chosen = replace(options or Options(), study=str(study), verb="segment")
        return job.execute(job.prepare(list(inputs), chosen), out, chosen)
