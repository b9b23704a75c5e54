"""The table of DICOM samples: every file of the shared folders is under exactly one row or named in a second look."""

from __future__ import annotations

from tests.io.dicom.zoo import (
    Row,
    as_simpleitk_reads_it,
    colour_in_the_world,
    decoded_but_unplaced,
    in_the_world,
    independent_decoder,
    mask_of,
    overlapping,
    refused,
    same_samples_as,
    slices_lie_where_their_headers_say,
    three_times,
    tilted,
    two_orientations,
)

D2N = "dicom_zoo/dicom2nifti"
PYD = "dicom_zoo/pydicom-data"
SEG = "ct_liver_seg"

_GROUND = "the NIfTI that its source gives as ground truth stands beside it"
_VENDORS = [
    "ge/anatomical/001", "ge/anatomical/001_implicit", "ge/anatomical/001_single_slice", "hitachi/anatomical/001",
    "hitachi/anatomical/001_implicit", "hyperfine/anatomical/001", "generic/anatomical/002_non_isotropic", "generic/compressed/001",
    "generic/compressed_j2k/001", "generic/compressed_jpeg/001", "generic/compressed_jpegls/001", "generic/compressed_rle/001",
    "failing/slicecount/001", "ge/fmri/001", "ge/fmri/001_implicit", "ge/dti/001", "ge/dti/001_implicit", "ge/dti/002",
]  # fmt: skip
#: File -> the one with the same samples in another lossless syntax.
_TWINS = {
    "liver_rle": "liver", "liver_deflate": "liver", "liver_expb": "liver", "liver_j2k": "liver",
    "liver_nonbyte_aligned_rle": "liver_nonbyte_aligned", "liver_nonbyte_aligned_deflate": "liver_nonbyte_aligned",
    "liver_nonbyte_aligned_j2k": "liver_nonbyte_aligned", "SC_rgb_expb": "SC_rgb", "SC_rgb_expb_16bit": "SC_rgb_16bit",
    "SC_rgb_expb_16bit_2frame": "SC_rgb_16bit_2frame", "SC_rgb_expb_32bit": "SC_rgb_32bit", "SC_rgb_expb_32bit_2frame": "SC_rgb_32bit_2frame",
    "SC_rgb_expb_2frame": "SC_rgb_2frame", "OBXXXX1A_expb": "OBXXXX1A", "OBXXXX1A_rle": "OBXXXX1A", "color-pl": "color-px",
    "JLSL_RGB_ILV1": "JLSL_RGB_ILV0", "JLSL_RGB_ILV2": "JLSL_RGB_ILV0", "693_J2KR": "693_UNCR",
}  # fmt: skip
#: Files that pydicom decodes by other code than ours (or, uncompressed, by none): no reference volume exists for them.
_DECODED = [
    "693_UNCI", "693_UNCR", "HTJ2KLossless_08_RGB", "HTJ2K_08_RGB", "JLSL_08_07_0_1F", "JLSL_16_15_1_1F", "JLSL_RGB_ILV0", "JLSN_RGB_ILV0",
    "JPEG-LL", "JPEG2000_UNC", "JPGLosslessP14SV1_1s_1f_8b", "MR-SIEMENS-DICOM-WithOverlays", "MR2_J2KI", "OBXXXX1A", "OBXXXX1A_rle_2frame",
    "OT-PAL-8-face", "RG3_J2KI", "SC_rgb", "SC_rgb_16bit", "SC_rgb_16bit_2frame", "SC_rgb_2frame", "SC_rgb_32bit", "SC_rgb_32bit_2frame",
    "SC_rgb_dcmtk_ebcr_dcmd", "SC_rgb_dcmtk_ebcyn1_dcmd", "SC_rgb_dcmtk_ebcyn2_dcmd", "SC_rgb_dcmtk_ebcynp_dcmd", "SC_rgb_dcmtk_ebcys2_dcmd",
    "SC_rgb_dcmtk_ebcys4_dcmd", "SC_rgb_gdcm2k_uncompressed", "SC_ybr_full_uncompressed", "US1_J2KI", "US1_J2KR", "bad_sequence", "color-px",
    "explicit_VR-UN", "liver_nonbyte_aligned", "parametric_map_double_float", "parametric_map_float", "vlut_04",
]  # fmt: skip
_UNPLACED = ["RLE", "big_endian", "jpeg_2k_lossless", "jpeg_ls_lossless"]

