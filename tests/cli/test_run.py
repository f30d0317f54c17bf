"""`flashscalper run` and the verbs around it, as a person uses them: real processes over real sockets."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

import pytest

from flashscalper.cli.main import run as command_line
from flashscalper.exchanges.paradex.signing import KeyedHashSigner
from flashscalper.model.errors import ConfigError
from flashscalper.model.orders import Order, Side
from flashscalper.model.positions import AccountSummary
from flashscalper.model.secrets import Secret
from flashscalper.runtime.preflight import Readiness
from flashscalper.runtime.replaying import Replay
from flashscalper.trading.client_ids import is_ours
from tests.campaigns.processes import KEEP, KEY, MARKETS, Stand, stand
from tests.cli.run import flashscalper

FAR = Decimal("0.97")


def held(status: dict[str, object]) -> bool:
    markets = status["markets"]
    assert isinstance(markets, dict)
    return any(one["position"] is not None and one["position"]["protection"] == "protected" for one in markets.values())


def sizes(status: dict[str, Any]) -> dict[str, str]:
    return {symbol: one["position"]["size"] for symbol, one in status["markets"].items() if one["position"] is not None}


def active(status: dict[str, object]) -> bool:
    return status["state"] == "active"


def place_foreign(place: Stand) -> str:
    """Somebody else's order on the same account: a script's, far away."""

    async def main() -> str:
        client = place.client()
        try:
            market, price = await client.get_market("ETHUSDT"), await client.get_price("ETHUSDT")
            far = market.passive_price(Decimal(repr(price.mark)) * FAR, Side.BUY)
            order = await client.place_limit_order("ETHUSDT", "BUY", "0.1", far)
            return order.client_id
        finally:
            await client.close()

    return asyncio.run(main())


def look(place: Stand) -> tuple[list[Order], dict[str, Decimal]]:
    async def main() -> tuple[list[Order], dict[str, Decimal]]:
        client = place.client()
        try:
            positions = {position.symbol: position.size for position in await client.get_positions() if position.size}
            return await client.get_open_orders(), positions
        finally:
            await client.close()

    return asyncio.run(main())


def test_a_person_pauses_flattens_resumes_and_stops_it(tmp_path: Path) -> None:
    with stand(tmp_path) as place:
        process = place.start("--metrics-port", "0", strategy=KEEP)
        place.until("protected", held)
        (address,) = re.findall(r"metrics at (http://127\.0\.0\.1:\d+/metrics)", place.log())
        with urllib.request.urlopen(address, timeout=10) as answer:
            assert b'flashscalper_websocket_connected{stream="market"} 1.0' in answer.read()
        status = place.verb("pause", "--reason", "lunch")
        assert (status["state"], any("lunch" in reason for reason in status["reasons"])) == ("reducing", True)
        assert place.verb("resume")["state"] == "active"
        other = place.said("run", "--mode", "testnet", "--markets", MARKETS)
        assert other.returncode == 1
        assert f"one process an account: process {process.pid} " in other.stderr
        foreign = place_foreign(place)
        place.verb("flatten", "--reason", "enough")
        place.until("flat", lambda seen: not held(seen) and seen["orders"]["open"] == 0)
        orders, positions = look(place)
        assert ([order.client_id for order in orders], positions) == ([foreign], {})
        text = place.said("status")
        assert "reducing" in text.stdout
        assert "flat" in text.stdout
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0
        assert "SIGTERM: no more entries; once more leaves at once" in place.log()
        assert place.said("status").returncode == 1
        (run,) = (run for run in place.runs() if (run / "journal.fsj").exists())
        result = Replay(run).compare()
        assert (result.difference, result.equal == result.records > 20) == (None, True)
        for file in run.rglob("*"):
            assert not file.is_file() or KEY.removeprefix("0x").encode() not in file.read_bytes(), file


@pytest.mark.verify
def test_stopped_with_positions_it_leaves_them_with_their_stops_and_goes_on_with_them(tmp_path: Path) -> None:
    with stand(tmp_path) as place:
        process = place.start(strategy=KEEP)
        place.until("protected", held)
        process.send_signal(signal.SIGINT)
        assert process.wait(40) == 0
        orders, positions = look(place)
        assert positions
        assert "rests" in place.log()
        stops = {order.symbol: order.remaining for order in orders if is_ours(order.client_id)}
        assert stops == {symbol: abs(size) for symbol, size in positions.items()}
        place.start(strategy=KEEP)
        place.until("active again", active)
        place.verb("flatten")
        place.until("flat", lambda seen: not held(seen) and seen["orders"]["open"] == 0)
        assert look(place)[1] == {}


@pytest.mark.parametrize(
    "how", ["verb", pytest.param("file", marks=pytest.mark.verify), pytest.param("signal", marks=pytest.mark.verify)]
)
def test_the_kill_switch_flattens_and_stays_latched_over_a_restart(how: str, tmp_path: Path) -> None:
    with stand(tmp_path) as place:
        process = place.start(strategy=KEEP)
        place.until("protected", held)
        foreign = place_foreign(place)
        if how == "verb":
            said = place.said("kill", "--reason", "smoke", "--flatten")
            assert said.returncode == 0
            assert "its settings say (trading.protection.flatten_on_kill), not this option" in said.stderr
        elif how == "file":
            place.folder().kill.touch()
        else:
            process.send_signal(signal.SIGUSR1)
        status = place.until(
            "flat", lambda seen: not held(seen) and seen["orders"]["open"] == 0 and seen["state"] == "halted"
        )
        assert status["killed"]
        orders, positions = look(place)
        assert ([order.client_id for order in orders], positions) == ([foreign], {})
        process.kill()
        process.wait()
        place.start(strategy=KEEP)
        time.sleep(1.0)
        again = place.until("latched", lambda seen: seen["streams"].get("account") is True and seen["state"] == "halted")
        assert any(reason.startswith("killed") for reason in again["reasons"])
        assert place.verb("resume")["state"] == "halted"
        place.verb("resume", "--clear-kill")
        place.until("active", active)


def test_killed_without_the_process_only_what_is_ours_goes(tmp_path: Path) -> None:
    with stand(tmp_path) as place:
        process = place.start(strategy=KEEP)
        place.until("protected", held)
        foreign = place_foreign(place)
        process.kill()
        process.wait()
        done = place.verb("kill", "--reason", "from another terminal")
        assert done["done"] is True
        orders, positions = look(place)
        assert ([order.client_id for order in orders], positions) == ([foreign], {})
        assert "killed: from another terminal" in place.said("status").stdout
        place.verb("resume", "--clear-kill")
        place.start(strategy=KEEP)
        seen = place.until("active", active)
        assert all("foreign_exposure" not in block for one in seen["markets"].values() for block in one["blocks"])


@pytest.mark.verify
def test_a_paper_position_outlives_kill_9_of_the_process_that_held_it(tmp_path: Path) -> None:
    with stand(tmp_path) as place:
        paper = ("--mode", "paper")
        process = place.start(*paper, strategy=KEEP)
        before = place.until("protected", held)
        process.kill()
        process.wait()
        place.start(*paper, strategy=KEEP)
        after = place.until("protected again", lambda seen: held(seen) and active(seen))
        assert sizes(after) == sizes(before)
        assert after["orders"]["sent"] == 0


def test_paper_names_the_keys_that_it_ignores_and_ends_flat(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PARADEX_SECRET_KEY=0xfeed\n")
    (tmp_path / ".env").chmod(0o600)
    result = flashscalper("run", "--markets", "BTCUSDT", "--profile", "demo", "--seconds", "3", "--json", home=tmp_path)
    assert result.returncode == 0, result.stderr
    first = result.stderr.splitlines()[0]
    assert first == "paper: PARADEX_SECRET_KEY ignored, nothing real is traded; --mode testnet or --mode live uses them"
    assert '"mode":"paper"' in result.stdout
    assert all(b"0xfeed" not in file.read_bytes() for file in (tmp_path / "runs").rglob("*") if file.is_file())


Refused = Callable[..., str]


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refused:
    """What `run` says to arguments that it must refuse, in this process and an empty home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_COLOR", "1")

    def ask(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["flashscalper", "run", *arguments])
        with pytest.raises(SystemExit) as left:
            command_line()
        assert left.value.code == 2
        return capsys.readouterr().err

    return ask


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--mode", "real"), "mode: saw 'real'; accepted: paper, testnet, live"),
        (("--mode", "testnet", "--profile", "demo"), "default, classic (demo is a demonstration, for paper only)"),
        (("--seconds", "-1"), "seconds: saw -1.0"),
        (("--strategy", "nobody"), "strategy: saw 'nobody'; accepted: scalper, or FILE.py:CLASS"),
        (("--strategy", "missing.py:Mine"), "a readable file"),
        (("--mode", "testnet"), "PARADEX_SECRET_KEY"),
        (("--mode", "live"), "PARADEX_SECRET_KEY"),
        (("--mode", "testnet", "--feed", "synthetic"), "feed: saw 'synthetic'; accepted: nothing with --mode testnet"),
        (("--allow-withdraw-key",), "allow-withdraw-key: saw 'paper'; accepted: --mode live"),
    ],
)
def test_what_it_cannot_do_is_refused_in_one_line_before_anything_is_written(
    arguments: tuple[str, ...], expected: str, refused: Refused, tmp_path: Path
) -> None:
    said = refused(*arguments)
    assert expected in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_live_needs_the_acknowledgement_and_the_environment_of_its_mode(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / ".env").touch(mode=0o600)
    (tmp_path / ".env").write_text("PARADEX_SECRET_KEY=0xfeed\nPARADEX_API_KEY=0x123\n")
    unsaid = refused("--mode", "live")
    assert "LIVE_ACK" in unsaid
    (tmp_path / ".env").write_text("PARADEX_SECRET_KEY=0xfeed\nPARADEX_API_KEY=0x123\nLIVE_ACK=0x124\n")
    another = refused("--mode", "live")
    assert "LIVE_ACK" in another
    (tmp_path / ".env").write_text("PARADEX_SECRET_KEY=0xfeed\nPARADEX_ENVIRONMENT=prod\n")
    crossed = refused("--mode", "testnet")
    assert "PARADEX_ENVIRONMENT with --mode testnet: saw 'prod'" in crossed
    assert "0xfeed" not in unsaid + another + crossed


