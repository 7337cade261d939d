"""One third-party library each, behind a port. Only `bootstrap` imports from here."""