ROWS = [
    *[Row(f"{D2N}/{name}", in_the_world(f"{D2N}/{name}_ground_truth.nii.gz", tolerance=1e-3), _GROUND) for name in _VENDORS],
    Row(f"{D2N}/generic/rgb/001", colour_in_the_world(f"{D2N}/generic/rgb/001_ground_truth.nii.gz"), _GROUND),
    Row(f"{D2N}/failing/gantrytilting/001", tilted(14.0), "a tilted gantry: the sheared grid is kept, and each slice stays in its place"),
    Row(f"{D2N}/failing/notavolume/001", refused("geometry", "one position"), "four slices at one place and nothing that orders them"),
    Row(f"{D2N}/failing/sliceincrement/001", refused("geometry", "gap is 10.00 mm where 5.00 mm"), "one slice is missing"),
    Row(f"{D2N}/failing/sliceorientation/001", two_orientations, "sagittal and axial slices in one series are two stacks"),
    *[Row(f"dicom_zoo/dcm_qa_ts/In/{n}.dcm", in_the_world("dicom_zoo/dcm_qa_ts/Ref/1.nii"), "one 35-tile mosaic in several syntaxes") for n in range(1, 10)],
    Row("dicom_zoo/dcm_qa_ts/In", refused("geometry", "9 slices lie at each of 35 positions"), "the nine together are no series: one image nine times"),
    *[
        Row(f"dicom_zoo/dcm_qa_12bit/In/{name}.dcm", in_the_world(f"dicom_zoo/dcm_qa_12bit/Ref/{n}.nii"), "rubbish above the twelve stored bits, signed and not")
        for name, n in (("12bitUnsigned", 2), ("12bitUnsigned_0x0F0F", 3), ("12bitSigned_0x0F0F", 4))
    ],
    *[Row(f"{PYD}/{name}.dcm", same_samples_as(f"{PYD}/{other}.dcm"), f"{other} in another lossless syntax") for name, other in _TWINS.items()],
    *[Row(f"{PYD}/{name}.dcm", independent_decoder, "no reference volume: pydicom decodes it by itself") for name in _DECODED],
    Row(f"{PYD}/liver.dcm", mask_of(f"{SEG}/liver_seg.nrrd"), "the segmentation of ct_liver_seg, whose NRRD is the reference"),
    Row(f"{PYD}/emri_small.dcm", decoded_but_unplaced("without positions"), "frames of MR that say nowhere where they lie"),
    *[Row(f"{PYD}/emri_small_{name}.dcm", decoded_but_unplaced("without positions", f"{PYD}/emri_small.dcm"), "as emri_small, in another syntax") for name in _UNPLACED],
    Row(f"{PYD}/emri_small_jpeg_2k_lossless_too_short.dcm", refused("format", "without its sequence delimiter"), "cut short on purpose"),
    Row("dicom_zoo/deid/ctbrain1.dcm", independent_decoder, "a secondary capture in colour"),
    Row("dicom_zoo/deid/ctbrain2.dcm", independent_decoder, "the same with other text burnt in"),
    Row("dicom_zoo/deid/dicom-cookies/image1.dcm", independent_decoder, "a photograph, compressed with loss: decoded by two codecs alike"),
    Row("brain_mr/t1_structural_dicom.tar.xz", as_simpleitk_reads_it, "a regular series of 384 slices, which SimpleITK reads right"),
    Row("breast_dce_mr/UCSF-BR-06_dce.tar.xz", three_times, "no temporal attribute but ContentTime, which orders the three volumes"),
    Row("breast_dce_mr/UCSF-BR-06_seg.tar.xz", independent_decoder, "no reference for the mask: pydicom decodes its frames"),
    Row("dicom_paramaps/pm-example-slice.dcm", in_the_world("dicom_paramaps/pm-example.nrrd:0", mm=2e-3), "the first slice of the NRRD beside it; its cosines have six digits, 0.0017 mm at the far corner"),
    Row("dicom_sr/seg.dcm", independent_decoder, "no reference for the mask: pydicom decodes its frames"),
    Row("dicom_sr/rwvm.dcm", refused("unsupported", "Real World Value Mapping"), "a mapping of values alone holds nothing to look at"),
    Row(f"{SEG}/liver.dcm", mask_of(f"{SEG}/liver_seg.nrrd"), "its NRRD stands beside it"),
    Row(f"{SEG}/sparse-labelmap-noppv.dcm", mask_of(f"{SEG}/sparse_labelmap_noppv_seg.nrrd"), "its NRRD stands beside it"),
    Row(f"{SEG}/sparse-labelmap-ppv5.dcm", mask_of(f"{SEG}/sparse_labelmap_ppv5_seg.nrrd"), "its NRRD stands beside it"),
    Row(f"{SEG}/partial_overlaps.dcm", overlapping(f"{SEG}/partial_overlaps", 3), "three NRRD files hold the five masks"),
    *[
        Row(f"{SEG}/{name}/seg/label.seg", mask_of(f"{SEG}/{name}/nrrd/label.nrrd"), "its NRRD stands beside it")
        for name in ("23x38x3", "24x38x3")
    ],
    *[
        Row(f"{SEG}/{name}/image", slices_lie_where_their_headers_say, "three slices: every sample where its header puts it")
        for name in ("23x38x3", "24x38x3")
    ],
    Row(f"{SEG}/ct-3slice", slices_lie_where_their_headers_say, "three slices: every sample where its header puts it"),
    *[Row(f"{SEG}/{name}/multiframe/mf.dcm", independent_decoder, "the three slices as one object") for name in ("23x38x3", "24x38x3")],
]  # fmt: skip
