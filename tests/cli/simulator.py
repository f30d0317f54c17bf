"""`flashscalper sim` as a process, for verbs that run an event loop of their own."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

START_S = 60


class Simulator(NamedTuple):
    """A running simulator; `url` is what `--url` takes."""

    url: str
    rest: str
    websocket: str

    def variables(self, keystore: Path, key_name: str) -> dict[str, str]:
        """The environment of a program that trades here with a stored key."""
        return {
            "PARADEX_ENVIRONMENT": "simulator",
            "PARADEX_REST_URL": self.rest,
            "PARADEX_WS_URL": self.websocket,
            "PARADEX_KEYSTORE": str(keystore),
            "PARADEX_KEY_NAME": key_name,
        }


@contextmanager
def running_simulator(*arguments: str) -> Iterator[Simulator]:
    """Start it on a free port, wait for its ready line, end it afterwards."""
    command = [sys.executable, "-m", "flashscalper", "sim", "--port", "0", *arguments]
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        readable, _, _ = select.select([process.stdout], [], [], START_S)
        assert readable, "the simulator did not say that it is ready"
        ready = json.loads(process.stdout.readline())
        yield Simulator(ready["rest"].removesuffix("/v1"), ready["rest"], ready["websocket"])
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()
