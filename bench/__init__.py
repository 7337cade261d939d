"""Measurements, each a comparison of things run side by side on the same machine."""
