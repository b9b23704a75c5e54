"""The command ``isocenter``: every verb's arguments, and the border where errors become one sentence.

Exit codes: 0 done; 1 a step failed, cases were set aside, or verify found a difference; 2 usage; 3 nothing
usable in the input.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from isocenter._version import __version__
from isocenter.cli import judge
from isocenter.cli import model as model_verbs

__all__ = ["app", "main"]

app = typer.Typer(
    name="isocenter",
    help="Medical images from the scanner to a checked result.\n\nStart with: isocenter demo",
    epilog="Research and quality-controlled use only; not a certified medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(model_verbs.app, name="model")

Inputs = Annotated[list[Path], typer.Argument(help="DICOM folder or zip, NIfTI, NRRD, MHA, PNG, TIFF ... one or several.")]
Input = Annotated[Path, typer.Argument(help="File, folder or archive.")]
Out = Annotated[Path, typer.Option("-o", "--out", help="Folder for the results.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
RepairOption = Annotated[
    str | None, typer.Option("--repair", help="Fill missing or uneven slices: interpolate or nearest (recorded in the lineage).")
]


def _version(show: bool) -> None:
    if show:
        typer.echo(f"isocenter {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    pass


@app.command()
def run(
    inputs: Inputs,
    out: Out,
    study: Annotated[str | None, typer.Option(help="Name of a study or a YAML file; chosen by content where not given.")] = None,
    mask: Annotated[list[str] | None, typer.Option(help="NAME=PATH of a mask to measure; may be repeated.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Inspect and print the plan, run nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Start afresh instead of resuming.")] = False,
    repair: RepairOption = None,
    scheduler: Annotated[
        str | None, typer.Option(help="local, or the address of a Dask cluster; default: processes on this machine.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Cases at a time.", min=1)] = None,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.", min=0)] = 0,
    identify: Annotated[
        bool, typer.Option("--identify", help="Show the patient's name and ID, and which case is which file.")
    ] = False,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="CSV with the columns image and label, or a folder whose layout gives them: learn, prove, leave a model."
        ),
    ] = None,
    column: Annotated[list[str] | None, typer.Option(help="ROLE=COLUMN of the labels, for instance image=file.")] = None,
    leave_out: Annotated[list[str] | None, typer.Option(help="A column of the labels to pass over; may be repeated.")] = None,
    accept_leak: Annotated[str | None, typer.Option(help="Go on in spite of a leak; the reason is recorded.")] = None,
    folds: Annotated[int, typer.Option(help="Folds of the cross-validation.", min=2)] = 5,
    harmonise: Annotated[bool, typer.Option("--harmonise", help="Take the effect of the site out, inside the folds.")] = False,
    learner: Annotated[str | None, typer.Option(help="The learner whose score is the result.")] = None,
    minutes: Annotated[
        float | None,
        typer.Option(help="Most minutes that networks may be trained, counted on a nominal machine; 0: none.", min=0.0),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(help="With --labels: a model package whose network is fine-tuned, instead of one from random weights."),
    ] = None,
    unit: Annotated[str, typer.Option(help="With --labels: the unit of labels that are numbers, for instance ml.")] = "1",
    model: Annotated[Path | None, typer.Option("--model", help="A model package: predict every case by it.")] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="With --model: a map beside each prediction of where it looked.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Run a study: folder in, checked result folder out. With --labels: learn, prove, and leave a model."""
    from isocenter.cli import show
    from isocenter.jobs import run as job
    from isocenter.jobs.options import Options, parse_masks, parse_repair
    from isocenter.jobs.predict import with_model

    if labels is not None:
        from isocenter.cli.learn import LabelsAsked, run_labels

        asked = LabelsAsked(column or [], leave_out or [], accept_leak, folds, seed, harmonise, learner, minutes, unit, start)
        raise typer.Exit(run_labels(inputs, labels, out, asked, json))
    chosen = Options(
        study=study, masks=parse_masks(mask or []), repair=parse_repair(repair), force=force, seed=seed, identify=identify,
        scheduler=scheduler, workers=workers, model=model, explain=explain,
    )  # fmt: skip
    with with_model(chosen) as options:
        prepared = job.prepare(inputs, options, judge=plan)
        if not json:
            show.plan(prepared)
        if plan:
            if json:
                show.json(prepared.to_dict())
            raise typer.Exit(3 if not prepared.tasks else 0)
        with show.progress(quiet=json) as progress:
            summary = job.execute(prepared, out, options, progress=progress)
    show.json(summary.to_dict()) if json else show.summary(summary)
    raise typer.Exit(summary.exit_code)


