"""Parquet tables, read by pyarrow in a process of its own."""
