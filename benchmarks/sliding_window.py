"""Sliding-window inference over 256^3 samples, a U-Net of 16 to 128 features, beside MONAI's: time, peak memory, equal labels.

    python -m benchmarks.sliding_window

Both run the same network (MONAI's U-Net, features 16 32 64 128) on the same windows of 96^3 with a quarter overlap and Gaussian
weights, and give labels as uint8. The peak is what the work adds to the process that holds the volume and the network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

SIZE, WINDOW, OVERLAP = (256, 256, 256), (96, 96, 96), 0.25


def _prepared() -> tuple[npt.NDArray[np.float32], Any]:
    import torch
    from monai.networks.nets import UNet

    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = UNet(3, 1, 2, (16, 32, 64, 128), (2, 2, 2)).eval()
    volume = np.empty((1, *SIZE), np.float32)
    generator = np.random.default_rng(0)
    for k in range(SIZE[0]):  # slice by slice, so that making it leaves no peak behind
        volume[0, k] = generator.normal(size=SIZE[1:])
    with torch.inference_mode():  # what torch loads and compiles once for a network is no part of either's work
        net(torch.zeros(1, 1, *WINDOW))
    return volume, net


def ours() -> Callable[[], npt.NDArray[Any]]:
    from isocenter.nets.sliding_window import predict_labels

    volume, net = _prepared()
    return lambda: predict_labels(volume, net, WINDOW, overlap=OVERLAP)


def monai() -> Callable[[], npt.NDArray[Any]]:
    import torch
    from monai.inferers import sliding_window_inference

    volume, net = _prepared()

    def work() -> npt.NDArray[Any]:
        with torch.inference_mode():
            scores = sliding_window_inference(torch.from_numpy(volume)[None], WINDOW, 1, net, OVERLAP, mode="gaussian")
            labels: npt.NDArray[Any] = scores.argmax(1)[0].to(torch.uint8).numpy()
            return labels

    return work


if __name__ == "__main__":
    from benchmarks.common import Row, main

    work = "Sliding window, 256^3 float32, windows 96^3, U-Net 16-128, one thread"
    main([Row(work, __file__, "ours", {"MONAI": "monai"}, rounds=3)], __doc__ or "")
