"""Run a model package on new cases: a run of its own pipeline, with the package named by file name and digest."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isocenter.core import models
from isocenter.core.errors import ParameterError
from isocenter.jobs import run as job
from isocenter.jobs.options import Options

if TYPE_CHECKING:  # a run without a model must not load what learning needs
    from isocenter.learn.package.model import Package

__all__ = ["predict", "study_of", "with_model"]


def study_of(package: Package, name: str) -> str:
    """Return the pipeline of a package as YAML, its model named by file name and digest.

    Raises
    ------
    ParameterError
        If the model takes rows of a table, not images.
    """
    from isocenter.learn.package.model import MODEL_STEPS

    manifest = package.manifest
    if manifest["inputs"]["source"] == "table":
        raise ParameterError(
            f"Model '{manifest['name']}' takes rows of a table ({', '.join(package.model.names[:3])} ...), not images: "
            "predict with isocenter model validate on a table, or from Python."
        )
    own = {"package": name, "sha256": package.digest}
    steps = tuple(replace(s, parameters={**s.parameters, **own}) if s.op in MODEL_STEPS else s for s in package.pipeline.steps)
    words = f"Model '{manifest['name']}': {manifest['model']}"
    return package.pipeline.replace(steps=steps, description=package.pipeline.description or words).to_yaml()


@contextlib.contextmanager
def with_model(options: Options) -> Iterator[Options]:
    """Give options whose study is the pipeline of the model that they name.

    Raises
    ------
    ParameterError
        If they name a study as well.
    """
    if options.model is None:
        if options.explain:
            raise ParameterError("An explanation without a model: expected --model PKG beside --explain.")
        yield options
        return
    if options.study is not None:
        raise ParameterError("A model and a study: expected one of them, as a model brings its own pipeline.")
    from isocenter.learn.package.reading import read_package

    package = read_package(options.model)
    models.make_known(options.model)
    with tempfile.TemporaryDirectory() as folder:
        # The run keeps a copy (pipeline.yaml) beside its results, which verify reads.
        study = Path(folder) / "model.yaml"
        study.write_text(study_of(package, options.model.name), encoding="utf-8")
        yield replace(options, study=str(study))


def predict(inputs: Sequence[Path | str], model: Path | str, out: Path | str, **options: Any) -> job.Summary:
    """Predict every case of the inputs by a package; what ``isocenter run --model`` does.

    Parameters
    ----------
    inputs
        As for a run.
    model
        The package.
    out
        Folder for the results: each case has a report and ``tables/predictions.csv``, which also stands over all cases.
    options
        Further fields of `Options`.
    """
    with with_model(Options(model=Path(model), **options)) as chosen:
        return job.execute(job.prepare(list(inputs), chosen), out, chosen)
