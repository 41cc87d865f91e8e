"""One item, or a group of several, written in every format that is read."""

import json
import warnings

import numpy as np


def known(values):
    return {key: value for key, value in values.items() if value is not None}


def write_npz(folder, values):
    path = folder / "item.npz"
    np.savez(path, **values)
    return path


def write_npz_compressed(folder, values):
    path = folder / "item.npz"
    np.savez_compressed(path, **values)
    return path


def write_npy(folder, values):
    for key, value in values.items():
        np.save(folder / f"item.{key}.npy", value)
    return folder / "item.predictions.npy"


def write_hdf5(folder, values):
    import h5py

    path = folder / "item.h5"
    with h5py.File(path, "w") as file:
        fill_hdf5(file, values)
    return path


def fill_hdf5(group, values):
    for key, value in values.items():
        if isinstance(value, str):
            group[key] = value
        elif np.ndim(value) == 2:
            group.create_dataset(key, data=value, compression="gzip")
        else:
            group.attrs[key] = value


def write_safetensors(folder, values):
    from safetensors.numpy import save_file

    path = folder / "item.safetensors"
    tensors = {key: np.ascontiguousarray(value) for key, value in values.items() if np.ndim(value) == 2}
    save_file(
        tensors, path, {key: metadata_text(value) for key, value in values.items() if key not in tensors}
    )
    return path


def metadata_text(value):
    return value if isinstance(value, str) else json.dumps(value)


def fill_zarr(group, values):
    for key, value in values.items():
        if np.ndim(value) == 2:
            group.create_array(key, data=value, chunks=(5, value.shape[1]))
        else:
            group.attrs[key] = value


def write_zarr2(folder, values):
    import zarr

    fill_zarr(zarr.open_group(folder / "item.zarr", mode="w", zarr_format=2), values)
    return folder / "item.zarr"


def write_zarr3(folder, values):
    import zarr

    fill_zarr(zarr.open_group(folder / "item.zarr", mode="w", zarr_format=3), values)
    return folder / "item.zarr"


def write_zarr_zip(folder, values):
    import zarr

    with zarr.storage.ZipStore(folder / "item.zarr.zip", mode="w") as store, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a zip file keeps the attributes of before, and tells of it
        fill_zarr(zarr.open_group(store, mode="w", zarr_format=3), values)
    return folder / "item.zarr.zip"


WRITERS = {
    "npz": (None, write_npz),
    "npz-compressed": (None, write_npz_compressed),
    "npy": (None, write_npy),
    "hdf5": ("h5py", write_hdf5),
    "safetensors": ("safetensors", write_safetensors),
    "zarr2": ("zarr", write_zarr2),
    "zarr3": ("zarr", write_zarr3),
    "zarr-zip": ("zarr", write_zarr_zip),
}
"""By name: the library that is needed, and what writes the item and tells its path."""
