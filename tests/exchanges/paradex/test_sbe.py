"""The binary frames of the exchange: vectors made with the official SDK, in both directions, and damage of every kind."""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashscalper.exchanges.paradex import sbe_schema as schema
from flashscalper.exchanges.paradex.sbe import (
    SbeAccount,
    SbeBbo,
    SbeBook,
    SbeFill,
    SbeFunding,
    SbeOrder,
    SbePosition,
    SbeSummary,
    SbeTrade,
    decode_exact,
    decode_frame,
    encode,
)
from flashscalper.model.errors import ProtocolError
from flashscalper.model.fills import FillKind
from flashscalper.model.orders import Side
from tests.shared import shared_data

# Names of the official SDK's decoder where ours differ.
SDK_NAMES = {
    "sent_at": "timestamp",
    "trade_id": "trade_id_str",
    "short_id": "trade_id",
    "bid": "bid_price",
    "ask": "ask_price",
    "package": "pkg_type",
    "best_bid": "best_bid_price",
    "best_ask": "best_ask_price",
    "best_bid_api": "best_bid_api_price",
    "best_ask_api": "best_ask_api_price",
    "volume_24h": "volume_usd24h",
    "price_change_rate_24h": "price_change_rate24h",
    "funding_rate_8h": "funding_rate8h",
    "average_entry_price": "avg_entry_price",
    "average_entry_price_usd": "avg_entry_price_usd",
    "initial_margin": "initial_margin_req",
    "maintenance_margin": "maintenance_margin_req",
}
SDK_NAMES_OF = {
    schema.FILL: {"trade_id": "trade_id", "client_id": "client_order_id"},
    schema.SUMMARY: {"bid": "bid", "ask": "ask"},
}
TIMES = {"sent_at", "created_at", "updated_at", "last_seen_notification"}


def vectors() -> list[dict[str, Any]]:
    return list(json.loads(shared_data("paradex_sbe_vectors.json").read_text())["frames"])


def vector(label: str) -> bytes:
    return bytes.fromhex(next(each["hex"] for each in vectors() if each["label"] == label))


def as_sdk(name: str, value: object) -> object:
    if name in TIMES:
        return int(str(value)) // 1000
    if isinstance(value, Decimal):
        return format(value, "f")
    if name == "flags" and isinstance(value, tuple):
        return [each.upper() for each in value]
    if name in ("bids", "asks") and isinstance(value, tuple):
        return [[format(amount, "f") for amount in level] for level in value]
    return value


def test_every_vector_decodes_to_what_the_official_decoder_says() -> None:
    for each in vectors():
        record = decode_exact(bytes.fromhex(each["hex"]))
        assert record is not None
        names = SDK_NAMES | SDK_NAMES_OF.get(record.template.id, {})
        ours = {names.get(name, name): as_sdk(name, value) for name, value in record.values.items()}
        assert ours == each["sdk_decoded"], each["label"]


def test_every_vector_is_reproduced_bit_for_bit_by_the_encoder() -> None:
    for each in vectors():
        data = bytes.fromhex(each["hex"])
        record = decode_exact(data)
        assert record is not None
        assert encode(record.template.id, record.version, record.values) == data, each["label"]


def test_trade_vector_becomes_a_light_trade() -> None:
    assert decode_frame(vector("trade")) == SbeTrade(
        market="BTC-USD-PERP",
        trade_id="1767225600123201704028870000",
        short_id=7,
        side=Side.BUY,
        price=65432.1,
        size=0.0123,
        created_at=1767225600122456,
        kind=FillKind.FILL,
        seq_no=12345,
        sent_at=1767225600123456,
    )


def test_bbo_without_asks_has_none_on_that_side() -> None:
    quote = decode_frame(vector("bbo_empty_ask"))
    assert isinstance(quote, SbeBbo)
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (65432.1, 0.5, None, None)


def test_book_delta_with_size_zero_means_delete() -> None:
    book = decode_frame(vector("book_delta_remove"))
    assert book == SbeBook("BTC-USD-PERP", False, ((65432.1, 0.0),), (), 12348, 1767225600123456)


def test_account_templates_carry_exact_decimals() -> None:
    fill = decode_frame(vector("fill"))
    position = decode_frame(vector("position"))
    account = decode_frame(vector("account"))
    assert isinstance(fill, SbeFill)
    assert isinstance(position, SbePosition)
    assert isinstance(account, SbeAccount)
    assert (fill.fee, fill.price, fill.flags) == (Decimal("0.0195"), Decimal(65000), ("fastfill",))
    assert (position.side, position.size, position.mark_price) == ("SHORT", Decimal("-0.01"), None)
    assert account.margin_cushion == Decimal(950)


