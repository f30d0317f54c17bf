"""Answers of Paradex at the edge of what its documents allow: every default, every limit, every refusal by its field."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from flashscalper.exchanges.paradex import responses, wire
from flashscalper.model.errors import (
    AuthError,
    ExchangeError,
    FlashScalperError,
    ProtocolError,
    RateLimitError,
    TransportError,
)
from flashscalper.model.events import ExchangeStatus
from flashscalper.model.fills import Fill, FillKind, Liquidity
from flashscalper.model.klines import Kline, Trade
from flashscalper.model.markets import Market
from flashscalper.model.orders import Order, OrderStatus, OrderType, Side, TimeInForce
from flashscalper.model.positions import AccountSummary, ExchangePosition
from tests.exchanges.paradex.bench import START

ETH = "ETH-USD-PERP"
MS = START // 1_000
HALF = Decimal("0.5")


def order(**changes: Any) -> Order:
    given = {
        "id": "7",
        "market": ETH,
        "side": "BUY",
        "type": "LIMIT",
        "size": "0.5",
        "status": "NEW",
        "remaining_size": "0.5",
    }
    return responses.order_from(responses.decode("order", wire.OrderResult, json.dumps(given | changes).encode()), "ETHUSDT")


def fill(**changes: Any) -> Fill:
    given = {
        "id": "f", "order_id": "7", "market": ETH, "side": "SELL", "price": "2400", "size": "0.5", "fee": "1",
        "created_at": MS,
    }  # fmt: skip
    return responses.fill_from(responses.decode("fill", wire.FillResult, json.dumps(given | changes).encode()), "ETHUSDT")


def position(**changes: Any) -> ExchangePosition:
    given = {"market": ETH, "side": "LONG", "size": "0.5"}
    body = json.dumps(given | changes).encode()
    return responses.position_from(responses.decode("position", wire.PositionResult, body), "ETHUSDT")


def account(**changes: Any) -> AccountSummary:
    given = {
        "account": "0x1", "account_value": "1", "total_collateral": "2", "free_collateral": "3",
        "initial_margin_requirement": "4", "maintenance_margin_requirement": "5",
    }  # fmt: skip
    return responses.account_from(responses.decode("account", wire.AccountResult, json.dumps(given | changes).encode()))


def market(**changes: Any) -> Market:
    given = {
        "symbol": ETH, "price_tick_size": "0.01", "order_size_increment": "0.001", "min_notional": "10",
        "max_order_size": "100", "position_limit": "300",
    }  # fmt: skip
    body = json.dumps(given | changes).encode()
    return responses.market_from(responses.decode("market", wire.MarketResult, body), "ETHUSDT")


# ---- what may be left out ----


def test_an_order_with_nothing_but_what_it_must_have() -> None:
    assert order() == Order(
        symbol="ETHUSDT", client_id="", order_id="7", side=Side.BUY, type=OrderType.LIMIT, size=HALF, remaining=HALF,
        status=OrderStatus.NEW, price=None, trigger_price=None, time_in_force=TimeInForce.GTC, reduce_only=False,
        cancel_reason="", average_price=None, created_at=0, updated_at=0, seq_no=0,
    )  # fmt: skip


def test_an_order_that_was_never_updated_was_updated_when_it_was_made() -> None:
    assert order(created_at=MS).updated_at == START
    assert order(created_at=MS, last_updated_at=MS + 5).updated_at == START + 5_000


def test_the_price_of_a_market_type_is_no_price() -> None:
    assert order(price="5").price == Decimal(5)
    assert order(price="5", type="STOP_MARKET").price is None
    assert order(price="0").price is None


def test_a_refused_change_has_its_words_and_one_without_words_is_empty() -> None:
    empty = responses.decode("info", wire.RequestInfo, b"{}")
    assert (empty.id, empty.message, empty.request_type, empty.status) == ("", "", "", "")


def test_a_fill_with_nothing_but_what_it_must_have() -> None:
    assert fill() == Fill(
        id="f", kind=FillKind.FILL, order_id="7", client_id="", symbol="ETHUSDT", side=Side.SELL, liquidity=Liquidity.TAKER,
        price=Decimal(2400), size=HALF, fee=Decimal(1), fee_currency="USDC", realized_pnl=None, funding=None, remaining=None,
        flags=(), filled_at=START,
    )  # fmt: skip
    assert fill(remaining_size="0.25").remaining == Decimal("0.25")


def test_a_position_with_nothing_but_what_it_must_have() -> None:
    assert position() == ExchangePosition(symbol="ETHUSDT", size=HALF, entry_price=Decimal(0))
    assert [position(side="SHORT", size=size).size for size in ("0.5", "-0.5")] == [-HALF, -HALF]
    assert [position(side="LONG", size=size).size for size in ("0.5", "-0.5")] == [HALF, HALF]
    assert position(liquidation_price="0").liquidation_price is None


def test_a_balance_with_nothing_but_what_it_must_have() -> None:
    assert account() == AccountSummary(
        account="0x1", account_value=Decimal(1), total_collateral=Decimal(2), free_collateral=Decimal(3),
        initial_margin=Decimal(4), maintenance_margin=Decimal(5), status="ACTIVE", updated_at=0, seq_no=0,
    )  # fmt: skip


def test_a_market_with_nothing_but_what_it_must_have_keeps_the_model_s_defaults() -> None:
    assert market() == Market(
        symbol="ETHUSDT", market=ETH, base="ETH", quote="USD", settlement="USDC", price_tick=Decimal("0.01"),
        size_step=Decimal("0.001"), min_notional=Decimal(10), max_order_size=Decimal(100), position_limit=Decimal(300),
    )  # fmt: skip


def test_a_market_that_says_everything() -> None:
    pro = {"maker_fee": {"fee": "0.00001"}, "taker_fee": {"fee": "0.0002"}}
    retail = {"maker_fee": {"fee": "0.0003"}, "taker_fee": {"fee": "0.0004"}}
    read = market(
        base_currency="E", quote_currency="Q", settlement_currency="S", max_open_orders=7, price_bands_width="0.05",
        max_slippage="0.1", funding_period_hours=4, interest_rate="0.2", clamp_rate="0.3", max_funding_rate="0.4",
        delta1_cross_margin_params={"imf_base": "0.03", "mmf_factor": "0.6"},
        fee_config={"api_fee": pro, "interactive_fee": retail},
    )  # fmt: skip
    assert read == Market(
        symbol="ETHUSDT", market=ETH, base="E", quote="Q", settlement="S", price_tick=Decimal("0.01"),
        size_step=Decimal("0.001"), min_notional=Decimal(10), max_order_size=Decimal(100), position_limit=Decimal(300),
        max_open_orders=7, funding_period_hours=4, price_band=Decimal("0.05"), max_slippage=Decimal("0.1"),
        interest_rate=Decimal("0.2"), clamp_rate=Decimal("0.3"), max_funding_rate=Decimal("0.4"),
        initial_margin=Decimal("0.03"), maintenance_factor=Decimal("0.6"), maker_fee=Decimal("0.00001"),
        taker_fee=Decimal("0.0002"), retail_maker_fee=Decimal("0.0003"), retail_taker_fee=Decimal("0.0004"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        (wire.TradebustResult, {"busted_fill_id": "f", "created_at": 1}, {"account": ""}),
        (
            wire.SystemConfig,
            {"starknet_chain_id": "x"},
            {"l1_chain_id": "", "paraclear_decimals": 8, "paraclear_account_hash": "", "paraclear_account_proxy_hash": ""},
        ),
        (wire.AccountInfo, {"account": "0x1"}, {"kind": "main", "fees": None}),
        (wire.MarginEntry, {"market": ETH, "leverage": 1}, {"margin_type": "CROSS"}),
        (wire.MarketResult, {"symbol": ETH, "price_tick_size": 1, "order_size_increment": 1, "min_notional": 1},
         {"base_currency": "", "asset_kind": "PERP"}),
        (wire.ErrorResult, {}, {"error": "", "message": ""}),
        (wire.RpcError, {"code": 1}, {"message": "", "data": None}),
        (wire.Envelope, {}, {"method": "", "id": None, "params": None, "result": b"", "error": None}),
        (wire.CancelAck, {}, {"order_id": "", "status": ""}),
        (wire.TradeResult, {"id": 1, "market": ETH, "side": "BUY", "size": 1, "price": 1, "created_at": 1},
         {"trade_type": "FILL"}),
        (wire.BboResult, {"market": ETH, "last_updated_at": 1}, {"seq_no": 0, "bid": None, "ask_size": None}),
    ],
)  # fmt: skip
def test_what_the_exchange_leaves_out_is_what_its_documents_say(
    kind: type[msgspec.Struct], body: dict[str, Any], expected: dict[str, Any]
) -> None:
    read = responses.decode("x", kind, json.dumps(body).encode())
    seen = {name: getattr(read, name) for name in expected}
    assert {name: bytes(value) if isinstance(value, msgspec.Raw) else value for name, value in seen.items()} == expected


def test_a_rate_of_a_fee_cannot_be_changed_for_every_market_at_once() -> None:
    with pytest.raises(AttributeError):
        wire.MakerTakerFee().maker_fee.fee = "1"  # type: ignore[misc]


# ---- figures ----


def test_figures_come_as_text_or_as_numbers_and_nothing_is_no_figure() -> None:
    assert [responses.amount("x", value) for value in ("0.1", 1, 0.1)] == [Decimal("0.1"), 1, Decimal("0.1")]
    assert [responses.optional_amount("x", value) for value in (None, "", "0")] == [None, None, Decimal(0)]
    for nothing in (None, "", "nan", "1e", float("inf")):
        with pytest.raises(ProtocolError, match=r"^x: "):
            responses.amount("x", nothing)
    for low in ("0", "-1"):
        with pytest.raises(ProtocolError, match=f"x: saw '{low}'; accepted: a number above 0"):
            responses.positive("x", low)


def test_whole_numbers_that_came_as_text_are_read_and_broken_text_is_refused_by_its_place() -> None:
    assert responses.decode("x", wire.SystemTime, b'{"server_time":"5"}').server_time == 5
    for broken in (b"{", b"\xff", b'{"server_time":"five"}', b"[" * 100_000):
        with pytest.raises(ProtocolError, match=r"^x: ") as caught:
            responses.decode("x", wire.SystemTime, broken)
        assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("make", "changes", "named"),
    [
        (order, {"size": None}, "order.size"), (order, {"remaining_size": ""}, "order.remaining_size: saw nothing"),
        (order, {"remaining_size": "0.6"}, "order.remaining_size: saw 0.6; accepted: 0 to the size 0.5"),
        (order, {"remaining_size": "-0.1"}, "order.remaining_size"),
        (order, {"remaining_size": "x"}, "order.remaining_size"),
        (order, {"type": "ICEBERG"}, "order.type: saw 'ICEBERG'; accepted: MARKET, LIMIT, "),
        (order, {"status": ""}, "order.status: saw ''; accepted: NEW, "),
        (order, {"instruction": "FOK"}, "order.instruction"),
        (order, {"price": "-1"}, "order.price"), (order, {"trigger_price": "-1"}, "order.trigger_price"),
        (order, {"avg_fill_price": "-1"}, "order.avg_fill_price"), (order, {"created_at": -1}, "order.created_at"),
        (order, {"last_updated_at": -1}, "order.last_updated_at"), (order, {"price": "x"}, "order.price"),
        (fill, {"fill_type": "GIFT"}, "fill.fill_type"), (fill, {"liquidity": "BOTH"}, "fill.liquidity"),
        (fill, {"price": "0"}, "fill.price"), (fill, {"size": "0"}, "fill.size"), (fill, {"fee": None}, "fill.fee"),
        (fill, {"realized_pnl": "x"}, "fill.realized_pnl"), (fill, {"realized_funding": "x"}, "fill.realized_funding"),
        (fill, {"remaining_size": "x"}, "fill.remaining_size"), (fill, {"created_at": -1}, "fill.created_at"),
        (position, {"size": ""}, "position.size"), (position, {"side": "BUY"}, "position.side: saw 'BUY'"),
        (position, {"status": "GONE"}, "position.status: saw 'GONE'; accepted: OPEN, CLOSED"),
        (position, {"average_entry_price": "x"}, "position.average_entry_price"),
        (position, {"unrealized_pnl": "x"}, "position.unrealized_pnl"),
        (position, {"realized_positional_pnl": "x"}, "position.realized_positional_pnl"),
        (position, {"unrealized_funding_pnl": "x"}, "position.unrealized_funding_pnl"),
        (position, {"liquidation_price": "-1"}, "position.liquidation_price"),
        (position, {"leverage": "x"}, "position.leverage"), (position, {"last_updated_at": -1}, "position.last_updated_at"),
        (account, {"account_value": None}, "account.account_value"),
        (account, {"total_collateral": None}, "account.total_collateral"),
        (account, {"free_collateral": None}, "account.free_collateral"),
        (account, {"initial_margin_requirement": None}, "account.initial_margin_requirement"),
        (account, {"maintenance_margin_requirement": None}, "account.maintenance_margin_requirement"),
        (account, {"updated_at": -1}, "account.updated_at"),
        (market, {"price_tick_size": "0"}, "market.price_tick_size"), (market, {"max_slippage": "x"}, "market.max_slippage"),
        (market, {"order_size_increment": "0"}, "market.order_size_increment"),
        (market, {"min_notional": ""}, "market.min_notional"), (market, {"max_order_size": "0"}, "market.max_order_size"),
        (market, {"position_limit": "0"}, "market.position_limit"),
    ],
)  # fmt: skip
def test_a_figure_or_word_that_breaks_the_documents_is_refused_by_its_field(
    make: Any, changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(ProtocolError) as caught:
        make(**changes)
    assert str(caught.value).startswith(named if ": " in named else f"{named}: ")


def test_an_order_that_only_reduces_says_so_in_its_flags() -> None:
    assert order(flags=["REDUCE_ONLY"]).reduce_only
    assert not order(flags=["POST_ONLY"]).reduce_only


def test_a_closed_position_holds_nothing_whatever_its_size_says() -> None:
    assert position(status="CLOSED").size == 0
    assert position(status="OPEN").size == HALF


def test_a_market_without_a_base_currency_has_the_one_of_its_name() -> None:
    assert [market(symbol=name).base for name in (ETH, "A-B-USD-PERP")] == ["ETH", "A"]


def test_what_remains_of_an_order_may_be_none_of_it_or_all_of_it() -> None:
    assert order(remaining_size="0").remaining == 0
    assert order(remaining_size="0.5").remaining == HALF
    assert order(price=2400.5).price == Decimal("2400.5")


def test_instants_are_those_that_a_clock_may_show() -> None:
    assert responses.instant_of("x", 0) == 0
    assert responses.instant_of("x", 7_258_118_399_999) == 7_258_118_399_999_000
    for wrong in (-1, 7_258_118_400_000):
        with pytest.raises(ProtocolError, match=f"x: saw {wrong}; accepted: unix milliseconds"):
            responses.instant_of("x", wrong)


# ---- market data ----


def trade(**changes: Any) -> Trade:
    given: dict[str, Any] = {"id": 3, "market": ETH, "side": "SELL", "size": 0.5, "price": 2400.5, "created_at": MS}
    return responses.trade_from(wire.TradeResult(**(given | changes)), "ETHUSDT")


def test_a_public_trade_is_finite_above_zero_and_numbered() -> None:
    assert trade() == Trade("ETHUSDT", 3, Side.SELL, 2400.5, 0.5, START)
    assert trade(id=0).id == 0
    assert trade(price=0.9).price == 0.9
    for wrong in ({"price": 0.0}, {"size": 0.0}, {"price": float("inf")}, {"size": float("inf")}, {"price": float("nan")}):
        with pytest.raises(ProtocolError, match="trade: price"):
            trade(**wrong)
    with pytest.raises(ProtocolError, match=r"trade.id: saw -1"):
        trade(id=-1)
    with pytest.raises(ProtocolError, match=r"trade.created_at: saw -1"):
        trade(created_at=-1)


def klines(*rows: Sequence[float]) -> list[Kline]:
    return responses.klines_from(json.dumps({"results": rows}).encode(), "ETHUSDT", "1m", 60_000_000)


def test_a_kline_of_no_clock_is_refused_by_its_field() -> None:
    with pytest.raises(ProtocolError, match=r"^kline.open_at: saw -1"):
        klines([-1, 2, 4, 1, 3, 9])


def test_klines_come_out_oldest_first_each_once_the_last_word_counting() -> None:
    old, new, again = [MS, 2, 4, 1, 3, 9], [MS + 60_000, 3, 3, 3, 3, 0], [MS, 2, 5, 1, 3, 10]
    assert klines(new, old, again) == [
        Kline("ETHUSDT", "1m", START, START + 60_000_000, 2, 5, 1, 3, 10),
        Kline("ETHUSDT", "1m", START + 60_000_000, START + 120_000_000, 3, 3, 3, 3, 0),
    ]


@pytest.mark.parametrize(
    "row",
    [
        [MS, 2, 4, 0, 3, 9],
        [MS, 2, 4, -1, 3, 9],
        [MS, 2, 4, 1, 3, -1],
        [MS, 2, 4, 2.5, 3, 9],
        [MS, 3, 4, 2.5, 2, 9],
        [MS, 2, 2.5, 1, 3, 9],
        [MS, 3, 2.5, 1, 2, 9],
        [-1, 2, 4, 1, 3, 9],
    ],
)
def test_a_kline_whose_prices_contradict_each_other_is_refused(row: Sequence[float]) -> None:
    with pytest.raises(ProtocolError, match=r"^kline"):
        klines([MS, 2, 4, 1, 3, 9], row)


def test_the_exchange_s_status_and_clock() -> None:
    assert responses.status_from(b'{"status":"cancel_only"}') is ExchangeStatus.CANCEL_ONLY
    with pytest.raises(ProtocolError, match=r"^GET /system/state: saw 'tired'"):
        responses.status_from(b'{"status":"tired"}')
    with pytest.raises(ProtocolError, match=r"^GET /system/state"):
        responses.status_from(b"{}")
    assert responses.server_time_from(b'{"server_time":"5"}') == 5_000
    with pytest.raises(ProtocolError, match=r"^server_time: saw -5"):
        responses.server_time_from(b'{"server_time":"-5"}')
    with pytest.raises(ProtocolError, match=r"^GET /system/time"):
        responses.server_time_from(b"{}")


# ---- tokens and refusals ----


@pytest.mark.parametrize("exp", [1, 12, 123, 1234])
def test_the_end_of_a_token_is_read_at_every_length_of_its_middle(exp: int) -> None:
    middle = urlsafe_b64encode(json.dumps({"exp": exp, "iat": None}).encode()).rstrip(b"=").decode()
    assert responses.claims_from(f"a.{middle}.c") == wire.TokenClaims(exp)


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c.d", "a.\xe4.c", "a.abcde.c", "a.e30.c"])
def test_what_is_no_token_is_refused_as_one(token: str) -> None:
    with pytest.raises(ProtocolError, match=r"^jwt_token: "):
        responses.claims_from(token)


REFUSED_LOGINS = [
    "INVALID_TOKEN", "UNAUTHORIZED_ERROR", "STARKNET_SIGNATURE_VERIFICATION_FAILED", "INVALID_STARKNET_SIGNATURE",
    "INVALID_STARKNET_ADDRESS", "INVALID_SUBKEY", "INVALID_TOKEN_SCOPE", "IP_NOT_ALLOWED", "GEO_IP_BLOCK", "NOT_ONBOARDED",
    "ACCOUNT_NOT_FOUND",
]  # fmt: skip


def error(status: int, code: str = "", message: str = "", headers: dict[str, str] | None = None) -> FlashScalperError:
    body = json.dumps({"error": code, "message": message}).encode()
    return responses.error_from("GET /x", status, headers or {}, body)


@pytest.mark.parametrize("code", REFUSED_LOGINS)
def test_a_refused_login_has_many_names(code: str) -> None:
    refused = error(400, code, "m")
    assert isinstance(refused, AuthError)
    assert (refused.code, refused.status) == (code, 400)
    other = error(400, f"{code}X", "m")
    assert isinstance(other, ExchangeError)
    assert not isinstance(other, AuthError)
    assert (other.code, other.status) == (f"{code}X", 400)


def test_a_401_is_a_refused_login_whatever_it_says() -> None:
    bare = error(401)
    assert isinstance(bare, AuthError)
    assert (bare.code, bare.status) == ("UNAUTHORIZED", 401)
    assert "the token was refused" in str(bare)
    assert "m" in str(error(401, "X_Y", "m"))
    assert error(401, "X_Y", "m").code == "X_Y"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (500, "VALIDATION_ERROR", TransportError), (499, "VALIDATION_ERROR", ExchangeError),
        (399, "VALIDATION_ERROR", TransportError), (400, "VALIDATION_ERROR", ExchangeError), (404, "", TransportError),
    ],
)  # fmt: skip
def test_only_a_named_refusal_below_500_is_the_exchanges_own(status: int, code: str, kind: type[Exception]) -> None:
    assert type(error(status, code)) is kind
    said = str(responses.error_from("GET /x", 502, {}, b"<" * 200))
    assert said.startswith("GET /x: HTTP 502")
    assert "<" * 80 in said
    assert "<" * 81 not in said
    assert "VALIDATION_ERROR" in str(error(500, "VALIDATION_ERROR"))


@pytest.mark.parametrize("body", [b"<html>", b"\xff", b"[" * 100_000, b"[]", b'{"error":5}'])
def test_a_body_that_is_not_the_exchanges_has_no_words(body: bytes) -> None:
    assert responses.error_words(body) == ("", "")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2", 2.0),
        ("0", 0.1),
        ("-5", 0.1),
        ("3600", 3600.0),
        ("3601", 3600.0),
        ("nan", 1.0),
        ("inf", 1.0),
        ("", 1.0),
        ("x", 1.0),
    ],
)
def test_after_too_many_requests_we_wait_as_long_as_is_said_within_reason(text: str, seconds: float) -> None:
    limited = error(429, headers={"retry-after": text})
    assert isinstance(limited, RateLimitError)
    assert limited.retry_after_s == seconds
    assert responses.retry_after_s({}) == 1.0
