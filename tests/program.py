"""The real program as a subprocess."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx

START_SECONDS = 60
STOP_SECONDS = 60
WAIT_SECONDS = 120
MODEL_CACHE = Path(__file__).parent.parent / ".pytest_cache" / "lookalike-models"
"""Converting a network takes seconds; the programs that tests start share the result."""


def command(*arguments: str | Path) -> list[str]:
    """The command line of `lookalike` with these arguments."""
    return [sys.executable, "-m", "lookalike.cli", *map(str, arguments)]


def environment(**settings: str) -> dict[str, str]:
    """This process's environment without Lookalike's settings, but with these."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("LOOKALIKE_")}
    settings = {"cache_dir": str(MODEL_CACHE), **settings}
    return inherited | {f"LOOKALIKE_{name.upper()}": value for name, value in settings.items()}


def run(*arguments: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run `lookalike` to its end."""
    return subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        env=environment(**settings),
        check=False,
    )


class Server:
    """A running `lookalike up` on a data folder."""

    def __init__(self, data: Path, **settings: str) -> None:
        self.data = data
        self.process = subprocess.Popen(
            command("up", "--port", "0", "--data", data),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(**settings),
        )
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline()
        self.url = self.line.strip().rpartition(" ")[2]
        self.http = httpx.Client(base_url=f"{self.url}/api/v1", timeout=60, trust_env=False)

    def upload(self, files: dict[str, bytes], **fields: str) -> list[str]:
        """Upload files by name; the ids of those that were accepted."""
        parts = [("file", (name, data)) for name, data in files.items()]
        answer = self.http.post("/images", files=parts, data=fields)
        answer.raise_for_status()
        return [image["id"] for image in answer.json()["images"]]

    def states(self, ids: list[str]) -> dict[str, str]:
        """The state of each of these pictures."""
        found = {}
        for start in range(0, len(ids), 200):
            part = ids[start : start + 200]
            answer = self.http.get("/images", params={"id": part, "limit": len(part)})
            found.update({image["id"]: image["state"] for image in answer.json()["images"]})
        return found

    def settle(self) -> None:
        """Wait until nothing is pending."""
        wait_for(lambda: self.http.get("/status").json()["images"]["pending"] == 0)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(STOP_SECONDS)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to stop; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)


def wait_for(condition: Callable[[], bool], seconds: float = WAIT_SECONDS) -> None:
    """Wait until the condition holds; fail after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)
