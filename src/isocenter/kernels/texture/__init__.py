"""Texture of a discretised region: matrices in fused passes over the samples, features from the matrices.

Directions and neighbourhoods count samples, not mm, as the IBSI defines them (Chebyshev distance 1). Levels are uint8 or uint16, 0
outside the region and 1 to n inside, cropped to the region and padded by one empty sample on every side.

References
----------
Zwanenburg et al., "Image biomarker standardisation initiative", reference manual v11, arXiv:1612.07003.
"""
