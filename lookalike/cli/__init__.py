"""The terminal door, and the place where one process is put together from web and worker."""
