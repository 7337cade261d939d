"""Database migrations (Alembic), run by `lookalike up`."""
