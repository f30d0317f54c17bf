"""`flashscalper sim` as a person runs it: its ready line, its switches, TLS, faults, the back door, and what it refuses."""

from __future__ import annotations

import json
import select
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from flashscalper.cli.main import app
from flashscalper.model.errors import ConfigError
from tests.cli.run import flashscalper, start
from tests.runtime.authority import Authority

START_S = 60


class Running:
    """A simulator process and its ready line."""

    def __init__(self, process: subprocess.Popen[str], ready: dict[str, Any]) -> None:
        self.process = process
        self.ready = ready
        self.rest: str = ready["rest"]

    def ask(
        self,
        method: str,
        url: str,
        body: object = None,
        context: ssl.SSLContext | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any]:
        """One request; with the control token when it goes to the back door."""
        headers = dict(headers or {})
        if "/control/" in url:
            headers["Authorization"] = f"Bearer {self.ready['control']['token']}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10, context=context) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.loads(refused.read() or b"null")


@contextmanager
def running(*arguments: str, home: Path) -> Iterator[Running]:
    with start("sim", "--port", "0", "--markets", "ETHUSDT", *arguments, home=home) as process:
        try:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], START_S)[0], "no ready line"
            line = process.stdout.readline()
            assert line, process.stderr.read() if process.stderr else ""
            yield Running(process, json.loads(line))
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(10)


def test_the_ready_line_says_where_it_is_and_how_to_get_in_by_the_back_door(tmp_path: Path) -> None:
    with running(home=tmp_path) as sim:
        assert sim.ready["markets"] == ["ETH-USD-PERP"]
        assert sim.ask("GET", f"{sim.rest}/system/config")[1]["starknet_gateway_url"] == sim.rest.removesuffix("/v1")
        door = sim.ready["control"]["url"]
        assert sim.ask("GET", f"{door}/faults") == (200, {"results": []})
        sim.ready["control"]["token"] = "guessed"
        assert sim.ask("GET", f"{door}/faults")[0] == 401
    assert sim.process.returncode == 0


def test_faults_come_from_a_file_and_through_the_back_door(tmp_path: Path) -> None:
    (tmp_path / "faults.toml").write_text(
        '[[fault]]\nkind = "error"\nat = "GET /v1/markets"\nstatus = 502\n\n[[fault]]\nkind = "mode"\nmode = "post_only"\n'
    )
    with running("--faults", "faults.toml", home=tmp_path) as sim:
        assert [sim.ask("GET", f"{sim.rest}/markets")[0] for _ in range(2)] == [502, 200]
        assert sim.ask("GET", f"{sim.rest}/system/state")[1] == {"status": "post_only"}
        sim.ask("POST", f"{sim.ready['control']['url']}/faults", {"kind": "mode", "mode": "ok"})
        assert sim.ask("GET", f"{sim.rest}/system/state")[1] == {"status": "ok"}


def test_switches_of_protocol_and_rules_are_turned_by_name(tmp_path: Path) -> None:
    arguments = ("--set", "liquidation_fee=0.7", "--set", "rate_limits=false", "--require-sbe")
    with running(*arguments, home=tmp_path) as sim:
        assert sim.ask("GET", f"{sim.rest}/system/config")[1]["liquidation_fee"] == "0.7"
        upgrade = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "x" * 24,
        }
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(sim.rest, headers=upgrade), timeout=10)
        with refused.value as answer:
            assert answer.code == 400


def test_orders_pay_the_latency_each_way_and_reads_do_not(tmp_path: Path) -> None:
    with running("--latency-ms", "150", home=tmp_path) as sim:
        times = []
        for method, path in (("GET", "/orders"), ("POST", "/orders")):
            began = time.perf_counter()
            assert sim.ask(method, sim.rest + path)[0] == 401
            times.append(time.perf_counter() - began)
        assert times[0] < 0.15
        assert times[1] >= 0.3


def test_it_serves_tls_with_the_certificate_it_is_given(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    authority.server("127.0.0.1")
    file = str(tmp_path / "authority" / "1.pem")
    with running("--tls", file, file, home=tmp_path) as sim:
        assert sim.rest.startswith("https://127.0.0.1:")
        assert sim.ready["websocket"].startswith("wss://")
        assert sim.ask("GET", f"{sim.rest}/system/state", context=authority.client()) == (200, {"status": "ok"})
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            sim.ask("GET", f"{sim.rest}/system/state")


def test_it_ends_when_whoever_started_it_is_gone(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "flashscalper", "sim", "--port", "0", "--markets", "ETHUSDT", "--until-stdin-closes"]
    with subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["ready"]
        process.stdin.close()
        assert process.wait(10) == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--set", "token_lifetime=3"), "set: saw 'token_lifetime'; accepted: token_lifetime_s (nearest known)"),
        (("--set", "token_lifetime_s"), "set: saw 'token_lifetime_s'; accepted: NAME=VALUE"),
        (("--set", "token_lifetime_s=long"), "token_lifetime_s: saw 'long'; accepted: a whole number"),
        (("--set", "token_lifetime_s=0"), "token_lifetime_s: saw 0; accepted: above 0"),
        (("--set", "rate_limits=perhaps"), "rate_limits: saw 'perhaps'; accepted: true or false"),
        (("--set", "disconnect_scope=all"), "disconnect_scope: saw 'all'; accepted: connection, account"),
        (("--set", "jwt_secret=mine"), "set: saw 'jwt_secret'; accepted:"),
        (("--latency-ms", "nan"), "latency-ms: saw nan; accepted: 0 to 60000"),
        (("--faults", "none.toml"), "faults: saw 'none.toml'; accepted: a readable TOML file"),
        (("--tls", "none.pem", "none.key"), "tls: saw 'none.pem none.key'; accepted: PEM files"),
    ],
)
def test_what_does_not_fit_is_named(arguments: tuple[str, ...], says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        app(["sim", "--port", "0", *arguments], standalone_mode=False)
    assert str(refused.value).startswith(says)


def test_a_refusal_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    done = flashscalper("sim", "--set", "token_lifetime=3", home=tmp_path, timeout_s=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "flashscalper: set: saw 'token_lifetime'; accepted: token_lifetime_s (nearest known)\n"


@pytest.mark.parametrize("text", ["fault = 3", "[[faults]]\nkind = 'drop'", "[[fault]]\nkind = 'drop'", "[["])
def test_a_fault_file_that_does_not_fit_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "faults.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"faults|at"):
        app(["sim", "--port", "0", "--faults", str(tmp_path / "faults.toml")], standalone_mode=False)
