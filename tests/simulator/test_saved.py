"""An exchange that is taken up again from its saved rows is the one that went down: money, orders, keys, and what waits."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flashscalper.model.errors import ConfigError
from flashscalper.model.events import ExchangeStatus
from flashscalper.model.orders import OrderStatus, Side
from flashscalper.simulator.exchange import Exchange
from flashscalper.simulator.rules import ClientIdScope, ExchangeRules
from flashscalper.simulator.saved import saved_marks
from tests.simulator.paradex_server.bench import MARKETS, Bench, keyed_signer
from tests.simulator.paradex_server.test_keys_and_limits import register, subkey_of, twap

BTC = "BTCUSDT"


class Kept(Bench):
    """A simulated Paradex whose rows are collected as a store would."""

    def __init__(self, rows: dict[str, bytes] | None = None, now: int | None = None, **changes: Any) -> None:
        super().__init__(**changes)
        self.now = now or self.now
        self.rows: dict[str, bytes] = dict(rows or {})
        self.written = 0
        self.server.keep(self.rows)
        self.save()

    def receive(self, message: Any) -> None:
        super().receive(message)
        self.save()

    def feed(self, event: object) -> None:
        super().feed(event)
        self.save()

    def save(self) -> None:
        changed = self.server.unsaved()
        self.written += len(changed)
        self.rows |= changed

    def again(self, pause_us: int = 1_000_000) -> Kept:
        """Another process from what was saved, a little later."""
        return Kept(self.rows, self.now + pause_us, exchange=Exchange(MARKETS, self.exchange.rules, self.now + pause_us))


def image(bench: Bench) -> dict[str, Any]:
    """Everything about accounts that can be asked, as plain values."""
    exchange = bench.exchange
    found: dict[str, Any] = {"status": exchange.status}
    for account in exchange.accounts():
        orders = [msgspec.structs.replace(order, conn="") for order in exchange.orders_history(account)]
        found[account] = {
            "ledger": exchange.ledger(account),
            "log": list(exchange.ledger_log(account)),
            "orders": orders,
            "open": [order.order_id for order in exchange.open_orders(account)],
            "fills": exchange.fills(account),
            "busts": exchange.busted(account),
            "payments": exchange.funding_payments(account),
            "liquidations": exchange.liquidations(account),
            "positions": exchange.positions(account),
            "summary": exchange.account_summary(account),
            "leverage": [exchange.leverage(account, market.symbol) for market in exchange.markets()],
        }
    return found


def market(bench: Kept) -> tuple[Any, str]:
    bench.open_market()
    return bench.trader()


def test_everything_about_an_account_comes_back() -> None:
    bench = Kept()
    signer, token = market(bench)
    bench.place(signer, token, type="MARKET", price=None, size="0.2")
    bench.place(signer, token, client_id="resting")
    bench.place(
        signer, token, type="STOP_MARKET", price=None, trigger_price="60000", size="0.2", side="SELL", flags=["REDUCE_ONLY"]
    )
    bench.place(signer, token, size="0.03", client_id="gone")
    order = bench.exchange.order_by_client_id(signer.account, "gone")
    assert order is not None
    bench.request("DELETE", f"/orders/{order.order_id}", token=token)
    bench.request("POST", "/account/margin/BTC-USD-PERP", token=token, body={"leverage": 7, "margin_type": "CROSS"})
    bench.mark(BTC, "65100")
    bench.pass_time(5_000_000)
    bench.place(signer, token, type="MARKET", price=None, size="0.05", side="SELL")
    bench.server.bust("", bench.now)
    bench.save()
    again = bench.again(0)
    assert image(again) == image(bench)
    assert [order.client_id for order in again.exchange.open_orders(signer.account)] == ["resting", ""]
    assert again.get("/account", token).status == 200
    assert again.exchange.conserved(BTC) == 0


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("limit"), st.integers(-60, 60), st.integers(1, 40)),
        st.tuples(st.just("market"), st.integers(0, 1), st.integers(1, 60)),
        st.tuples(st.just("stop"), st.integers(-60, 60), st.integers(1, 40)),
        st.tuples(st.just("retail"), st.integers(-60, 60), st.integers(1, 40)),
        st.tuples(st.just("cancel"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("modify"), st.integers(0, 5), st.integers(1, 40)),
        st.tuples(st.just("mark"), st.integers(-80, 80), st.just(0)),
        st.tuples(st.just("time"), st.integers(1, 6), st.just(0)),
        st.tuples(st.just("bust"), st.just(0), st.just(0)),
        st.tuples(st.just("mode"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("twap"), st.integers(1, 3), st.just(0)),
        st.tuples(st.just("flow"), st.integers(-60, 60), st.integers(1, 99)),
    ),
    max_size=25,
)


def play(bench: Kept, step: tuple[str, int, int], signer: Any, token: str, retail: str) -> None:
    kind, first, second = step
    side = "BUY" if first % 2 else "SELL"
    price, size = str(65_000 + first), str(Decimal(second) / 100)
    live = bench.exchange.open_orders(signer.account)
    if kind == "limit":
        bench.place(signer, token, side=side, price=price, size=size, client_id=f"c{len(bench.rows)}")
    elif kind == "market":
        bench.place(signer, token, side=side, type="MARKET", price=None, size=size)
    elif kind == "stop":
        bench.place(signer, token, side=side, type="STOP_MARKET", price=None, trigger_price=price, size=size)
    elif kind == "retail":
        bench.place(signer, retail, side=side, price=price, size=size)
    elif kind == "cancel" and live:
        bench.request("DELETE", f"/orders/{live[first % len(live)].order_id}", token=token)
    elif kind == "modify" and live:
        order = live[first % len(live)]
        if order.price is not None:
            body = bench.order_body(
                signer, id=order.order_id, side=order.side.value.upper(), type="LIMIT", price=str(order.price), size=size
            )
            bench.request("PUT", f"/orders/{order.order_id}", token=token, body=body)
    elif kind == "mark":
        bench.mark(BTC, price)
    elif kind == "time":
        bench.pass_time(first * 700_000)
    elif kind == "bust":
        bench.server.bust("", bench.now)
    elif kind == "mode":
        bench.server.set_status(list(ExchangeStatus)[first % len(list(ExchangeStatus))], bench.now)
    elif kind == "flow":
        bench.flow(BTC, Side(side.lower()), Decimal(price), Decimal(second) / 10)
    elif kind == "twap":
        twap(bench, signer, token, duration_seconds=30 * (first + 1))
    bench.save()


@settings(max_examples=25, deadline=None)
@given(STEPS)
@example(
    [("limit", 0, 1), ("mode", 3, 0), ("mark", 1, 0)]
)  # in maintenance no funding accrues, and prices are kept all the same
def test_at_whatever_point_it_goes_down_it_comes_back_equal(steps: list[tuple[str, int, int]]) -> None:
    bench = Kept()
    signer, token = market(bench)
    retail = bench.token(signer, interactive=True)
    for step in steps:
        play(bench, step, signer, token, retail)
    bench.pass_time(1_000_000)  # prices are kept once a second, with the funding that they make
    twaps = bench.get("/algo/orders-history", token).json
    once = bench.again(0)
    twice = once.again(0)
    assert image(once) == image(bench)
    assert once.get("/algo/orders-history", token).json == twaps
    assert image(twice) == image(bench)
    assert once.exchange.conserved(BTC) == bench.exchange.conserved(BTC)


def test_what_came_back_goes_on_ids_are_fresh_stops_trigger_and_fills_can_be_busted() -> None:
    bench = Kept(rules=ExchangeRules(client_id_scope=ClientIdScope.FOREVER))
    signer, token = market(bench)
    bench.place(signer, token, type="MARKET", price=None, size="0.2", client_id="used")
    bench.place(
        signer, token, type="STOP_MARKET", price=None, trigger_price="64000", size="0.2", side="SELL", flags=["REDUCE_ONLY"]
    )
    again = bench.again()
    again.open_market()
    before = {order.order_id for order in again.exchange.orders_history(signer.account)}
    answer = again.place(signer, token, size="0.01")
    assert answer.json["id"] not in before
    assert again.place(signer, token, client_id="used").json["error"] == "DUPLICATED_CLIENT_ID"
    again.mark(BTC, "63999")
    assert again.exchange.ledger(signer.account).positions == ()
    [_, entry] = again.exchange.fills(signer.account)
    assert again.server.bust(entry.id, again.now) is None
    assert again.exchange.ledger(signer.account).positions[0][1] == Decimal("-0.2")
    again.save()
    assert image(again.again(0)) == image(again)


def test_a_retail_order_behind_its_speed_bump_comes_out_of_it_after_the_restart() -> None:
    bench = Kept()
    signer, _ = market(bench)
    retail = bench.token(signer, interactive=True)
    bench.place(signer, retail)
    assert [order.status for order in bench.exchange.open_orders(signer.account)] == [OrderStatus.NEW]
    again = bench.again(0)
    again.pass_time(299_999)
    assert [order.status for order in again.exchange.open_orders(signer.account)] == [OrderStatus.NEW]
    again.pass_time(1)
    assert [order.status for order in again.exchange.open_orders(signer.account)] == [OrderStatus.OPEN]


def test_subkeys_tokens_and_twaps_come_back_and_expired_tokens_stay_expired() -> None:
    bench = Kept()
    signer, token = market(bench)
    subkey = subkey_of(signer)
    assert register(bench, token, subkey) == 201
    body = {"name": "watcher", "token_type": "readonly", "expiry_duration": 3600}
    reader = bench.request("POST", "/account/tokens", token=token, body=body).json["token"]
    twap(bench, signer, token)
    bench.pass_time(30_000_000)
    pages = ("/account/keys/subkeys", "/account/tokens", "/algo/orders", "/algo/orders-history", "/account/margin")
    before = [bench.get(page, token).json for page in pages]
    bench.server.expire_tokens(bench.now)
    bench.save()
    again = bench.again()
    assert again.get("/account", token).status == 401
    assert again.get("/account", reader).status == 200
    assert again.token(subkey)
    token = again.token(signer)
    assert [again.get(page, token).json for page in pages] == before
    assert (
        again.request("POST", "/auth", headers=again.auth_headers(keyed_signer("stranger"))).json["error"] == "NOT_ONBOARDED"
    )
    again.open_market()
    again.pass_time(60_000_000)
    assert again.get("/algo/orders-history", token).json["results"][0]["remaining_size"] == "0"


def test_market_data_alone_writes_nothing_and_a_small_change_writes_little() -> None:
    bench = Kept()
    signer, token = market(bench)
    for _ in range(50):
        bench.place(signer, token, size="0.01")
    written = bench.written
    for _ in range(100):
        bench.mark(BTC, "65001")
    assert bench.written == written
    bench.place(signer, token, size="0.01")
    assert bench.written - written < 12


def test_a_state_whose_markets_are_missing_is_refused_by_name() -> None:
    bench = Kept()
    signer, token = market(bench)
    bench.place(signer, token)
    fewer = Exchange([each for each in MARKETS if each.symbol != BTC], ExchangeRules(), bench.now)
    with pytest.raises(ConfigError, match=r"markets: saw 'ETHUSDT'; accepted: also BTCUSDT"):
        Kept(bench.rows, bench.now, exchange=fewer)


def test_a_damaged_row_is_named() -> None:
    bench = Kept()
    signer, _ = market(bench)
    bench.rows[f"account/{signer.account}"] = b'{"cash": "NaN?"}'
    with pytest.raises(ConfigError, match=f"state: saw 'row account/{signer.account}"):
        bench.again()


def test_the_last_marks_can_be_read_before_an_exchange_is_made() -> None:
    bench = Kept()
    market(bench)
    bench.pass_time(1_000_000)
    assert saved_marks(bench.rows) == {"BTCUSDT": Decimal(65_000), "ETHUSDT": Decimal(3_500)}
    assert saved_marks({}) == {}
