"""ISMRM raw data made for tests, by h5py alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

INDEX = np.dtype([(n, "<u2") for n in ("kspace_encode_step_1", "kspace_encode_step_2", "average", "slice", "contrast", "phase", "repetition", "set", "segment")]
                 + [("user", "<u2", 8)])  # fmt: skip
HEAD = np.dtype(
    [("version", "<u2"), ("flags", "<u8"), ("measurement_uid", "<u4"), ("scan_counter", "<u4"), ("acquisition_time_stamp", "<u4"),
     ("physiology_time_stamp", "<u4", 3), ("number_of_samples", "<u2"), ("available_channels", "<u2"), ("active_channels", "<u2"),
     ("channel_mask", "<u8", 16), ("discard_pre", "<u2"), ("discard_post", "<u2"), ("center_sample", "<u2"), ("encoding_space_ref", "<u2"),
     ("trajectory_dimensions", "<u2"), ("sample_time_us", "<f4"), ("position", "<f4", 3), ("read_dir", "<f4", 3), ("phase_dir", "<f4", 3),
     ("slice_dir", "<f4", 3), ("patient_table_position", "<f4", 3), ("idx", INDEX), ("user_int", "<i4", 8), ("user_float", "<f4", 8)]
)  # fmt: skip
ROW = np.dtype([("head", HEAD), ("traj", h5py.vlen_dtype(np.dtype("<f4"))), ("data", h5py.vlen_dtype(np.dtype("<f4")))])
NOISE, REVERSE, NAVIGATOR = 1 << 18, 1 << 21, 1 << 22
XML = """<?xml version="1.0"?>
<ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD">
 <subjectInformation><patientName>Doe^Jane</patientName></subjectInformation>
 <acquisitionSystemInformation><systemFieldStrength_T>1.5</systemFieldStrength_T></acquisitionSystemInformation>
 <encoding>
  <encodedSpace><matrixSize><x>{ex}</x><y>{ey}</y><z>{ez}</z></matrixSize>
   <fieldOfView_mm><x>{efx}</x><y>{fy}</y><z>{fz}</z></fieldOfView_mm></encodedSpace>
  <reconSpace><matrixSize><x>{rx}</x><y>{ey}</y><z>{ez}</z></matrixSize>
   <fieldOfView_mm><x>{rfx}</x><y>{fy}</y><z>{fz}</z></fieldOfView_mm></reconSpace>
  <encodingLimits><kspace_encoding_step_1><minimum>0</minimum><maximum>{ey}</maximum><center>{cy}</center></kspace_encoding_step_1></encodingLimits>
  <trajectory>{trajectory}</trajectory>
 </encoding>
 <sequenceParameters><TR>500</TR><TE>10</TE></sequenceParameters>
</ismrmrdHeader>"""


def xml(ny: int, nx: int, oversampling: int = 1, trajectory: str = "cartesian", centre: int | None = None, nz: int = 1) -> str:
    """Return a header of a matrix of ny x nx, 2 x 1.5 mm, 5 mm thick."""
    return XML.format(
        ex=nx * oversampling, ey=ny, ez=nz, efx=nx * oversampling * 1.5, fy=ny * 2.0, fz=5.0 * nz, rx=nx, rfx=nx * 1.5,
        cy=ny // 2 if centre is None else centre, trajectory=trajectory,
    )  # fmt: skip


def row(samples: npt.NDArray[Any], line: int, **changes: Any) -> Any:
    """Return one acquisition of shape (coils, samples)."""
    many = np.zeros(1, ROW)
    head = many["head"][0]
    head["version"], head["number_of_samples"], head["active_channels"] = 1, samples.shape[1], samples.shape[0]
    head["center_sample"], head["sample_time_us"] = samples.shape[1] // 2, 5.0
    head["read_dir"], head["phase_dir"], head["slice_dir"], head["position"] = (1, 0, 0), (0, 1, 0), (0, 0, 1), (3, -4, 20)
    head["idx"]["kspace_encode_step_1"] = line
    trajectory = np.zeros(0, np.float32)
    for name, value in changes.items():
        if name == "trajectory":
            trajectory = np.asarray(value, np.float32)
            head["trajectory_dimensions"] = np.shape(value)[1]
        elif name in (INDEX.names or ()):
            head["idx"][name] = value
        else:
            head[name] = value
    many["data"][0] = np.ascontiguousarray(samples.astype(np.complex64)).view(np.float32).reshape(-1)
    many["traj"][0] = trajectory.reshape(-1)
    return many[0]


def save(path: Path, rows: list[Any], header: str, **more: Any) -> Path:
    """Write a file."""
    with h5py.File(path, "w") as file:
        group = file.create_group("dataset")
        group.create_dataset("xml", data=[header], dtype=h5py.string_dtype())
        data = group.create_dataset("data", (len(rows),), ROW)
        for k, one in enumerate(rows):
            data[k] = one
        for name, value in more.items():
            file[name] = value
    return path


def kspace_of(image: npt.NDArray[Any]) -> npt.NDArray[np.complex128]:
    """Return the k-space of an image whose centre is the sample of index n // 2 along the last two axes."""
    axes = (-2, -1)
    return np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(image, axes=axes), axes=axes), axes=axes)


def image_of(kspace: npt.NDArray[Any]) -> npt.NDArray[np.complex128]:
    """Undo `kspace_of`."""
    axes = (-2, -1)
    return np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(kspace, axes=axes), axes=axes), axes=axes)
