"""The HTTP door: pages and the JSON API, by the same nouns as the services."""
