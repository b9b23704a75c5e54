"""Pictures of a report are shown in the window of a presentation state, else the study's, else the one of the header."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from isocenter.core.image import Image
from isocenter.io import door
from isocenter.io.inventory import Item
from isocenter.jobs import report, run
from isocenter.jobs.windows import window_of
from isocenter.view.report import Figure, Report
from isocenter.view.windows import Window
from tests.io.dicom.samples import ct_slice, save
from tests.jobs.make_cohort import STUDY

RAMP = (np.add.outer(np.arange(40), np.arange(32)) * 12).astype(np.uint16)


def _series(folder: Path, window: tuple[float, float] | None = (-600.0, 500.0), **more: object) -> tuple[Item, Image]:
    stated = {} if window is None else {"WindowCenter": window[0], "WindowWidth": window[1]}
    save([ct_slice(2.0 * z, RAMP, **stated, **more) for z in range(6)], folder)
    (item,) = door.inspect(folder).items
    return item, item.load()


@pytest.mark.parametrize(
    ("named", "window", "more", "expected"),
    [
        (None, (-600.0, 500.0), {}, (-850.0, -350.0, False)),
        ("bone", (-600.0, 500.0), {}, "bone"),
        (None, None, {}, None),
        (None, (90000.0, 10.0), {}, None),  # nothing would be seen
        (None, (-600.0, 500.0), {"PhotometricInterpretation": "MONOCHROME1"}, (-850.0, -350.0, True)),
    ],
)
def test_which_window(
    named: str | None, window: tuple[float, float] | None, more: dict[str, str], expected: object, tmp_path: Path
) -> None:
    item, image = _series(tmp_path, window, **more)
    found = window_of(named, [item], item.name, image)
    assert ((found.low, found.high, found.inverted) if isinstance(found, Window) else found) == expected
    assert window_of(None, [item], "made", image) is None
    somebodys = replace(item, attributes={**item.attributes, "display_window": [-500.0, 300.0], "presentation_windows": []})
    assert (
        isinstance(own := window_of("bone", [somebodys], item.name, image), Window) and own.basis == "of its presentation state"
    )
    assert window_of(None, [item], item.name, image.replace(quantity="SUVbw")) is None


def test_the_first_picture_of_a_report_says_the_window_of_the_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _series(tmp_path / "in")
    (tmp_path / "small.yaml").write_text(STUDY)
    made: list[Report] = []
    whole = report.case_report

    def kept(*given: object) -> Report:
        made.append(whole(*given))  # type: ignore[arg-type]  # handed on as they came
        return made[-1]

    monkeypatch.setattr("isocenter.jobs.case.case_report", kept)
    run.run([tmp_path / "in"], tmp_path / "out", study=str(tmp_path / "small.yaml"))
    picture = made[0].picture
    assert isinstance(picture, Figure) and "Own window, -850 to -350 HU" in picture.caption
