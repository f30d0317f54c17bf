from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from flashscalper.model.commands import Command
from flashscalper.model.events import Event
from flashscalper.model.klines import Trade
from flashscalper.model.orders import Side
from flashscalper.model.records import Record


def test_every_event_command_and_record_is_frozen_and_has_a_tag_of_its_own() -> None:
    for union in (Event, Command, Record):
        tags = [member.__struct_config__.tag for member in union.__args__]
        assert len(set(tags)) == len(tags)
        assert all(tags)
        assert all(member.__struct_config__.frozen for member in union.__args__)


@given(st.integers(min_value=0, max_value=2**63 - 1), st.floats(min_value=1e-8, max_value=1e9))
def test_an_event_survives_the_tape(trade_id: int, price: float) -> None:
    trade = Trade("ETHUSDT", trade_id, Side.SELL, price, 0.5, 1_767_225_600_000_000)
    packed = msgspec.msgpack.encode(trade)
    assert msgspec.msgpack.decode(packed, type=Event) == trade
