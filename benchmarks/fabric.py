"""The training engine and the same loop in Lightning's Fabric: equal losses first, then CPU time and memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

EPOCHS, STEPS, SHAPE, RATE = 2, 8, (4, 1, 64, 64), 2e-3

Losses = Callable[[], npt.NDArray[Any]]


def _parts() -> tuple[Any, Any, list[dict[str, Any]], Any]:
    """Return a function that makes the network, the loss, the batches of an epoch, and the settings."""
    import torch

    from isocenter import nets
    from isocenter.learn.train.losses import DiceCrossEntropy
    from isocenter.learn.train.settings import FitSettings

    torch.set_num_threads(1)
    generator = np.random.default_rng(0)
    batches = []
    for _ in range(STEPS):
        truth = np.zeros((SHAPE[0], *SHAPE[2:]), np.uint8)
        for k, (row, column) in enumerate(generator.integers(8, 32, (SHAPE[0], 2))):
            truth[k, row : row + 24, column : column + 24] = 1
        image = truth[:, None] + generator.normal(0.0, 0.5, SHAPE)
        batches.append({"image": image.astype(np.float32), "truth": truth})

    def net() -> Any:
        torch.manual_seed(0)
        return nets.build("unet", in_channels=1, out_channels=2, channels=(16, 32, 64, 128))

    return net, DiceCrossEntropy(), batches, FitSettings(epochs=EPOCHS, learning_rate=RATE, device="cpu")


def ours() -> Losses:
    from isocenter.learn.train.engine import fit

    net, loss, batches, settings = _parts()
    return lambda: np.array([row.loss for row in fit(net(), batches, loss=loss, settings=settings).history.rows])


def fabric() -> Losses:
    import torch
    from lightning_fabric import Fabric

    from isocenter.learn.train.schedule import learning_rate

    make, loss, batches, settings = _parts()
    keeper = Fabric(accelerator="cpu", devices=1, precision="32-true")

    def work() -> npt.NDArray[Any]:
        bare = make()
        decayed, free = ([p for p in bare.parameters() if (p.ndim > 1) == large] for large in (True, False))
        groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": free, "weight_decay": 0.0}]
        net, optimizer = keeper.setup(bare, torch.optim.AdamW(groups, lr=RATE))
        means = []
        for epoch in range(EPOCHS):
            net.train()
            total = 0.0
            for step, batch in enumerate(batches):
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate(settings, epoch * STEPS + step, EPOCHS * STEPS)
                optimizer.zero_grad(set_to_none=True)
                value = loss(net(torch.from_numpy(batch["image"])), torch.from_numpy(batch["truth"]))
                total += float(value.detach())
                keeper.backward(value)
                keeper.clip_gradients(net, optimizer, max_norm=settings.clip)
                optimizer.step()
            means.append(total / STEPS)
        return np.array(means)

    return work


if __name__ == "__main__":
    from benchmarks.common import Row, main, within

    work = f"U-Net 16-128, float32, one thread, {EPOCHS} epochs of {STEPS} batches {' x '.join(map(str, SHAPE))}: mean losses"
    main([Row(work, __file__, "ours", {"Lightning Fabric": "fabric"}, within(1e-6), rounds=3)], __doc__ or "")
