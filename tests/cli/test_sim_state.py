"""A simulator with `--state` is killed in the middle of trading and started again: what a client was told is still so."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
import time
from decimal import Decimal
from http.client import HTTPException
from pathlib import Path
from random import Random
from typing import Any

import pytest

from flashscalper.exchanges.paradex.signing import TESTNET_CLASSES, CurveSigner, account_address
from flashscalper.exchanges.paradex.signing.keys import public_key_of
from flashscalper.model.errors import ConfigError, JournalError
from flashscalper.model.orders import OrderType, Side
from flashscalper.model.secrets import Secret
from flashscalper.runtime.clock import WallClock
from flashscalper.runtime.hosting.box import box_settings, open_box, open_front
from flashscalper.runtime.hosting.server import ServerShell
from flashscalper.runtime.hosting.state_store import FILE, StateStore
from flashscalper.simulator.feeds.synthetic import SyntheticFeed
from flashscalper.simulator.markets import choose_markets
from tests.cli.run import flashscalper
from tests.cli.test_sim import Running, running

KEY = Secret("0x58f4a0c3a3d9e9c2d1c5d7b6f1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3")


class Bot:
    """Places orders as fast as it can, and remembers what it was told."""

    def __init__(self) -> None:
        self.signer = CurveSigner(account_address(public_key_of(KEY), TESTNET_CLASSES), KEY, "PRIVATE_SN_POTC_SEPOLIA")
        self.token = ""
        self.told: list[str] = []
        self.placed = 0

    def headers(self) -> dict[str, str]:
        now = int(time.time())
        return {
            "PARADEX-ETHEREUM-ACCOUNT": "0x511671d631CEA1E4C66f8b93bc467646C8e994B9",
            "PARADEX-STARKNET-ACCOUNT": self.signer.account,
            "PARADEX-STARKNET-SIGNATURE": self.signer.sign_auth(timestamp_s=now, expiration_s=now + 600),
            "PARADEX-TIMESTAMP": str(now),
            "PARADEX-SIGNATURE-EXPIRATION": str(now + 600),
        }

    def log_in(self, sim: Running) -> None:
        headers = self.headers() | {"PARADEX-STARKNET-SIGNATURE": self.signer.sign_onboarding()}
        body = {"public_key": self.signer.public_key}
        assert sim.ask("POST", f"{sim.rest}/onboarding", body, headers=headers)[0] == 200
        status, answer = sim.ask("POST", f"{sim.rest}/auth", headers=self.headers())
        assert status == 200, answer
        self.token = answer["jwt_token"]

    def place(self, sim: Running) -> None:
        self.placed += 1
        at, market = int(time.time() * 1000), self.placed % 3 == 0
        kind, price = (OrderType.MARKET, None) if market else (OrderType.LIMIT, Decimal(1_500 + self.placed % 50))
        order = {
            "market": "ETH-USD-PERP", "side": "BUY", "type": kind.value.upper(), "size": "0.01", "instruction": "GTC",
            "client_id": f"bot-{self.placed}", "signature_timestamp": at,
        }  # fmt: skip
        order["signature"] = self.signer.sign_order(
            market="ETH-USD-PERP", side=Side.BUY, order_type=kind, size=Decimal("0.01"), price=price, timestamp_ms=at
        )
        body = order if price is None else order | {"price": str(price)}
        status, answer = sim.ask("POST", f"{sim.rest}/orders", body, headers={"Authorization": f"Bearer {self.token}"})
        assert status == 201, answer
        self.told.append(answer["id"])

    def place_until_killed(self, sim: Running) -> None:
        while True:
            try:
                self.place(sim)
            except (OSError, HTTPException):
                return

    def books(self, sim: Running) -> dict[str, Any]:
        """The exact books, without what follows the price of the moment."""
        _, books = sim.ask("GET", f"{sim.ready['control']['url']}/accounts/{self.signer.account}")
        moving = ("unrealized_pnl", "unrealized_funding", "liquidation_price")
        books["positions"] = [{k: v for k, v in each.items() if k not in moving} for each in books["positions"]]
        books["orders"] = [{k: v for k, v in each.items() if k != "conn"} for each in books["orders"]]
        return dict(books)


def kill(sim: Running) -> None:
    sim.process.send_signal(signal.SIGKILL)
    sim.process.wait(10)


def test_after_kill_9_while_idle_everything_is_equal_and_the_token_still_works(tmp_path: Path) -> None:
    bot = Bot()
    with running("--state", "kept", home=tmp_path) as sim:
        bot.log_in(sim)
        for _ in range(12):
            bot.place(sim)
        before = bot.books(sim)
        kill(sim)
    assert len(before["fills"]) >= 4
    with running("--state", "kept", home=tmp_path) as sim:
        after = bot.books(sim)
        assert after == before
        bot.place(sim)
        assert len(bot.books(sim)["orders"]) == 13


def test_after_kill_9_in_the_middle_every_answer_that_was_given_is_true(tmp_path: Path) -> None:
    bot = Bot()
    with running("--state", "kept", home=tmp_path) as sim:
        bot.log_in(sim)
    for pause in (0.05, 0.21):
        with running("--state", "kept", home=tmp_path) as sim:
            killer = threading.Timer(pause, lambda process=sim.process: process.send_signal(signal.SIGKILL))
            killer.start()
            bot.place_until_killed(sim)
            killer.join()
    with running("--state", "kept", home=tmp_path) as sim:
        books = bot.books(sim)
    known = {order["order_id"] for order in books["orders"]}
    assert set(bot.told) <= known
    assert len(known) <= bot.placed
    bought = sum(Decimal(fill["size"]) for fill in books["fills"])
    held = sum((Decimal(size) for _, size, _ in books["ledger"]["positions"]), Decimal(0))
    fees = sum(Decimal(fill["fee"]) for fill in books["fills"])
    assert bought == held
    assert Decimal(books["ledger"]["fees"]) == fees
    funding, pnl = Decimal(books["ledger"]["funding"]), Decimal(books["ledger"]["realized_pnl"])
    assert Decimal(books["ledger"]["cash"]) == 10_000 - fees + funding + pnl


def test_the_synthetic_market_goes_on_near_where_it_was_and_reset_starts_anew(tmp_path: Path) -> None:
    def mark(sim: Running) -> float:
        _, answer = sim.ask("GET", f"{sim.rest}/markets/summary?market=ETH-USD-PERP")
        return float(answer["results"][0]["mark_price"])

    bot = Bot()
    with running("--state", "kept", "--seed", "5", home=tmp_path) as sim:
        bot.log_in(sim)
        time.sleep(1.2)
        before = mark(sim)
        kill(sim)
    with running("--state", "kept", "--seed", "6", home=tmp_path) as sim:
        assert mark(sim) == pytest.approx(before, rel=0.003)
        assert sim.ask("GET", f"{sim.ready['control']['url']}/accounts")[1]["results"] == [bot.signer.account]
    with running("--state", "kept", "--reset", home=tmp_path) as sim:
        assert sim.ask("GET", f"{sim.ready['control']['url']}/accounts")[1]["results"] == []


def test_two_simulators_cannot_share_a_state_nor_one_change_its_market(tmp_path: Path) -> None:
    with running("--state", "kept", home=tmp_path):
        done = flashscalper("sim", "--port", "0", "--state", "kept", home=tmp_path, timeout_s=60)
        assert done.returncode == 2
        assert done.stderr.startswith(
            "flashscalper: state: saw 'kept'; accepted: a writable folder that no other simulator uses"
        )
    with pytest.raises(ConfigError, match=r"state: saw \"a state of the feed 'synthetic'\"; accepted: one of 'other'"):
        StateStore(tmp_path / "kept", feed="other")


# the store


def test_the_store_keeps_batches_whole_and_knows_its_format(tmp_path: Path) -> None:
    store = StateStore(tmp_path, feed="f")
    assert store.load() == {}
    store.commit({"a": b"1", "b": b"2"})
    store.commit({"b": b"3"})
    with pytest.raises(JournalError, match="cannot be written"):
        store.commit({"c": b"4", "d": None})  # type: ignore[dict-item]
    store.close()
    store = StateStore(tmp_path, feed="f")
    assert store.load() == {"a": b"1", "b": b"3"}
    store.commit({"format": b"flashscalper exchange state 99"})
    store.close()
    with pytest.raises(ConfigError, match="state 99"):
        StateStore(tmp_path, feed="f")
    StateStore(tmp_path, feed="f", reset=True).close()
    assert (tmp_path.stat().st_mode & 0o077) in (0, 0o055)


def test_a_damaged_or_unusable_state_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"this is no database, however long it may be" * 200)
    with pytest.raises(ConfigError, match="state: saw"):
        StateStore(tmp_path, feed="f")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="state: saw"):
        StateStore(tmp_path / "file", feed="f")


def test_a_change_that_cannot_be_stored_ends_the_exchange_instead_of_being_confirmed(tmp_path: Path) -> None:
    async def main() -> None:
        clock = WallClock()
        store = StateStore(tmp_path, feed="f")
        feed = SyntheticFeed(choose_markets(("ETHUSDT",)), Random(1), clock.now())
        settings = box_settings(seed=1, base_url="http://127.0.0.1", balance=Decimal(1))
        box = open_box(feed, settings, seed=1, started_at=clock.now())
        front = open_front(box, feed, seed=1, store=store)
        async with asyncio.timeout(20), ServerShell(front.server, clock, front.pump) as shell:
            store.close()
            await shell.wait()

    with pytest.raises(JournalError, match="cannot be written"):
        asyncio.run(main())


def test_the_ready_line_is_the_only_output(tmp_path: Path) -> None:
    with running("--state", "kept", home=tmp_path) as sim:
        assert json.dumps(sim.ready)
    assert sim.process.returncode == 0
