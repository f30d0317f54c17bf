"""What the exchange tells about our orders, fills, position and balance: the same in JSON and in binary, field by field."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from flashscalper.exchanges.paradex import sbe_schema as schema
from flashscalper.exchanges.paradex.account_frames import CHANNELS, OPTIONAL_CHANNELS, AccountFrames
from flashscalper.exchanges.paradex.sbe import encode
from flashscalper.model.errors import ProtocolError
from flashscalper.model.events import (
    BalanceUpdate,
    Event,
    FillBusted,
    FillReported,
    OrderUpdate,
    PositionUpdate,
    RequestKind,
    RequestOutcome,
    Verdict,
)
from flashscalper.model.fills import Fill, FillKind, Liquidity
from flashscalper.model.orders import Order, OrderStatus, OrderType, Side, TimeInForce
from flashscalper.model.positions import AccountSummary, ExchangePosition
from tests.exchanges.paradex.bench import order_json

ETH = "ETH-USD-PERP"
AT = 1_767_225_600_123_000
MS = AT // 1_000

ORDER = {
    "id": "7", "market": ETH, "side": "SELL", "type": "STOP_LIMIT", "size": "0.50", "remaining_size": "0.25",
    "price": "2300.5", "trigger_price": "2310", "status": "OPEN", "client_id": "c", "instruction": "POST_ONLY",
    "flags": ["REDUCE_ONLY"], "cancel_reason": "USER_CANCELED", "avg_fill_price": "2305", "created_at": MS,
    "last_updated_at": MS + 1, "seq_no": 9,
}  # fmt: skip
ORDER_SBE = {
    "sent_at": 3, "seq_no": 9, "status": "OPEN", "side": "SELL", "type": "STOP_LIMIT", "instruction": "POST_ONLY",
    "price": Decimal("2300.5"), "trigger_price": Decimal(2310), "size": Decimal("0.5"), "remaining_size": Decimal("0.25"),
    "avg_fill_price": Decimal(2305), "created_at": AT, "updated_at": AT + 1_000, "account": "0x1", "received_at": 1,
    "published_at": 3, "stp": "EXPIRE_TAKER", "flags": ("REDUCE_ONLY",), "cancel_reason": "USER_CANCELED", "order_id": "7",
    "client_id": "c", "market": ETH,
}  # fmt: skip
READ_ORDER = Order(
    symbol="ETHUSDT", client_id="c", order_id="7", side=Side.SELL, type=OrderType.STOP_LIMIT, size=Decimal("0.5"),
    remaining=Decimal("0.25"), status=OrderStatus.OPEN, price=Decimal("2300.5"), trigger_price=Decimal(2310),
    time_in_force=TimeInForce.POST_ONLY, reduce_only=True, cancel_reason="USER_CANCELED", average_price=Decimal(2305),
    created_at=AT, updated_at=AT + 1_000, seq_no=9,
)  # fmt: skip

FILL = {
    "id": "f1", "order_id": "7", "client_id": "c", "market": ETH, "side": "SELL", "liquidity": "MAKER", "price": "2400",
    "size": "0.5", "fee": "-0.54", "fee_currency": "USDX", "realized_pnl": "1.5", "realized_funding": "-0.25",
    "fill_type": "RPI", "created_at": MS, "flags": ["fastfill"],
}  # fmt: skip
FILL_SBE = {
    "sent_at": 3, "seq_no": 9, "side": "SELL", "liquidity": "MAKER", "fill_type": "RPI", "price": Decimal(2400),
    "size": Decimal("0.5"), "fee": Decimal("-0.54"), "realized_pnl": Decimal("1.5"), "realized_funding": Decimal("-0.25"),
    "underlying_price": Decimal(2399), "created_at": AT, "flags": ("fastfill",), "orderbook_seq_no": 4, "fill_id": "f1",
    "order_id": "7", "client_id": "c", "trade_id": "t", "account": "0x1", "market": ETH, "fee_currency": "USDX",
}  # fmt: skip
READ_FILL = Fill(
    id="f1", kind=FillKind.RPI, order_id="7", client_id="c", symbol="ETHUSDT", side=Side.SELL, liquidity=Liquidity.MAKER,
    price=Decimal(2400), size=Decimal("0.5"), fee=Decimal("-0.54"), fee_currency="USDX", realized_pnl=Decimal("1.5"),
    funding=Decimal("-0.25"), flags=("fastfill",), filled_at=AT,
)  # fmt: skip

POSITION = {
    "market": ETH, "side": "SHORT", "size": "0.5", "status": "OPEN", "average_entry_price": "2400", "unrealized_pnl": "1",
    "unrealized_funding_pnl": "2", "realized_positional_pnl": "3", "liquidation_price": "4000", "leverage": "10",
    "last_fill_id": "f1", "last_updated_at": MS, "seq_no": 9,
}  # fmt: skip
POSITION_SBE = {
    "sent_at": 3, "seq_no": 9, "side": "SHORT", "status": "OPEN", "size": Decimal("-0.5"),
    "average_entry_price": Decimal(2400), "average_entry_price_usd": Decimal(2401), "unrealized_pnl": Decimal(1),
    "realized_pnl": Decimal(3), "mark_price": Decimal(2390), "liquidation_price": Decimal(4000), "leverage": Decimal(10),
    "cost": Decimal(5), "cost_usd": Decimal(6), "cached_funding_index": Decimal(7), "unrealized_funding_pnl": Decimal(2),
    "updated_at": AT, "account": "0x1", "market": ETH, "last_fill_id": "f1",
}  # fmt: skip
READ_POSITION = ExchangePosition(
    symbol="ETHUSDT", size=Decimal("-0.5"), entry_price=Decimal(2400), unrealized_pnl=Decimal(1), realized_pnl=Decimal(3),
    unrealized_funding=Decimal(2), liquidation_price=Decimal(4000), leverage=Decimal(10), last_fill_id="f1", updated_at=AT,
    seq_no=9,
)  # fmt: skip

ACCOUNT = {
    "account": "0x1", "account_value": "1", "total_collateral": "2", "free_collateral": "3",
    "initial_margin_requirement": "4", "maintenance_margin_requirement": "5", "status": "LIQUIDATION", "updated_at": MS,
    "seq_no": 9,
}  # fmt: skip
ACCOUNT_SBE = {
    "sent_at": 3, "seq_no": 9, "status": "LIQUIDATION", "account_value": Decimal(1), "total_collateral": Decimal(2),
    "free_collateral": Decimal(3), "initial_margin": Decimal(4), "maintenance_margin": Decimal(5),
    "margin_cushion": Decimal(6), "unrealized_pnl": Decimal(7), "updated_at": AT, "account": "0x1",
    "settlement_asset": "USDC", "last_seen_notification": 0,
}  # fmt: skip
READ_ACCOUNT = AccountSummary(
    account="0x1", account_value=Decimal(1), total_collateral=Decimal(2), free_collateral=Decimal(3),
    initial_margin=Decimal(4), maintenance_margin=Decimal(5), status="LIQUIDATION", updated_at=AT, seq_no=9,
)  # fmt: skip


def frames() -> AccountFrames:
    return AccountFrames({ETH: "ETHUSDT"})


def read(channel: str, message: dict[str, Any]) -> list[Event]:
    return frames().read(channel, json.dumps(message).encode())


def read_binary(template: int, values: dict[str, Any], version: int = 3) -> list[Event]:
    return frames().read_binary(encode(template, version, values))


@pytest.mark.parametrize(
    ("channel", "message", "template", "values", "expected"),
    [
        ("orders.ALL", ORDER, schema.ORDER, ORDER_SBE, OrderUpdate(READ_ORDER)),
        ("fills.ALL", FILL, schema.FILL, FILL_SBE, FillReported(READ_FILL)),
        ("positions", POSITION, schema.POSITION, POSITION_SBE, PositionUpdate(READ_POSITION)),
        ("account", ACCOUNT, schema.ACCOUNT, ACCOUNT_SBE, BalanceUpdate(READ_ACCOUNT)),
    ],
)
def test_json_and_binary_say_the_same_and_it_is_exactly_this(
    channel: str, message: dict[str, Any], template: int, values: dict[str, Any], expected: Event
) -> None:
    assert read(channel, message) == [expected]
    assert read_binary(template, values) == [expected]


@pytest.mark.parametrize(
    ("channel", "message", "template", "values"),
    [
        ("orders.ALL", ORDER, schema.ORDER, ORDER_SBE),
        ("fills.ALL", FILL, schema.FILL, FILL_SBE),
        ("positions", POSITION, schema.POSITION, POSITION_SBE),
    ],
)
def test_of_a_market_that_is_not_ours_nothing_is_told(
    channel: str, message: dict[str, Any], template: int, values: dict[str, Any]
) -> None:
    assert read(channel, message | {"market": "DOGE-USD-PERP"}) == []
    assert read_binary(template, values | {"market": "DOGE-USD-PERP"}) == []


def test_the_account_s_channels_are_those_of_the_document_and_one_may_be_missing() -> None:
    assert CHANNELS == ("orders.ALL", "fills.ALL", "positions", "account")
    assert OPTIONAL_CHANNELS == ("tradebusts",)
    assert read("rfq", ORDER) == []
    assert read_binary(schema.HEARTBEAT, {"sent_at": 3, "seq_no": 9}) == []


def test_a_binary_order_without_prices_and_the_other_side_and_a_fill_without_a_result() -> None:
    bare = ORDER_SBE | {"side": "BUY", "price": None, "trigger_price": None, "avg_fill_price": None, "flags": ()}
    (event,) = read_binary(schema.ORDER, bare)
    assert isinstance(event, OrderUpdate)
    order = event.order
    assert (order.side, order.price, order.trigger_price, order.average_price) == (Side.BUY, None, None, None)
    assert not order.reduce_only
    (event,) = read_binary(schema.FILL, FILL_SBE | {"side": "BUY", "realized_pnl": None})
    assert isinstance(event, FillReported)
    assert (event.fill.side, event.fill.realized_pnl) == (Side.BUY, None)


@pytest.mark.parametrize("figure", ["LONG", "SHORT"])
def test_a_closed_position_has_no_size_whatever_stands_there(figure: str) -> None:
    for events in (
        read("positions", POSITION | {"status": "CLOSED", "side": figure}),
        read_binary(schema.POSITION, POSITION_SBE | {"status": "CLOSED", "side": figure}),
    ):
        (event,) = events
        assert isinstance(event, PositionUpdate)
        assert event.position.size == 0


def test_a_binary_liquidation_price_of_zero_is_none() -> None:
    for given in (None, Decimal(0)):
        (event,) = read_binary(schema.POSITION, POSITION_SBE | {"liquidation_price": given})
        assert isinstance(event, PositionUpdate)
        assert event.position.liquidation_price is None


def unknown(template: int, values: dict[str, Any], field: str) -> bytes:
    """A frame whose `field` has a code that no document lists: 200 at the byte where two other codes differ."""
    words = {"side": ("BUY", "SELL"), "status": ("OPEN", "CLOSED")}[field]
    one, two = (encode(template, 3, values | {field: word}) for word in words)
    (place,) = [at for at, (a, b) in enumerate(zip(one, two, strict=True)) if a != b]
    return one[:place] + bytes([200]) + one[place + 1 :]


@pytest.mark.parametrize(
    ("template", "values", "field", "named"),
    [
        (schema.ORDER, ORDER_SBE, "side", "order.side"),
        (schema.FILL, FILL_SBE, "side", "fill.side"),
        (schema.POSITION, POSITION_SBE, "status", "position.status"),
    ],
)
def test_a_word_that_the_documents_do_not_list_is_refused_by_its_field(
    template: int, values: dict[str, Any], field: str, named: str
) -> None:
    with pytest.raises(ProtocolError, match=f"^{named}: saw 'UNKNOWN'; accepted: "):
        frames().read_binary(unknown(template, values, field))


def test_a_fill_that_was_taken_back_is_told_with_its_instant_and_a_senseless_instant_is_refused() -> None:
    assert read("tradebusts", {"busted_fill_id": "f1", "created_at": MS}) == [FillBusted("f1", AT)]
    assert read("tradebusts", {"busted_fill_id": "f1", "created_at": 0}) == [FillBusted("f1", 0)]
    with pytest.raises(ProtocolError, match=r"tradebusts.created_at: saw -1; accepted: unix milliseconds"):
        read("tradebusts", {"busted_fill_id": "f1", "created_at": -1})


def refused(number: str, **changes: str) -> dict[str, Any]:
    info = {"id": number, "message": "late", "request_type": "MODIFY_ORDER", "status": "REJECTED"} | changes
    return order_json(id="7", client_id="c", request_info=info)


def outcomes(events: list[Event]) -> list[Event]:
    return [event for event in events if not isinstance(event, OrderUpdate)]


NO = RequestOutcome(RequestKind.MODIFY, "c", Verdict.REJECTED, "7", "MODIFY_REJECTED", "late")


def test_a_change_that_the_exchange_refused_afterwards_is_told_once_in_json_and_in_binary() -> None:
    ours = frames()
    binary: dict[str, Any] = ORDER_SBE | {
        "request_id": "r1", "request_type": "MODIFY_ORDER", "request_status": "REJECTED", "request_message": "late",
    }  # fmt: skip
    assert outcomes(ours.read("orders.ALL", json.dumps(refused("r1")).encode())) == [NO]
    assert outcomes(ours.read_binary(encode(schema.ORDER, 3, binary))) == []
    assert outcomes(ours.read("orders.ALL", json.dumps(refused("r2")).encode())) == [NO]
    assert outcomes(read_binary(schema.ORDER, binary)) == [NO]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, [NO]),
        ({"request_type": "REQUEST_TYPE_MODIFY_ORDER", "status": "REQUEST_STATUS_REJECTED"}, [NO]),
        ({"status": "ACCEPTED"}, []),
        ({"request_type": "CANCEL_ORDER"}, []),
    ],
)
def test_only_a_refused_change_is_one_with_or_without_the_prefix(changes: dict[str, str], told: list[Event]) -> None:
    assert outcomes(read("orders.ALL", refused("r1", **changes))) == told


def test_a_refusal_of_somebody_elses_order_has_no_client_id() -> None:
    foreign = refused("r1") | {"client_id": None}
    (outcome,) = outcomes(read("orders.ALL", foreign))
    assert isinstance(outcome, RequestOutcome)
    assert outcome.client_id == ""


def test_a_binary_order_says_of_its_change_what_it_knows() -> None:
    for part in ({"request_id": "r1"}, {"request_type": "MODIFY_ORDER"}):
        values = ORDER_SBE | {"request_status": "REJECTED", "request_message": "late"} | part
        assert len(outcomes(read_binary(schema.ORDER, values))) == ("request_type" in part)


def test_a_thousand_refusals_are_remembered_and_then_the_oldest_is_forgotten() -> None:
    ours = frames()

    def told(number: int) -> bool:
        return outcomes(ours.read("orders.ALL", json.dumps(refused(f"r{number}")).encode())) == [NO]

    assert all(told(number) for number in range(1_000))
    assert not told(0)
    assert told(1_000)
    assert not told(1)
    assert told(0)
