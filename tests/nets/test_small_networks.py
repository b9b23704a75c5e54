"""What the landmark net and the denoising autoencoder promise beyond a shape."""

from __future__ import annotations

import math

import torch

from isocenter import nets
from isocenter.nets.denoising_autoencoder import blind_loss, blind_spots
from isocenter.nets.heatmap_landmarks import landmark_loss, soft_argmax


def test_the_centre_of_a_heat_map_is_found_to_parts_of_a_sample() -> None:
    z, y, x = torch.meshgrid(*[torch.arange(n, dtype=torch.float32) for n in (20, 24, 28)], indexing="ij")
    logits = -((z - 9.3) ** 2 + (y - 12.6) ** 2 + (x - 14.1) ** 2) / (2 * 1.5**2)
    positions, spread = soft_argmax(logits[None, None])
    assert torch.allclose(positions[0, 0], torch.tensor([9.3, 12.6, 14.1]), atol=1e-3)
    assert torch.allclose(spread[0, 0], torch.tensor([1.5] * 3), atol=1e-2)


def test_landmarks_are_learnt_and_unseen_ones_take_no_part() -> None:
    torch.manual_seed(0)
    net = nets.build("heatmap_landmarks", channels=(4, 8), out_channels=2, step=2)
    x = torch.randn(2, 1, 16, 16) * 0.1
    truth = torch.tensor([[[4.0, 5.0], [10.0, 11.0]], [[7.5, 3.0], [math.nan, math.nan]]])
    for image, rows in zip(x, truth, strict=True):
        for k, (a, b) in enumerate(rows.tolist()):
            if not math.isnan(a):
                image[0, int(a), int(b)] += 3.0 if k == 0 else -3.0
    optimizer = torch.optim.AdamW(net.parameters(), 1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        torch.autograd.backward(landmark_loss(net(x), (truth - 0.5) / 2.0, spread=1.0))
        optimizer.step()
    net.eval()
    with torch.inference_mode():
        found = net.locate(x)
    seen = torch.isfinite(truth).all(2)
    assert float((found[seen] - truth[seen]).norm(dim=1).max()) < 1.5
    assert float(landmark_loss(net(x[1:]), torch.full((1, 2, 2), math.nan)).detach()) == 0.0


def test_blind_spots_never_show_their_own_sample() -> None:
    image = torch.arange(2 * 15 * 17, dtype=torch.float32).reshape(2, 1, 15, 17)
    replaced, where = blind_spots(image, part=0.2, seed=3)
    assert torch.equal(replaced != image, where), "each sample is unlike all others, so a replaced one differs"
    again, _ = blind_spots(image, part=0.2, seed=3)
    assert torch.equal(replaced, again)
    difference = torch.zeros_like(image)
    assert float(blind_loss(image + difference, image, where)) == 0.0
    assert float(blind_loss(image + 2.0 * where, image, where)) == 4.0


def test_it_denoises_one_noisy_image_from_itself() -> None:
    torch.manual_seed(0)
    y, x = torch.meshgrid(torch.linspace(0, 6, 48), torch.linspace(0, 6, 48), indexing="ij")
    clean = (y.sin() + x.cos())[None, None]
    noisy = clean + 0.5 * torch.randn_like(clean)
    net = nets.build("denoising_autoencoder", channels=(8, 16), residual=False)
    optimizer = torch.optim.AdamW(net.parameters(), 5e-3)
    for step in range(60):
        replaced, where = blind_spots(noisy, part=0.1, seed=step)
        optimizer.zero_grad()
        torch.autograd.backward(blind_loss(net(replaced), noisy, where))
        optimizer.step()
    with torch.inference_mode():
        after = float((net(noisy) - clean).square().mean())
    assert after < 0.6 * float((noisy - clean).square().mean()), "no clean image was shown"
