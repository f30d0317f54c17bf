"""A PostgreSQL of the tests' own: a private cluster in a temporary folder, reached by a socket in that folder.

Needs Debian's package `postgresql` (or any initdb on the path). Without it the tests skip and say so, unless
TESTS_NEED_POSTGRES says that they must run, as CI does.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

PATIENCE_S = 60.0


class Cluster:
    """One server; `start` and `stop` it as often as you like."""

    def __init__(self, folder: Path, binaries: Path, user: str | None) -> None:
        self._data = folder / "data"
        self._folder = folder
        self._binaries = binaries
        self._as: dict[str, Any] = {"user": user, "group": user, "extra_groups": []} if user else {}
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        command = [str(binaries / "initdb"), "-D", str(self._data), "-U", "tester", "-A", "trust", "-N", "--locale=C.UTF-8"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder, **self._as)

    def url(self, database: str = "postgres") -> str:
        """Of a database, as people write it in DATABASE_URL; the password is not looked at."""
        return f"postgresql://tester:swordfish-canary@/{database}?host={self._folder}"

    def new_database(self) -> str:
        """A fresh one; its URL."""
        self._databases += 1
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE fresh_{self._databases}".encode())
        return self.url(f"fresh_{self._databases}")

    def new_user(self, password: str) -> str:
        """Somebody who needs a password and may make tables; the name."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute("CREATE ROLE locked LOGIN SUPERUSER")
            connection.execute(b"ALTER ROLE locked PASSWORD '" + password.encode() + b"'")
            rules = self._data / "pg_hba.conf"
            rules.write_text(f"local all locked scram-sha-256\n{rules.read_text()}")
            connection.execute("SELECT pg_reload_conf()")
        return "locked"

    def start(self) -> None:
        """Until it takes connections."""
        command = [str(self._binaries / "postgres"), "-D", str(self._data), "-k", str(self._folder)]
        command += ["-c", "listen_addresses=", "-F"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log, **self._as)
        give_up = time.monotonic() + PATIENCE_S
        while True:
            try:
                psycopg.connect(self.url()).close()
            except psycopg.OperationalError:
                assert time.monotonic() < give_up, (self._folder / "log").read_text()
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """At once: every connection breaks."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(PATIENCE_S)
            self._process = None


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A running one; skips the test where there is no PostgreSQL."""
    binaries = _binaries()
    if binaries is None:
        missing = "no PostgreSQL on this machine (apt-get install postgresql)"
        assert not os.environ.get("TESTS_NEED_POSTGRES"), missing
        pytest.skip(missing)
    user = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="fs-pg-") as name:
        if user:
            known = pwd.getpwnam(user)
            os.chown(name, known.pw_uid, known.pw_gid)
        server = Cluster(Path(name), binaries, user)
        try:
            server.start()
            yield server
        finally:
            server.stop()


def _binaries() -> Path | None:
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return debian[-1].parent if debian else None
