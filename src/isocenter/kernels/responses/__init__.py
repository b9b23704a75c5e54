"""Response maps of convolutional filters, as the IBSI defines them: pure functions from arrays to arrays.

Kernels are stated in image coordinates (x, y, z), as in the reference manual; arrays are stored (z, y, x).

References
----------
Depeursinge et al., "Standardised convolutional filtering for radiomics", reference manual, arXiv:2006.05470.
Whybra et al., Radiology 310 (2024) e231319.
"""
