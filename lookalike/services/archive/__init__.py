"""Backups: the pictures of a platform in one file that any other platform can take in."""
