"""Pictures to vectors: the networks that are known, and OpenVINO, which runs them."""
