"""CNN-LSTM for sequences of slices or frames."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from isocenter.nets.blocks import ConvBlock

__all__ = ["CnnLstm"]


class CnnLstm(nn.Module):
    """A small CNN for each slice or frame, an LSTM (or its two-way form) over their order, a decision for the sequence or each frame.

    Parameters
    ----------
    in_channels, out_channels
        Channels of a frame; classes of the result (logits).
    channels
        Features of the levels of the CNN, each half the size of the one before.
    hidden
        Size of the LSTM's state.
    layers
        LSTMs on top of each other.
    bidirectional
        Read the sequence both ways (BLSTM).
    every
        Decide for each frame instead of the whole sequence.
    dropout
        Probability of dropping a feature of a frame.

    References
    ----------
    Donahue et al. (2015) Long-term recurrent convolutional networks for visual recognition and description. CVPR.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 2,
        *,
        channels: Sequence[int] = (16, 32, 64),
        hidden: int = 64,
        layers: int = 1,
        bidirectional: bool = True,
        every: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        before = in_channels
        for features in channels:
            blocks.append(ConvBlock(2, before, features, stride=2, norm="group"))
            before = features
        self.frames = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(dropout)
        self.sequence = nn.LSTM(before, hidden, layers, batch_first=True, bidirectional=bidirectional)
        self.head = nn.Linear(hidden * (2 if bidirectional else 1), out_channels)
        self.every = every

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of frames (batch, time, channels, y, x): (batch, out_channels), or (batch, time, out_channels)."""
        batch, time = x.shape[:2]
        features = self.frames(x.flatten(0, 1)).flatten(2).mean(2)
        states, _ = self.sequence(self.dropout(features).reshape(batch, time, -1))
        result: Tensor = self.head(states if self.every else states.mean(1))
        return result
