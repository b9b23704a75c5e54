"""What the children run: one function for each native codec, from packed bytes to samples in the arena.

Loaded by path in the fork server, never by the package: it imports nothing of it. Each function takes the packed
bytes, the room for the result and the facts that the caller stated, fills the room from its beginning and returns
what it did: ``count`` bytes, and more where the codec tells.
"""

from __future__ import annotations

import importlib
import io
import struct
import warnings
from collections.abc import Callable
from typing import Any, BinaryIO

Facts = dict[str, Any]
BAND = 1 << 22


def decode(name: str, given: memoryview, room: memoryview, facts: Facts, file: int | None) -> Facts:
    """Run one codec.

    Parameters
    ----------
    name
        Of the codec.
    given, room
        The packed bytes; where the samples go.
    facts
        What the caller says of them.
    file
        Descriptor of an opened file, for the codecs that read one.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name in READERS:
            with io.BytesIO(given) if file is None else open(file, "rb", closefd=False) as handle:
                handle.seek(0)
                return READERS[name](handle, room, facts)
        return CODECS[name](given, room, facts)


def _put(room: memoryview, data: Any) -> int:
    """Copy bytes into the room and return how many they were."""
    view = memoryview(data).cast("B") if not isinstance(data, bytes | bytearray) else memoryview(data)
    if len(view) > len(room):
        raise ValueError(f"{len(view)} bytes come out where {len(room)} were expected")
    room[: len(view)] = view
    return len(view)


def _imagecodecs(part: str) -> Any:
    try:
        return importlib.import_module(f"imagecodecs._{part}")
    except ImportError:
        raise ValueError('the package imagecodecs is not installed: pip install "isocenter[wsi]"') from None


# -- DICOM frames ---------------------------------------------------------------------------------------


def _jpeg_ls(given: memoryview, room: memoryview, facts: Facts) -> Facts:
    jpeg_ls = importlib.import_module("jpeg_ls")  # as the next one: no type hints
    data, found = jpeg_ls.decode_pixel_data(bytes(given))
    planar = int(found["components"]) > 1 and int(found["interleave_mode"]) == 0
    return {"count": _put(room, data), "precision": int(found["bits_per_sample"]), "planar": planar}


def _jpeg_2000(given: memoryview, room: memoryview, facts: Facts) -> Facts:
    openjpeg = importlib.import_module("openjpeg")
    stream = bytes(given)
    data = openjpeg.decode_pixel_data(stream, version=2)
    found = openjpeg.get_parameters(stream)
    return {"count": _put(room, data), "precision": int(found["precision"]), "signed": bool(found["is_signed"])}


def _gdcm(given: memoryview, room: memoryview, facts: Facts) -> Facts:
    """Decode JPEG of any process with GDCM, which wants to be told all that the dataset says."""
    import gdcm

    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(bytes(given))
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((facts["columns"], facts["rows"], 1))
    image.SetDataElement(element)
    colours = gdcm.PhotometricInterpretation.GetPIType(facts["photometric"])
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(colours))
    if facts["samples"] > 1:
        image.SetPlanarConfiguration(0)
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(facts["syntax"])))
    stored = facts["precision"]
    image.SetPixelFormat(gdcm.PixelFormat(facts["samples"], facts["allocated"], stored, stored - 1, int(facts["signed"])))
    # GDCM gives bytes as text with lone surrogates for what is no UTF-8.
    return {"count": _put(room, image.GetBuffer().encode("utf-8", "surrogateescape"))}


def _jpeg_twelve(given: memoryview, room: memoryview, facts: Facts) -> Facts:
    array = _imagecodecs("jpeg8").jpeg8_decode(given)
    return {"count": _put(room, array.astype("<u2"))}


# -- pictures -------------------------------------------------------------------------------------------


def _pillow(handle: BinaryIO, room: memoryview, facts: Facts) -> Facts:
    """Decode a picture with Pillow, one format only; the result says its mode and size."""
    from PIL import Image, ImageFile

    Image.MAX_IMAGE_PIXELS = None  # the caller compared the header with its budget
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    with Image.open(handle, formats=(facts["format"],)) as file:
        if facts["page"]:
            file.seek(int(facts["page"]))
        if list(file.size) != list(facts["size"]):
            raise ValueError(f"it is {file.size[0]} x {file.size[1]} pixels, not {facts['size'][0]} x {facts['size'][1]}")
        picture: Image.Image = file
        if picture.mode == "P":
            picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
        picture.load()
        mode = picture.mode
        if mode == "1":  # its bytes would be eight pixels each
            picture = picture.convert("L").point([0] + [1] * 255)
        width, height = picture.size
        row = len(picture.crop((0, 0, width, 1)).tobytes())
        if row * height > len(room):
            raise ValueError(f"{row * height} bytes come out where {len(room)} were expected")
        rows = max(1, BAND // max(row, 1))
        for top in range(0, height, rows):  # in bands: the whole picture as bytes would be one more copy of it
            _put(room[top * row :], picture.crop((0, top, width, min(height, top + rows))).tobytes())
        return {"count": row * height, "mode": mode, "size": [width, height]}


def _pillow_header(handle: BinaryIO, room: memoryview, facts: Facts) -> Facts:
    """Return what Pillow reads in a picture's header, decoding nothing."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    with Image.open(handle, formats=(facts["format"],)) as picture:
        turn = picture.getexif().get(0x0112, 1) if facts.get("exif") else 1
        frames = getattr(picture, "n_frames", 1) if facts.get("frames") else 1
        return {
            "count": 0, "mode": picture.mode, "size": list(picture.size), "bands": len(picture.getbands()), "frames": int(frames),
            "turn": turn if isinstance(turn, int) else 1,
        }  # fmt: skip


