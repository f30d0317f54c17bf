"""Answers come from the journal alone: looks at a moment, an order's story, a round trip's story, denials by reason."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from flashscalper.model.errors import ConfigError
from flashscalper.model.events import FeeClass, FeesLearned, OrderUpdate
from flashscalper.model.instants import SECOND_US
from flashscalper.model.orders import OrderStatus
from flashscalper.runtime.answers import Answers, find_run, read_answers
from flashscalper.runtime.journal import Entry, Journal
from flashscalper.strategies.base import Judgement
from tests.trading.stage import ETH, START, D, Stage, shown, signal


def traded() -> Stage:
    """One signal denied, one round trip of an entry and its stop, one signal that came too late."""
    stage = Stage()
    stage.tell(FeesLearned(ETH, D("0.00003"), D("0.00045"), FeeClass.PRO))
    stage.told[ETH].next.append(signal(stop=200.0))
    stage.kline()
    _, stop = stage.long()
    stage.told[ETH].next.append(signal())
    stage.kline()
    stage.fill(stop, price=stop.trigger_price)
    stage.tell(OrderUpdate(shown(stop, OrderStatus.CLOSED, stage.now, filled=stop.size)))
    return stage


def entries(stage: Stage) -> Iterator[Entry]:
    return (Entry(at, content) for at, content in stage.journal)


@pytest.fixture(scope="module")
def answers() -> Answers:
    return Answers(entries(traded()))


def test_a_moment_is_answered_with_the_last_look_up_to_it(answers: Answers) -> None:
    first, second = answers.looks[:2]
    assert answers.at(second.judged_at) == (second,)
    assert answers.at(second.judged_at - 1) == (first,)
    with pytest.raises(ConfigError, match=r"^moment: saw"):
        answers.at(first.judged_at - 1)


def test_an_order_is_told_from_decision_to_end(answers: Answers) -> None:
    entry = next(look for look in answers.looks if look.outcome == "entered")
    story = answers.order(entry.client_id)
    assert story.signal == entry
    assert (story.steps[0].after, story.steps[-1].after) == ("sent", "filled")
    assert [fill.reason for fill in story.fills] == ["entry"]
    with pytest.raises(ConfigError, match="an order of this run, fs-"):
        answers.order("fs-nobody-1")


def test_a_round_trip_is_told_with_its_signal_its_orders_and_its_protection(answers: Answers) -> None:
    story = answers.trip(1)
    assert story.trip.exit_reason == "stop"
    assert story.signal is not None
    assert story.signal.outcome == "entered"
    assert [order.order.role for order in story.orders] == ["entry", "stop"]
    assert [change.after for change in story.protection][-1] == "flat"
    assert "protected" in {change.after for change in story.protection}
    for fill in (fill for order in story.orders for fill in order.fills):
        assert answers.trip_of_fill(fill.fill_key) == story
    for wrong in (0, 2):
        with pytest.raises(ConfigError, match="accepted: 1 to 1"):
            answers.trip(wrong)
    with pytest.raises(ConfigError, match="the last ones: fill:"):
        answers.trip_of_fill("fill:nobody")


def test_denials_are_counted_by_the_gate_that_said_no(answers: Answers) -> None:
    found = answers.summary()
    assert found.signals == 3
    assert found.entered == 1
    assert found.round_trips == 1
    assert found.denied == {"stop_price": 1, "market_free": 1}
    market = found.markets[0]
    assert market.nearest_miss is not None
    assert market.nearest_miss.denied_by == "stop_price"


def test_an_empty_journal_has_no_answers_and_says_so() -> None:
    empty = Answers([])
    assert empty.summary().markets == ()
    with pytest.raises(ConfigError, match="nothing: no order was sent"):
        empty.order("fs-1-1")
    with pytest.raises(ConfigError, match="none closed"):
        empty.trip(1)
    with pytest.raises(ConfigError, match="in which a kline was judged"):
        empty.at(START)


def test_a_run_is_found_by_folder_by_id_and_as_the_last_one(tmp_path: Path) -> None:
    for number, name in enumerate(("first", "second")):
        folder = tmp_path / name
        with Journal(folder / "journal.fsj", {"run": name}, durable=False) as journal:
            for at, content in traded().journal:
                journal.append(at, [content])
        os.utime(folder, (number, number))
    assert find_run("first", tmp_path) == find_run(str(tmp_path / "first"), Path("nowhere")) == tmp_path / "first"
    assert find_run("last", tmp_path) == tmp_path / "second"
    metadata, answers = read_answers(find_run("last", tmp_path))
    assert metadata["run"] == "second"
    assert answers.until_at >= START + SECOND_US
    with pytest.raises(ConfigError, match="runs: second, first"):
        find_run("third", tmp_path)
    with pytest.raises(ConfigError, match="none under"):
        find_run("last", tmp_path / "empty")


def test_a_strategy_that_is_warm_and_silent_is_not_said_to_be_warming_up() -> None:
    stage = Stage()
    for reason in ("warming up: EMA of 1m klines", "no condition met", "no condition met"):
        stage.told[ETH].judgement = Judgement(score=0.0, confidence=0.0, reasons=(reason,))
        stage.kline()
    assert Answers(entries(stage)).summary().markets[0].silent == {"no condition met": 2, "warming up": 1}
