"""Files of named arrays: npz, npy, HDF5, safetensors, zarr."""
