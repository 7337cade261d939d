"""Lookalike: self-hosted image similarity search."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("lookalike")
except PackageNotFoundError:  # running from a source tree that was never installed
    __version__ = "0+unknown"