def test_summary_and_funding_vectors_become_their_structs() -> None:
    summary = decode_frame(vector("markets_summary"))
    funding = decode_frame(vector("funding_data"))
    assert isinstance(summary, SbeSummary)
    assert isinstance(funding, SbeFunding)
    assert (summary.mark_price, summary.index_price, summary.last_price, summary.bid) == (65432.15, 65430.0, 65432.1, 1.0)
    assert (funding.funding_index, funding.impact_premium_rate) == (Decimal("20511.93608234"), Decimal("0.0008"))


AMOUNT = st.integers(min_value=0, max_value=10**15).map(lambda raw: Decimal(raw).scaleb(-8))
POSITIVE = st.integers(min_value=1, max_value=10**15).map(lambda raw: Decimal(raw).scaleb(-8))
INSTANT = st.integers(min_value=0, max_value=2**52)
LEVELS = st.lists(st.tuples(POSITIVE, AMOUNT), max_size=30).map(tuple)
MARKET = st.sampled_from(["BTC-USD-PERP", "kPEPE-USD-PERP"])


@given(
    bids=LEVELS, asks=LEVELS, seq_no=INSTANT, sent_at=INSTANT, snapshot=st.booleans(), version=st.sampled_from([0, 1, 2, 3])
)
@settings(max_examples=60)
def test_any_book_survives_the_round_trip_as_correctly_rounded_floats(
    *, bids: Any, asks: Any, seq_no: int, sent_at: int, snapshot: bool, version: int
) -> None:
    package = "SNAPSHOT" if snapshot else "DELTA"
    values = {"market": "ETH-USD-PERP", "bids": bids, "asks": asks, "seq_no": seq_no, "sent_at": sent_at, "package": package}
    book = decode_frame(encode(schema.BOOK, version, values))
    assert isinstance(book, SbeBook)
    assert book.bids == tuple((float(price), float(size)) for price, size in bids)
    assert book.asks == tuple((float(price), float(size)) for price, size in asks)
    assert (book.seq_no, book.sent_at, book.snapshot) == (seq_no, sent_at, snapshot)


@given(
    price=POSITIVE,
    size=POSITIVE,
    market=MARKET,
    version=st.sampled_from([0, 1, 2, 3]),
    side=st.sampled_from(["BUY", "SELL"]),
)
@settings(max_examples=60)
def test_any_trade_survives_the_round_trip_in_every_version(
    price: Decimal, size: Decimal, market: str, version: int, side: str
) -> None:
    trade = decode_frame(encode(schema.TRADE, version, trade_values(price=price, size=size, market=market, side=side)))
    assert isinstance(trade, SbeTrade)
    assert (trade.market, trade.price, trade.size, trade.side.value) == (market, float(price), float(size), side.lower())
    assert trade.trade_id == ("1767225600123201704028870000" if version >= 2 else "")


def trade_values(**changes: Any) -> dict[str, Any]:
    return {
        "sent_at": 1767225600123000,
        "seq_no": 1,
        "short_id": 7,
        "side": "BUY",
        "price": Decimal("65432.1"),
        "size": Decimal("0.0123"),
        "created_at": 1767225600122000,
        "trade_type": "FILL",
        "market": "BTC-USD-PERP",
        "trade_id": "1767225600123201704028870000",
    } | changes


def order_values(**changes: Any) -> dict[str, Any]:
    return {
        "sent_at": 3,
        "seq_no": 9,
        "status": "UNTRIGGERED",
        "side": "SELL",
        "type": "STOP_LOSS_MARKET",
        "instruction": "GTC",
        "trigger_price": Decimal(59000),
        "size": Decimal("0.5"),
        "remaining_size": Decimal("0.5"),
        "created_at": 1,
        "updated_at": 2,
        "account": "0x129c135ed63df9353885e292be4426b8ed6122b13c6c0e1bb787288a1f5adfa",
        "received_at": 1,
        "published_at": 3,
        "stp": "EXPIRE_TAKER",
        "flags": ("REDUCE_ONLY", "STOP_CONDITION_BELOW_TRIGGER"),
        "order_id": "1",
        "client_id": "fs-a-1",
        "market": "BTC-USD-PERP",
    } | changes


@pytest.mark.parametrize("version", [0, 1, 2, 3])
def test_order_template_keeps_every_field_in_every_version(version: int) -> None:
    values = order_values(request_status="REJECTED", request_type="MODIFY_ORDER", request_id="7", request_message="no")
    order = decode_frame(encode(schema.ORDER, version, values))
    assert isinstance(order, SbeOrder)
    assert (order.type, order.flags, order.price, order.trigger_price) == (
        "STOP_LOSS_MARKET",
        ("REDUCE_ONLY", "STOP_CONDITION_BELOW_TRIGGER"),
        None,
        Decimal(59000),
    )
    assert order.request_status == ("REJECTED" if version >= 2 else "")
    assert order.request_message == ("no" if version >= 2 else "")


