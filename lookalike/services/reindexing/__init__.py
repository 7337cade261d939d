"""Indexes that are built beside the live one, measured, and switched to when they are as good."""
