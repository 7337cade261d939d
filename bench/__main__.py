"""`make bench`: speed of import and search, recall, and memory, in one run.

Every figure belongs to the machine and the run that printed it; only the ratios travel.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench import (
    importing,
    load,
    memory,
    quality,
    recovery,
    reindexing,
    searching,
    servers,
    storages,
)
from bench.pictures import bench_pictures
from lookalike.services.logs import configure_logs

SECTIONS: dict[str, Callable[[list[Path], Path], None]] = {
    "import": importing.run,
    "search": searching.run,
    "quality": quality.run,
    "storages": storages.run,
    "memory": memory.run,
    "servers": servers.run,
    "load": load.run,
    "recovery": recovery.run,
    "reindex": reindexing.run,
}


def main() -> None:
    """Run the sections that were named, or all."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("sections", nargs="*", help=f"any of {', '.join(SECTIONS)}")
    parser.add_argument("--images", type=Path, help="a folder of pictures to measure with")
    given = parser.parse_args()
    configure_logs("warning")
    with tempfile.TemporaryDirectory(prefix="lookalike-bench-") as scratch:
        pictures = bench_pictures(given.images, Path(scratch))
        for name in given.sections or SECTIONS:
            print(f"\n== {name}, with {len(pictures)} pictures")
            SECTIONS[name](pictures, Path(scratch) / name)


if __name__ == "__main__":
    main()
