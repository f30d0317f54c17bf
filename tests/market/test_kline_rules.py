"""The builder's rules one by one: closing, silence, gaps, history, reading."""

from __future__ import annotations

import gc
import tracemalloc

import pytest
from msgspec.structs import replace

from flashscalper.market.binance_rows import to_binance
from flashscalper.market.klines import KlineBuilder, KlineClosed, KlineEvent
from flashscalper.model.errors import ConfigError
from flashscalper.model.instants import MINUTE_US, SECOND_US
from flashscalper.model.klines import Kline, Trade
from flashscalper.model.orders import Side

NOON = 1_700_049_600_000_000
DELAY = 250_000


def trade(number: int, second: float, price: float = 100.0, size: float = 1.0, side: Side = Side.BUY) -> Trade:
    return Trade("ETHUSDT", number, side, price, size, NOON + round(second * SECOND_US))


def timed(*intervals: str, **options: int) -> KlineBuilder:
    return KlineBuilder("ETHUSDT", intervals, timer_only=True, **options)


def closed(events: list[KlineEvent]) -> list[tuple[str, int]]:
    return [(e.kline.interval, (e.kline.open_at - NOON) // SECOND_US) for e in events if isinstance(e, KlineClosed)]


def history(interval: str, length: int, opens: list[int], price: float = 50.0) -> list[Kline]:
    return [
        Kline("ETHUSDT", interval, NOON + at * SECOND_US, NOON + at * SECOND_US + length, price, price, price, price, 7.0)
        for at in opens
    ]


# -- closing -----------------------------------------------------------------------------------------------------------


def test_a_kline_closes_a_quarter_second_after_its_end_and_not_before() -> None:
    builder = timed("1m")
    builder.process_trade(trade(1, 5))
    assert builder.next_close_at() == NOON + MINUTE_US + DELAY
    assert builder.advance(NOON + MINUTE_US + DELAY - 1) == []
    assert closed(builder.advance(NOON + MINUTE_US + DELAY)) == [("1m", 0)]
    assert builder.advance(NOON + MINUTE_US + DELAY) == []
    assert builder.next_close_at() == NOON + 2 * MINUTE_US + DELAY


def test_a_trade_of_the_next_interval_does_not_close_the_last_one_before_the_timer() -> None:
    builder = timed("1m")
    builder.process_trade(trade(1, 5, 100.0))
    builder.process_trade(trade(2, 60.1, 105.0))
    builder.process_trade(trade(3, 59.9, 99.0))  # late by the clock, but the kline is still open
    assert builder.get_klines("1m") == []
    (event,) = builder.advance(NOON + MINUTE_US + DELAY)
    assert isinstance(event, KlineClosed)
    assert (event.kline.close, event.kline.low, event.kline.trade_count) == (99.0, 99.0, 2)


def test_without_a_timer_a_trade_past_the_end_and_delay_closes() -> None:
    builder = KlineBuilder("ETHUSDT", ["1m"])
    builder.process_trade(trade(1, 5))
    builder.process_trade(trade(2, 60.2))
    assert builder.get_kline_count("1m") == 0
    builder.process_trade(trade(3, 60.25))
    assert builder.get_kline_count("1m") == 1
    assert closed(builder.advance(NOON + 61 * SECOND_US)) == [("1m", 0)]


def test_klines_that_end_together_are_told_oldest_first_and_short_before_long() -> None:
    builder = timed("5m", "15s", "1m")
    assert builder.intervals == ("15s", "1m", "5m")
    builder.process_trade(trade(1, 0))
    builder.process_trade(trade(2, 299))
    events = closed(builder.advance(NOON + 5 * MINUTE_US + DELAY))
    assert events[:5] == [("15s", 0), ("15s", 15), ("15s", 30), ("15s", 45), ("1m", 0)]
    assert events[-3:] == [("15s", 285), ("1m", 240), ("5m", 0)]


def test_quiet_intervals_are_flat_at_the_last_close() -> None:
    builder = timed("1s")
    builder.process_trade(trade(1, 0.5, 100.0))
    builder.process_trade(trade(2, 0.6, 101.0))
    events = builder.advance(NOON + 3 * SECOND_US + DELAY)
    assert closed(events) == [("1s", 0), ("1s", 1), ("1s", 2)]
    flat = builder.get_klines("1s")[-1]
    assert (flat.open, flat.high, flat.low, flat.close) == (101.0, 101.0, 101.0, 101.0)
    assert (flat.volume, flat.trade_count, flat.complete, flat.closed) == (0.0, 0, True, True)


def test_before_the_first_price_there_are_no_klines() -> None:
    builder = timed("1s", started_at=NOON)
    assert builder.advance(NOON + 10 * SECOND_US) == []
    assert builder.get_current_kline("1s") is None
    builder.process_trade(trade(1, 10.5))
    assert closed(builder.advance(NOON + 11 * SECOND_US + DELAY)) == [("1s", 10)]
    assert builder.get_klines("1s")[0].complete


def test_of_a_long_silence_only_as_many_flat_klines_are_made_as_are_kept() -> None:
    builder = timed("1s", history=10)
    builder.process_trade(trade(1, 0))
    events = builder.advance(NOON + 1_000_000 * SECOND_US + DELAY)
    assert len(events) == 11  # the one that had a trade, and ten flat ones
    assert builder.has_enough_data("1s", 10)
    assert builder.get_klines("1s")[-1].close_at == NOON + 1_000_000 * SECOND_US


def test_a_stamp_far_in_the_future_does_no_harm_to_the_present() -> None:
    builder = timed("1m")
    builder.process_trade(trade(1, 5, 100.0))
    builder.process_trade(trade(2, 10_000_000, 999.0))
    builder.process_trade(trade(3, 20, 102.0))
    (event,) = builder.advance(NOON + MINUTE_US + DELAY)
    assert isinstance(event, KlineClosed)
    assert (event.kline.close, event.kline.high, event.kline.trade_count) == (102.0, 102.0, 2)


# -- whole or not ------------------------------------------------------------------------------------------------------


def test_the_first_kline_begun_midway_is_not_complete() -> None:
    builder = timed("1s", "5s")
    builder.process_trade(trade(1, 0.5))
    builder.advance(NOON + 10 * SECOND_US + DELAY)
    assert [kline.complete for kline in builder.get_klines("1s")[:3]] == [False, True, True]
    assert [kline.complete for kline in builder.get_klines("5s")] == [False, True]


def test_a_stream_known_to_be_whole_since_before_gives_a_complete_first_kline() -> None:
    builder = timed("5s", started_at=NOON)
    builder.process_trade(trade(1, 3))
    builder.advance(NOON + 5 * SECOND_US + DELAY)
    assert builder.get_klines("5s")[0].complete


def test_klines_touched_by_a_gap_are_not_complete() -> None:
    builder = timed("1s", started_at=NOON)
    builder.process_trade(trade(1, 0.5))
    builder.process_trade(trade(2, 1.0))
    builder.advance(NOON + SECOND_US + DELAY)
    builder.stream_lost()
    builder.advance(NOON + 3 * SECOND_US + DELAY)
    builder.stream_ready(NOON + 3 * SECOND_US + 500_000)
    builder.advance(NOON + 5 * SECOND_US + DELAY)
    assert [kline.complete for kline in builder.get_klines("1s")] == [True, False, False, False, True]


def test_klines_closed_in_a_silence_that_turns_out_to_be_a_dead_stream_are_doubted_until_the_gap_is_filled() -> None:
    builder = timed("1s", started_at=NOON)
    builder.process_trade(trade(1, 0.5))
    builder.process_trade(trade(2, 1.5))
    builder.advance(NOON + 4 * SECOND_US + DELAY)
    assert [kline.complete for kline in builder.get_klines("1s")] == [True] * 4
    builder.stream_lost()
    assert [kline.complete for kline in builder.get_klines("1s")] == [True, False, False, False]
    told = builder.advance(NOON + 4 * SECOND_US + DELAY)
    assert [type(event).__name__ for event in told] == ["KlineRevised"] * 3
    builder.process_trade(trade(3, 2.5, 104.0))
    builder.stream_ready(NOON + 4 * SECOND_US + DELAY, gapless=True)
    klines = builder.get_klines("1s")
    assert [kline.complete for kline in klines] == [True] * 4


def test_a_gap_that_was_filled_in_makes_its_klines_complete_after_all() -> None:
    builder = timed("1s", started_at=NOON)
    builder.process_trade(trade(1, 0.5))
    builder.stream_lost()
    builder.advance(NOON + 3 * SECOND_US + DELAY)
    builder.process_trade(trade(2, 1.5, 104.0))
    builder.stream_ready(NOON + 3 * SECOND_US + DELAY, gapless=True)
    events = builder.advance(NOON + 3 * SECOND_US + DELAY)
    assert len(events) == 3
    klines = builder.get_klines("1s")
    assert [kline.complete for kline in klines] == [True, True, True]
    assert [kline.close for kline in klines] == [100.0, 104.0, 104.0]


# -- history -----------------------------------------------------------------------------------------------------------


def test_history_makes_the_builder_ready_at_once() -> None:
    builder = timed("1m")
    taken = builder.seed("1m", history("1m", MINUTE_US, [60 * minute for minute in range(-50, 0)]))
    assert len(taken) == 50
    assert builder.has_enough_data("1m", 50)
    assert not builder.has_enough_data("1m", 51)
    builder.process_trade(trade(1, 1))
    builder.advance(NOON + MINUTE_US + DELAY)
    assert builder.has_enough_data("1m", 51)


def test_history_takes_the_place_of_the_kline_that_the_stream_began_midway() -> None:
    builder = timed("1m")
    builder.process_trade(trade(1, 30, 100.0))
    builder.advance(NOON + 2 * MINUTE_US + DELAY)
    taken = builder.seed("1m", history("1m", MINUTE_US, [-60, 0, 60]))
    assert [kline.open_at for kline in taken] == [NOON - MINUTE_US, NOON]  # the third is ours, complete
    assert [kline.close for kline in builder.get_klines("1m")] == [50.0, 50.0, 100.0]
    builder.process_trade(trade(2, 59, 77.0))  # history has it already
    builder.advance(NOON + 3 * MINUTE_US + DELAY)
    assert builder.get_klines("1m")[1].close == 50.0


def test_history_of_the_kline_still_open_here_is_what_it_closes_with() -> None:
    builder = timed("1m")
    builder.process_trade(trade(1, 30, 100.0))
    assert builder.seed("1m", history("1m", MINUTE_US, [0])) == []
    (event,) = builder.advance(NOON + MINUTE_US + DELAY)
    assert isinstance(event, KlineClosed)
    assert (event.kline.close, event.kline.complete) == (50.0, True)


def test_a_forming_kline_of_history_is_not_taken() -> None:
    builder = timed("1m")
    (forming,) = history("1m", MINUTE_US, [0])
    assert builder.seed("1m", [replace(forming, closed=False)]) == []
    assert builder.get_kline_count("1m") == 0


@pytest.mark.parametrize(
    ("kline", "named"),
    [
        (Kline("BTCUSDT", "1m", NOON, NOON + MINUTE_US, 1.0, 1.0, 1.0, 1.0, 1.0), "kline.symbol"),
        (Kline("ETHUSDT", "5m", NOON, NOON + MINUTE_US, 1.0, 1.0, 1.0, 1.0, 1.0), "kline.interval"),
        (Kline("ETHUSDT", "1m", NOON + 1, NOON + 1 + MINUTE_US, 1.0, 1.0, 1.0, 1.0, 1.0), "kline.open_at"),
        (Kline("ETHUSDT", "1m", NOON, NOON + SECOND_US, 1.0, 1.0, 1.0, 1.0, 1.0), "kline.open_at"),
    ],
)
def test_history_that_is_not_of_this_builder_is_refused_by_field(kline: Kline, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        timed("1m").seed("1m", [kline])


# -- late and repeated -------------------------------------------------------------------------------------------------


def test_a_late_trade_also_moves_the_flat_klines_that_follow() -> None:
    builder = timed("1s", started_at=NOON)
    builder.process_trade(trade(1, 0.1, 100.0))
    builder.process_trade(trade(3, 3.1, 110.0))
    builder.advance(NOON + 4 * SECOND_US + DELAY)
    builder.process_trade(trade(2, 1.5, 105.0))
    events = builder.advance(NOON + 5 * SECOND_US + DELAY)
    assert [kline.close for kline in builder.get_klines("1s")] == [100.0, 105.0, 105.0, 110.0, 110.0]
    assert len(events) == 3  # two revised, one closed
    assert builder.late_count == 1


def test_a_late_trade_corrects_every_interval_that_has_closed_and_only_counts_once_in_the_others() -> None:
    builder = timed("1s", "1m", "3m", "5m", started_at=NOON, reorder=0)
    builder.process_trade(trade(1, 0.1, 100.0))
    builder.process_trade(trade(3, 179.0, 110.0))
    builder.advance(NOON + 3 * MINUTE_US + DELAY)
    builder.process_trade(trade(2, 90.0, 120.0, 5.0))
    builder.advance(NOON + 5 * MINUTE_US + DELAY)
    for interval in ("1m", "3m", "5m"):
        klines = builder.get_klines(interval)
        assert sum(kline.volume for kline in klines) == 7.0, interval
        assert max(kline.high for kline in klines) == 120.0
        assert klines[-1].close == 110.0


def test_a_late_trade_older_than_all_kept_klines_is_counted_as_ignored() -> None:
    builder = timed("1s", history=2, started_at=NOON)
    builder.process_trade(trade(2, 0.5))
    builder.advance(NOON + 10 * SECOND_US + DELAY)
    builder.process_trade(trade(1, 0.4))
    builder.advance(NOON + 11 * SECOND_US + DELAY)
    assert builder.ignored_count == 1


def test_an_id_older_than_all_that_are_remembered_counts_as_repeated() -> None:
    builder = timed("1s", started_at=NOON, remembered_ids=10, reorder=0)
    for number in range(100, 200):
        builder.process_trade(trade(number, number / 100))
    builder.process_trade(trade(50, 0.5))
    builder.process_trade(trade(199, 1.99))
    builder.advance(NOON + 3 * SECOND_US + DELAY)
    assert builder.repeated_count == 2
    assert sum(kline.trade_count for kline in builder.get_klines("1s")) == 100


# -- reading -----------------------------------------------------------------------------------------------------------


def test_the_current_kline_is_a_copy_marked_open() -> None:
    builder = timed("1m", "5m")
    builder.process_trade(trade(1, 1, 100.0))
    before = builder.get_current_kline("5m")
    builder.process_trade(trade(2, 61, 104.0, 2.0, Side.SELL))
    after = builder.get_current_kline("5m")
    assert before is not None
    assert after is not None
    assert (before.close, before.closed, before.volume) == (100.0, False, 1.0)
    assert (after.open, after.close, after.volume, after.taker_buy_volume) == (100.0, 104.0, 3.0, 1.0)
    assert [kline.close for kline in builder.get_klines("1m", include_current=True)] == [100.0, 104.0]
    assert builder.get_klines("1m") == []


def test_counts_are_of_closed_klines_only() -> None:
    builder = timed("1s")
    builder.process_trade(trade(1, 0.5))
    assert builder.get_kline_count("1s") == 0
    assert not builder.has_enough_data("1s", 1)
    builder.advance(NOON + SECOND_US + DELAY)
    assert builder.get_kline_count("1s") == 1
    assert builder.has_enough_data("1s", 1)


def test_a_hole_in_history_is_not_enough_data() -> None:
    builder = timed("1m")
    builder.seed("1m", history("1m", MINUTE_US, [-300, -240, -60]))
    assert builder.get_kline_count("1m") == 3
    assert builder.has_enough_data("1m", 1)
    assert not builder.has_enough_data("1m", 2)


def test_looking_changes_nothing() -> None:
    quiet, watched = timed("1s", "1m"), timed("1s", "1m")
    for number in range(500):
        one = trade(number if number % 7 else number - 3, number / 20, 100.0 + number % 13, 0.1)
        quiet.process_trade(one)
        watched.process_trade(one)
        watched.get_klines("1s", include_current=True)
        watched.get_current_kline("1m")
    until = NOON + 100 * SECOND_US
    assert quiet.advance(until) == watched.advance(until)


def test_a_binance_row_has_all_twelve_fields() -> None:
    kline = Kline("ETHUSDT", "1m", NOON, NOON + MINUTE_US, 1e-07, 2.5, 1e-07, 2.0, 3.0, 6.5, 4, 1.0, 2.25)
    assert to_binance(kline) == [
        1_700_049_600_000, "0.0000001", "2.5", "0.0000001", "2", "3", 1_700_049_659_999, "6.5", 4, "1", "2.25", "0",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("intervals", "options", "named"),
    [
        (["7m"], {}, "interval: saw '7m'; accepted: 1s, 5s"),
        ([], {}, "intervals"),
        ("1m", {}, "intervals"),
        (["1m"], {"history": 0}, "history: saw 0"),
        (["1m"], {"close_delay_us": -1}, "close_delay_us"),
        (["1m"], {"reorder": -1}, "reorder"),
        (["1m"], {"remembered_ids": 0}, "remembered_ids"),
    ],
)
def test_bad_settings_are_refused_by_field(intervals: list[str], options: dict[str, int], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        KlineBuilder("ETHUSDT", intervals, **options)  # type: ignore[arg-type]


def test_an_interval_that_is_not_built_is_refused_when_read() -> None:
    with pytest.raises(ConfigError, match="interval: saw '5m'; accepted: 1m"):
        timed("1m").get_klines("5m")


def test_memory_stays_bounded_whatever_comes() -> None:
    def run(count: int) -> int:
        builder = timed("1m", "1h", started_at=NOON)
        for number in range(count):
            builder.process_trade(trade(10**27 + number, number / 10))
            builder.advance(NOON + number * 100_000)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        small = run(4_000)
        large = run(12_000)
    finally:
        tracemalloc.stop()
    assert large < small + 50_000
