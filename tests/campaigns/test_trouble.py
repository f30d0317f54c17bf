"""What goes wrong while it runs, on the real process over real sockets: a WebSocket that is refused, a disk that is full."""

from __future__ import annotations

import asyncio
import re
import resource
import signal
import subprocess
import sys
import time
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from flashscalper.model.orders import OrderRole, OrderStatus
from flashscalper.model.records import OrderStateChanged
from flashscalper.runtime.clock import WallClock
from flashscalper.runtime.journal import read_journal
from flashscalper.trading.client_ids import is_ours
from tests.campaigns.processes import FLIP, KEEP, Stand, stand

REFUSED = {"kind": "error", "at": "SOCKET /v1", "stage": "request", "count": 0, "status": 503}
"""Every handshake is refused."""
BROKEN = {"kind": "break", "stage": "answer", "count": 40}
"""The connection breaks under what it carries."""


FULL_DISK = """
import resource, sys
from flashscalper.cli.main import run
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
run()
"""
"""The command line in a process whose every write to a file meets `File too large`."""


def positions(status: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {symbol: one["position"] for symbol, one in status["markets"].items() if one["position"] is not None}


def protected(status: dict[str, Any]) -> bool:
    held = positions(status)
    return len(held) == 2 and all(one["protection"] == "protected" for one in held.values())


def metrics(place: Stand) -> str:
    (address,) = re.findall(r"metrics at (http://127\.0\.0\.1:\d+/metrics)", place.log())
    with urllib.request.urlopen(address, timeout=20) as answer:
        return str(answer.read().decode())


def at_the_exchange(place: Stand) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    """Positions, and the sizes of stops that cover them, by symbol."""

    async def main() -> tuple[dict[str, Decimal], dict[str, Decimal]]:
        client = place.client()
        try:
            held = {one.symbol: abs(one.size) for one in await client.get_positions() if one.size}
            orders = [one for one in await client.get_open_orders() if is_ours(one.client_id)]
        finally:
            await client.close()
        return held, {one.symbol: one.remaining for one in orders if one.status is OrderStatus.UNTRIGGERED}

    return asyncio.run(main())


@pytest.mark.verify
def test_refused_sockets_are_said_everywhere_stops_stay_and_it_returns_by_itself(tmp_path: Path) -> None:
    with stand(tmp_path) as place:
        process = place.start("--metrics-port", "0", strategy=KEEP)
        place.until("protected", protected)
        place.faults(REFUSED, {**BROKEN, "at": "bbo.*"}, {**BROKEN, "at": "orders.*"}, {**BROKEN, "at": "account*"})
        seen = place.until("degraded", lambda status: status["degraded"] and status["state"] == "reducing")
        assert any(reason.startswith("stream_market") for reason in seen["reasons"])
        assert "DEGRADED" in place.said("status").stdout
        assert "flashscalper_degraded 1.0" in metrics(place)
        place.until("said", lambda _: "DEGRADED: a stream is gone; nothing is opened" in place.log())
        held, stops = at_the_exchange(place)
        assert (len(held), held) == (2, stops)
        fresh = place.until(
            "fresh by REST", lambda status: all(one["ages_s"]["mark"] <= 3.0 for one in status["markets"].values())
        )
        assert fresh["degraded"]
        place.faults(method="DELETE")
        place.until("back", lambda status: not status["degraded"] and status["state"] == "active")
        assert "flashscalper_degraded 0.0" in metrics(place)
        place.until("said", lambda _: "no longer degraded" in place.log())
        process.terminate()
        assert process.wait(60) == 0


@pytest.mark.verify
def test_started_while_sockets_are_refused_it_says_degraded_reads_by_rest_and_begins_when_they_come(tmp_path: Path) -> None:
    with stand(tmp_path) as place:
        place.faults(REFUSED)
        place.start("--metrics-port", "0", strategy=KEEP)
        seen = place.until("degraded", lambda status: status["degraded"] and Decimal(status["cash"]) > 0)
        assert (seen["state"], seen["orders"]["sent"]) == ("reducing", 0)
        assert "DEGRADED" in place.said("status").stdout
        assert "flashscalper_degraded 1.0" in metrics(place)
        place.faults(method="DELETE")
        place.until("protected", protected)
        place.until("no longer degraded", lambda status: not status["degraded"])


@pytest.mark.verify
@pytest.mark.skipif(sys.platform != "linux", reason="the limit of a running process is set with prlimit")
def test_a_full_disk_ends_new_risk_keeps_stops_and_says_so_and_a_restart_knows_everything(tmp_path: Path) -> None:
    with stand(tmp_path) as place:
        process = place.start("--metrics-port", "0", strategy=KEEP)
        place.until("protected", protected)
        assert "flashscalper_journal_lost 0.0" in metrics(place)
        (journal,) = (tmp_path / "runs").glob("*/journal.fsj")
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (journal.stat().st_size, resource.RLIM_INFINITY))
        assert place.verb("pause", "--reason", "to write something")["state"] == "reducing"
        seen = place.until("said", lambda status: any(reason.startswith("ending: ") for reason in status["reasons"]))
        assert any("File too large" in reason for reason in seen["reasons"])
        assert "flashscalper_journal_lost 1.0" in metrics(place)
        assert place.verb("resume")["state"] == "reducing", "a resume does not give the disk back"
        assert at_the_exchange(place)[0] == at_the_exchange(place)[1]
        place.verb("flatten", "--reason", "exits work without a journal")
        place.until("flat", lambda status: not positions(status) and status["orders"]["open"] == 0)
        assert "cannot be trusted" in place.log()
        process.terminate()
        assert process.wait(60) == 0, place.log()
        place.start(strategy=KEEP)
        theirs = asyncio.run(collateral(place))
        again = place.until("all found at the exchange", lambda status: Decimal(status["cash"]) == theirs)
        assert all("foreign_exposure" not in block for one in again["markets"].values() for block in one["blocks"])
        assert any(reason.startswith("canceled_by_others") for reason in again["reasons"]), "it forgot that it did it itself"
        place.verb("resume")
        place.until("trading", lambda status: status["state"] == "active")