def test_live_refuses_a_key_that_can_withdraw(refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the real exchange says cannot be had here; that the question is answered rightly is shown in test_preflight."""

    async def answers(*_: object) -> Readiness:
        summary = AccountSummary(
            account="0x123", account_value=Decimal(1), total_collateral=Decimal(1), free_collateral=Decimal(1),
            initial_margin=Decimal(0), maintenance_margin=Decimal(0),
        )  # fmt: skip
        signer = KeyedHashSigner("0x123", Secret("0xfeedfeedfeed"), "PRIVATE_SN_PARACLEAR_MAINNET")
        return Readiness(signer=signer, can_withdraw=True, summary=summary, markets=())

    monkeypatch.setattr("flashscalper.cli.run.look", answers)
    (tmp_path / ".env").touch(mode=0o600)
    (tmp_path / ".env").write_text("PARADEX_SECRET_KEY=0xfeedfeedfeed\nPARADEX_API_KEY=0x123\nLIVE_ACK=0x123\n")
    said = refused("--mode", "live")
    assert "main key, which can withdraw; --allow-withdraw-key takes it all the same" in said
    assert "feedfeed" not in said


def test_a_paper_run_lets_go_of_every_key_and_reads_no_file_of_one(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {"PARADEX_SECRET_KEY": "0xfeed", "PARADEX_BEARER_TOKEN": "ey.feed"}
    variables = {**keys, "PARADEX_PRIVATE_KEY_FILE": "/nowhere", "PARADEX_KEY_NAME": "mine"}
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("flashscalper.cli.run.read_variables", lambda _: variables)

    def look_around(trading: Coroutine[Any, Any, Any]) -> NoReturn:
        trading.close()
        assert not keys.keys() & (variables.keys() | os.environ.keys())
        raise ConfigError("here", "the run", "the end of this test")

    monkeypatch.setattr("flashscalper.cli.run.run_loop", look_around)
    first, last = refused().splitlines()
    assert first.startswith(
        "paper: PARADEX_SECRET_KEY, PARADEX_PRIVATE_KEY, PARADEX_BEARER_TOKEN, PARADEX_KEY_NAME ignored, nothing real"
    )
    assert last.endswith("the end of this test")


@pytest.mark.verify
def test_on_a_terminal_too_it_says_what_is_at_stake_and_what_it_left(tmp_path: Path) -> None:
    """The table is painted in place; the lines stand above it."""
    with spoken_to_a_terminal("run", "--seconds", "3", "--markets", "BTCUSDT", home=tmp_path) as text:
        assert "it may lose 500.00 USDC a day" in text
        assert "no real money" in text
        assert "stopped (end of the run); flat" in text
        assert "FlashScalper PAPER" in text


@contextmanager
def spoken_to_a_terminal(*arguments: str, home: Path) -> Iterator[str]:
    """What a verb wrote to a terminal, without the signs that move the cursor."""
    ours, theirs = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "TERM": "xterm", "COLUMNS": "160"}
    command = [sys.executable, "-m", "flashscalper", *arguments]
    process = subprocess.Popen(command, cwd=home, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        yield re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", b"".join(until_the_end(ours)).decode(errors="replace"))
        assert process.wait(40) == 0
    finally:
        os.close(ours)
        process.kill()
        process.wait()


def until_the_end(terminal: int) -> Iterator[bytes]:
    with suppress(OSError):  # that is how a terminal says that nobody writes to it any more
        while data := os.read(terminal, 65_536):
            yield data


def test_a_paper_feed_that_is_not_there_is_said_and_the_synthetic_one_offered(tmp_path: Path) -> None:
    result = flashscalper("run", "--feed", "nothing.jsonl", "--markets", "BTCUSDT", home=tmp_path)
    assert result.returncode == 1
    assert "the paper exchange did not start on feed 'nothing.jsonl'" in result.stderr
    assert "`--feed synthetic` trades on an invented market" in result.stderr
