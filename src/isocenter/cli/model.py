"""The command line of model packages: ``isocenter model info | test | validate | explain | export | import``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isocenter.core.errors import ParameterError

__all__ = ["app"]

app = typer.Typer(
    help="Model packages: read one, test it, validate it elsewhere, explain what it says, export it, import one.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

PackageFile = Annotated[Path, typer.Argument(help="A model package, NAME.isocenter.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command()
def info(package: PackageFile, json: AsJson = False) -> None:
    """Print the model card and the digest."""
    from isocenter.cli import show
    from isocenter.jobs import model as job

    found = job.info(package)
    show.json(found.to_dict()) if json else show.lines([*found.card.splitlines(), "", f"{found.digest}  {found.path}"])


@app.command("test")
def self_test(package: PackageFile, json: AsJson = False) -> None:
    """Check its hashes and predict its self-test case again; exit 1 where it says something else than when it was made."""
    from isocenter.cli import show
    from isocenter.jobs import model as job

    read, result = job.self_test(package)
    if json:
        show.json(
            {"sha256": read.digest, "passed": result.passed, "difference": result.difference, "tolerance": result.tolerance}
        )
    else:
        show.lines(["Every member is the one that was packed.", result.sentence, "Passed." if result.passed else "FAILED."])
    raise typer.Exit(0 if result.passed else 1)


@app.command()
def validate(
    package: PackageFile,
    on: Annotated[
        Path, typer.Option("--on", help="CSV with image (or the features) and label; or a folder whose layout gives the labels.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the results.")],
    column: Annotated[list[str] | None, typer.Option(help="ROLE=COLUMN of the table, for instance image=file.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.", min=0)] = 0,
    frozen: Annotated[
        Path | None, typer.Option(help="Record of a frozen test set: the same cases every time, every look at them added.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Judge it on another cohort: scores with intervals, calibration, beside its own figures; training cases are refused."""
    from isocenter.cli import show
    from isocenter.jobs import model as job

    columns = {}
    for text in column or []:
        role, sign, name = text.partition("=")
        if not sign or not name:
            raise ParameterError(f"Column '{text}': expected ROLE=COLUMN, for instance --column image=file")
        columns[role] = name
    with show.progress(quiet=json) as progress:
        found = job.validate_on(package, on, out, columns=columns, seed=seed, frozen=frozen, progress=progress)
    show.json(found.to_dict()) if json else show.lines(found.lines)
    raise typer.Exit(found.exit_code)


@app.command()
def explain(
    package: PackageFile,
    image: Annotated[Path, typer.Argument(help="The image; for a model of tables a CSV with its columns.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the results.")],
    method: Annotated[
        str | None, typer.Option(help="grad-cam, grad-cam++, occlusion, integrated-gradients or shap; the first that fits.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--class", help="Class, segment or landmark; default: the most probable, the largest, the surest."),
    ] = None,
    mask: Annotated[
        Path | None, typer.Option(help="Where a reader marked it (mask, or table of places): judges the map.")
    ] = None,
    candidate: Annotated[int | None, typer.Option(help="Of a detector: which candidate, 1 the surest.", min=1)] = None,
    cohort: Annotated[Path | None, typer.Option(help="CSV or folder of labelled cases: nearest ones, worth of features.")] = None,
    layer: Annotated[str | None, typer.Option(help="Of Grad-CAM; default: the last map.")] = None,
    patch: Annotated[float | None, typer.Option(help="Side in mm that occlusion covers; default: an eighth.")] = None,
    stride: Annotated[float | None, typer.Option(help="Step of occlusion in mm; default: half the patch.")] = None,
    check: Annotated[bool, typer.Option("--check/--no-check", help="Randomise the weights: the map must change.")] = True,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.", min=0)] = 0,
    repair: Annotated[str | None, typer.Option(help="Fill missing slices: interpolate or nearest.")] = None,
    json: AsJson = False,
) -> None:
    """Say where the model looked, or what each feature did, with a check whether that can be believed."""
    from isocenter.cli import show
    from isocenter.jobs import explain as job
    from isocenter.jobs.options import parse_repair

    options = job.ExplainOptions(method, target, mask, cohort, layer, patch, stride, check, seed, parse_repair(repair), candidate)
    found = job.explain(package, image, out, options)
    show.json(found.to_dict()) if json else show.lines(found.lines)


@app.command()
def export(
    package: PackageFile,
    onnx: Annotated[Path | None, typer.Option("--onnx", help="ONNX file to write.")] = None,
    bundle: Annotated[Path | None, typer.Option("--bundle", help="Folder of a MONAI bundle to write.")] = None,
) -> None:
    """Write the model as ONNX or as a MONAI bundle, proved equal first."""
    from isocenter.cli import show
    from isocenter.jobs import model as job

    show.lines(job.export(package, onnx=onnx, bundle=bundle))


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(help=".safetensors, .pt, .onnx, an nnU-Net folder or a MONAI bundle.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="NAME.isocenter (a package) or NAME.safetensors (weights alone).")],
    describe: Annotated[
        Path | None, typer.Option(help="YAML with what weights alone do not say: task, network, classes, size.")
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="Folder of images of the kind that it was trained on: for the range check.")
    ] = None,
    sha256: Annotated[str | None, typer.Option(help="Digest that the source must have.")] = None,
    key: Annotated[str | None, typer.Option(help="Where in what torch saved the weights stand.")] = None,
    configuration: Annotated[str, typer.Option(help="Of an nnU-Net: 2d or 3d_fullres.")] = "3d_fullres",
    checkpoint: Annotated[str, typer.Option(help="File in each fold of an nnU-Net.")] = "checkpoint_final.pth",
    weights: Annotated[str, typer.Option(help="File of the weights of a MONAI bundle.")] = "models/model.pt",
    name: Annotated[str | None, typer.Option(help="Of the model; default: of the package.")] = None,
) -> None:
    """Bring a model trained elsewhere into a package; none of its code is run, and nothing is downloaded."""
    from isocenter.cli import show
    from isocenter.jobs import model_import as job

    options = job.ImportOptions(describe, images, sha256, key, configuration, checkpoint, weights, name)
    show.lines(job.import_model(source, out, options))
