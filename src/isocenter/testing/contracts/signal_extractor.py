"""What a signal extractor promises: one row for each channel, a unit for each column, and columns that know the rate."""

from __future__ import annotations

import numpy as np

from isocenter.core.families import SignalExtractor
from isocenter.core.results import Features
from isocenter.core.signal import Signal
from isocenter.testing.contracts.base import check, expect
from isocenter.testing.contracts.inputs import inputs_for
from isocenter.testing.contracts.running import run


@check("SignalExtractor")
def rows_are_channels(operation: SignalExtractor) -> None:
    """There is one row for each channel under its name, and every column has a unit."""
    signal = inputs_for(operation)[0]
    found = run(operation, (signal,))
    expect(isinstance(found, Features), f"{type(found).__name__} came out: expected Features")
    expect(found.regions == signal.channels, f"the rows are {found.regions}: expected the channels {signal.channels}")
    bare = [column.name for column in found.columns if not column.unit]
    expect(not bare, f"the columns {bare} have no unit")


@check("SignalExtractor")
def channels_stand_alone(operation: SignalExtractor) -> None:
    """A channel has the numbers that it has alone: the others do not change them."""
    signal = inputs_for(operation)[0]
    both = run(operation, (signal,))
    alone = run(operation, (Signal(np.array(signal.array[:1]), signal.rate, signal.channels[:1], signal.unit, signal.start),))
    expect(both.rows[0] == alone.rows[0] or str(both.rows[0]) == str(alone.rows[0]), "a channel alone has other numbers")
