"""Answers that only scripts read: each figure where it belongs, and whatever is odd is a ProtocolError."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashscalper.exchanges.paradex import script_results as results
from flashscalper.exchanges.paradex.responses import decode
from flashscalper.model.errors import ProtocolError
from tests.exchanges.paradex.bench import START, order_json
from tests.exchanges.paradex.test_fuzz import ODD, finite, paths, put

AT = START // 1000
MARKET = "ETH-USD-PERP"
FUNDING = {
    "market": MARKET,
    "funding_index": "12.5",
    "funding_premium": "0.7",
    "funding_rate": "0.0001",
    "funding_rate_8h": "0.0002",
    "funding_period_hours": 4,
    "created_at": AT,
}
PAYMENT = {"id": "7", "market": MARKET, "payment": "-0.5", "index": "12.5", "fill_id": "f1", "created_at": AT}
TWAP = {
    "id": "a1", "market": MARKET, "side": "SELL", "size": "2", "remaining_size": "1.5", "status": "OPEN",
    "avg_fill_price": "2400", "created_at": AT, "last_updated_at": AT, "end_at": AT + 60_000,
}  # fmt: skip
READERS: dict[str, tuple[Any, Callable[[bytes], Any]]] = {
    "funding": (FUNDING, lambda body: results.funding_from(decode("x", results.FundingResult, body), "ETHUSDT")),
    "payment": (PAYMENT, lambda body: results.payment_from(decode("x", results.PaymentResult, body), "ETHUSDT")),
    "impact": (
        {"market": MARKET, "side": "BUY", "size": "2", "impact_price": "2400.5"},
        lambda body: results.impact_from(decode("x", results.ImpactResult, body), "ETHUSDT"),
    ),
    "book": (
        {"market": MARKET, "seq_no": 4, "last_updated_at": AT, "bids": [["2400", "1"]], "asks": [["2401", "2"]]},
        lambda body: results.book_from(decode("x", results.BookResult, body), "ETHUSDT"),
    ),
    "details": (
        {"account": "0x1", "kind": "main", "public_key": "0x2", "fees": {"maker_rate": "0.1", "taker_rate": "0.2"}},
        lambda body: results.details_from(decode("x", results.DetailsResult, body)),
    ),
    "balance": (
        {"token": "USDC", "size": "5.5", "last_updated_at": AT},
        lambda body: results.balance_from(decode("x", results.BalanceResult, body)),
    ),
    "history": ({"data": [1.5, -2], "timestamps": [AT, AT + 1]}, results.history_from),
    "twap": (TWAP, lambda body: results.twap_from(decode("x", results.TwapResult, body), "ETHUSDT")),
    "cancels": ({"results": [{"id": "1", "status": "NOT_FOUND"}]}, lambda body: decode("x", results.CancelResults, body)),
    "batch": (
        {"orders": [order_json()], "errors": [{"error": "NO", "message": "no"}]},
        lambda body: decode("x", results.BatchResult, body),
    ),
    "funding push": (FUNDING, lambda body: results.told(f"funding_data.{MARKET}", body, "ETHUSDT")),
    "payment push": (PAYMENT, lambda body: results.told(f"funding_payments.{MARKET}", body, "ETHUSDT")),
    "other push": ({"anything": [1]}, lambda body: results.told("balance_events", body, "")),
}


def test_every_figure_is_where_it_belongs() -> None:
    seen = {name: read(json.dumps(good).encode()) for name, (good, read) in READERS.items()}
    assert seen["funding"] == seen["funding push"] == results.FundingPoint(
        symbol="ETHUSDT", rate=Decimal("0.0001"), rate_8h=Decimal("0.0002"), premium=Decimal("0.7"), index=Decimal("12.5"),
        period_hours=4.0, measured_at=START,
    )  # fmt: skip
    assert (seen["payment"].amount, seen["payment"].paid_at) == (Decimal("-0.5"), START)
    assert seen["book"].bids == ((2400.0, 1.0),)
    assert seen["impact"].price == Decimal("2400.5")
    assert seen["history"] == [results.HistoryPoint(START, 1.5), results.HistoryPoint(START + 1000, -2.0)]
    assert (seen["twap"].remaining, seen["twap"].end_at) == (Decimal("1.5"), START + 60_000_000)
    assert seen["other push"] == results.Pushed("balance_events", {"anything": [1]})


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(READERS)), st.data())
def test_one_odd_field_gives_finite_figures_or_a_protocol_error(name: str, data: st.DataObject) -> None:
    good, read = READERS[name]
    body = json.dumps(put(good, data.draw(st.sampled_from(paths(good))), data.draw(ODD))).encode()
    try:
        found = read(body)
    except ProtocolError:
        return
    for each in found if isinstance(found, list) else [found]:
        assert finite(each)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(READERS)), st.integers(0, 80), st.binary(max_size=4))
def test_a_cut_or_overwritten_body_is_a_protocol_error_or_still_fits(name: str, at: int, junk: bytes) -> None:
    good, read = READERS[name]
    body = json.dumps(good).encode()
    for damaged in (body[:at], body[:at] + junk + body[at + len(junk) :]):
        try:
            read(damaged)
        except ProtocolError:
            continue


@pytest.mark.parametrize("lists", [{"data": [1], "timestamps": []}, {"data": ["NaN"], "timestamps": [AT]}])
def test_a_curve_with_a_hole_is_refused(lists: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError, match="account/history"):
        results.history_from(json.dumps(lists).encode())


def test_more_left_than_there_was_is_refused() -> None:
    with pytest.raises(ProtocolError, match="remaining_size"):
        READERS["twap"][1](json.dumps({**TWAP, "remaining_size": "3"}).encode())
