"""OpenVINO, without its telemetry. Everything here that uses OpenVINO imports it from this file.

`openvino_telemetry` writes files into the home folder and reports every conversion to an
analytics service unless the user has opted out. None in `sys.modules` is Python's way to say that
a module cannot be imported; OpenVINO then falls back to a stub of its own that does nothing.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import cast

cast(dict[str, ModuleType | None], sys.modules)["openvino_telemetry"] = None

import openvino  # noqa: E402 - the line above must come first

__all__ = ["openvino"]
