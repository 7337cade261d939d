"""A process that fills a collection and says what it has done, to be killed at any moment.

`python -m tests.contract.edge_writer FOLDER POINTS REBUILD_FROM`: prints `ready` after upserting
POINTS points, then goes on changing them, and prints the number of each change once it returned.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lookalike.services.adapters.edge.store import EdgeStore
from tests.contract.points import WIDE, change, many


def main(folder: Path, points: int, rebuild_from: int) -> None:
    """Write until killed."""
    collection = EdgeStore(folder, rebuild_from).open("pictures", WIDE)
    collection.upsert(many(points))
    print("ready", flush=True)
    for number in range(points):
        change(collection, number)
        print(number, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