# -- single blocks --------------------------------------------------------------------------------------


def _block(part: str, function: str, **fixed: Any) -> Callable[[memoryview, memoryview, Facts], Facts]:
    def run(given: memoryview, room: memoryview, facts: Facts) -> Facts:
        return {"count": _put(room, getattr(_imagecodecs(part), function)(given, out=len(room), **fixed))}

    return run


def _blosc(given: memoryview, room: memoryview, facts: Facts) -> Facts:
    return {"count": _put(room, _imagecodecs("blosc").blosc_decode(given, numthreads=1))}


def _lz4(given: memoryview, room: memoryview, facts: Facts) -> Facts:
    if struct.unpack_from("<I", given)[0] > len(room):
        raise ValueError("an LZ4 header beyond the chunk")
    return {"count": _put(room, _imagecodecs("lz4").lz4_decode(given, header=True))}


def _jpeg2k(given: memoryview, room: memoryview, facts: Facts) -> Facts:
    array = _imagecodecs("jpeg2k").jpeg2k_decode(given)
    return {"count": _put(room, array.tobytes()), "shape": list(array.shape), "dtype": array.dtype.str}


def _tiff(handle: BinaryIO, room: memoryview, facts: Facts) -> Facts:
    """Decode pages of a TIFF file with tifffile, which asks imagecodecs for each block, one after another into the room."""
    import logging

    import numpy
    import tifffile

    # tifffile tells of odd tags by logging; what matters was checked before.
    logging.getLogger("tifffile").addHandler(logging.NullHandler())
    shape, dtype = tuple(facts["shape"]), numpy.dtype(facts["dtype"])
    out = numpy.frombuffer(room, dtype).reshape(facts["pages"], *shape)
    with tifffile.TiffFile(handle, name="pages.tif", is_ome=False) as file:
        for k in range(facts["pages"]):
            page = file.pages[k]
            array = page.asarray(maxworkers=1)
            if facts["palette"]:
                colours = numpy.asarray(page.colormap)
                array = numpy.moveaxis((colours[:, array] >> 8).astype(numpy.uint8), 0, -1)
            elif facts["planes"]:
                array = numpy.moveaxis(array, 0, -1)
            if array.shape != shape:
                raise ValueError(f"page {k + 1} decodes to shape {array.shape}: expected {shape}")
            out[k] = array
    return {"count": out.nbytes}


READERS: dict[str, Callable[[BinaryIO, memoryview, Facts], Facts]] = {
    "pillow": _pillow,
    "pillow-header": _pillow_header,
    "tiff": _tiff,
}
CODECS: dict[str, Callable[[memoryview, memoryview, Facts], Facts]] = {
    "jpeg-ls": _jpeg_ls,
    "jpeg-2000": _jpeg_2000,
    "gdcm": _gdcm,
    "jpeg-12": _jpeg_twelve,
    "lzw": _block("imcd", "lzw_decode"),
    "zstd": _block("zstd", "zstd_decode"),
    "blosc": _blosc,
    "lz4": _lz4,
    "jpeg2k": _jpeg2k,
}
