"""Vectors on Qdrant Edge: the engine of the Qdrant server, in this process and one folder."""
