"""Run work on items: in this process, in worker processes, on Dask."""
