"""Blocks drawn at full resolution."""

from __future__ import annotations

import numpy as np

from isocenter.kernels.coarse import draw, enlarge, enlarge_smooth


class TestDraw:
    """What blocks say, drawn on samples of a volume that is turned and flipped."""

    def test_codes_on_a_turned_volume(self) -> None:
        stored = np.random.default_rng(0).normal(0, 100, (5, 8, 6)).astype(np.float32)
        out = np.zeros(stored.shape, np.uint8)
        hu, drawn = stored.transpose(2, 0, 1)[::-1, :, ::-1], out.transpose(2, 0, 1)[::-1, :, ::-1]
        codes = np.random.default_rng(1).integers(0, 8, (3, 2, 3)).astype(np.uint8)
        draw(hu, codes, (2, 3, 3), (50.0, -50.0), drawn, 7)
        fine = enlarge(codes, (2, 3, 3), hu.shape)
        expected = (fine & 1 > 0) | ((fine & 2 > 0) & (hu > 50)) | ((fine & 4 > 0) & (hu < -50))
        assert np.array_equal(drawn, expected * np.uint8(7))

    def test_the_interpolated_mask_decides_at_its_edge(self) -> None:
        part = np.zeros((4, 4, 4), bool)
        part[1:3, 1:3, 1:3] = True
        hu, out = np.zeros((12, 8, 7), np.int16), np.zeros((12, 8, 7), np.uint8)
        draw(hu, np.full((4, 4, 4), 8, np.uint8), (3, 2, 2), (0.0, 0.0), out, smooth=part, threads=2)
        assert np.array_equal(out > 0, enlarge_smooth(part, (3, 2, 2), hu.shape) > 0.5)
