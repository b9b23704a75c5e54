"""Study: slots are added, never overwritten."""

from __future__ import annotations

import pytest

from isocenter.core.errors import ParameterError, SlotError, UnknownNameError
from isocenter.core.labels import LabelMap
from isocenter.core.study import Study
from tests.core.values import image


def test_adding_returns_a_new_study_and_leaves_the_old() -> None:
    first = Study("case-001", {"ct": image()}, {"body_part": "CHEST"}, {"PatientName": "Doe^Jane"})
    second = first.add("lungs", 1)
    assert list(first) == ["ct"]
    assert list(second) == ["ct", "lungs"]
    assert second.attributes == first.attributes
    assert second.identity == first.identity


def test_a_name_is_used_once() -> None:
    study = Study("a").add("image", image())
    with pytest.raises(SlotError, match=r"Slot 'image' of study a is taken \(Image\)"):
        study.add("image", image())
    assert len(study) == 1


def test_the_mapping_handed_in_does_not_stay_connected() -> None:
    slots = {"ct": 1}
    study = Study("a", slots)
    slots["pet"] = 2
    assert "pet" not in study


def test_images_and_labels_are_told_apart() -> None:
    labels = LabelMap(image().array > 5, image().dims, image().geometry)
    study = Study("a", {"ct": image(), "lungs": labels, "number": 3})
    assert list(study.images) == ["ct"]
    assert list(study.labels) == ["lungs"]
    assert study["number"] == 3


def test_a_missing_slot_is_named_with_what_there_is() -> None:
    with pytest.raises(UnknownNameError, match=r"No slot 'lung' in study a: it has \['lungs'\]. Did you mean 'lungs'"):
        Study("a", {"lungs": 1})["lung"]


@pytest.mark.parametrize("name", ["", "Image", "1ct", "a-b", "a b", "../x", "a" * 64, "ä"])
def test_slot_names_are_safe_as_file_names_and_keys(name: str) -> None:
    with pytest.raises(SlotError, match="expected a lower-case letter"):
        Study("a").add(name, 1)
    with pytest.raises(SlotError, match="expected a lower-case letter"):
        Study("a", {name: 1})


@pytest.mark.parametrize("pseudonym", ["", "Doe^Jane", "../x", ".hidden", "a/b", "a b", "x" * 65])
def test_pseudonyms_are_safe_as_file_names(pseudonym: str) -> None:
    with pytest.raises(ParameterError, match="Pseudonym"):
        Study(pseudonym)


def test_the_person_is_not_shown() -> None:
    assert "Jane" not in repr(Study("case-001", identity={"PatientName": "Doe^Jane"}))
