"""Where tasks run: in this process, in several, or on a Dask cluster; results are equal."""
