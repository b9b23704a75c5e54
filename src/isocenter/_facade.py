"""The functions of the facade that are more than a name: op and run."""

from __future__ import annotations

from typing import Any

from isocenter.core.registry import operations

__all__ = ["op", "run"]


def op(name: str, **parameters: Any) -> Any:
    """Return an operation by name, with its parameters.

    Parameters
    ----------
    name
        Registered name, for instance ``denoise.median``; `ops` lists them.
    parameters
        Its parameters; unknown or impossible ones raise `ParameterError`.

    Raises
    ------
    UnknownNameError
        If there is no such operation; close names are suggested.
    """
    return operations().load(name)(**parameters)


def run(study: str | None, inputs: Any, out: Any, **options: Any) -> Any:
    """Run a study on inputs, as ``isocenter run`` does; see `isocenter.jobs.run.run`."""
    from isocenter.jobs.run import run as job

    return job(inputs, out, study=study, **options)
