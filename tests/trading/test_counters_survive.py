"""A limit that a crash makes forget is no limit: every counter of the risk gate, killed with the process and read back.

The journal is all that is left; it may end with the very event that was counted.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from flashscalper.model.commands import ModifyOrder, PlaceOrder
from flashscalper.model.events import OperatorAction, StreamChanged, Verdict
from flashscalper.model.instants import DAY_US, SECOND_US
from flashscalper.model.orders import OrderStatus
from flashscalper.model.records import EquityPoint, OrderDenied
from flashscalper.trading.risk import RiskCounters
from flashscalper.trading.settings import TradingSettings
from tests.trading.stage import ETH, SETTINGS, START, D, Stage, every, none, one, shown, signal
from tests.trading.test_reconcile import position
from tests.trading.test_saved import restart


def limited(**limits: Any) -> TradingSettings:
    return msgspec.structs.replace(SETTINGS, risk=msgspec.structs.replace(SETTINGS.risk, **limits))


def counters(stage: Stage) -> RiskCounters:
    return stage.engine._floor.risk.counters()


def loses(stage: Stage, price: float = 99.4) -> None:
    """One round trip that ends at its stop."""
    _, stop = stage.long()
    stage.fill(stop, price=price)
    stage.show(stop, OrderStatus.CLOSED, filled=stop.size)
    stage.price(100.0)


def test_refusals_in_a_row_go_on_counting() -> None:
    settings = limited(max_consecutive_rejects=3)
    stage = Stage(settings)
    for _ in range(2):
        stage.answer(stage.enter(), Verdict.REJECTED, "NOT_ENOUGH_MARGIN")
    again = restart(stage, settings)
    assert counters(again).rejects == counters(stage).rejects
    opens_again(again)
    again.answer(again.enter(), Verdict.REJECTED, "NOT_ENOUGH_MARGIN")
    assert again.engine.status().state == "halted"


def test_an_order_that_was_taken_ends_the_row_over_a_restart_too() -> None:
    stage = Stage()
    stage.answer(stage.enter(), Verdict.REJECTED, "NOT_ENOUGH_MARGIN")
    stage.long()
    assert counters(restart(stage)).rejects == []


def test_the_loss_of_the_day_is_measured_from_where_the_day_began() -> None:
    settings = limited(max_daily_loss=D(30))
    stage = Stage(settings, cash=None)
    stage.wait(9.0)
    stage.price(100.0, after_s=1.0)
    stage.wait(0.5)
    stage.long()
    stage.price(99.7)
    unrealized = stage.size * D("0.31")
    assert D(15) < unrealized < D(30)
    again = restart(stage, settings)
    assert (counters(again).day, counters(again).day_equity) == (START // DAY_US, D(10_000))
    comes_back(again, stage)
    again.price(99.52)
    assert any(reason.startswith("daily_loss") for reason in again.engine.status().reasons)


def opens_again(again: Stage) -> None:
    """Streams, account and prices are there, and the first whole kline has closed."""
    again.open(cash=again.engine.status().cash)
    again.wait(2.0)
    again.price(100.0)


def comes_back(again: Stage, stage: Stage) -> None:
    """The streams return, the account shows the position and its stop as they were."""
    again.tell(StreamChanged("market", ready=True))
    again.tell(StreamChanged("account", ready=True))
    held = stage.size
    stop = stage.engine._floor.markets[ETH].protection.stop
    assert stop is not None
    command = next(order for order in every(PlaceOrder, stage.said) if order.client_id == stop.client_id)
    again.snapshot(
        positions=(position(held),), orders=(shown(command, OrderStatus.UNTRIGGERED, again.now),),
        cash=stage.engine.status().cash,
    )  # fmt: skip


def test_the_highest_equity_is_remembered_although_nothing_was_closed_at_it() -> None:
    settings = limited(max_drawdown_share=0.01)
    stage = Stage(msgspec.structs.replace(settings, exits=msgspec.structs.replace(settings.exits, target=None)))
    stage.long()
    stage.price(101.0)
    stage.wait(10.0)
    peak = counters(stage).peak_equity
    assert peak is not None
    assert peak > D(10_050)
    again = restart(stage, settings)
    assert counters(again).peak_equity == peak


def test_equity_is_not_judged_while_a_position_has_no_price_yet() -> None:
    settings = limited(max_drawdown_share=0.5)
    stage = Stage(settings, cash=None)
    stage.wait(9.0)
    stage.price(100.0, after_s=1.0)
    stage.wait(0.5)
    stage.long()
    stage.price(99.7)
    again = restart(stage, settings)
    none(EquityPoint, again.wait(25.0))
    assert counters(again).peak_equity == D(10_000)
    comes_back(again, stage)
    again.price(99.7)
    points = every(EquityPoint, again.wait(10.0))
    assert points
    assert all(point.equity < point.cash for point in points)


def test_losses_in_a_row_go_on_counting() -> None:
    settings = limited(max_consecutive_losses=3)
    stage = Stage(settings)
    for _ in range(2):
        loses(stage)
    again = restart(stage, settings)
    assert counters(again).losses_in_a_row == 2
    opens_again(again)
    loses(again)
    assert again.engine.status().state == "reducing"


def test_the_rest_after_a_losing_streak_ends_when_it_would_have() -> None:
    settings = limited(max_consecutive_losses=1, loss_cooldown_s=60.0)
    stage = Stage(settings)
    loses(stage)
    ends_at = counters(stage).until["losing_streak"]
    again = restart(stage, settings)
    assert counters(again).until == {"losing_streak": ends_at}
    again.wait((ends_at - again.now - 1) / SECOND_US)
    assert again.engine._floor.risk.holds("losing_streak")
    again.wait(0.001)
    assert not again.engine._floor.risk.holds("losing_streak")


def test_the_rest_of_a_market_ends_when_it_would_have() -> None:
    settings = limited(symbol_loss_cooldown_s=60.0)
    stage = Stage(settings)
    loses(stage)
    again = restart(stage, settings)
    assert counters(again).symbol_until == counters(stage).symbol_until != {}


@pytest.mark.parametrize(
    "reason", ["daily_loss", "drawdown", "fee_mismatch", "rejects", "paused", "killed", "canceled_by_others"]
)
def test_what_holds_goes_on_holding(reason: str) -> None:
    stage = Stage()
    until = stage.now + 3_600 * SECOND_US if reason == "daily_loss" else None
    stage.engine._floor.risk.hold(reason, "before the crash", stage.now, until=until)
    stage.wait(0.1)
    again = restart(stage)
    assert f"{reason}: before the crash" in again.engine.status().reasons
    assert again.engine.status().state == stage.engine.status().state


def test_orders_of_the_last_minute_go_on_counting_changes_too() -> None:
    settings = limited(max_orders_per_minute=4, reserve_share=0.0)
    stage = Stage(settings)
    entry = stage.enter()
    stage.answer(entry)
    stop = one(PlaceOrder, stage.fill(entry, D(1), 100.01))
    stage.rest_stop(stop)
    one(ModifyOrder, stage.fill(entry, D(2), 100.01))
    seen = stage.engine._floor.risk.rate_gate(stage.now, reduces=False).seen
    assert seen.endswith(" and 3")
    again = restart(stage, settings)
    assert again.engine._floor.risk.rate_gate(stage.now, reduces=False).seen == seen


def test_an_entry_that_was_sent_before_the_crash_is_not_sent_again_after_it() -> None:
    stage = Stage()
    stage.enter()
    again = restart(stage)
    opens_again(again)
    again.told[ETH].next.append(signal())
    outputs = again.kline()
    none(PlaceOrder, outputs)
    none(OrderDenied, outputs)
    assert any(block.startswith("order_in_doubt") for block in again.engine.status().markets[0].blocks)


def test_a_pause_that_a_person_took_back_stays_taken_back() -> None:
    stage = Stage()
    stage.operator(OperatorAction.PAUSE)
    stage.operator(OperatorAction.RESUME)
    assert not [one for one in restart(stage).engine.status().reasons if one.startswith("paused")]


def test_the_counters_are_written_when_they_change_and_not_at_every_event() -> None:
    stage = Stage()
    stage.wait(11.0)
    before = len(stage.journal)
    stage.wait(60.0)
    notes = [said for _, said in stage.journal[before:] if getattr(said, "code", "") == "risk_counters"]
    assert len(notes) <= 2, "the stream fell silent, that is one change of state"
    assert isinstance(counters(stage).day_equity, Decimal)
