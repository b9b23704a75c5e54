"""A CT of 300 x 512 x 512: resampling, equalisation, Otsu, masks of the body, and body, lungs and bone, on one thread."""

from __future__ import annotations

import importlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Work = Callable[[], Any]
SHAPE, SPACING = (300, 512, 512), (1.0667, 0.7, 0.7)


def array() -> Any:
    """Return the chest phantom with noise, int16 HU; drawn once and kept in the temporary folder."""
    kept = Path(os.environ.get("ISOCENTER_BENCH", tempfile.gettempdir())) / "isocenter-chest-300.npy"
    if kept.exists():
        return np.load(kept)
    from isocenter.testing.phantoms.chest_ct import chest_ct

    coarse = chest_ct((150, 256, 256), (2 * SPACING[0], 2 * SPACING[1], 2 * SPACING[2])).image
    fine = np.asarray(coarse.array).repeat(2, 0).repeat(2, 1).repeat(2, 2).astype(np.int16)
    noise = np.random.default_rng(0)
    for part in fine:
        part += noise.normal(0, 15, part.shape).astype(np.int16)
    own = kept.with_name(f"{kept.name}.{os.getpid()}.npy")
    np.save(own, fine)
    own.replace(kept)
    return fine


def image() -> Any:
    """Return the phantom on its own grid."""
    import isocenter as iso
    from isocenter.testing.phantoms.chest_ct import chest_ct

    coarse = chest_ct((150, 256, 256), (2 * SPACING[0], 2 * SPACING[1], 2 * SPACING[2])).image
    affine = np.array(coarse.geometry.affine)
    affine[:3, 3] -= affine[:3, :3] @ np.full(3, 0.25)
    affine[:3, :3] /= 2.0
    return iso.Image(array(), ("z", "y", "x"), iso.Geometry(SHAPE, affine), quantity="HU", modality="CT")


def ours(name: str, **parameters: Any) -> Work:
    import isocenter as iso

    operation, picture = iso.op(name, **parameters), image()
    return lambda: operation(picture, threads=1).array


def itk_image(values: Any) -> Any:
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    picture = sitk.GetImageFromArray(values)
    picture.SetSpacing(SPACING[::-1])
    return picture


def ours_linear() -> Work:
    return ours("resample.to_spacing", spacing=1.0)


def ours_cubic() -> Work:
    return ours("resample.to_spacing", spacing=1.0, interpolation="cubic")


def itk_resampled(order: str) -> Work:
    import SimpleITK as sitk

    import isocenter as iso

    size = iso.Geometry.regular(SHAPE, SPACING).with_spacing([1.0] * 3).shape
    picture = itk_image(array())
    start = [0.5 * (n * s - m) - 0.5 * s + 0.5 for n, s, m in zip(SHAPE, SPACING, size, strict=True)]
    # Beyond the outermost samples the edge goes on, as with ours: half a sample at most.
    kind = getattr(sitk, order)

    def work() -> Any:
        found = sitk.Resample(
            picture, [int(n) for n in size[::-1]], sitk.Transform(), kind, start[::-1], [1.0] * 3,
            [1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0], 0.0, sitk.sitkFloat32, True,
        )  # fmt: skip
        return sitk.GetArrayFromImage(found)

    return work


def itk_linear() -> Work:
    return itk_resampled("sitkLinear")


def itk_cubic() -> Work:
    return itk_resampled("sitkBSpline3")


def torch_linear() -> Work:
    import torch

    import isocenter as iso

    torch.set_num_threads(1)
    values = torch.from_numpy(array())[None, None]
    size = tuple(int(n) for n in iso.Geometry.regular(SHAPE, SPACING).with_spacing([1.0] * 3).shape)
    scale = tuple(s for s in SPACING)

    def work() -> Any:
        return torch.nn.functional.interpolate(
            values.float(), scale_factor=scale, mode="trilinear", align_corners=False, recompute_scale_factor=False
        )[0, 0][tuple(slice(0, n) for n in size)].numpy()

    return work


def ours_turned() -> Work:
    import isocenter as iso

    picture = image()
    operation = iso.op("resample.to_grid")
    grid = turned_grid(picture.geometry)
    target = iso.Image(np.zeros(grid.shape, np.uint8), ("z", "y", "x"), grid)
    return lambda: operation(picture, None, target, threads=1).array


