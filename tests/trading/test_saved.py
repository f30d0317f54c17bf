from __future__ import annotations

import msgspec
import pytest

from flashscalper.model.amounts import ZERO
from flashscalper.model.commands import PlaceOrder, QueryOrder, Reconcile
from flashscalper.model.events import FillBusted, OperatorAction, StreamChanged, Verdict
from flashscalper.model.orders import OrderRole, OrderStatus
from flashscalper.model.records import FillBooked
from flashscalper.strategies.exit_policy import ExitPolicy, PartialProfit, Trailing, percent
from flashscalper.trading.saved import SavedState, read_back
from tests.trading.stage import ETH, SETTINGS, D, Stage, every, fill_of, none, one, shown, signal
from tests.trading.test_reconcile import position


def restart(stage: Stage, settings: object = SETTINGS, **more: object) -> Stage:
    """The process is killed: the journal is all that is left."""
    saved = read_back(stage.journal)
    assert saved is not None
    again = Stage(settings, saved=saved, at=stage.now + 1_000_000, ready=False, **more)  # type: ignore[arg-type]
    again.fill_id, again.trade_id = stage.fill_id, stage.trade_id
    return again


def test_an_empty_journal_holds_no_state() -> None:
    assert read_back([]) is None


def test_position_cash_and_protection_are_as_before() -> None:
    stage = Stage()
    _, stop = stage.long()
    stage.wait(2.0)
    again = restart(stage)
    before, after = stage.engine.status(), again.engine.status()
    assert (after.cash, after.fees, after.realized_pnl) == (before.cash, before.fees, before.realized_pnl)
    again.tell(StreamChanged("market", ready=True))
    again.tell(StreamChanged("account", ready=True))
    outputs = again.snapshot(
        positions=(position(stage.size),), orders=(shown(stop, OrderStatus.UNTRIGGERED, stage.now),), cash=before.cash
    )
    again.price(100.0)
    assert again.protection == "protected"
    assert again.size == stage.size
    assert again.engine.status().cash == before.cash
    none(PlaceOrder, again.said)
    none(FillBooked, outputs)


def test_ids_go_on_where_they_were() -> None:
    stage = Stage()
    entry = stage.enter()
    saved = read_back(stage.journal)
    assert saved is not None
    again = Stage(saved=saved, at=stage.now - 500_000)
    assert again.ids.next_id() != entry.client_id
    assert again.ids.last == "fs-t85s00-2"


def test_an_order_that_was_written_but_has_no_answer_is_unknown_and_asked_about() -> None:
    stage = Stage()
    entry = stage.enter()
    again = restart(stage)
    assert one(QueryOrder, again.wait(0.1)).client_id == entry.client_id
    none(PlaceOrder, again.said)


def test_nothing_is_opened_after_a_restart_before_the_account_was_read() -> None:
    stage = Stage()
    stage.price(100.0)
    again = restart(stage)
    again.tell(StreamChanged("market", ready=True))
    again.price(100.0)
    again.told[ETH].next.append(signal())
    none(PlaceOrder, again.wait(3.0))


def test_fills_that_came_while_down_are_booked_from_the_read() -> None:
    stage = Stage()
    _, stop = stage.long()
    size = stage.size
    again = restart(stage)
    again.tell(StreamChanged("market", ready=True))
    reading = one(Reconcile, again.tell(StreamChanged("account", ready=True)))
    gone = fill_of(stop, 77, again.now - 200_000, price=99.4)
    assert reading.fills_since < gone.filled_at
    again.snapshot(fills=(gone,))
    assert again.size == ZERO
    assert size > ZERO
    assert one(FillBooked, again.said).role is OrderRole.STOP


def test_an_exit_plan_remembers_its_stop_and_its_partial_profit() -> None:
    exits = ExitPolicy(
        stop=percent(0.5), target=percent(5.0), partial=PartialProfit(at=percent(0.5), share=0.5),
        trailing=Trailing(activation=percent(0.5), distance=percent(0.3)),
    )  # fmt: skip
    settings = msgspec.structs.replace(SETTINGS, exits=exits)
    stage = Stage(settings)
    _, stop = stage.long()
    part = one(PlaceOrder, stage.price(100.8))
    stage.fill_whole(part, 100.8)
    stage.price(101.2, after_s=1.0)
    stage.wait(1.0)
    state = stage.engine._floor.markets[ETH].plan.state()  # type: ignore[union-attr]
    again = restart(stage, settings)
    restored = again.engine._floor.markets[ETH].plan.state()  # type: ignore[union-attr]
    assert (restored.stop, restored.partial_taken) == (state.stop, True)
    assert state.stop > D("100.01")
    assert stop.trigger_price is not None


