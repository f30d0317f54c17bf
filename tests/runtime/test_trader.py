from __future__ import annotations

import os
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from flashscalper.exchanges.base import Frame, HttpRequest, SocketClosed
from flashscalper.model.commands import ArmOrder, CancelOrder, Command, PlaceOrder, Reconcile, ReleaseOrder
from flashscalper.model.events import Event, OperatorAction, OperatorAsked, RequestOutcome, TimePassed, Trouble, Verdict
from flashscalper.model.instants import SECOND_US
from flashscalper.model.klines import Kline, Trade
from flashscalper.model.orders import OrderRole, OrderType, Side
from flashscalper.model.records import KlineClosed, Note, TradingStateChanged
from flashscalper.runtime.journal import Journal, Output, read_journal
from flashscalper.runtime.latency import Durations
from flashscalper.runtime.tape import Tape
from flashscalper.runtime.trader import Trader
from tests.runtime.tiny import START, TinyClient, TinyEngine


def price(number: int) -> Frame:
    return Frame("main-1", msgspec.json.encode({"price": 100.0, "id": number, "at": START}))


class Watched(TinyClient):
    """Notes what was in the journal's file when a command was handed over."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self.durable: list[bool] = []

    def submit(self, command: Command, now: int) -> None:
        self.durable.append(any(entry.content == command for entry in read_journal(self._path)))
        super().submit(command, now)


def test_an_order_is_in_the_journal_before_the_client_has_it(tmp_path: Path) -> None:
    client = Watched(tmp_path / "j")
    with Journal(tmp_path / "j", {}) as journal, Tape(tmp_path / "tape", {}) as tape:
        trader = Trader(client, TinyEngine(START), journal, tape)
        for number in range(1, 11):
            trader.incoming(price(number), START)
    assert client.durable == [True, True]


def test_there_is_one_sync_for_each_batch_with_an_order_and_none_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs: list[int] = []
    with Journal(tmp_path / "j", {}) as journal, Tape(tmp_path / "tape", {}) as tape:
        monkeypatch.setattr(journal, "sync", lambda: syncs.append(len(journal)))
        trader = Trader(TinyClient(), TinyEngine(START), journal, tape)
        for number in range(1, 11):
            trader.incoming(price(number), START)
        trader.tell(OperatorAsked(OperatorAction.STOP, "enough"), START)
    assert syncs == [2, 4], "after the note and the order of each batch, and not after the stop"


def test_a_kill_is_on_the_disk_although_no_order_goes_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Halting(TinyEngine):
        def handle(self, event: Event, now: int) -> Sequence[Output]:
            return [TradingStateChanged(before="active", after="halted", reasons=("killed: panic",), changed_at=now)]

    syncs: list[int] = []
    with Journal(tmp_path / "j", {}) as journal, Tape(tmp_path / "tape", {}) as tape:
        monkeypatch.setattr(journal, "sync", lambda: syncs.append(len(journal)))
        Trader(TinyClient(), Halting(START), journal, tape).tell(OperatorAsked(OperatorAction.KILL, "panic"), START)
    assert syncs[0] == 1


needs_dev_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")


def fill_the_disk(descriptor: int) -> None:
    """Every write to it from here on meets the kernel's own `No space left on device`."""
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, descriptor)
    os.close(full)


class Protecting(TinyEngine):
    """Answers every price with an entry, a stop, a cancel and a question."""

    def __init__(self) -> None:
        super().__init__(START)
        self.told: list[Event] = []

    def handle(self, event: Event, now: int) -> Sequence[Output]:
        self.told.append(event)
        if not isinstance(event, Trade):
            return []
        number = len(self.told)
        return [
            order(f"fs-t-{number}", reduce_only=False), order(f"fs-t-{number}s", reduce_only=True),
            CancelOrder(client_id="fs-t-0", symbol="ETHUSDT", order_id="x", role=OrderRole.ENTRY, reason="y"),
            Reconcile(fills_since=0),
        ]  # fmt: skip


