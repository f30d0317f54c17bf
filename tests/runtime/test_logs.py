from __future__ import annotations

import io
import json
import logging
from decimal import Decimal
from pathlib import Path

import pytest

from flashscalper.model.events import StreamChanged, Trouble
from flashscalper.model.klines import Trade
from flashscalper.model.orders import Side
from flashscalper.model.positions import PositionSide
from flashscalper.model.records import Note, RoundTripClosed, TradingStateChanged
from flashscalper.model.secrets import Secret
from flashscalper.runtime import logs
from flashscalper.runtime.logs import RunLog, banner_of

CANARY = "0xc0ffee5ec2e7"


def opened(tmp_path: Path, people: io.StringIO | None = None, place: str = "prod") -> RunLog:
    return RunLog(tmp_path / "log.jsonl", banner_of(place, "0x1234567890", "run-1"), people=people, secrets=[CANARY])


def lines(tmp_path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]


def test_every_line_says_what_is_at_stake(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.info("one")
    log(Trouble("socket", "gone"), [Note(code="x", text="y", at=1)])
    log.close()
    found = lines(tmp_path)
    assert [line["event"] for line in found] == ["one", "Trouble", "Note"]
    assert {(line["banner"], line["run"]) for line in found} == {("LIVE MONEY 0x123456", "run-1")}
    assert [line["level"] for line in found] == ["info", "warning", "info"]


def test_no_secret_stands_in_any_line(tmp_path: Path) -> None:
    people = io.StringIO()
    log = opened(tmp_path, people)
    log.info("made", key=Secret(CANARY), bearer_token="abc", nested={"secret_key": "abc"})
    log(Trouble("rest", f"body: {CANARY}"), [])
    log.tell(f"key {CANARY}")
    log.blot("later-token")
    log.tell("later-token")
    log.close()
    text = (tmp_path / "log.jsonl").read_text() + people.getvalue()
    assert CANARY not in text
    assert "abc" not in text
    assert "later-token" not in text


def test_people_hear_what_they_would_want_to_know_at_once(tmp_path: Path) -> None:
    people = io.StringIO()
    log = opened(tmp_path, people, place="testnet")
    trip = RoundTripClosed(
        symbol="ETHUSDT", direction=PositionSide.LONG, size=Decimal(1), entry_price=Decimal(1), exit_price=Decimal(2),
        opened_at=0, closed_at=1, pnl=Decimal("0.5"), fees=Decimal(0), funding=Decimal(0), exit_reason="target",
    )  # fmt: skip
    log(StreamChanged("market", ready=False, reason="refused"), [trip])
    log(
        Trade("ETHUSDT", 1, Side.BUY, 1.0, 1.0, 1),
        [TradingStateChanged(before="active", after="halted", reasons=("killed: me",), changed_at=1)],
    )
    log(Trouble("x", "y"), [Note(code="exit_plan", text="{}", at=1)])
    log.close()
    said = [line.split(" ", 3)[3] for line in people.getvalue().splitlines()]
    assert said == [
        "stream market lost: refused",
        "ETHUSDT long closed by target: 0.5 USDC after fees",
        "active -> halted: killed: me",
    ]
    assert [line["event"] for line in lines(tmp_path)] == [
        "StreamChanged",
        "RoundTripClosed",
        "TradingStateChanged",
        "Trouble",
    ]


def test_a_log_that_has_grown_too_long_is_moved_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MOST_BYTES", 500)
    log = opened(tmp_path)
    for number in range(20):
        log.info("line", number=number)
    log.close()
    assert (tmp_path / "log.1.jsonl").stat().st_size < 1_000
    assert (tmp_path / "log.jsonl").stat().st_size < 1_000


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log._file._file.close()
    log.info("into the void")
    assert log._file.lost == 1
    log.close()


def test_what_libraries_warn_of_is_a_line_like_any_other_and_shows_no_secret(tmp_path: Path) -> None:
    people = io.StringIO()
    log = opened(tmp_path, people)
    with log.overhearing():
        try:
            int(f"token {CANARY}")
        except ValueError:
            logging.getLogger("some.library").exception("a task failed")
        logging.getLogger("some.library").info("chatter")
    logging.getLogger("some.library").addHandler(logging.NullHandler())
    logging.getLogger("some.library").warning("the log is no longer told")
    log.close()
    (line,) = lines(tmp_path)
    assert (line["banner"], line["level"], line["logger"]) == ("LIVE MONEY 0x123456", "warning", "some.library")
    assert "a task failed" in str(line["event"])
    assert "Traceback" in str(line["event"])
    assert CANARY not in str(line) + people.getvalue()
    assert people.getvalue().endswith("LIVE MONEY 0x123456 some.library: a task failed\n")


def test_no_sign_that_a_terminal_would_obey_reaches_a_person(tmp_path: Path) -> None:
    people = io.StringIO()
    log = opened(tmp_path, people)
    log(StreamChanged("market", ready=False, reason="gone\x1b[2Jaway\r\nLIVE"), [])
    log.close()
    assert people.getvalue().endswith("stream market lost: gone [2Jaway  LIVE\n")
