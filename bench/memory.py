"""Peak memory of an import, which must not grow with the number of pictures."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bench.pictures import generate

SMALL, LARGE = 500, 5_000

MEASURED = """
import resource, sys, threading, time
from lookalike.cli.main import main

own = [0]

def watch():
    while True:
        status = open("/proc/self/status").read()
        own[0] = max(own[0], int(status.split("RssAnon:")[1].split()[0]))
        time.sleep(0.05)

threading.Thread(target=watch, daemon=True).start()
try:
    main()
finally:
    print(own[0], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def run(_pictures: list[Path], scratch: Path) -> None:
    """Print the peak resident memory of `lookalike import` for few and for many pictures."""
    # Converting the network needs more memory than importing, and is done once per machine.
    peak_megabytes(1, scratch)
    small, small_mapped = peak_megabytes(SMALL, scratch)
    large, large_mapped = peak_megabytes(LARGE, scratch)
    print(f"own memory, {SMALL} pictures     {small:8.0f} MB, {small_mapped:.0f} with mapped files")
    print(f"own memory, {LARGE} pictures    {large:8.0f} MB, {large_mapped:.0f} with mapped files")
    print(f"large / small, own       {large / small:6.2f}  (at most 1.15)")
    print(f"large / small, mapped    {large_mapped / small_mapped:6.2f}")


def peak_megabytes(count: int, scratch: Path) -> tuple[float, float]:
    """Import `count` generated pictures with the real command; its peak resident memory.

    First the memory that is the process' own (sampled), then with the pages of the files that it
    maps (vectors, above all), which the system keeps as long as nobody needs the room. Processes
    that decode, and the one that builds the search graph, are others.
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
    own, resident = ended.stdout.split()[-2:]
    return int(own) / 1024, int(resident) / 1024
