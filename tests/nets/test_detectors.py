"""Detectors find what two tiny scenes show; boxes and RoIAlign are exact where the answer is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from isocenter import nets
from isocenter.core.errors import ParameterError
from isocenter.nets.boxes import Targets, clipped, generalised_iou, pairwise_iou
from isocenter.nets.roi_align import roi_align


def scene(axes: int, seed: int, size: int = 32, objects: int = 2) -> tuple[Tensor, Targets]:
    """Bright balls on noise, apart from each other."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn((1, *(size,) * axes), generator=generator) * 0.1
    boxes, masks = [], []
    for k in range(objects):
        radius = 3.0 + 2.0 * k
        centre = [8.0 + 15.0 * k if a == 0 else float(torch.randint(8, size - 8, (1,), generator=generator)) for a in range(axes)]
        lines = [(torch.arange(size).reshape([-1 if j == a else 1 for j in range(axes)]) - centre[a]) ** 2 for a in range(axes)]
        mask = sum(lines[1:], lines[0]) <= radius**2
        image[0][mask] += 1.0
        masks.append(mask)
        boxes.append([c - radius - 0.5 for c in centre] + [c + radius + 0.5 for c in centre])
    return image, Targets(torch.tensor(boxes), torch.zeros(objects, dtype=torch.long), torch.stack(masks))


@pytest.mark.parametrize("name", ["one_stage_detector", "mask_rcnn"])
def test_two_tiny_scenes_are_learnt_by_heart(name: str) -> None:
    torch.manual_seed(0)
    net = nets.build(name, channels=(8, 16, 32), features=16)
    scenes = [scene(2, seed) for seed in range(2)]
    x, targets = torch.stack([s[0] for s in scenes]), [s[1] for s in scenes]
    optimizer = torch.optim.AdamW(net.parameters(), 5e-3)
    for _ in range(60):
        optimizer.zero_grad()
        torch.autograd.backward(torch.stack(list(net.losses(x, targets).values())).sum())
        optimizer.step()
    net.eval()
    with torch.inference_mode():
        found = net.detect(x, least=0.5)
    for detections, target in zip(found, targets, strict=True):
        assert len(detections.boxes) == 2
        assert bool((pairwise_iou(target.boxes, detections.boxes).amax(1) > 0.7).all())
        assert bool((detections.scores[:-1] >= detections.scores[1:]).all()), "the surest first"
        if name == "mask_rcnn":
            assert detections.masks is not None and target.masks is not None
            for mask in target.masks:
                dice = [float(2.0 * (m & mask).sum() / (m.sum() + mask.sum())) for m in detections.masks]
                assert max(dice) > 0.75


@pytest.mark.parametrize("name", ["one_stage_detector", "mask_rcnn"])
def test_volumes_and_images_without_objects_have_a_gradient(name: str) -> None:
    torch.manual_seed(0)
    net = nets.build(
        name, dimensions=3, out_channels=2, channels=(4, 8, 8), features=8, **({"bins": 4} if name == "mask_rcnn" else {})
    )
    image, target = scene(3, 0, size=32)
    empty = Targets(torch.zeros(0, 6), torch.zeros(0, dtype=torch.long), torch.zeros((0, 32, 32, 32), dtype=torch.bool))
    losses = net.losses(torch.stack([image, image * 0.0]), [target, empty])
    assert all(bool(torch.isfinite(v)) for v in losses.values())
    torch.autograd.backward(torch.stack(list(losses.values())).sum())
    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in net.parameters())
    net.eval()
    with torch.inference_mode():
        found = net.detect(image[None], least=0.0, most=5)[0]
    assert found.boxes.shape[1] == 6
    assert len(found.boxes) <= 5


@pytest.mark.parametrize("axes", [2, 3])
def test_roi_align_of_a_ramp_is_the_ramp(axes: int) -> None:
    size = (12, 10, 14)[:axes]
    ramp = torch.stack(torch.meshgrid(*[torch.arange(n, dtype=torch.float32) for n in size], indexing="ij"))[
        None
    ].requires_grad_()
    box = torch.tensor([[2.0, 1.0, 3.0][:axes] + [8.0, 6.0, 9.0][:axes]])
    found = roi_align(ramp, [box], (3,) * axes)
    for axis in range(axes):
        low, high = float(box[0, axis]), float(box[0, axes + axis])
        expected = torch.tensor([low + (high - low) * (k + 0.5) / 3 for k in range(3)])
        line = found[0, axis].movedim(axis, 0).reshape(3, -1)
        assert torch.allclose(line, expected[:, None].expand_as(line), atol=1e-5)
    found.sum().backward()
    assert ramp.grad is not None and float(ramp.grad.abs().sum()) > 0


def test_roi_align_knows_the_stride_of_its_features_and_empty_lists() -> None:
    coarse = (torch.arange(8, dtype=torch.float32) * 2 + 0.5).reshape(1, 1, 8, 1).expand(1, 1, 8, 8)  # positions in the image
    found = roi_align(coarse, [torch.tensor([[3.0, 3.0, 9.0, 9.0]])], (2, 2), stride=2.0)
    assert torch.allclose(found[0, 0, :, 0], torch.tensor([4.5, 7.5]), atol=1e-5)
    assert roi_align(coarse, [torch.zeros(0, 4)], (2, 2)).shape == (0, 1, 2, 2)


def test_overlaps_of_boxes() -> None:
    a, b = torch.tensor([[0.0, 0.0, 4.0, 4.0]]), torch.tensor([[2.0, 0.0, 6.0, 4.0], [10.0, 10.0, 11.0, 11.0]])
    assert torch.allclose(pairwise_iou(a, b), torch.tensor([[8.0 / 24.0, 0.0]]))
    assert torch.allclose(generalised_iou(a, b[:1]), torch.tensor([1.0 / 3.0]))
    assert float(generalised_iou(a, b[1:])) < -0.8
    assert clipped(torch.tensor([[-3.0, 1.0, 9.0, 2.0]]), (6, 6)).tolist() == [[-0.5, 1.0, 5.5, 2.0]]
    with pytest.raises(ParameterError, match="more than 0"):
        Targets(torch.tensor([[3.0, 3.0, 3.0, 5.0]]), torch.zeros(1))
    with pytest.raises(ParameterError, match="a label for each"):
        Targets(torch.zeros(2, 4), torch.zeros(1))