def turned_grid(geometry: Any) -> Any:
    """Return a grid of 1.4 mm turned by ten degrees about the head-foot axis."""
    import isocenter as iso

    angle = np.deg2rad(10.0)
    rotation = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]])
    affine = np.eye(4)
    affine[:3, :3] = rotation @ (np.asarray(geometry.affine)[:3, :3] / np.asarray(geometry.spacing)) * 1.4
    shape = (200, 220, 220)
    center = np.asarray(geometry.affine)[:3, :3] @ ((np.asarray(SHAPE) - 1) / 2.0) + np.asarray(geometry.affine)[:3, 3]
    affine[:3, 3] = center - affine[:3, :3] @ ((np.asarray(shape) - 1) / 2.0)
    return iso.Geometry(shape, affine)


def itk_turned() -> Work:
    import SimpleITK as sitk

    picture = image()
    grid = turned_grid(picture.geometry)

    def like(values: Any, geometry: Any) -> Any:
        made = sitk.GetImageFromArray(values)
        made.SetSpacing([float(s) for s in geometry.spacing[::-1]])
        direction = np.asarray(geometry.affine)[:3, :3] / np.asarray(geometry.spacing)
        made.SetDirection([float(v) for v in direction[:, ::-1].reshape(-1)])
        made.SetOrigin([float(v) for v in np.asarray(geometry.affine)[:3, 3]])
        return made

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    moving, fixed = like(np.asarray(picture.array), picture.geometry), like(np.zeros(grid.shape, np.uint8), grid)
    return lambda: sitk.GetArrayFromImage(
        sitk.Resample(moving, fixed, sitk.Transform(), sitk.sitkLinear, -1000.0, sitk.sitkFloat32)
    )


def ours_equalized() -> Work:
    return ours("enhance.equalize")


def skimage_equalized() -> Work:
    from skimage.exposure import equalize_hist

    values = array()
    return lambda: equalize_hist(values, 1024)


def ours_otsu() -> Work:
    return ours("segment.otsu")


def skimage_otsu() -> Work:
    from skimage.filters import threshold_otsu

    values = array()
    return lambda: values > threshold_otsu(values)


def itk_otsu() -> Work:
    import SimpleITK as sitk

    picture = itk_image(array())
    return lambda: sitk.GetArrayFromImage(sitk.OtsuThreshold(picture, 0, 1, 65536))


def body() -> Any:
    return array() > -300


def ours_largest() -> Work:
    from isocenter.kernels.labels import keep_largest

    mask = body()
    return lambda: keep_largest(mask)


def cc3d_largest() -> Work:
    import cc3d

    mask = body()
    return lambda: cc3d.largest_k(mask, k=1, connectivity=26) > 0


def ours_filled() -> Work:
    from isocenter.kernels.labels import fill_holes

    mask = body()
    return lambda: fill_holes(mask)


def itk_filled() -> Work:
    import SimpleITK as sitk

    picture = itk_image(body().astype(np.uint8))
    return lambda: sitk.GetArrayFromImage(sitk.BinaryFillhole(picture))


def fill_voids_filled() -> Work:
    fill_voids = importlib.import_module("fill_voids")  # a peer, in the environment of the benchmarks only

    mask = body()
    return lambda: fill_voids.fill(mask)


def ours_closed() -> Work:
    from isocenter.kernels.labels import closing

    mask = body()[:256, 128:384, 128:384]
    return lambda: closing(mask, 3.0, (1.0, 1.0, 1.0))


def edt_closed() -> Work:
    import edt

    mask = np.pad(body()[:256, 128:384, 128:384], 5)

    def work() -> Any:
        wide = edt.edt(~mask) <= 3.0001
        return (edt.edt(wide) > 3.0001)[5:-5, 5:-5, 5:-5]

    return work


def itk_closed() -> Work:
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    picture = sitk.GetImageFromArray(np.ascontiguousarray(body()[:256, 128:384, 128:384]).astype(np.uint8))
    return lambda: sitk.GetArrayFromImage(sitk.BinaryMorphologicalClosing(picture, [3, 3, 3], sitk.sitkBall))


def ours_chest() -> Work:
    """Body, lungs and bone, one after the other, in one volume of labels."""
    import isocenter as iso

    picture = image()
    operations = [iso.op(f"segment.{name}") for name in ("body", "lungs", "bone")]

    def work() -> Any:
        result = np.array(operations[0](picture, threads=1).array)
        for shift, operation in ((1, operations[1]), (3, operations[2])):
            found = operation(picture, threads=1).array
            for own, new in zip(result, found, strict=True):
                own[new > 0] = new[new > 0] + shift
            del found, own, new  # or they would be held beside the next ones
        return result

    return work


