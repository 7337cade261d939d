"""Pictures as pixels: look inside safely, decode, prepare for a model, thumbnail, fingerprint."""
