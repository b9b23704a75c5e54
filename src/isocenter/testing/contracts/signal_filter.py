"""What a signal filter promises: channels, rate, start and unit stay."""

from __future__ import annotations

import numpy as np

from isocenter.core.dtype import working_dtype
from isocenter.core.families import SignalFilter
from isocenter.core.signal import Signal
from isocenter.testing.contracts.base import check, expect
from isocenter.testing.contracts.inputs import inputs_for
from isocenter.testing.contracts.running import run


@check("SignalFilter")
def channels_and_rate_kept(operation: SignalFilter) -> None:
    """Shape, channels, rate, unit and start are those of the input, in the working sample type."""
    before = inputs_for(operation)[0]
    after = run(operation, (before,))
    expect(isinstance(after, Signal), f"{type(after).__name__} came out: expected a Signal")
    for name in ("channels", "rate", "unit", "start"):
        expect(getattr(after, name) == getattr(before, name), f"{name} changed to {getattr(after, name)}")
    expect(after.array.shape == before.array.shape, f"the shape changed to {after.array.shape}")
    expect(after.array.dtype == working_dtype(before.array.dtype), f"samples of type {after.array.dtype} came out")


@check("SignalFilter")
def hertz_mean_hertz(operation: SignalFilter) -> None:
    """A parameter in Hz follows the sampling rate: the same samples at another rate are filtered otherwise."""
    from isocenter.testing.contracts.documentation import documented

    texts = documented(type(operation)).parameters
    if not any("Hz" in texts.get(name, "") and getattr(operation, name) for name in type(operation).model_fields):
        return
    before = inputs_for(operation)[0]
    faster = Signal(before.array, before.rate * 2, before.channels, before.unit, before.start)
    one, two = run(operation, (before,)), run(operation, (faster,))
    expect(
        not np.array_equal(one.array, two.array),
        "at twice the sampling rate the same samples come out though a parameter is in Hz",
    )
