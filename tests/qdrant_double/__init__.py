"""A test part, never offered to users: the REST routes of a Qdrant server that we use.

No Qdrant server can be had from the package registries. This double parses requests with the
client's own pydantic models and answers them with the client's official in-memory engine, which
compares with every point in Python: fine for thousands of points, not for more. The one route
that the client has no models for, `GET /collections/NAME/memory`, answers in the shape of the
server's documentation.
"""
