"""Images whose files store the patient's axes in different orders: one order for all, in training and where a model is used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.core.points import Boxes
from isocenter.io import door
from isocenter.learn.data.layout import from_layout
from isocenter.learn.data.places import read_places
from isocenter.learn.data.turned import as_stored, places_in
from isocenter.learn.masks.atlas import fit_atlas
from isocenter.learn.masks.cases import load_cases
from isocenter.learn.masks.pixels import fit_pixels
from isocenter.learn.package.fingerprint import case_digest, fingerprint_of, image_facts
from isocenter.learn.package.model import Package
from isocenter.learn.package.pixels import PixelSegmenter
from isocenter.learn.package.reading import Training, write_package
from isocenter.learn.package.validate import refuse_training
from isocenter.learn.places.baselines import Blobs
from isocenter.learn.places.model import PlaceModel
from isocenter.learn.places.places import Places, boxes_of
from isocenter.ops.resample.orient import Orient

#: As DICOM's axial series lie, as a common converter to NIfTI turns them, and a volume of sagittal slices.
ORDERS = ("SPL", "SAR", "LIP")


def scan(seed: int) -> tuple[Image, LabelMap]:
    """Return two equal balls, one on each side of the patient, of which the left one alone is labelled; turned a little."""
    generator = np.random.default_rng([seed, 11])
    shape, spacing = (10, 20, 24), (2.0, 1.0, 1.0)
    turn = np.deg2rad(8.0)
    about = np.array([[np.cos(turn), -np.sin(turn), 0.0], [np.sin(turn), np.cos(turn), 0.0], [0.0, 0.0, 1.0]])
    grid = Geometry.regular(shape, spacing, (-20.0, 5.0, 40.0), about @ np.eye(3)[:, ::-1])
    index = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), -1)
    balls = [
        np.linalg.norm((index - np.array([4.5, 9.5, c]) - generator.uniform(-1, 1, 3)) * spacing, axis=-1) < 4.0
        for c in (5.5, 17.5)
    ]
    array = generator.normal(0.0, 5.0, shape) + 80.0 * (balls[0] | balls[1])
    left = LabelMap(balls[1].astype(np.uint8), ("z", "y", "x"), grid, (Segment(1, "left"),))
    return Image(array.astype(np.float32), ("z", "y", "x"), grid), left


def written(root: Path, orders: tuple[str, ...], count: int) -> Path:
    root.mkdir()
    for k in range(count):
        image, mask = scan(k)
        code = orders[k % len(orders)]
        door.write(Orient(code=code)(image), root / f"{k}.nii.gz")
        door.write(Orient(code=code)(mask), root / f"m{k}.nii.gz")
    rows = "".join(f"{k}.nii.gz,m{k}.nii.gz\n" for k in range(count))
    (root / "labels.csv").write_text(f"image,label\n{rows}", encoding="utf-8")
    return root


def dice(found: Image, true: Image) -> float:
    a, b = np.asarray(found.array) > 0, np.asarray(true.array) > 0
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def segmenter(path: Path, images: list[Image], masks: list[LabelMap]) -> Package:
    model = PixelSegmenter(fit_pixels(images, masks, masks[0].segments))
    facts = fingerprint_of([image_facts(image) for image in images])
    training = Training(cases=len(images), patients=len(images), digests=tuple(case_digest(i) for i in images))
    return write_package(path, model, name="left", fingerprint=facts, training=training)


def test_a_cohort_stored_in_several_orders_is_read_in_one(tmp_path: Path) -> None:
    cohort = from_layout(None, written(tmp_path / "mixed", ("SPL", "SAR", "SPL", "LIP"), 4) / "labels.csv")
    assert cohort.directions == "SPL" and cohort.take([1]).directions == "SPL"
    assert any(
        n.startswith("2 of 4 images are stored in another order of axes, LIP (1), SAR (1), than most (SPL)") for n in cohort.notes
    )
    cases = load_cases(cohort)
    assert not cases.aside
    for k in range(4):
        image, mask = scan(k)
        np.testing.assert_array_equal(cases.images[k].array, image.array)
        np.testing.assert_array_equal(cases.masks[k].array, mask.array)
        assert cases.images[k].geometry.matches(image.geometry)
    # The mean mask, which looks at no image at all, lies on the left: half the masks would lie on the right as they are stored.
    mean = fit_atlas(cases.masks, cases.segments).predict(cases.images[0])
    assert dice(mean, scan(0)[1]) > 0.6


def test_what_is_stored_in_one_order_stays_as_it_is(tmp_path: Path) -> None:
    cohort = from_layout(None, written(tmp_path / "same", ("SAR",), 2) / "labels.csv")
    assert cohort.directions == "SAR" and not any("order of axes" in n for n in cohort.notes)
    np.testing.assert_array_equal(cohort.image(1).array, Orient(code="SAR")(scan(1)[0]).array)


@pytest.mark.parametrize("code", ORDERS)
def test_a_model_finds_the_left_side_however_a_file_stores_it(tmp_path: Path, code: str) -> None:
    cases = [scan(k) for k in range(6)]
    package = segmenter(tmp_path / "left.isocenter", [i for i, _ in cases], [m for _, m in cases])
    assert package.fingerprint["directions"] == ["SPL"] and package.self_test().passed
    image, mask = scan(9)
    given, true = Orient(code=code)(image), Orient(code=code)(mask)
    found = package.predict(given)
    assert isinstance(found, LabelMap) and found.geometry == given.geometry
    assert dice(found, true) > 0.9
    assert not any("order of axes" in text for text in package.check(given))
    # A case of the training is known again, in whatever order it is stored.
    cohort = from_layout(None, written(tmp_path / "again", (code,), 2) / "labels.csv")
    with pytest.raises(Exception, match="2 of 2 cases of cohort 'again' are among those that the model was made from"):
        refuse_training(package, cohort)


def test_tables_of_samples_speak_of_the_file_and_boxes_come_back_to_it(tmp_path: Path) -> None:
    image, mask = scan(3)
    root = tmp_path / "boxes"
    root.mkdir()
    for k, code in enumerate(("SPL", "SPL", "LIP")):
        stored = Orient(code=code)(mask)
        inside = np.argwhere(np.asarray(stored.array) > 0)
        low, high = inside.min(axis=0) - 0.5, inside.max(axis=0) + 0.5
        door.write(Orient(code=code)(image), root / f"{k}.nii.gz")
        head = ",".join(f"{a}_{end}" for end in ("low", "high") for a in ("slice", "row", "column"))
        (root / f"{k}.csv").write_text(f"{head}\n{','.join(map(str, (*low, *high)))}\n", encoding="utf-8")
    (root / "labels.csv").write_text("image,label\n" + "".join(f"{k}.nii.gz,{k}.csv\n" for k in range(3)), encoding="utf-8")
    cohort = from_layout(None, root / "labels.csv")
    boxes: list[Places] = [places_in(cohort, k, cohort.image(k), "boxes") for k in range(3)]
    for one in boxes:
        np.testing.assert_allclose(one.samples, boxes[0].samples, atol=1e-3)
    file = door.read(root / "2.nii.gz").geometry
    _close(as_stored(cohort, 2, boxes[2]).samples, read_places(root / "2.csv", file, "boxes").samples)
    model = PlaceModel(Blobs(("ball",), (2.0, 1.0, 1.0), 1, (8.0,), 1.0))
    facts = fingerprint_of([image_facts(image)])
    package = write_package(tmp_path / "balls.isocenter", model, name="balls", fingerprint=facts)
    here, there = (package.predict(given) for given in (image, Orient(code="LIP")(image)))
    assert isinstance(here, Boxes) and isinstance(there, Boxes) and len(here)
    _close(here.bounds, there.bounds)
    assert here.corners is not None and there.corners is not None  # the image lies obliquely
    _close(here.corners, there.corners)


def _close(one: npt.NDArray[np.float64], two: npt.NDArray[np.float64], room: float = 1e-6) -> None:
    np.testing.assert_allclose(one, two, atol=room)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_volume_of_one_slice_is_a_picture(tmp_path: Path, axis: int) -> None:
    generator = np.random.default_rng(axis)
    shape = tuple(np.insert([24, 28], axis, 1))
    around = np.linalg.qr(generator.normal(size=(3, 3)))[0]
    grid = Geometry.regular(shape, (1.0, 2.0, 1.5), (5.0, 6.0, 7.0), around)
    flat = generator.normal(0.0, 4.0, (24, 28))
    flat[6:13, 9:17] += 90.0
    image = Image(flat.reshape(shape).astype(np.float32), ("z", "y", "x"), grid)
    mask = LabelMap((flat.reshape(shape) > 45).astype(np.uint8), ("z", "y", "x"), grid, (Segment(1, "bright"),))
    door.write(image, tmp_path / "a.nii.gz")
    door.write(mask, tmp_path / "m.nii.gz")
    (tmp_path / "a.csv").write_text(
        "row_low,column_low,row_high,column_high\n5.5,8.5,12.5,16.5\n"
        if axis == 0
        else "slice_low,row_low,column_low,slice_high,row_high,column_high\n"
        + ",".join(str(v) for ends in ((5.5, 8.5), (12.5, 16.5)) for v in np.insert(ends, axis, -0.5 if ends[0] == 5.5 else 0.5)),
        encoding="utf-8",
    )
    (tmp_path / "labels.csv").write_text("image,label\na.nii.gz,a.csv\n", encoding="utf-8")
    (tmp_path / "masks.csv").write_text("image,label\na.nii.gz,m.nii.gz\n", encoding="utf-8")
    boxes, masks = (from_layout(None, tmp_path / name) for name in ("labels.csv", "masks.csv"))
    picture, outline = masks.image(0), masks.mask(0)
    assert isinstance(outline, LabelMap) and picture.dims == ("y", "x") and picture.geometry.matches(outline.geometry)
    np.testing.assert_array_equal(np.sort(np.asarray(picture.array).ravel()), np.sort(image.array.ravel()))
    true = places_in(boxes, 0, picture, "boxes")
    inside = np.argwhere(np.asarray(outline.array) > 0)
    _close(true.samples, np.concatenate([inside.min(axis=0) - 0.5, inside.max(axis=0) + 0.5])[None], 1e-3)
    # What a model of pictures says of the volume lies on its grid.
    model = PlaceModel(Blobs(("bright",), (1.5, 1.5), 1, (14.0,), 1.0))
    package = write_package(tmp_path / "b.isocenter", model, name="b", fingerprint=fingerprint_of([image_facts(picture)]))
    found = package.predict(image)
    assert isinstance(found, Boxes) and len(found)
    there = boxes_of(found, image.geometry).samples
    np.testing.assert_allclose(there[:, [axis, axis + 3]], [[-0.5, 0.5]] * len(there))
    left = segmenter(tmp_path / "s.isocenter", [picture] * 2, [outline] * 2)
    labels = left.predict(image)
    assert isinstance(labels, LabelMap) and labels.geometry == image.geometry and dice(labels, mask) > 0.95
