"""Real processes for the campaigns: a simulator that survives, and `flashscalper run` against it with a busy strategy."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from flashscalper.exchanges.paradex.settings import Environment
from flashscalper.model.errors import FlashScalperError
from flashscalper.model.secrets import Secret
from flashscalper.runtime.clients.rest_client import ParadexRestClient
from flashscalper.runtime.control import Asked, ask
from flashscalper.runtime.credentials import Credentials
from flashscalper.runtime.session_lock import AccountFolder, known_accounts

KEY = "0x5eed1234567"
FLIP = f"{Path(__file__).parent / 'flip.py'}:Flip"
"""Trades all the time."""
KEEP = f"{Path(__file__).parent / 'flip.py'}:Keep"
"""Enters and stays."""
MARKETS = "ETHUSDT,BTCUSDT"
BUSY = {
    "FLASHSCALPER_TRADING_COSTS_REPORT_ONLY": "true",
    "FLASHSCALPER_TRADING_ENTRY_STYLE": "ioc",
    "FLASHSCALPER_TRADING_RISK_SYMBOL_LOSS_COOLDOWN_S": "0",
    "FLASHSCALPER_TRADING_RISK_MAX_CONSECUTIVE_LOSSES": "1000",
    "FLASHSCALPER_TRADING_RISK_MAX_DAILY_LOSS_SHARE": "1",
    "FLASHSCALPER_TRADING_RISK_MAX_DRAWDOWN_SHARE": "1",
    "FLASHSCALPER_TRADING_CORRELATION_ENABLED": "false",
    "FLASHSCALPER_TRADING_SIZING_MAX_NOTIONAL": "500",
}
PATIENCE_S = 40.0


class Stand:
    """A home of its own, one simulator, and whatever is run against it."""

    def __init__(self, home: Path, url: str, control: Mapping[str, str]) -> None:
        self.home = home
        self.url = url
        self._control = control
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "NO_COLOR": "1",
            "PARADEX_ENVIRONMENT": "simulator", "PARADEX_REST_URL": f"{url}/v1", "PARADEX_SECRET_KEY": KEY, **BUSY,
        }  # fmt: skip
        self.command = [sys.executable, "-m", "flashscalper"]
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str, strategy: str = FLIP) -> subprocess.Popen[bytes]:
        """`flashscalper run` on the simulator, its words in `run.log`."""
        mode = () if "--mode" in arguments else ("--mode", "testnet")
        command = ["run", *mode, "--markets", MARKETS, "--strategy", strategy, *arguments]
        with (self.home / "run.log").open("ab") as log:
            process = subprocess.Popen(
                [*self.command, *command], cwd=self.home, env=self.environment, stdout=log, stderr=log
            )
        self._started.append(process)
        return process

    def verb(self, *arguments: str, code: int | None = 0) -> dict[str, Any]:
        """A verb with `--json` to its end; its document. `code` None takes any exit code."""
        result = self.said(*arguments, "--json")
        assert code is None or result.returncode == code, result.stdout + result.stderr + self.log()
        return dict(json.loads(result.stdout)) if result.stdout.startswith("{") else {}

    def said(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A verb to its end."""
        return subprocess.run(
            [*self.command, *arguments],
            cwd=self.home, env=self.environment, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    def until(self, asked: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Ask the endpoint for the status until `wanted(status)`; fails with the log when it takes too long."""
        give_up = time.monotonic() + PATIENCE_S
        document: dict[str, Any] = {}
        while time.monotonic() < give_up:
            with suppress(FlashScalperError, ValueError):
                document = asyncio.run(ask(self.folder(), "status", Asked()))
                if wanted(document):
                    return document
            time.sleep(0.1)
        raise AssertionError(f"not {asked}: {document}\n{self.log()}")

    def client(self) -> ParadexRestClient:
        """Somebody else with the same key, who only looks (or meddles)."""
        return ParadexRestClient.for_environment(
            Environment.SIMULATOR, Credentials(secret_key=Secret(KEY)), rest_url=f"{self.url}/v1"
        )

    def faults(self, *faults: Mapping[str, object], method: str = "POST") -> None:
        """Put faults in force at the exchange's back door, or (method DELETE) take all of them away."""
        headers = {"Authorization": f"Bearer {self._control['token']}", "Content-Type": "application/json"}
        request = urllib.request.Request(
            f"{self._control['url']}/faults", json.dumps(faults).encode(), headers=headers, method=method
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert answer.status == 200

    def folder(self) -> AccountFolder:
        """The one account's folder."""
        (folder,) = known_accounts(self.home / ".local" / "state" / "flashscalper")
        return folder

    def log(self) -> str:
        """What the runs said last."""
        return (self.home / "run.log").read_text(errors="replace")[-6_000:]

    def runs(self) -> list[Path]:
        """The runs' folders, oldest first."""
        return sorted(path for path in (self.home / "runs").glob("*") if path.is_dir())

    def close(self) -> None:
        """Nothing that was started goes on."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.wait()


@contextmanager
def stand(home: Path, *, balance: str = "100000") -> Iterator[Stand]:
    """A simulator in a process of its own, with no latency, until the block ends."""
    with (home / "sim.log").open("wb") as log:
        simulator = subprocess.Popen(
            [
                sys.executable, "-m", "flashscalper", "sim", "--port", "0", "--markets", MARKETS, "--balance", balance,
                "--seed", "4",
            ],
            stdout=subprocess.PIPE, stderr=log, env={"PATH": os.environ["PATH"], "HOME": str(home)},
        )  # fmt: skip
    assert simulator.stdout is not None
    made = None
    try:
        ready = json.loads(simulator.stdout.readline())
        made = Stand(home, ready["rest"].removesuffix("/v1"), ready["control"])
        yield made
    finally:
        if made is not None:
            made.close()
        simulator.send_signal(signal.SIGTERM)
        simulator.stdout.close()
        simulator.wait(20)