def truth_chest() -> Work:
    """Not a peer: the phantom's own regions, for the comparison."""
    from isocenter.testing.phantoms.chest_ct import chest_ct

    phantom = chest_ct((150, 256, 256), (2 * SPACING[0], 2 * SPACING[1], 2 * SPACING[2]))

    def work() -> Any:
        parts = [phantom.region(name) for name in ("body", "lungs", "bone")]
        return np.stack(parts).repeat(2, 1).repeat(2, 2).repeat(2, 3)

    return work


def overlapping(found: Any, truth: Any) -> str | None:
    """Require a Dice of 0.98 for the body, 0.97 for the lungs and 0.9 for bone."""
    parts = (found > 0, (found == 2) | (found == 3), found == 4)
    scores = [2.0 * float((a & b).sum()) / float(a.sum() + b.sum()) for a, b in zip(parts, truth, strict=True)]
    low = any(s < least for s, least in zip(scores, (0.98, 0.97, 0.9), strict=True))
    return f"Dice {', '.join(f'{s:.3f}' for s in scores)}" if low else None


def interior(tolerance: float) -> Callable[[Any, Any], str | None]:
    """Return a check of all but what lies at the edge, where peers extend the image in their own ways."""

    def check(one: Any, two: Any) -> str | None:
        if one.shape != two.shape:
            return f"shapes {one.shape} and {two.shape}"
        inner = (slice(8, -8),) * 3
        worst = float(np.abs(one[inner] - two[inner]).max())
        return f"largest difference {worst:.3g} HU" if worst > tolerance else None

    return check


def shape_alone(one: Any, two: Any) -> str | None:
    """Compare shapes: the peer is on another grid."""
    return None if one.shape == two.shape else f"shapes {one.shape} and {two.shape}"


def nearly(one: Any, two: Any) -> str | None:
    """Allow one sample in a million: the closed ball's surface may be rounded either way."""
    share = float((np.asarray(one, bool) != np.asarray(two, bool)).mean())
    return f"{share:.2%} of the samples differ" if share > 1e-6 else None


def spread_alike(one: Any, two: Any) -> str | None:
    """Compare distributions: curves may stand half a bin aside."""
    at = np.linspace(0.02, 0.98, 25)
    worst = float(np.abs(np.quantile(one[::4], at) - np.quantile(two[::4], at)).max())
    return f"quantiles differ by {worst:.1%} of the range" if worst > 0.06 else None


if __name__ == "__main__":
    from benchmarks.common import Row, main

    f = __file__
    size = "300 x 512 x 512 int16"
    main(
        [
            Row(f"Resample {size} to 1 mm, linear", f, "ours_linear", {"SimpleITK": "itk_linear"}, interior(0.02), 3),
            Row(f"Resample {size} to 1 mm, linear (the peer: a grid of its own)", f, "ours_linear", {"PyTorch": "torch_linear"}, shape_alone, 3),
            Row(f"Resample {size} to 1 mm, cubic", f, "ours_cubic", {"SimpleITK": "itk_cubic"}, interior(0.5), 1),
            Row(f"Resample {size} onto a turned grid of 1.4 mm, linear", f, "ours_turned", {"SimpleITK": "itk_turned"}, interior(0.1), 3),
            Row(f"Histogram equalisation, {size}", f, "ours_equalized", {"scikit-image": "skimage_equalized"}, spread_alike, 2),
            Row(f"Otsu, {size}", f, "ours_otsu", {"scikit-image": "skimage_otsu", "SimpleITK": "itk_otsu"}, nearly, 3),
            Row(f"Largest component, {size}", f, "ours_largest", {"cc3d": "cc3d_largest"}, nearly, 3),
            Row(f"Holes filled, {size}", f, "ours_filled", {"SimpleITK": "itk_filled", "fill_voids": "fill_voids_filled"}, nearly, 2),
            Row("Closing by a ball of 3 mm, 256^3", f, "ours_closed", {"edt": "edt_closed", "SimpleITK": "itk_closed"}, nearly, 2),
            Row(f"Body, lungs and bone together, {size} (the other row: the phantom's truth, no peer)", f, "ours_chest", {"truth": "truth_chest"}, overlapping, 3),
        ],
        "CT, one thread",
    )  # fmt: skip
