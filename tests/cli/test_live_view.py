"""What a person sees of a gate that says no: the live table, the plain lines, `status`."""

from __future__ import annotations

from io import StringIO
from typing import Any

import msgspec
from rich.console import Console

from flashscalper.cli.control import _market_line, _store_line
from flashscalper.cli.live_view import PlainView, ViewFrame, picture
from flashscalper.model.events import FeeClass, FeesLearned
from flashscalper.runtime.latency import Durations
from flashscalper.runtime.status import whole_status
from flashscalper.runtime.store.follower import StoreState
from flashscalper.runtime.tally import Tally
from flashscalper.trading.costs import CostSettings
from flashscalper.trading.status import EngineStatus
from tests.trading.stage import BTC, ETH, SETTINGS, D, Stage, signal

MISSED = "cost needs 12 bps, had 6 bps; Retail would have passed 14 times today"


def seen(times: int = 14) -> EngineStatus:
    """ETH was denied by costs so many times; BTC saw no kline that it could judge."""
    stage = Stage(msgspec.structs.replace(SETTINGS, costs=CostSettings(min_multiple=1.0)), symbols=(BTC, ETH))
    stage.tell(FeesLearned(ETH, D("0.00003"), D("0.00045"), FeeClass.PRO))
    for _ in range(times):
        stage.told[ETH].next.append(signal(expected_move=0.0006))
        stage.price(100.0)
        stage.kline()
    return stage.engine.status()


def frame(status: EngineStatus) -> ViewFrame:
    return ViewFrame(status=status, elapsed_s=70.0, seconds=600.0, tally=Tally(), latency=Durations(), title="a run",
                     label="default profile")  # fmt: skip


def painted(status: EngineStatus, width: int) -> list[str]:
    text = StringIO()
    Console(file=text, width=width).print(picture(frame(status)))
    return text.getvalue().splitlines()


def test_the_table_shows_how_near_each_market_came_whole_in_a_terminal_of_100_columns() -> None:
    lines = painted(seen(), 100)
    after = lines[next(number for number, line in enumerate(lines) if line.startswith("nearest miss")) :]
    assert [" ".join(line.split()) for line in after[1:3]] == [f"{BTC} no whole kline yet", f"{ETH} {MISSED}"]


def test_a_market_in_a_trade_has_missed_none() -> None:
    stage = Stage()
    stage.long()
    assert not [line for line in painted(stage.engine.status(), 100) if line.startswith(f"{ETH}  ")][1:]


def test_a_plain_line_names_the_market_that_came_nearest() -> None:
    text = StringIO()
    PlainView(text).show(frame(seen()))
    assert text.getvalue().splitlines()[1].endswith(f"flat; nearest miss {ETH}: {MISSED}")


def test_every_plain_line_of_a_run_says_what_is_at_stake() -> None:
    text = StringIO()
    PlainView(text, "LIVE MONEY 0x123456").show(frame(seen()))
    assert len(text.getvalue().splitlines()) == 2
    assert all(line.startswith("LIVE MONEY 0x123456 ") for line in text.getvalue().splitlines())


def test_status_says_why_a_market_takes_no_entry_and_not_that_it_has_a_position() -> None:
    market: dict[str, Any] = {
        "position": None, "nearest_miss": None, "other_class": "retail", "other_passes_today": 0, "ages_s": {"quote": 0.4},
        "blocks": ["strategy_stopped: KeyError: 'oops' at on_kline, line 7", "position_open: a position is open"],
    }  # fmt: skip
    assert _market_line(market) == (
        "flat; takes no entry: strategy_stopped: KeyError: 'oops' at on_kline, line 7; quote 0.4 s old"
    )


def test_status_says_it_as_a_sentence_and_as_numbers() -> None:
    store = StoreState(where="", state="current", detail="", behind_bytes=0)
    document: dict[str, Any] = whole_status(
        seen(), run="r", mode="paper", place="paper", account="0x1", folder="runs/r", degraded=False, stopping="",
        killed=None, latency=Durations(), store=store,
    )  # fmt: skip
    market = document["markets"][ETH]
    assert (market["other_class"], market["other_passes_today"]) == ("retail", 14)
    assert market["nearest_miss"]["denied_by"] == "cost"
    assert market["nearest_miss"]["seen"] == "6 bps"
    line = _market_line(market)
    assert "nearest miss cost needs 12 bps (1 x 12 bps = fees 9 + " in line
    assert ", had 6 bps; Retail would have passed 14 times today; quote " in line


def test_status_speaks_of_the_store_only_when_something_is_wrong_with_it() -> None:
    store = {"where": "runs/store.sqlite3", "state": "current", "detail": "", "behind_bytes": 40, "behind_s": 0.2}
    assert not _store_line(store)
    lost = {**store, "state": "lost", "detail": "disk I/O error", "behind_bytes": 4_096, "behind_s": 12.4}
    assert _store_line(lost) == (
        "store runs/store.sqlite3 lost: disk I/O error; 4096 bytes of the journal and 12 s behind, trading goes on"
    )
