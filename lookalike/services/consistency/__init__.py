"""Whether SQL, blobs and vectors agree, and making them agree again."""
