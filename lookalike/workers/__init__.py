"""The queue's door: Celery workers that call services."""
