"""Vectors on a Qdrant server or cluster, over its REST interface."""