@app.command()
def demo(out: Out = Path("isocenter-demo")) -> None:
    """Run the main job on phantoms of known truth and on real images, and check the results."""
    from isocenter.cli import show
    from isocenter.jobs import demo as job

    with show.progress() as progress:
        result = job.demo(out, progress=progress)
    show.demo(result)
    raise typer.Exit(result.exit_code)


@app.command()
def info(input: Input, json: AsJson = False, repair: RepairOption = None) -> None:
    """Say what an input is, where it lies, and every problem found; exit 0 usable, 3 refused."""
    from isocenter.cli import show
    from isocenter.jobs import info as job

    found = job.info(input, repair=repair)
    show.json(found.to_dict()) if json else show.info(found)
    raise typer.Exit(0 if found.usable else 3)


@app.command()
def ops(
    name: Annotated[str | None, typer.Argument(help="One operation, or a stage such as denoise.")] = None, json: AsJson = False
) -> None:
    """List the operations, or show the parameters of one."""
    from isocenter.cli import show_ops
    from isocenter.jobs import ops as job

    entries = job.ops(name)
    show_ops.as_json(entries) if json else show_ops.as_text(entries, detailed=name is not None and len(entries) == 1)


@app.command()
def apply(
    operation: Annotated[str, typer.Argument(help="Name of an operation; list them with: isocenter ops")],
    inputs: Annotated[list[Path], typer.Argument(help="Its inputs, in port order.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="File to write.")],
    settings: Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE of a parameter; may be repeated.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.", min=0)] = 0,
    repair: RepairOption = None,
) -> None:
    """Apply one operation to files."""
    from isocenter.cli import show
    from isocenter.jobs import apply as job

    show.lines(job.apply(operation, inputs, out, settings=settings or [], seed=seed, repair=repair))


@app.command()
def prepare(
    inputs: Inputs,
    out: Out,
    repair: RepairOption = None,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.", min=0)] = 0,
    force: Annotated[bool, typer.Option("--force", help="Start afresh instead of resuming.")] = False,
    json: AsJson = False,
) -> None:
    """Measure noise, bias, blur, contrast and artefacts; take only the steps they ask for, and show before and after."""
    from isocenter.cli import show
    from isocenter.jobs import prepare as job
    from isocenter.jobs.options import Options, parse_repair

    options = Options(repair=parse_repair(repair), seed=seed, force=force)
    with show.progress(quiet=json) as progress:
        ready, summary = job.prepare(inputs, out, options, progress=progress)
    if json:
        show.json({**summary.to_dict(), "proposals": {a.name: list(a.preparation) for a in ready.analyses}})
    else:
        show.plan(ready)
        show.summary(summary)
    raise typer.Exit(summary.exit_code)


@app.command()
def segment(
    inputs: Inputs,
    name: Annotated[str, typer.Option("--with", help="Segmenter, for instance lungs; list them with: isocenter ops segment")],
    out: Out,
    settings: Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE of a parameter; may be repeated.")] = None,
    repair: RepairOption = None,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.", min=0)] = 0,
    json: AsJson = False,
) -> None:
    """Segment with one segmenter: labels, a picture of them, a report that shows them, lineage, and what to look at twice."""
    from isocenter.cli import show
    from isocenter.jobs import segment as job
    from isocenter.jobs.options import Options, parse_repair

    options = Options(repair=parse_repair(repair), seed=seed)
    summary = job.segment(inputs, name, out, settings=settings or [], options=options)
    show.json(summary.to_dict()) if json else show.summary(summary)
    raise typer.Exit(summary.exit_code)


@app.command()
def convert(
    input: Input,
    output: Annotated[str, typer.Argument(help="File to write; its ending names the format. A folder for DICOM (ends in /).")],
    repair: RepairOption = None,
    modality: Annotated[
        str | None, typer.Option(help="CT, MR, PT ...: where the format does not say it (DICOM needs it).")
    ] = None,
    layout: Annotated[str | None, typer.Option(help="nnunet, monai or bids: write all cases of INPUT as one data set.")] = None,
) -> None:
    """Convert between formats; values, geometry, left and right stay what they are."""
    from isocenter.cli import show
    from isocenter.jobs import convert as job

    show.lines(lines := job.convert(input, output, repair=repair, modality=modality, layout=layout))
    raise typer.Exit(1 if layout is not None and len(lines) > 1 else 0)


@app.command()
def measure(
    image: Annotated[Path, typer.Argument(help="An image; or, without masks, a CSV with columns image, mask and label.")],
    masks: Annotated[list[Path] | None, typer.Argument(help="Label maps, DICOM SEG, or folders with a structure set.")] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="Table to write: .csv or .parquet.")] = Path("measurements.csv"),
    settings: Annotated[
        str | None,
        typer.Option(help="Shipped settings (ct, mr, pet, plain, ibsi-a ... ibsi-e) or a YAML file; default by image."),
    ] = None,
    label: Annotated[str, typer.Option(help="Name or value of the one label to measure.")] = "",
    objects: Annotated[bool, typer.Option("--objects", help="One row per connected object: cells, lesions.")] = False,
    resample_mask: Annotated[
        bool, typer.Option("--resample-mask", help="Resample masks on another grid even where they leave the image.")
    ] = False,
    workers: Annotated[int, typer.Option(help="Processes at a time.", min=1)] = 2,
    force: Annotated[bool, typer.Option("--force", help="Measure afresh what was measured before.")] = False,
    repair: RepairOption = None,
    json: AsJson = False,
) -> None:
    """Measure regions: IBSI radiomics, one row per region; exit 1 where some were set aside."""
    from isocenter.cli import show
    from isocenter.jobs import measure as job

    with show.progress(quiet=json) as progress:
        result = job.measure(
            image, masks or [], out, settings=settings or "", label=label, resample_mask=resample_mask, objects=objects, repair=repair,
            workers=workers, force=force, progress=progress,
        )  # fmt: skip
    show.json(result.to_dict()) if json else show.measured(result)
    raise typer.Exit(result.exit_code)


