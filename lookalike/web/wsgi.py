"""The app for a WSGI server, which `lookalike.web.gunicorn` configures.

Each server process puts its own platform together when it loads this module.
"""

from __future__ import annotations

import atexit

from lookalike.services.bootstrap import bootstrap_patiently
from lookalike.services.logs import configure_logs
from lookalike.services.settings import read_settings
from lookalike.web.app import create_app

settings = read_settings()
configure_logs(settings.log_level, settings.log_format)
platform = bootstrap_patiently(settings)
atexit.register(platform.close)

platform.warm()

app = create_app(platform)
