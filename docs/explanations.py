"""Makes the picture of the page on explanations: a small network that tells slices of phantoms with a tumour from those without.

python docs/explanations.py
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image as Picture

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from isocenter.core.geometry import Geometry  # noqa: E402  # the path must be set first
from isocenter.core.image import Image  # noqa: E402  # likewise
from isocenter.learn.explain.case import METHODS, Method, explain_case  # noqa: E402  # likewise
from isocenter.learn.train.classification import train_classifier  # noqa: E402  # likewise
from isocenter.learn.train.settings import FitSettings  # noqa: E402  # likewise
from isocenter.testing.phantoms.brain_slices import brain_slice  # noqa: E402  # likewise
from isocenter.view.attribution import attribution_picture  # noqa: E402  # likewise
from isocenter.view.png import encode  # noqa: E402  # likewise

NAMES = {
    "grad_cam": "Grad-CAM",
    "grad_cam_plus_plus": "Grad-CAM++",
    "integrated_gradients": "Integrated gradients",
    "occlusion": "Occlusion",
}
TARGET = ROOT / "docs" / "images" / "explanations.png"


def slice_of(label: str, seed: int) -> Image:
    """Return one slice of 192 mm."""
    array = brain_slice(label, size=64, seed=seed).astype(np.float32)
    return Image(array, ("y", "x"), Geometry.regular(array.shape, 3.0), modality="MR")


def main() -> None:
    """Train, explain a slice that was not trained on, and write the picture."""
    torch.set_num_threads(1)
    labels = ["glioma", "none"] * 120
    images = [slice_of(label, k) for k, label in enumerate(labels)]
    model = train_classifier(
        images, labels, network="vgg", parameters={"depth": 11, "features": (16, 16, 32, 32, 32)}, size=(64, 64), validation=0.2,
        batch=16, settings=FitSettings(epochs=45, learning_rate=1e-3, device="cpu"), augment=0.5, mirror=(1,),
    )  # fmt: skip
    held = [(label, slice_of(label, 1000 + k)) for k, label in enumerate(["glioma", "none"] * 20)]
    right = sum(model.predict(image).label == label for label, image in held)
    print(f"{right} of {len(held)} held-out slices right")
    image = next(image for label, image in held if label == "glioma" and model.predict(image).label == label)
    parts = []
    coarse: list[tuple[Method, str | None]] = [(method, None) for method in METHODS]
    for method, layer in [*coarse, ("grad_cam", "body.4.5"), ("grad_cam_plus_plus", "body.4.5")]:
        found = explain_case(model, image, method, target="glioma", layer=layer, patch=24.0, stride=6.0)
        title = f"{NAMES[method]}{', a middle layer' if layer else ''}: glioma, probability {found.probability:.2f}"
        notes = [*found.warnings, *([found.sanity.sentence] if found.sanity and found.sanity.passed else [])]
        parts.append(Picture.open(io.BytesIO(attribution_picture(image, found.map, title=title, notes=notes))).convert("RGB"))
    wide, high = max(p.width for p in parts), max(p.height for p in parts)
    sheet = Picture.new("RGB", (2 * wide, 3 * high), (17, 17, 17))
    for k, part in enumerate(parts):
        sheet.paste(part, (k % 2 * wide, k // 2 * high))
    TARGET.write_bytes(encode(np.asarray(sheet)))


if __name__ == "__main__":
    main()
