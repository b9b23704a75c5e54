"""Makes the filter gallery: one page and one picture per operation, before and after side by side.

make gallery                       pictures of phantoms, and of images that scikit-image brings along (CC0)
ISOCENTER_SHARED=... make gallery  also pictures of the shared real images, into docs/images/gallery/real (never committed:
                                   their licences differ)
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

import isocenter as iso  # noqa: E402  # the path must be set first
from isocenter.core.geometry import Geometry  # noqa: E402  # likewise
from isocenter.core.image import Image  # noqa: E402  # likewise
from isocenter.core.registry import Entry, operations  # noqa: E402  # likewise
from isocenter.core.signal import Signal  # noqa: E402  # likewise
from isocenter.kernels.realign import moved, rigid_matrix  # noqa: E402  # likewise
from isocenter.testing.phantoms.brain_mr import brain_mr  # noqa: E402  # likewise
from isocenter.testing.phantoms.cells import cells  # noqa: E402  # likewise
from isocenter.testing.phantoms.chest_ct import chest_ct  # noqa: E402  # likewise
from isocenter.testing.phantoms.ultrasound import ultrasound  # noqa: E402  # likewise
from isocenter.testing.phantoms.vessel_tree import vessel_tree  # noqa: E402  # likewise
from isocenter.view.png import encode  # noqa: E402  # likewise
from isocenter.view.traces import traces  # noqa: E402  # likewise

PAGE = ROOT / "docs" / "concepts" / "filter-gallery.md"
PICTURES = ROOT / "docs" / "images" / "gallery"
STAGES = {
    "denoise": "Denoising",
    "correct": "Correction",
    "enhance": "Enhancement",
    "filter": "Response maps",
    "resample": "Resampling",
}
SEED = 20261121


def head(noise: float = 0.0, bias: float = 0.0) -> Image:
    """Return the middle of the head phantom, 24 slices, with noise and a bias field on request."""
    return crop(brain_mr(noise=noise, bias=bias).image, 20, 44)


def crop(image: Image, first: int, last: int) -> Image:
    """Return some slices of a volume."""
    array = np.asarray(image.array)[first:last].astype(np.float32)
    grid = Geometry.regular(array.shape, image.geometry.spacing)
    return Image(array, ("z", "y", "x"), grid, modality=image.modality, quantity=image.quantity)


def specks() -> Image:
    """Return the head with salt and pepper on 6 % of its samples."""
    image = head(4.0)
    chance = np.random.default_rng(SEED).random(image.shape)
    array = np.where(chance < 0.03, 0.0, np.where(chance > 0.97, float(image.array.max()), image.array))
    return image.with_array(array.astype(np.float32))


def speckled() -> Image:
    """Return the ultrasound phantom."""
    found = ultrasound().image
    return found.replace(array=np.asarray(found.array, np.float32))


def striped(rings: bool = False) -> Image:
    """Return the head with columns, or circles, of unequal gain."""
    image = head(4.0)
    rng = np.random.default_rng(SEED)
    rows, columns = np.indices(image.shape[1:]) - (np.array(image.shape[1:]).reshape(2, 1, 1) - 1) / 2
    where = np.rint(np.hypot(rows, columns)).astype(int) if rings else np.indices(image.shape[1:])[1]
    offsets = 35.0 * rng.standard_normal(int(where.max()) + 1)
    return image.with_array((np.asarray(image.array) + offsets[where]).astype(np.float32))


def ringing() -> Image:
    """Return a fine head whose k-space was cut to a half."""
    fine = np.asarray(brain_mr(shape=(160, 216, 192), spacing=(1.2, 1.0, 1.0), noise=0.0).clean.array, float)[78:82]
    space = np.fft.fftshift(np.fft.fft2(fine), axes=(-2, -1))[:, 54:162, 48:144]
    cut = np.abs(np.fft.ifft2(np.fft.ifftshift(space, axes=(-2, -1)))) / 4.0
    return Image(cut.astype(np.float32), ("z", "y", "x"), Geometry.regular(cut.shape, (1.2, 2.0, 2.0)), modality="MR")


def series(motion: bool) -> Image:
    """Return a series of the head, of moving volumes or of noisy ones."""
    image = head()
    base, rng = np.asarray(image.array, float), np.random.default_rng(SEED)
    volumes = []
    for k in range(4 if motion else 24):
        turn = rigid_matrix((0.09 * (k == 2), 0.0, 0.0), (0.0, 5.0 * (k == 2), 0.0))
        volume = moved(base, turn, image.geometry.spacing) if motion else base * (1.0 + 0.1 * np.sin(k))
        volumes.append(volume + (4.0 if motion else 40.0) * rng.standard_normal(base.shape))
    return Image(np.stack(volumes).astype(np.float32), ("t", "z", "y", "x"), image.geometry, modality="MR")


def pins() -> Image:
    """Return a CT slice with two steel pins, as a hardening beam sees it."""
    from isocenter.kernels.projection import angles_for, back_projected, line_sums, ramp_filtered

    size = 160
    rows, columns = np.indices((size, size)) - (size - 1) / 2
    tissue = np.where((rows / 60) ** 2 + (columns / 70) ** 2 <= 1, 1040.0, 0.0)
    tissue[(rows - 15) ** 2 / 100 + columns**2 / 196 <= 1] = 1700.0
    tissue[(rows + 20) ** 2 / 196 + (columns + 30) ** 2 / 144 <= 1] = 900.0
    steel = ((rows - 5) ** 2 + (np.abs(columns) - 38) ** 2 <= 16).astype(float)
    angles = angles_for((size, size))
    plain, metal = line_sums(2e-5 * tissue, angles), line_sums(steel, angles)
    through = np.exp(-plain) * (0.5 * np.exp(-0.7 * metal) + 0.5 * np.exp(-0.18 * metal))
    seen = -np.log(np.maximum(np.random.default_rng(SEED).poisson(1e6 * through), 0.5) / 1e6)
    array = (back_projected(ramp_filtered(seen), angles, (size, size)) / 2e-5 - 1000.0).astype(np.float32)
    return Image(array, ("y", "x"), Geometry.regular(array.shape), modality="CT", quantity="HU")


def uneven_cells() -> Image:
    """Return the field of cells under a lamp that falls to a half."""
    image = cells().image
    array = np.asarray(image.array, np.float32)
    rows, columns = (np.linspace(-1, 1, n) for n in array.shape[-2:])
    lamp = 1.0 - 0.35 * (rows[:, None] ** 2 + columns[None, :] ** 2) / 1.4
    return image.replace(array=((array + 40.0) * lamp).astype(np.float32))


def vessels() -> Image:
    """Return the tree of vessels."""
    image = vessel_tree().image
    array = np.asarray(image.array, np.float32)
    return image.replace(array=array)


def chest() -> Image:
    """Return some slices of the chest CT phantom."""
    return crop(chest_ct().image, 26, 42)


def photograph(name: str, cut: slice = slice(None)) -> Image:
    """Return a picture that scikit-image brings along (CC0), red, green and blue first."""
    from skimage import data

    array = np.moveaxis(getattr(data, name)()[cut, cut], -1, 0)
    return Image(
        np.ascontiguousarray(array), ("c", "y", "x"), Geometry.pixels(array.shape[1:]), channels=("red", "green", "blue")
    )


@dataclass(frozen=True)
class Row:
    """How an operation is shown: on which image, with which parameters, beside which reference."""

    image: Callable[[], Any]
    parameters: dict[str, Any] = field(default_factory=dict)
    reference: Callable[[], Any] | None = None


ROWS: dict[str, Row] = {
    "correct.bias_field": Row(lambda: head(8.0, 0.4)),
    "correct.gibbs": Row(ringing),
    "correct.illumination": Row(uneven_cells),
    "correct.metal": Row(pins),
    "correct.motion": Row(lambda: series(True), {"reference": "first"}),
    "correct.rings": Row(lambda: striped(True)),
    "correct.stain": Row(lambda: stained(), {}, lambda: stained(other=True)),
    "correct.stripes": Row(striped),
    "correct.window": Row(chest, {"center": 40.0, "width": 400.0}),
    "denoise.gaussian": Row(lambda: head(25.0), {"sigma": 3.0}),
    "denoise.low_rank": Row(lambda: series(False)),
    "denoise.median": Row(specks, {"only": "extremes"}),
    "denoise.percentile": Row(specks),
    "denoise.speckle": Row(speckled, {"iterations": 25}),
    "enhance.fundus": Row(lambda: photograph("retina", slice(None, None, 6))),
    "enhance.match_histogram": Row(lambda: head(4.0, 0.0), {}, lambda: head(4.0, 0.6)),
    "enhance.tophat": Row(uneven_cells, {"radius": 15}),
    "enhance.vesselness": Row(vessels),
    "filter.laws": Row(chest, {"kernel": "L5E5", "axes": ["y", "x"], "rotation_invariant": True, "energy": 3}),
    "filter.riesz": Row(chest, {"sigma": 3.0}),
    "filter.texture_map": Row(
        lambda: crop(chest_ct().image, 30, 33), {"feature": "joint_entr", "bin_width": 50.0, "start": -1000.0}
    ),
    "resample.calibrate": Row(uneven_cells, {"spacing": 0.5}),
    "resample.crop": Row(chest, {"start": [2, 20, 20], "shape": [12, 80, 80]}),
    "resample.pad": Row(chest, {"before": 16, "after": 16}),
    "resample.orient": Row(chest, {"code": "IRA"}),
    "resample.to_spacing": Row(chest, {"spacing": 6.0}),
}


def stained(other: bool = False) -> Image:
    """Return the H&E phantom in its colours, or in those of another laboratory."""
    rng = np.random.default_rng(SEED + other)
    rows, columns = np.indices((160, 160))
    amount = np.zeros((2, 160, 160))
    for _ in range(60):
        y, x, radius = rng.uniform(0, 160), rng.uniform(0, 160), rng.uniform(4, 8)
        amount[0] += np.clip(radius - np.hypot(rows - y, columns - x), 0, 1)
    amount[0] = np.clip(amount[0], 0, 1) * rng.uniform(0.8, 1.2, (160, 160))
    amount[1] = 0.6 * (np.sin(rows / 9) * np.cos(columns / 13) > -0.4) * rng.uniform(0.8, 1.2, (160, 160))
    colors = (
        np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]]) if not other else np.array([[0.55, 0.76, 0.35], [0.20, 0.93, 0.30]])
    )
    picture = 255.0 * np.exp(-np.tensordot(colors.T * (1.0 if not other else 0.7), amount, axes=1))
    return Image(picture.astype(np.uint8), ("c", "y", "x"), Geometry.pixels((160, 160)), channels=("red", "green", "blue"))


def plane(image: Image, whole: bool = False) -> tuple[np.ndarray, bool]:
    """Return the plane (or the projection of the whole) that is shown, and whether it is in colour."""
    array = np.asarray(image.array)
    if image.dims == ("c", "y", "x"):
        return np.moveaxis(array[:3], 0, -1).astype(float), array.shape[0] == 3
    if image.dims[0] == "t":
        array = array[2 if array.shape[0] == 4 else 0]
    if whole:
        array = array.max(axis=0)  # thin things are seen from above, all at once
    while array.ndim > 2:
        array = array[len(array) // 2]
    if image.modality == "CT" and image.quantity == "HU" and image.shape == (160, 160):
        array = np.clip(array, -200.0, 300.0)  # the soft tissue window shows streaks
    return array.astype(float), False


def grey(values: np.ndarray, colour: bool, like: tuple[float, float] | None) -> tuple[np.ndarray, tuple[float, float]]:
    """Return a plane as 8-bit colours, between the ends of another plane where they are given."""
    low, high = like or ((0.0, 255.0) if colour else tuple(float(v) for v in np.percentile(values, (0.5, 99.5))))
    shown = (np.clip((values - low) / max(high - low, 1e-9), 0.0, 1.0) * 255.0).round().astype(np.uint8)
    return (shown if colour else np.repeat(shown[..., None], 3, axis=-1)), (low, high)


def picture(before: Image, after: Image, whole: bool = False) -> bytes:
    """Return before and after side by side, of the height of the taller one."""
    (first, color_1), (second, color_2) = plane(before, whole), plane(after, whole)
    same = before.quantity == after.quantity and color_1 == color_2
    one, ends = grey(first, color_1, None)
    spread = float(np.ptp(second)) / max(float(np.ptp(first)), 1e-9)
    two, _ = grey(second, color_2, ends if same and 0.3 < spread < 3.0 else None)
    parts = []
    for part in (one, two):
        factor = max(1, round(220 / max(part.shape[:2])))
        parts.append(np.repeat(np.repeat(part, factor, axis=0), factor, axis=1))
    height = max(p.shape[0] for p in parts)
    framed = [np.pad(p, ((0, height - p.shape[0]), (4, 4), (0, 0)), constant_values=30) for p in parts]
    return encode(np.concatenate(framed, axis=1))


def shown(entry: Entry) -> bytes:
    """Return the picture of an operation on its phantom."""
    row = ROWS.get(entry.name, Row(chest if entry.name.startswith(("filter", "resample")) else lambda: head(25.0)))
    if entry.family == "SignalFilter":
        signal = eeg()
        return traces({"before": signal, "after": iso.op(entry.name, **row.parameters)(signal)}, seconds=3.0)
    image = row.image()
    operation = iso.op(entry.name, **row.parameters)
    if row.reference is not None:
        return picture(image, operation(image, row.reference()))
    if entry.name == "resample.to_grid":
        grid = Geometry.regular((16, 90, 90), (5.0, 4.0, 4.0))
        return picture(image, operation(image, None, grid))
    return picture(image, operation(image), whole=entry.name == "enhance.vesselness")


def eeg() -> Signal:
    """Return six channels of four rhythms under muscle."""
    rng = np.random.default_rng(SEED)
    times = np.arange(4000) / 500.0
    sources = [np.sin(2 * np.pi * f * times + f) for f in (2.0, 5.0, 9.0, 11.0)] + [1.5 * rng.standard_normal(len(times))]
    return Signal(rng.standard_normal((6, 5)) @ np.stack(sources), 500.0, unit="uV")


def section(entry: Entry) -> list[str]:
    """Return what the page says of an operation: all of it from its docstring and its source."""
    body = entry.doc.split("\nParameters\n")[0].split("\nReferences\n")[0]
    summary, _, rest = body.partition("\n")
    text = " ".join(line.strip() for line in rest.strip().splitlines())
    cost = float(entry.load().ns_per_sample)
    lines = [
        f"### {entry.name}",
        "",
        summary,
        "",
        text,
        "",
        f"![{entry.name}: before and after](../images/gallery/{entry.name}.png)",
        "",
    ]
    if entry.parameters:
        lines += ["| parameter | default | meaning |", "| --- | --- | --- |"]
        cells = [(p.name, p.default, p.summary.replace("|", "\\|")) for p in entry.parameters]
        lines += [f"| `{name}` | {'' if default is None else f'`{default}`'} | {meaning} |" for name, default, meaning in cells]
        lines.append("")
    lines += [f"Plans count with {cost:g} ns a sample on one core.", ""]
    return lines


def page(entries: list[Entry]) -> str:
    """Return the whole page."""
    lines = [
        "# Filter gallery",
        "",
        "Every operation of denoising, correction, enhancement, response maps and resampling: what it is for, when not to use it,",
        "what it wins in dB, its parameters, and what it does to a phantom (left: before, right: after). This page and its pictures",
        "are made by `make gallery`. With the shared data at hand (`ISOCENTER_SHARED`) the same command shows speckle, stain, fundus,",
        "bias and low-rank filtering on real images, in `docs/images/gallery/real`; they are not part of the project.",
        "",
        "Measured speeds beside the peers stand in [Denoising, enhancement and correction](denoising.md#speed).",
        "`isocenter prepare INPUT -o OUT` measures an image, takes of these only what it needs, and says why.",
        "",
    ]
    for stage, title in STAGES.items():
        lines += [f"## {title}", ""]
        for entry in entries:
            if entry.name.partition(".")[0] == stage:
                lines += section(entry)
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    """Write the page and every picture."""
    known = [e for e in operations().entries.values() if e.module.startswith("isocenter.")]
    entries = [e for e in known if e.name.partition(".")[0] in STAGES]
    PICTURES.mkdir(parents=True, exist_ok=True)
    wanted = sys.argv[1:]
    for entry in entries:
        if not wanted or entry.name in wanted:
            (PICTURES / f"{entry.name}.png").write_bytes(shown(entry))
    PAGE.write_text(page(entries), encoding="utf-8")
    shared = Path(os.environ.get("ISOCENTER_SHARED", ""))
    if not wanted and os.environ.get("ISOCENTER_SHARED") and shared.is_dir():
        real(shared if (shared / "brain_mr").is_dir() else shared / "data")


def real(data: Path) -> None:
    """Write pictures of real images, into a folder that is never committed."""
    out = PICTURES / "real"
    out.mkdir(exist_ok=True)
    for name, path, operation, parameters in (
        ("speckle", "us_dicom/GREYSCALE_IMAGE.dcm", "denoise.speckle", {"iterations": 25}),
        ("bias", "brain_mr/chris_PD.nii.gz", "correct.bias_field", {}),
        ("perfusion", "brain_mr/pcasl.nii.gz", "denoise.low_rank", {}),
    ):
        if (data / path).exists():
            image = iso.read(data / path)
            (out / f"{name}.png").write_bytes(picture(image, iso.op(operation, **parameters)(image)))
    sections = data / "registration_histology"
    pair = [next(iter(sorted(sections.glob(pattern))), None) for pattern in ("lesions_/*/*_HE.jpg", "rat-kidney_/*/*HE.jpg")]
    target = data / "histology" / "target_image.png"
    source = next((p for p in pair if p is not None), None)
    if target.exists() and source is not None:
        image, after = iso.read(source), iso.read(target)
        (out / "stain.png").write_bytes(picture(small(image), iso.op("correct.stain")(small(image), after)))


def small(image: Image) -> Image:
    """Return a colour picture with every n-th sample, at most 400 on a side."""
    step = max(1, max(image.shape[1:]) // 400)
    array = np.ascontiguousarray(np.asarray(image.array)[:3, ::step, ::step])
    return Image(array, ("c", "y", "x"), Geometry.pixels(array.shape[1:]), channels=("red", "green", "blue"))


if __name__ == "__main__":
    main()