def test_the_kill_latch_survives() -> None:
    stage = Stage()
    stage.operator(OperatorAction.KILL, "panic")
    again = restart(stage)
    assert "killed: panic" in again.engine.status().reasons
    assert again.engine.status().state == "halted"


def test_a_kill_that_was_flattening_goes_on_flattening() -> None:
    stage = Stage()
    stage.long()
    stage.operator(OperatorAction.KILL, "panic")
    again = restart(stage)
    again.tell(StreamChanged("market", ready=True))
    assert again.engine._floor.flattening == "kill"


def test_a_busted_fill_stays_taken_back() -> None:
    stage = Stage()
    entry = stage.enter()
    stage.answer(entry)
    stage.fill(entry, D("1"), 100.0)
    stage.tell(FillBusted("000000001", stage.now))
    again = restart(stage)
    assert again.size == ZERO
    assert again.engine.status().cash == D(10_000)


def test_a_fill_taken_back_before_it_was_seen_is_not_booked_after_a_restart() -> None:
    stage = Stage()
    entry = stage.enter()
    stage.tell(FillBusted("000000009", stage.now))
    again = restart(stage)
    again.tell(StreamChanged("account", ready=True))
    none(FillBooked, again.snapshot(fills=(fill_of(entry, 9, stage.now, size=D("1")),)))
    assert again.size == ZERO


def test_the_state_an_engine_saves_is_the_state_its_journal_tells() -> None:
    stage = Stage()
    stage.long()
    stage.price(100.3)
    by_journal, by_engine = read_back(stage.journal), stage.engine.saved()
    assert by_journal is not None
    for name in ("starting_cash", "last_client_id", "foreign", "payments"):
        assert getattr(by_journal, name) == getattr(by_engine, name)
    assert [one.fill for one in by_journal.fills] == [
        msgspec.structs.replace(one.fill, realized_pnl=ZERO, funding=ZERO) for one in by_engine.fills
    ]
    assert {order.client_id for order in by_engine.orders} <= {order.client_id for order in by_journal.orders}
    assert by_journal.plans == by_engine.plans


def test_a_saved_state_can_be_written_and_read() -> None:
    stage = Stage()
    stage.long()
    saved = stage.engine.saved()
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(saved), type=SavedState)
    assert again.fills == saved.fills
    assert again.counters == saved.counters


@pytest.mark.parametrize("cut", range(0, 60, 3))
def test_wherever_the_journal_ends_a_restart_goes_on_without_sending_twice(cut: int) -> None:
    stage = Stage()
    entry, stop = stage.long()
    leaving = one(PlaceOrder, stage.price(101.5))
    stage.answer(leaving, Verdict.UNKNOWN)
    end = min(cut + 10, len(stage.journal))
    saved = read_back(stage.journal[:end])
    again = Stage(saved=saved, at=stage.now + 1_000_000, ready=False)
    sent = {order.client_id for _, order in stage.journal[:end] if isinstance(order, PlaceOrder)}
    again.wait(3.0)
    assert not sent & {order.client_id for order in every(PlaceOrder, again.said)}
    assert {entry.client_id, stop.client_id, leaving.client_id} >= sent


def test_an_exit_of_before_a_restart_is_waited_for_beside_somebody_elses_position() -> None:
    """Seed 6218: it had filled; a second one would have been filled from what is somebody else's."""
    for theirs in (ZERO, D(5)):
        stage = Stage()
        _, stop = stage.long()
        for _ in range(2):
            stage.wait(1.1)
            stage.snapshot(
                positions=(position(stage.size + theirs),), orders=(shown(stop, OrderStatus.UNTRIGGERED, stage.now),)
            )
        said = stage.operator(OperatorAction.FLATTEN)
        said += stage.show(stop, OrderStatus.CLOSED, reason="USER_CANCELED") if theirs else []
        leaving = one(PlaceOrder, said)
        again = restart(stage)
        again.tell(StreamChanged("protection", ready=True))
        outputs = again.operator(OperatorAction.FLATTEN)
        if theirs:
            outputs += again.show(one(PlaceOrder, again.said), OrderStatus.CLOSED, reason="USER_CANCELED")
        outputs += again.wait(1.0)
        exits = [order for order in every(PlaceOrder, outputs) if order.role is OrderRole.EXIT]
        assert len(exits) == (0 if theirs else 1)
        assert leaving.client_id in {query.client_id for query in every(QueryOrder, again.said)}
