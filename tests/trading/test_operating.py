from __future__ import annotations

import msgspec

from flashscalper.model.commands import CancelOrder, PlaceOrder
from flashscalper.model.events import ExchangeStatus, ExchangeStatusChanged, OperatorAction, OperatorAsked, StreamChanged
from flashscalper.model.instants import SECOND_US
from flashscalper.model.orders import OrderRole, OrderStatus
from flashscalper.model.records import Note, RoundTripClosed
from flashscalper.trading.settings import ProtectionSettings
from tests.trading.stage import ETH, SETTINGS, Stage, every, none, one, signal


def test_the_end_of_the_run_closes_what_is_open_and_opens_nothing() -> None:
    stage = Stage()
    stage.long()
    leaving = one(PlaceOrder, stage.operator(OperatorAction.STOP, "end_of_run"))
    assert (leaving.role, leaving.reason, leaving.reduce_only) == (OrderRole.EXIT, "end_of_run", True)
    assert one(RoundTripClosed, stage.fill_whole(leaving, 100.0)).exit_reason == "end_of_run"
    stage.told[ETH].next.append(signal())
    none(PlaceOrder, stage.wait(3.0))


def test_a_fill_that_comes_after_the_end_is_closed_too() -> None:
    stage = Stage()
    entry = stage.enter()
    stage.operator(OperatorAction.STOP, "end_of_run")
    stage.answer(entry)
    assert one(PlaceOrder, stage.fill(entry, price=100.01)).reason == "end_of_run"


def test_stopping_by_hand_keeps_the_stops() -> None:
    stage = Stage()
    stage.long()
    outputs = stage.operator(OperatorAction.STOP, "ctrl_c") + stage.wait(1.0)
    none(PlaceOrder, outputs)
    none(CancelOrder, outputs)
    assert stage.protection == "protected"
    assert stage.engine.status().reasons == ("ending: ctrl_c",)


def test_stopping_by_hand_flattens_where_that_is_the_policy() -> None:
    protection = ProtectionSettings(signed_ahead=False, flatten_on_stop=True)
    stage = Stage(msgspec.structs.replace(SETTINGS, protection=protection))
    stage.long()
    leaving = one(PlaceOrder, stage.operator(OperatorAction.STOP, "ctrl_c"))
    assert (leaving.role, leaving.reason) == (OrderRole.EXIT, "stop_requested")


def test_flatten_closes_pauses_and_lets_resume_trade_again() -> None:
    stage = Stage()
    _, stop = stage.long()
    leaving = one(PlaceOrder, stage.operator(OperatorAction.FLATTEN))
    assert leaving.reason == "flatten"
    assert stage.engine.status().reasons == ("paused: flatten: test",)
    stage.fill_whole(leaving, 100.0)
    stage.show(stop, OrderStatus.CLOSED, reason="USER_CANCELED")
    assert stage.engine.status().state == "reducing"
    stage.operator(OperatorAction.RESUME)
    stage.price(100.0)
    stage.long()
    assert stage.protection == "protected"
    none(PlaceOrder, stage.wait(1.0))


def test_kill_flattens_and_stays_until_it_is_cleared_by_name() -> None:
    stage = Stage()
    _, stop = stage.long()
    leaving = one(PlaceOrder, stage.operator(OperatorAction.KILL, "panic"))
    assert leaving.reason == "kill"
    stage.fill_whole(leaving, 100.0)
    stage.show(stop, OrderStatus.CLOSED, reason="USER_CANCELED")
    stage.operator(OperatorAction.RESUME, "please")
    assert stage.engine.status().state == "halted"
    stage.operator(OperatorAction.RESUME, "clear_kill")
    assert stage.engine.status().state == "active"
    stage.price(100.0)
    stage.long()
    none(PlaceOrder, stage.wait(1.0))


def test_kill_keeps_the_stops_where_that_is_the_policy() -> None:
    protection = ProtectionSettings(signed_ahead=False, flatten_on_kill=False)
    stage = Stage(msgspec.structs.replace(SETTINGS, protection=protection))
    stage.long()
    none(PlaceOrder, stage.operator(OperatorAction.KILL) + stage.wait(2.0))
    assert stage.protection == "protected"


def test_kill_cancels_entries_in_flight_even_unanswered_ones() -> None:
    stage = Stage()
    entry = stage.enter()
    assert one(CancelOrder, stage.operator(OperatorAction.KILL)).client_id == entry.client_id


def flattening(stage: Stage) -> str:
    return stage.engine._floor.flattening


def test_a_flatten_goes_on_while_anything_is_held_and_is_over_when_nothing_is() -> None:
    stage = Stage()
    stage.long()
    leaving = one(PlaceOrder, stage.operator(OperatorAction.FLATTEN))
    stage.answer(leaving)
    stage.fill(leaving, leaving.size / 2)
    assert flattening(stage) == "flatten"
    stage.fill(leaving, leaving.size / 2)
    assert flattening(stage) == ""
    assert stage.engine.status().reasons == ("paused: flatten: test",)


def test_resume_ends_a_flatten_that_is_not_over() -> None:
    stage = Stage()
    stage.long()
    stage.operator(OperatorAction.FLATTEN)
    stage.operator(OperatorAction.RESUME)
    assert (flattening(stage), stage.engine.status().reasons) == ("", ())


def test_resume_leaves_a_kill_flattening_until_the_kill_is_cleared() -> None:
    stage = Stage()
    stage.long()
    stage.operator(OperatorAction.KILL)
    stage.operator(OperatorAction.RESUME)
    assert flattening(stage) == "kill"
    stage.operator(OperatorAction.RESUME, "clear_kill")
    assert flattening(stage) == ""


def test_resume_does_not_keep_a_run_open_that_ends() -> None:
    stage = Stage()
    stage.long()
    stage.operator(OperatorAction.STOP, "end_of_run")
    stage.operator(OperatorAction.RESUME)
    assert (flattening(stage), stage.engine.status().reasons) == ("end_of_run", ("ending: end_of_run",))


def test_a_pause_says_who_wanted_it_and_keeps_what_is_open() -> None:
    stage = Stage()
    stage.long()
    none(PlaceOrder, stage.operator(OperatorAction.PAUSE, "lunch"))
    status = stage.engine.status()
    assert (status.state, status.reasons) == ("reducing", ("paused: lunch",))
    stage.operator(OperatorAction.RESUME)
    assert stage.engine.status().reasons == ()


def test_every_word_of_a_person_is_in_the_journal() -> None:
    stage = Stage()
    for action in OperatorAction:
        stage.operator(action, "because")
    texts = [note.text for note in every(Note, stage.said) if note.code == "operator"]
    assert texts == [f"{action}: because" for action in OperatorAction]
    assert every(PlaceOrder, stage.said) == []


def test_a_word_that_forbids_is_heard_before_a_kline_that_closes_in_the_same_instant() -> None:
    for event in (
        OperatorAsked(OperatorAction.KILL, "panic"),
        StreamChanged("account", ready=False, reason="cut"),
        ExchangeStatusChanged(ExchangeStatus.POST_ONLY),
    ):
        stage = Stage()
        stage.told[ETH].next.append(signal())
        delay = SECOND_US // 4
        closes_at = (stage.now - delay) // SECOND_US * SECOND_US + SECOND_US + delay
        none(PlaceOrder, stage.wait((closes_at - 1 - stage.now) / SECOND_US))
        stage.now = closes_at
        none(PlaceOrder, stage.tell(event))
        assert stage.told[ETH].next == [], "the strategy was asked in this very instant"
