"""The verbs that judge what was made: ``isocenter evaluate | compare | stability | verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["compare", "evaluate", "stability", "verify"]

Input = Annotated[Path, typer.Argument(help="File, folder or archive.")]
Out = Annotated[Path, typer.Option("-o", "--out", help="Folder for the results.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def evaluate(
    predictions: Annotated[Path, typer.Argument(help="Folder or file of predicted masks; or a CSV with prediction and truth.")],
    truths: Annotated[Path | None, typer.Argument(help="Folder (same names) or file of true masks.")] = None,
    out: Out = Path("evaluation"),
    images: Annotated[Path | None, typer.Option(help="Folder of the images, to show outlines on.")] = None,
    label: Annotated[str, typer.Option(help="Name or value of the one label to judge; default: all together.")] = "",
    instances: Annotated[bool, typer.Option("--instances", help="Every label value is one object (cells that touch).")] = False,
    tolerance: Annotated[float, typer.Option(help="Tolerance in mm of the surface Dice.", min=0.0)] = 1.0,
    workers: Annotated[int, typer.Option(help="Processes at a time.", min=1)] = 2,
) -> None:
    """Judge predicted masks: tables per case and object, intervals, the worst ten in pictures; exit 1 where some were set aside."""
    from isocenter.cli import show
    from isocenter.jobs import evaluate as job

    with show.progress() as progress:
        result = job.evaluate(
            predictions, truths, out, images=images, label=label, objects="labels" if instances else "components",
            tolerance=tolerance, workers=workers, progress=progress,
        )  # fmt: skip
    show.lines(result.lines())
    raise typer.Exit(result.exit_code)


def compare(
    first: Annotated[Path, typer.Argument(help="A mask.")],
    second: Annotated[Path, typer.Argument(help="The other; taken as the truth where a score tells them apart.")],
    out: Out,
    image: Annotated[Path | None, typer.Option(help="Image to show the outlines on.")] = None,
    label: Annotated[str, typer.Option(help="Name or value of the one label to compare; default: all.")] = "",
    tolerance: Annotated[float, typer.Option(help="Tolerance in mm of the surface Dice.", min=0.0)] = 1.0,
) -> None:
    """Compare two masks: where they agree and differ, scores, a picture."""
    from isocenter.cli import show
    from isocenter.jobs import compare as job

    result = job.compare(first, second, out, image=image, label=label, tolerance=tolerance)
    show.lines([f"{n.replace('_', ' ')}: {v:.4g}{'' if u == '1' else ' ' + u}" for n, v, u in result.scores])
    show.lines([*result.notes, f"Report: {out / 'report.html'}"])


def stability(
    image: Input,
    masks: Annotated[list[Path], typer.Argument(help="Label maps, DICOM SEG, or folders with a structure set.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Table to write (.csv); a report stands beside it.")],
    settings: Annotated[str | None, typer.Option(help="Shipped settings or a YAML file; default by image.")] = None,
    perturbations: Annotated[int, typer.Option(help="How often each region is measured.", min=2)] = 10,
    contour: Annotated[float, typer.Option(help="Standard deviation in mm of a redrawn contour.", min=0.0)] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.", min=0)] = 0,
) -> None:
    """Say how much each feature changes under rotation, shift, noise, resampling and redrawn contours."""
    from isocenter.cli import show
    from isocenter.jobs import stability as job

    with show.progress() as progress:
        result = job.stability(
            image, masks, out, settings=settings or "", perturbations=perturbations, contour=contour, seed=seed, progress=progress
        )
    show.lines([f"{name}: {count} features" for name, count in result.counts.items() if count])
    show.lines([f"set aside {name}: {reason}" for name, reason in result.set_aside])
    show.lines(
        [f"{result.regions} regions, {result.perturbations} perturbations each: {', '.join(str(f) for f in result.files)}"]
    )
    raise typer.Exit(result.exit_code)


def verify(
    out: Annotated[Path, typer.Argument(help="A folder that isocenter run made.")],
    recompute: Annotated[bool, typer.Option("--recompute", help="Run every step again from the inputs and compare.")] = False,
    input: Annotated[list[Path] | None, typer.Option("--input", help="Where the inputs lie now, if they moved.")] = None,
    json: AsJson = False,
) -> None:
    """Check a result folder against its lineage; exit 1 names what differs."""
    from isocenter.cli import show
    from isocenter.jobs import verify as job

    report = job.verify(out, recompute=recompute, inputs=input)
    show.json(report.to_dict()) if json else show.verification(report)
    raise typer.Exit(0 if report.sound else 1)
