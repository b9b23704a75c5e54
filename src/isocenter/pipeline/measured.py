"""The rule that calibrated values are measured as they were read: a filter may stand before a segmenter, not before a measurement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from isocenter.core.errors import ContentError
from isocenter.core.operation import Operation, Spec

__all__ = ["ALTERING", "require_unfiltered"]

#: Stages whose images hold other values than were acquired, under the same quantity.
ALTERING = ("correct", "denoise", "enhance", "restore")
_UNCALIBRATED = (None, "a.u.", "probability", "filter response")


def require_unfiltered(operation: Operation, slots: Sequence[str], known: Mapping[str, Spec], altered: Mapping[str, str]) -> None:
    """Raise if an extractor would measure values that a filter has changed and that mean something by themselves.

    Parameters
    ----------
    operation
        The step's operation; only extractors that use values are judged.
    slots
        The slots it takes.
    known
        Slot -> spec.
    altered
        Slot -> the operation that changed its values.

    Raises
    ------
    ContentError
        Naming the slot, the filter, and how a study says that it means it.
    """
    if operation.family != "Extractor" or not getattr(operation, "uses_values", True):
        return
    for slot in slots:
        quantity = known[slot].quantity
        if slot in altered and quantity not in _UNCALIBRATED:
            raise ContentError(
                f"{operation.name} would measure '{slot}', whose {quantity} {altered[slot]} has changed: expected the values as read; "
                "name the unfiltered image in 'from', or say 'filtered: true' beside the step if the filtered values are meant."
            )
