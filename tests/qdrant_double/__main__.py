"""`python -m tests.qdrant_double --port 0 [--path DIR]`: the double as a process.

Prints one line, its URL, when it answers. Ends with SIGTERM, and with the process that started it.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
from pathlib import Path

from tests.qdrant_double.engine import Engine
from tests.qdrant_double.server import Double

SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux's prctl


def main() -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser(prog="qdrant_double", description="A test part.")
    parser.add_argument("--port", type=int, default=0, help="0 picks one")
    parser.add_argument("--path", type=Path, help="folder to keep points in; memory otherwise")
    options = parser.parse_args()
    _die_with_parent()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    double = Double(Engine(options.path), options.port)
    print(double.url, flush=True)
    try:
        double.serve()
    finally:
        double.close()


def _die_with_parent() -> None:
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the process that started this is gone")


if __name__ == "__main__":
    main()
