"""The radiomics chain of the IBSI on arrays: region, interpolation, re-segmentation, levels, and every feature family.

Features come back under the tags of the IBSI reference tables (``cm_joint_max_3D_avg`` ...), without units or names.

References
----------
Zwanenburg et al., "Image biomarker standardisation initiative", reference manual v11, arXiv:1612.07003.
"""
