"""Patches 96^3 from 6 volumes: isocenter's loader against MONAI CacheDataset and TorchIO Queue; filling caches is not counted."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

Work = Callable[[], Any]

VOLUMES = 6
SHAPE = (192, 192, 160)
PATCH = (96, 96, 96)
EACH = 4  # patches of each volume


def _volume(k: int) -> tuple[Any, Any]:
    """Return an image, a ramp with noise, float32, and its mask, uint8: the same for everyone."""
    rng = np.random.default_rng(k)
    image = rng.standard_normal(SHAPE, dtype=np.float32) + np.arange(SHAPE[2], dtype=np.float32)
    return image, (image > 100).astype(np.uint8)


def _facts(count: int, shape: Any, dtype: Any) -> Any:
    """Return what all must agree on: how many patches, of which size and type (which ones is each one's own chance)."""
    return np.array([count, *shape, str(dtype).endswith("float32")], dtype=np.int64)


def _niftis(folder: Path) -> list[tuple[Path, Path]]:
    import nibabel

    paths = []
    for k in range(VOLUMES):
        image, mask = _volume(k)
        pair = folder / f"{k}.nii.gz", folder / f"{k}-mask.nii.gz"
        nibabel.save(nibabel.Nifti1Image(image, np.eye(4)), pair[0])
        nibabel.save(nibabel.Nifti1Image(mask, np.eye(4)), pair[1])
        paths.append(pair)
    return paths


def ours() -> Work:
    import torch

    from isocenter.learn.loading.cache import store
    from isocenter.learn.loading.loader import Loader, Recipe

    folder = tempfile.TemporaryDirectory()

    def make(k: int) -> tuple[Any, Any]:
        image, mask = _volume(k)
        return image[None], mask

    cases = [store(Path(folder.name), str(k), str(k), partial(make, k)) for k in range(VOLUMES)]
    loader = Loader(cases, Recipe(PATCH, batch=EACH, per_case=EACH))
    epoch = iter(range(1 << 30))

    def work() -> Any:
        count, image = 0, None
        for batch in loader.epoch(next(epoch)):
            image, truth = torch.from_numpy(batch.image), torch.from_numpy(batch.truth)
            assert truth.shape[1:] == PATCH
            count += len(image)
        assert image is not None and folder is not None
        return _facts(count, image.shape[1:], image.dtype)

    return work


def monai_cache() -> Work:
    import torch
    from monai.data import CacheDataset, DataLoader
    from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged, RandSpatialCropSamplesd

    with tempfile.TemporaryDirectory() as folder:
        files = [{"image": str(a), "mask": str(b)} for a, b in _niftis(Path(folder))]
        keys = ["image", "mask"]
        transform = Compose(
            [LoadImaged(keys), EnsureChannelFirstd(keys), RandSpatialCropSamplesd(keys, PATCH, EACH, random_size=False)]
        )
        data = CacheDataset(files, transform, progress=False)
    loader = DataLoader(data, batch_size=1, shuffle=True, num_workers=0)
    torch.set_num_threads(1)

    def work() -> Any:
        count, image = 0, None
        for batch in loader:
            image = batch["image"]
            count += len(image)
        assert image is not None
        return _facts(count, image.shape[1:], image.dtype)

    return work


def torchio_queue() -> Work:
    import torch

    torchio = importlib.import_module("torchio")  # a peer, in the environment of the benchmarks only

    folder = tempfile.TemporaryDirectory()
    subjects = [torchio.Subject(image=torchio.ScalarImage(a), mask=torchio.LabelMap(b)) for a, b in _niftis(Path(folder.name))]
    torch.set_num_threads(1)

    def work() -> Any:
        data = torchio.SubjectsDataset(subjects, load_getitem=True)
        queue = torchio.Queue(data, VOLUMES * EACH, EACH, torchio.data.UniformSampler(PATCH), num_workers=0)
        count, image = 0, None
        for batch in torchio.SubjectsLoader(queue, batch_size=EACH, num_workers=0):
            image = batch["image"][torchio.DATA]
            count += len(image)
        assert image is not None and folder is not None
        return _facts(count, image.shape[1:], image.dtype)

    return work


if __name__ == "__main__":
    from benchmarks.common import Row, main

    peers = {"MONAI CacheDataset": "monai_cache", "TorchIO Queue": "torchio_queue"}
    work = f"{VOLUMES * EACH} patches 96^3 with masks from {VOLUMES} volumes of 192 x 192 x 160, float32"
    main([Row(work, __file__, "ours", peers, rounds=3)], __doc__ or "")
