"""MONAI as its tutorials train in the plane: its U-Net with residual units, Dice + cross entropy, a cached data set, AdamW, cosine."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import torch
from monai.data import CacheDataset, DataLoader
from monai.inferers import SlidingWindowInferer
from monai.losses import DiceCELoss
from monai.networks.layers import Norm
from monai.networks.nets import SegResNet, UNet
from monai.transforms import (
    Compose,
    NormalizeIntensity,
    NormalizeIntensityd,
    RandAdjustContrastd,
    RandAffined,
    RandFlipd,
    RandGaussianNoised,
    RandScaleIntensityd,
    RandShiftIntensityd,
    ToTensord,
)
from monai.utils import set_determinism

from benchmarks.train.contest import Array, Clock, Job, answer, given_job, peak_mib

KEYS = ("image", "label")


def main() -> None:
    job = given_job()
    torch.set_num_threads(1)
    set_determinism(job.seed)
    fold = job.fold()
    rows = [{"image": job.image(k).astype(np.float32), "label": job.truth(k)[None].astype(np.float32)} for k in fold["train"]]
    rows = rows[: job.options.get("cases")]
    channels, classes = len(rows[0]["image"]), int(max(r["label"].max() for r in rows)) + 1
    net = _network(job.options["network"], channels, classes)
    data = CacheDataset(rows, _transforms(job), progress=False)
    loader = DataLoader(data, batch_size=job.options["batch"], shuffle=True, drop_last=True, num_workers=0)
    loss = DiceCELoss(to_onehot_y=True, softmax=True)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=1e-5)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, job.rounds * len(loader))
    half = job.options["precision"] == "bfloat16"
    clock = Clock()
    for number in range(job.rounds):
        net.train()
        total = 0.0
        for batch in loader:
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
                output = net(batch["image"])
            value = loss(output.float(), batch["label"])
            value.backward()
            optimizer.step()
            schedule.step()
            total += float(value.detach())
        if not math.isfinite(total):
            raise SystemExit("the loss is not finite")
        clock.mark()
        print(number + 1, round(total / len(loader), 4), flush=True)
    peak, before = peak_mib(), time.process_time()
    found = _predictions(job, net, fold["test"] if job.predict else [], half)
    answer(
        job, clock, found, steps=job.rounds * len(loader), batch=job.options["batch"], peak_mib=peak,
        parameters=sum(p.numel() for p in net.parameters()), predict=time.process_time() - before,
    )  # fmt: skip


def _network(name: str, channels: int, classes: int) -> Any:
    if name == "segresnet":  # the default of Auto3DSeg, in the plane
        return SegResNet(spatial_dims=2, init_filters=16, in_channels=channels, out_channels=classes, dropout_prob=0.0)
    return UNet(
        spatial_dims=2,
        in_channels=channels,
        out_channels=classes,
        channels=(16, 32, 64, 128, 256),
        strides=(2, 2, 2, 2),
        num_res_units=2,
        norm=Norm.BATCH,
    )


def _transforms(job: Job) -> Any:
    return Compose(
        [
            NormalizeIntensityd("image", channel_wise=True),
            ToTensord(KEYS),
            *(RandFlipd(KEYS, prob=0.5, spatial_axis=axis) for axis in job.mirror),
            RandAffined(
                KEYS,
                prob=0.5,
                rotate_range=math.pi / 6,
                scale_range=0.25,
                mode=("bilinear", "nearest"),
                padding_mode="border",
            ),
            RandScaleIntensityd("image", factors=0.3, prob=0.3),
            RandShiftIntensityd("image", offsets=0.2, prob=0.3),
            RandAdjustContrastd("image", prob=0.3, gamma=(0.7, 1.5)),
            RandGaussianNoised("image", prob=0.15, std=0.1),
        ]
    )


def _predictions(job: Job, net: Any, cases: list[int], half: bool) -> dict[int, Array]:
    net.eval()
    normalise = NormalizeIntensity(channel_wise=True)
    found = {}
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        for case in cases:
            image = torch.as_tensor(normalise(job.image(case).astype(np.float32)))[None]
            scores = SlidingWindowInferer(roi_size=(256, 256), overlap=0.5)(image, net)
            found[case] = scores.argmax(1)[0].numpy()
    return found


if __name__ == "__main__":
    main()
