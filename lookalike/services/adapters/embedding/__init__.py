"""Pictures to vectors: the networks that are known, and what runs them, OpenVINO or PyTorch."""