class Submitted(TinyClient):
    """Keeps what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.commands: list[Command] = []

    def submit(self, command: Command, now: int) -> None:
        self.commands.append(command)


def order(client_id: str, *, reduce_only: bool) -> PlaceOrder:
    return PlaceOrder(
        client_id=client_id, symbol="ETHUSDT", side=Side.SELL, type=OrderType.MARKET, size=Decimal(1),
        reduce_only=reduce_only, role=OrderRole.EXIT if reduce_only else OrderRole.ENTRY, reason="z",
    )  # fmt: skip


@needs_dev_full
def test_on_a_full_disk_nothing_is_opened_protection_goes_on_and_the_engine_knows(tmp_path: Path) -> None:
    client, engine = Submitted(), Protecting()
    seen: list[Event] = []
    with Journal(tmp_path / "j", {}) as journal, Tape(tmp_path / "tape", {}) as tape:
        trader = Trader(client, engine, journal, tape, [lambda event, _: seen.append(event)])
        trader.incoming(price(1), START)
        assert [type(command).__name__ for command in client.commands] == [
            "PlaceOrder", "PlaceOrder", "CancelOrder", "Reconcile",
        ]  # fmt: skip
        assert trader.journal_lost == ""
        fill_the_disk(journal._fd)
        client.commands.clear()
        trader.incoming(price(2), START)
        trader.incoming(price(3), START)
    kept = [(type(command).__name__, getattr(command, "client_id", "")) for command in client.commands]
    assert kept == [
        ("PlaceOrder", "fs-t-2s"), ("CancelOrder", "fs-t-0"), ("Reconcile", ""),
        ("PlaceOrder", "fs-t-5s"), ("CancelOrder", "fs-t-0"), ("Reconcile", ""),
    ]  # fmt: skip
    assert "No space left on device" in trader.journal_lost
    unsent = [event.client_id for event in engine.told if isinstance(event, RequestOutcome)]
    stops = [event.reason for event in engine.told if isinstance(event, OperatorAsked)]
    assert (unsent, stops) == (["fs-t-2", "fs-t-5"], [trader.journal_lost])
    assert seen == engine.told


def test_what_adds_risk_asks_the_latch_before_it_leaves_and_what_protects_goes(tmp_path: Path) -> None:
    client, engine = Submitted(), Protecting()
    latch: list[str] = []
    with Journal(tmp_path / "j", {}) as journal, Tape(tmp_path / "tape", {}) as tape:
        trader = Trader(client, engine, journal, tape, latched=lambda: latch[0] if latch else None)
        trader.incoming(price(1), START)
        assert len(client.commands) == 4
        latch.append("panic")
        client.commands.clear()
        trader.incoming(price(2), START)
    kept = [(type(command).__name__, getattr(command, "client_id", "")) for command in client.commands]
    assert kept == [("PlaceOrder", "fs-t-2s"), ("CancelOrder", "fs-t-0"), ("Reconcile", "")]
    told = engine.told[-2:]
    assert isinstance(told[0], RequestOutcome)
    assert (told[0].client_id, told[0].verdict) == ("fs-t-2", Verdict.UNSENT)
    assert told[1] == OperatorAsked(OperatorAction.KILL, "panic")
    assert trader.journal_lost == ""


def test_the_latch_is_not_asked_for_what_cannot_add_risk(tmp_path: Path) -> None:
    asked: list[int] = []
    with Journal(tmp_path / "j", {}) as journal, Tape(tmp_path / "tape", {}) as tape:
        trader = Trader(Armory(), Releasing(START), journal, tape, latched=lambda: asked.append(1))
        for number in range(1, 4):
            trader.incoming(price(number), START)
    assert asked == []


@needs_dev_full
def test_a_tape_that_cannot_be_written_ends_is_said_once_and_stops_nothing(tmp_path: Path) -> None:
    client, engine = Submitted(), Protecting()
    with Journal(tmp_path / "j", {}) as journal, Tape(tmp_path / "tape", {}) as tape:
        trader = Trader(client, engine, journal, tape)
        trader.incoming(price(1), START)
        assert tape._file is not None
        fill_the_disk(tape._file.fileno())
        for number in range(2, 5):
            trader.incoming(price(number), START + number * SECOND_US)
        tape.close()
    troubles = [event.detail for event in engine.told if isinstance(event, Trouble)]
    assert len(troubles) == 1
    assert "No space left on device" in troubles[0]
    assert sum(isinstance(command, PlaceOrder) for command in client.commands) == 8


def test_latency_is_measured_for_orders_that_leave_in_the_call_that_decided_them(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", {}) as journal, Tape(tmp_path / "tape", {}) as tape:
        trader = Trader(TinyClient(), TinyEngine(START), journal, tape)
        for number in range(1, 6):
            trader.incoming(price(number), START)
            left = trader.outgoing()
            trader.sent()
        assert [type(item) for item in left] == [HttpRequest]
        assert len(trader.latency) == 1
        for number in range(6, 11):
            trader.incoming(price(number), START)
        trader.incoming(price(11), START)
        trader.outgoing()
        trader.sent()
    assert len(trader.latency) == 1, "the order that was held back is no tick-to-order"


def test_klines_go_to_observers_and_not_into_the_journal(tmp_path: Path) -> None:
    kline = Kline("ETHUSDT", "1m", START, START + 60 * SECOND_US, 1.0, 2.0, 0.5, 1.5, 3.0)

    class Charting(TinyEngine):
        def handle(self, event: Event, now: int) -> Sequence[Output]:
            return [KlineClosed(kline), Note("x", "y", now)]

    seen: list[Sequence[Output]] = []
    with Journal(tmp_path / "j", {}) as journal, Tape(tmp_path / "tape", {}) as tape:
        trader = Trader(TinyClient(), Charting(START), journal, tape, [lambda _, outputs: seen.append(outputs)])
        trader.incoming(price(1), START)
    assert [entry.content for entry in read_journal(tmp_path / "j")] == [Note("x", "y", START)]
    assert seen == [[KlineClosed(kline), Note("x", "y", START)]]


def test_whoever_is_due_is_woken_and_the_next_deadline_is_the_earliest(tmp_path: Path) -> None:
    client, engine = TinyClient(), TinyEngine(START)
    with Journal(tmp_path / "j", {}) as journal, Tape(tmp_path / "tape", {}) as tape:
        trader = Trader(client, engine, journal, tape)
        assert trader.next_deadline() == START + SECOND_US
        trader.due(START)
        assert engine.events == []
        trader.due(START + SECOND_US)
        assert engine.events == [TimePassed(START + SECOND_US)]
        trader.start(START + SECOND_US)
        trader.outgoing()
        trader.incoming(SocketClosed("main-1", "lost"), START + SECOND_US - 1)
        assert trader.next_deadline() == START + 2 * SECOND_US - 1
        trader.due(START + 2 * SECOND_US - 1)
        assert [type(item).__name__ for item in trader.outgoing()] == ["OpenSocket"]


def test_percentiles_are_nearest_ranks_of_the_latest_durations() -> None:
    durations = Durations(kept=100)
    assert durations.percentile_ms(50) is None
    for milliseconds in range(1, 301):
        durations.add(milliseconds * 1_000_000)
    assert len(durations) == 300
    assert durations.percentile_ms(50) == 250.0
    assert durations.percentile_ms(99) == 299.0
    assert durations.percentile_ms(100) == 300.0


def test_an_order_command_is_a_command_that_the_journal_reads_back(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", {}) as journal, Tape(tmp_path / "tape", {}) as tape:
        trader = Trader(TinyClient(), TinyEngine(START), journal, tape)
        for number in range(1, 6):
            trader.incoming(price(number), START)
    contents = [entry.content for entry in read_journal(tmp_path / "j")]
    assert [type(content) for content in contents] == [Note, PlaceOrder]


EXIT = PlaceOrder(
    client_id="fs-t-1", symbol="ETHUSDT", side=Side.SELL, type=OrderType.MARKET, size=Decimal("0.1"), reduce_only=True,
    role=OrderRole.EXIT, reason="target",
)  # fmt: skip


class Releasing(TinyEngine):
    """Arms an exit on the first trade, releases it on the second; says a word on every event."""

    def handle(self, event: Event, now: int) -> Sequence[Output]:
        self.events.append(event)
        word = Note("seen", f"{len(self.events)}", now)
        if len(self.events) == 1:
            return [word, ArmOrder(order=EXIT)]
        return [word, ReleaseOrder(order=EXIT)] if len(self.events) == 2 else [word]


class Armory(TinyClient):
    """Sends what is released."""

    def submit(self, command: Command, now: int) -> None:
        if isinstance(command, ReleaseOrder):
            super().submit(command.order, now)


def test_the_bytes_of_an_armed_order_go_before_its_record_and_its_intent_was_durable_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    with Journal(tmp_path / "j", {}) as journal, Tape(tmp_path / "tape", {}) as tape:
        monkeypatch.setattr(journal, "sync", lambda: synced.append(len(journal)))
        trader = Trader(Armory(), Releasing(START), journal, tape)
        trader.incoming(price(1), START)
        assert synced == [2], "armed means durable"
        trader.incoming(price(2), START)
        assert len(journal) == 2, "nothing was written yet"
        assert [type(item) for item in trader.outgoing()] == [HttpRequest]
        trader.sent()
        assert len(journal) == 4
        assert synced == [2], "the release waits for no disk"
        assert len(trader.latency) == 1
    kinds = [type(entry.content) for entry in read_journal(tmp_path / "j")]
    assert kinds == [Note, ArmOrder, Note, ReleaseOrder]


def test_a_record_that_waits_is_written_before_anything_that_comes_after_it(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", {}) as journal, Tape(tmp_path / "tape", {}) as tape:
        trader = Trader(Armory(), Releasing(START), journal, tape)
        for number in range(1, 4):
            trader.incoming(price(number), START)
        trader.stop(START)
    texts = [entry.content.text for entry in read_journal(tmp_path / "j") if isinstance(entry.content, Note)]
    assert texts == ["1", "2", "3"]
