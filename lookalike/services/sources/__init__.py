"""Where bulk imports read from. Every source is material of strangers and is read as such."""
