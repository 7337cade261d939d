"""The double in a process of its own, for tests with several processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Running:
    """A double that answers at `url`; `process` may be killed."""

    url: str
    process: subprocess.Popen[str]


@contextmanager
def running(port: int = 0, path: Path | None = None) -> Iterator[Running]:
    """Start the double on `port` (0 picks one), its points in the folder `path` or in memory."""
    command = [sys.executable, "-m", "tests.qdrant_double", "--port", str(port)]
    command += ["--path", str(path)] if path else []
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    with process:
        try:
            url = process.stdout.readline().strip() if process.stdout else ""
            if not url:
                raise RuntimeError("the Qdrant double did not start")
            yield Running(url, process)
        finally:
            process.kill()
