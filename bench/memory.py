"""Peak memory of an import, which must not grow with the number of pictures."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bench.pictures import generate

SMALL, LARGE = 500, 5_000

MEASURED = """
import resource
from lookalike.cli.main import main
try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


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
    """Import `count` generated pictures with the real command; its peak resident memory.

    Memory of this process, pages of mapped files included. The process that builds the search
    graph, once there are thousands of pictures, is another and comes and goes.
    """
    folder, data = scratch / f"pictures-{count}", scratch / f"data-{count}"
    generate(folder, count)
    ended = subprocess.run(
        [sys.executable, "-c", MEASURED, "import", str(folder), "--data", str(data)],
        env={**os.environ, "LOOKALIKE_CACHE_DIR": str(scratch / "cache")},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return int(ended.stdout.split()[-1]) / 1024
