"""Several trainings as one: their probabilities or numbers are averaged, not their labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from isocenter.core.errors import ParameterError
from isocenter.learn.train.images import TrainedNetwork
from isocenter.learn.train.segmentation import TrainedSegmenter

__all__ = ["joined_networks", "joined_segmenters"]

Member = TypeVar("Member")


def joined_segmenters(members: Sequence[TrainedSegmenter]) -> TrainedSegmenter:
    """Return the ensemble of segmenters of one plan, for instance those of the folds.

    Raises
    ------
    ParameterError
        If they bring images to different grids or intensities, or label different classes.
    """
    first = _first(members)
    for member in members:
        own, base = member.plan, first.plan
        same = (own.network, own.spacing, own.normalisation, own.segments) == (
            base.network, base.spacing, base.normalisation, base.segments,
        )  # fmt: skip
        if not same or (own.normalisation == "ct" and own.intensity != base.intensity):
            raise ParameterError(
                "Segmenters of an ensemble with different plans: expected one spacing, normalisation and set of classes; "
                "train the folds with one plan."
            )
    networks = tuple(net for member in members for net in member.networks)
    histories = tuple(h for m in members for h in m.histories)
    return TrainedSegmenter(first.plan, networks, histories, first.mirror, first.quarters)


def joined_networks(members: Sequence[TrainedNetwork]) -> TrainedNetwork:
    """Return the ensemble of networks of the same classes, or the same units of a number, image size and scale of values.

    Raises
    ------
    ParameterError
        If they differ in one of them.
    """
    first = _first(members)
    own = (first.head, first.size, first.channels, first.quantity)
    if any((m.head, m.size, m.channels, m.quantity) != own for m in members):
        raise ParameterError("Networks of an ensemble with different classes, units, sizes or scales: expected the same for all.")
    networks = tuple(net for member in members for net in member.networks)
    histories = tuple(h for m in members for h in m.histories)
    return TrainedNetwork(
        first.head, first.size, first.channels, networks, histories, first.network, first.parameters, first.quantity
    )


def _first(members: Sequence[Member]) -> Member:
    if not members:
        raise ParameterError("An ensemble of no members: expected at least one.")
    return members[0]
