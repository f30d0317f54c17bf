from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from flashscalper.model.commands import CancelOrder, PlaceOrder, ResyncBook, SetLeverage
from flashscalper.model.events import (
    BalanceUpdate,
    BookChange,
    Event,
    FundingPaid,
    LeverageRead,
    MarketsListed,
    StreamChanged,
    Trouble,
)
from flashscalper.model.positions import AccountSummary, PositionSide
from flashscalper.model.records import EquityPoint, Note, SignalJudged
from flashscalper.trading.saved import read_back
from flashscalper.trading.settings import MarginSettings
from tests.trading.stage import ETH, MARKET, SETTINGS, D, Stage, every, none, one, signal
from tests.trading.test_entries import RESTING, resting

LEVERED = msgspec.structs.replace(SETTINGS, margin=MarginSettings(leverage=5))


def notes(stage: Stage, code: str) -> list[Note]:
    return [note for note in every(Note, stage.said) if note.code == code]


def test_every_event_has_its_place() -> None:
    handlers = Stage(ready=False).engine._handlers
    assert set(handlers) == set(Event.__args__)


def test_leverage_is_set_while_flat_and_read_back() -> None:
    stage = Stage(LEVERED)
    assert one(SetLeverage, stage.tell(LeverageRead(ETH, 20, isolated=False))) == SetLeverage(symbol=ETH, leverage=5)
    stage.told[ETH].next.append(signal())
    judged = one(SignalJudged, stage.kline())
    assert "leverage: is 20, wanted 5" in next(gate.seen for gate in judged.gates if gate.code == "market_free")
    none(SetLeverage, stage.tell(LeverageRead(ETH, 5, isolated=False)))
    assert stage.enter().size > 0


def test_leverage_that_differs_is_not_touched_while_a_position_is_open() -> None:
    stage = Stage(LEVERED)
    stage.tell(LeverageRead(ETH, 5, isolated=False))
    stage.long()
    none(SetLeverage, stage.tell(LeverageRead(ETH, 20, isolated=False)))
    assert notes(stage, "leverage_refused")


def test_without_a_wish_leverage_is_only_read() -> None:
    stage = Stage()
    none(SetLeverage, stage.tell(LeverageRead(ETH, 7, isolated=True)))
    assert stage.engine._floor.exposure(ETH).margin_rate == Decimal(1) / 7


def test_rules_that_change_are_used_from_then_on() -> None:
    stage = Stage()
    coarse = msgspec.structs.replace(MARKET, price_tick=D("0.5"), size_step=D("0.1"))
    stage.tell(MarketsListed((coarse,)))
    stage.price(100.25, spread=0.5)
    entry = stage.enter()
    assert entry.price is not None
    assert entry.price % D("0.5") == 0
    assert entry.size % D("0.1") == 0


def test_a_crossed_book_is_asked_for_anew_once() -> None:
    stage = Stage()
    levels = (((100.0, 1.0),), ((101.0, 1.0),))
    none(ResyncBook, stage.tell(BookChange(ETH, 1, True, *levels, stage.now)))
    assert stage.engine._floor.markets[ETH].view.at is not None
    crossed = BookChange(ETH, 2, False, ((102.0, 1.0),), (), stage.now)
    assert one(ResyncBook, stage.tell(crossed)).symbol == ETH
    none(ResyncBook, stage.tell(BookChange(ETH, 3, False, ((102.5, 1.0),), (), stage.now)))
    assert stage.engine._floor.markets[ETH].view.book is None


def test_a_stream_that_is_ready_and_silent_is_not_believed() -> None:
    stage = Stage()
    stage.wait(41.0)
    assert any("stale_data" in reason for reason in stage.engine.status().reasons)
    stage.price(100.0)
    stage.wait(10.0)
    assert stage.engine.status().state == "active"


def test_sizes_are_told_once_per_market() -> None:
    stage = Stage()
    stage.wait(30.0)
    assert [note.text for note in notes(stage, "sizes")] == ["smallest order 0.1 ETH (10.00), at most 20000.00"]


def test_a_market_whose_smallest_order_the_settings_forbid_is_named() -> None:
    limits = msgspec.structs.replace(SETTINGS.risk, max_order_notional=D("9.5"))
    stage = Stage(msgspec.structs.replace(SETTINGS, risk=limits))
    stage.wait(15.0)
    assert [note.text for note in notes(stage, "sizes_impossible")] == ["smallest order 0.1 ETH (10.00), at most 9.50"]


def test_a_funding_payment_is_booked_once_and_survives() -> None:
    stage = Stage()
    for _ in range(2):
        stage.tell(FundingPaid(ETH, "f1", D("-1.23"), stage.now))
    assert stage.engine.status().cash == D("9998.77")
    assert stage.engine.status().funding == D("-1.23")
    saved = read_back(stage.journal)
    assert saved is not None
    assert saved.payments == D("-1.23")


def test_collateral_that_fills_do_not_explain_is_said_once() -> None:
    stage = Stage()
    for _ in range(3):
        stage.snapshot(cash=D(12_000))
    assert len(notes(stage, "cash_differs")) == 1
    assert stage.engine.status().cash == D(10_000), "a deposit is no profit"


def test_sizes_follow_the_lower_of_our_equity_and_the_exchanges() -> None:
    stage = Stage()
    summary = AccountSummary(
        account="0x1", account_value=D(5_000), total_collateral=D(5_000), free_collateral=D(5_000), initial_margin=D(0),
        maintenance_margin=D(0),
    )  # fmt: skip
    before = stage.engine._floor.tradable_equity()
    stage.tell(BalanceUpdate(summary))
    assert (before, stage.engine._floor.tradable_equity()) == (D(10_000), D(5_000))


def test_equity_is_told_on_the_grid_of_its_period_and_only_when_money_is_known() -> None:
    stage = Stage(ready=False, cash=None)
    none(EquityPoint, stage.wait(25.0))
    stage.open()
    points = every(EquityPoint, stage.wait(25.0))
    assert [point.at % 10_000_000 for point in points] == [0, 0, 0]
    assert {point.equity for point in points} == {D(10_000)}


def test_what_belongs_to_the_log_changes_nothing() -> None:
    stage = Stage()
    assert stage.tell(Trouble("market", "a refused frame")) == []


@pytest.mark.parametrize("stream", ["entries", "protection"])
def test_order_streams_count_once_they_are_reported(stream: str) -> None:
    stage = Stage()
    stage.tell(StreamChanged(stream, ready=False, reason="cut"))
    assert stage.engine.status().reasons == (f"stream_{stream}: cut",)
    stage.tell(StreamChanged(stream, ready=True))
    assert stage.engine.status().state == "active"


def test_a_strategy_that_turns_round_takes_its_resting_entry_back() -> None:
    stage = Stage(RESTING)
    entry = resting(stage)
    stage.told[ETH].next.append(signal(PositionSide.SHORT))
    outputs = stage.kline()
    assert one(CancelOrder, outputs).client_id == entry.client_id
    none(PlaceOrder, outputs)