def test_block_lengths_are_those_of_the_documented_schema() -> None:
    documented = {1: "50 50 50 50", 2: "48 48 48 48", 3: "89 89 89 89", 4: "216 240 240 248", 5: "58 66 66 66"}
    documented |= {6: "26 26 26 26", 20: "126 126 128 128", 21: "107 107 116 116", 22: "154 154 154 154"}
    documented |= {23: "113 113 121 121", 40: "16 16 16 16", 41: "17 17 17 17"}
    for number, lengths in documented.items():
        assert " ".join(str(schema.TEMPLATES[number].block_length(version)) for version in range(4)) == lengths
    assert set(documented) == set(schema.TEMPLATES)


def lengthened(data: bytes, extra: bytes, version: int) -> bytes:
    """The frame as a later schema would send it: `extra` behind the known block."""
    block, template, schema_id, _ = struct.unpack_from("<HHHH", data)
    return (
        struct.pack("<HHHH", block + len(extra), template, schema_id, version)
        + data[8 : 8 + block]
        + extra
        + data[8 + block :]
    )


@pytest.mark.parametrize(
    "label", ["trade", "bbo", "book_delta_remove", "markets_summary", "funding_data", "fill", "account"]
)
def test_a_longer_block_of_a_newer_schema_still_decodes(label: str) -> None:
    data = vector(label)
    assert decode_frame(lengthened(data, b"\xff" * 24, 9)) == decode_frame(data)


def test_group_entries_of_a_newer_schema_are_read_by_their_own_length() -> None:
    values: dict[str, Any] = {
        "market": "M",
        "bids": ((Decimal(2), Decimal(3)),),
        "asks": (),
        "seq_no": 1,
        "sent_at": 1,
        "package": "DELTA",
    }
    data = encode(schema.BOOK, 3, values)
    at = 8 + 89
    longer = data[:at] + struct.pack("<HH", 18, 1) + data[at + 4 : at + 20] + b"\x01\x02" + data[at + 20 :]
    assert decode_frame(longer) == decode_frame(data)


def test_unknown_templates_are_ignored_and_other_schemas_refused() -> None:
    assert decode_frame(struct.pack("<HHHH", 0, 77, 1, 2)) is None
    with pytest.raises(ProtocolError, match="schema 2"):
        decode_frame(struct.pack("<HHHH", 50, 1, 2, 2) + bytes(60))


def test_every_cut_of_every_frame_is_a_protocol_error() -> None:
    for each in vectors():
        data = bytes.fromhex(each["hex"])
        for length in range(len(data)):
            with pytest.raises(ProtocolError):
                decode_frame(data[:length])


@given(noise=st.binary(max_size=300), template=st.sampled_from(sorted(schema.TEMPLATES)), version=st.integers(0, 4))
@settings(max_examples=150)
def test_noise_is_a_protocol_error_or_a_value_but_never_another_exception(noise: bytes, template: int, version: int) -> None:
    block = schema.TEMPLATES[template].block_length(3)
    with suppress(ProtocolError):
        decode_frame(struct.pack("<HHHH", block, template, 1, version) + noise)


@pytest.mark.parametrize("field", ["price", "size"])
def test_a_trade_without_price_or_size_is_refused_by_name(field: str) -> None:
    offset = {"price": 8 + 25, "size": 8 + 33}[field]
    data = bytearray(vector("trade"))
    struct.pack_into("<q", data, offset, schema.NULL)
    with pytest.raises(ProtocolError, match=field):
        decode_frame(bytes(data))


def test_unknown_sides_are_refused_and_unknown_trade_types_tolerated() -> None:
    data = bytearray(vector("trade"))
    data[8 + 49] = 254
    trade = decode_frame(bytes(data))
    assert isinstance(trade, SbeTrade)
    assert trade.kind is None
    data[8 + 24] = 254
    with pytest.raises(ProtocolError, match="side"):
        decode_frame(bytes(data))


def test_unknown_words_of_account_templates_say_so() -> None:
    data = bytearray(encode(schema.ORDER, 2, order_values()))
    data[8 + 16] = 254
    order = decode_frame(bytes(data))
    assert isinstance(order, SbeOrder)
    assert order.status == "UNKNOWN"


def test_encoder_names_the_value_that_has_no_code() -> None:
    with pytest.raises(ValueError, match="side: saw 'UP'; accepted: BUY, SELL"):
        encode(schema.TRADE, 2, trade_values(side="UP"))
    with pytest.raises(ValueError, match="price: saw None"):
        encode(schema.TRADE, 2, trade_values(price=None))
    with pytest.raises(ValueError, match="seq_no: saw 'x'"):
        encode(schema.TRADE, 2, trade_values(seq_no="x"))
    with pytest.raises(ValueError, match="market: text of 300 bytes"):
        encode(schema.TRADE, 2, trade_values(market="x" * 300))
    with pytest.raises(ValueError, match="template 1"):
        encode(schema.TRADE, 2, trade_values(seq_no=2**70))