async def collateral(place: Stand) -> Decimal:
    client = place.client()
    try:
        return (await client.get_balance()).total_collateral
    finally:
        await client.close()


@pytest.mark.verify
@pytest.mark.skipif(sys.platform != "linux", reason="the limit is set the same way as above")
def test_a_kill_without_the_process_works_on_a_full_disk_and_says_that_it_is_not_latched(tmp_path: Path) -> None:
    with stand(tmp_path) as place:
        process = place.start(strategy=KEEP)
        place.until("protected", protected)
        process.kill()
        process.wait()
        full = subprocess.run(
            [sys.executable, "-c", FULL_DISK, "kill", "--json"],
            cwd=place.home, env=place.environment, capture_output=True, text=True, check=False, timeout=100,
        )  # fmt: skip
        assert "Traceback" not in full.stderr
        assert "the latch could not be written" in full.stderr
        assert full.returncode == 1, full.stdout
        assert at_the_exchange(place) == ({}, {})


@pytest.mark.verify
def test_a_process_that_hangs_is_killed_over_rest_and_finds_the_latch_when_it_wakes(tmp_path: Path) -> None:
    with stand(tmp_path) as place:
        process = place.start(strategy=KEEP)
        place.until("protected", protected)
        process.send_signal(signal.SIGSTOP)
        said = place.said("kill", "--reason", "it hangs")
        assert said.returncode == 0, said.stdout + said.stderr
        assert "does not answer" in said.stdout
        assert at_the_exchange(place) == ({}, {})
        process.send_signal(signal.SIGCONT)
        seen = place.until("halted and flat", lambda status: status["state"] == "halted" and not positions(status))
        assert any(reason.startswith("killed: it hangs") for reason in seen["reasons"])


@pytest.mark.verify
def test_a_process_that_trades_all_the_time_and_hangs_opens_nothing_when_it_wakes_after_a_kill(tmp_path: Path) -> None:
    with stand(tmp_path) as place:
        process = place.start(strategy=FLIP)
        place.until("busy", lambda status: status["round_trips"] > 1)
        process.send_signal(signal.SIGSTOP)
        assert place.said("kill", "--reason", "it hangs").returncode == 0
        killed_at = WallClock().now()
        time.sleep(3.0)
        process.send_signal(signal.SIGCONT)
        place.until("halted and flat", lambda status: status["state"] == "halted" and not positions(status))
        process.terminate()
        process.wait(40)
        (journal,) = place.home.glob("runs/*/journal.fsj")
        steps = [entry.content for entry in read_journal(journal) if isinstance(entry.content, OrderStateChanged)]
        late = [one for one in steps if one.role is OrderRole.ENTRY and one.changed_at > killed_at]
        assert {one.after for one in late} <= {"sent", "unsent"}, "what was decided on the backlog never left"


@pytest.mark.parametrize("what", ["runs", "state"])
def test_a_folder_that_cannot_be_written_refuses_the_start_in_one_line(what: str, tmp_path: Path) -> None:
    place = Stand(tmp_path, "http://127.0.0.1:9", {})
    where = tmp_path / ("runs" if what == "runs" else ".local")
    where.write_text("a file where a folder should be")
    result = place.said("run", "--mode", "paper", "--markets", "BTCUSDT", "--seconds", "1")
    assert result.returncode in {1, 2}
    assert "Traceback" not in result.stderr
    assert str(where.name) in result.stderr.splitlines()[-1]