for verb in (judge.evaluate, judge.compare, judge.stability, judge.verify):
    app.command()(verb)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; every deliberate error becomes one sentence and its exit code."""
    from isocenter.core import errors

    try:
        sys.exit(result if isinstance(result := app(args=arguments, standalone_mode=False), int) else 0)
    except errors.IsocenterError as error:
        _say(str(error))
        sys.exit(_exit_code(error))
    except typer.Abort:
        _say("Stopped.")
        sys.exit(130)
    except KeyboardInterrupt:
        _say("Stopped; what was finished is kept, and the same command goes on from there.")
        sys.exit(130)
    except BrokenPipeError:  # the reader of a pipe went away, as `isocenter ops | head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except MemoryError:
        _say("Out of memory: expected the input to fit; crop or resample it first, or use a machine with more memory.")
        sys.exit(1)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        _say(f"The system refused: {error.strerror or error}{where}; check the path, its permissions and the free space.")
        sys.exit(1)
    except Exception as error:  # the last border: a defect of ours must still be one sentence, with a way to report it
        show = getattr(error, "show", None)  # usage errors of the argument parser print themselves
        if callable(show):
            show()
            sys.exit(getattr(error, "exit_code", 2))
        if os.environ.get("ISOCENTER_DEBUG"):
            raise
        _say(
            f"Internal error ({type(error).__name__}: {error}): this is a defect of isocenter; "
            "run again with ISOCENTER_DEBUG=1 and report what it prints."
        )
        sys.exit(1)


def _say(sentence: str) -> None:
    """Print an error sentence to the error stream, with control characters made visible."""
    from isocenter.core.text import plain

    print(f"isocenter: {plain(sentence)}", file=sys.stderr)


def _exit_code(error: Exception) -> int:
    from isocenter.core import errors

    if isinstance(error, errors.InputError | errors.MissingInputError):
        return 3
    if isinstance(
        error, errors.ParameterError | errors.UnknownNameError | errors.SpecError | errors.SlotError | errors.MissingExtraError
    ):
        return 2
    return 1


if __name__ == "__main__":
    main()
