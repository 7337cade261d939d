"""Ends with 0 when the web process of this container answers a path with success, else with 1.

Usage: `python healthy.py PATH`, such as `/healthz`. The images have no curl, and need none.
"""

import os
import sys
from urllib.request import urlopen

ANSWER_SECONDS = 4


def main() -> None:
    """Ask for the path that the command line names."""
    port = os.environ.get("LOOKALIKE_PORT") or "8000"
    try:
        # The address is this container's own; loopback is a host name the app always answers to.
        with urlopen(f"http://127.0.0.1:{port}{sys.argv[1]}", timeout=ANSWER_SECONDS):
            pass
    except OSError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
