"""Peak memory of an import, which must not grow with the number of pictures."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bench.pictures import generate

SMALL, LARGE = 500, 5_000


def run(_pictures: list[Path], scratch: Path) -> None:
    """Print the peak resident memory of `lookalike import` for few and for many pictures."""
    # Converting the network needs more memory than importing, and is done once per machine.
    peak_megabytes(1, scratch)
    small = peak_megabytes(SMALL, scratch)
    large = peak_megabytes(LARGE, scratch)
    print(f"peak memory, {SMALL} pictures    {small:8.0f} MB")
    print(f"peak memory, {LARGE} pictures   {large:8.0f} MB")
    print(f"large / small            {large / small:6.2f}  (at most 1.15)")


def peak_megabytes(count: int, scratch: Path) -> float:
    """Import `count` generated pictures with the real command; its peak resident memory."""
    folder, data = scratch / f"pictures-{count}", scratch / f"data-{count}"
    generate(folder, count)
    command = [sys.executable, "-m", "lookalike.cli", "import", str(folder), "--data", str(data)]
    settings = {**os.environ, "LOOKALIKE_CACHE_DIR": str(scratch / "cache")}
    process = subprocess.Popen(command, env=settings, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"the import of {count} pictures ended with {process.returncode}")
    return usage.ru_maxrss / 1024
