"""Vectors on a Qdrant server or cluster."""
