"""The test tool for others: a simulated Paradex in a thread, and the pytest fixture around it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from decimal import Decimal
from pathlib import Path

import pytest

from flashscalper.exchanges.paradex.signing import CurveSigner
from flashscalper.model.errors import ConfigError, TransportError
from flashscalper.model.orders import OrderType, Side
from flashscalper.model.secrets import Secret
from flashscalper.runtime.hosting.hosted import HostedParadex, Trader


class Bot:
    """Somebody else's bot: blocking HTTP of the standard library, and nothing of ours but the signature."""

    def __init__(self, exchange: HostedParadex, trader: Trader) -> None:
        self._exchange = exchange
        self._signer = CurveSigner(trader.account, Secret(trader.private_key), exchange.chain_id)
        self.token = ""

    def ask(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> tuple[int, object]:
        data = None if body is None else json.dumps(body).encode()
        everything = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"} | (headers or {})
        request = urllib.request.Request(self._exchange.rest_url + path, data, everything, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.loads(refused.read() or b"null")

    def log_in(self) -> None:
        now = int(time.time())
        headers = {
            "PARADEX-STARKNET-ACCOUNT": self._signer.account,
            "PARADEX-STARKNET-SIGNATURE": self._signer.sign_auth(timestamp_s=now, expiration_s=now + 600),
            "PARADEX-TIMESTAMP": str(now),
            "PARADEX-SIGNATURE-EXPIRATION": str(now + 600),
        }
        status, answer = self.ask("POST", "/auth", headers=headers)
        assert status == 200, answer
        assert isinstance(answer, dict)
        self.token = answer["jwt_token"]

    def buy(self, size: str) -> int:
        at = int(time.time() * 1000)
        order = {"market": "ETH-USD-PERP", "side": "BUY", "type": "MARKET", "size": size, "instruction": "GTC"}
        signature = self._signer.sign_order(
            market="ETH-USD-PERP",
            side=Side.BUY,
            order_type=OrderType.MARKET,
            size=Decimal(size),
            price=None,
            timestamp_ms=at,
        )
        return self.ask("POST", "/orders", order | {"signature": signature, "signature_timestamp": at})[0]


def test_a_bot_trades_on_the_fixture_and_the_ledger_says_what_happened(paradex_sim: HostedParadex) -> None:
    bot = Bot(paradex_sim, paradex_sim.trader)
    bot.log_in()
    assert bot.buy("0.5") == 201
    [order] = paradex_sim.orders()
    fills = paradex_sim.fills()
    ledger = paradex_sim.ledger()
    assert order.remaining == 0
    assert sum(fill.size for fill in fills) == Decimal("0.5")
    assert ledger.cash == Decimal(10_000) - sum(fill.fee for fill in fills)
    assert [(symbol, size) for symbol, size, _ in ledger.positions] == [("ETHUSDT", Decimal("0.5"))]
    assert [position.size for position in paradex_sim.positions()] == [Decimal("0.5")]


def test_a_fault_asked_for_by_the_test_hits_the_bot(paradex_sim: HostedParadex) -> None:
    bot = Bot(paradex_sim, paradex_sim.trader)
    bot.log_in()
    number = paradex_sim.fault("error", "POST /v1/orders", status=503)
    assert [bot.buy("0.1"), bot.buy("0.1")] == [503, 201]
    assert len(paradex_sim.orders()) == 2, "503 at the answer: it was executed"
    assert [(state.id, state.seen, state.hits) for state in paradex_sim.faults()] == [(number, 1, 1)]
    paradex_sim.fault("expire_tokens")
    assert bot.buy("0.1") == 401
    paradex_sim.clear_faults()
    assert paradex_sim.faults() == []


@pytest.mark.paradex_sim(balance=500, markets=("SOLUSDT",), settings={"require_sbe": True}, rules={"speed_bump_us": 1})
def test_the_marker_turns_the_switches(paradex_sim: HostedParadex) -> None:
    bot = Bot(paradex_sim, paradex_sim.trader)
    status, answer = bot.ask("GET", "/markets")
    assert status == 200
    assert isinstance(answer, dict)
    assert [market["symbol"] for market in answer["results"]] == ["SOL-USD-PERP"]
    assert paradex_sim.ledger().cash == 500
    assert bot.ask("GET", "/system/config")[1]["starknet_gateway_url"] == paradex_sim.url  # type: ignore[index]


def test_another_trader_has_an_account_of_its_own(paradex_sim: HostedParadex) -> None:
    other = paradex_sim.new_trader(balance=77)
    assert other.account != paradex_sim.trader.account
    assert paradex_sim.ledger(other.account).cash == 77
    with pytest.raises(ConfigError, match="account"):
        paradex_sim.ledger("0xabc")


def test_it_starts_within_half_a_second_and_many_run_side_by_side() -> None:
    times = []
    running: list[HostedParadex] = []
    for _ in range(4):
        began = time.perf_counter()
        running.append(HostedParadex().__enter__())
        times.append(time.perf_counter() - began)
    try:
        assert len({exchange.url for exchange in running}) == 4
        assert min(times) < 0.5, times
        for exchange in running:
            bot = Bot(exchange, exchange.trader)
            bot.log_in()
            assert bot.buy("0.1") == 201
    finally:
        for exchange in running:
            exchange.__exit__()


def test_it_may_be_used_inside_a_running_event_loop() -> None:
    async def main() -> str:
        with HostedParadex() as exchange:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(exchange.url.rpartition(":")[2]))
            writer.write(b"GET /v1/system/state HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = (await reader.read()).decode()
            writer.close()
            return answer

    assert '{"status":"ok"}' in asyncio.run(main())


def test_after_its_end_nothing_is_left_and_nothing_is_answered() -> None:
    before = threading.active_count()
    with HostedParadex() as exchange:
        url = exchange.rest_url
    assert threading.active_count() == before
    with pytest.raises(TransportError, match="not running"):
        exchange.fills()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{url}/markets", timeout=5)


@pytest.mark.parametrize(
    "changes", [{"settings": {"require_sbf": True}}, {"rules": {"speed": 1}}, {"markets": ("ABCUSDT",)}]
)
def test_an_unknown_switch_or_market_is_refused_by_name(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        HostedParadex(**changes)  # type: ignore[arg-type]


def test_the_plugin_is_registered_and_costs_nothing_until_it_is_used(tmp_path: Path) -> None:
    test = tmp_path / "test_theirs.py"
    test.write_text(
        "import sys\n"
        "def test_nothing_of_ours_is_loaded():\n"
        "    assert 'aiohttp' not in sys.modules\n"
        "    assert 'flashscalper.runtime.hosting.hosted' not in sys.modules\n"
        "def test_the_fixture_is_there(paradex_sim):\n"
        "    assert paradex_sim.ws_url.startswith('ws://127.0.0.1:')\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", str(test)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert "2 passed" in done.stdout, done.stdout + done.stderr
