from __future__ import annotations

from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from flashscalper.model.amounts import ZERO
from flashscalper.model.commands import PlaceOrder
from flashscalper.model.events import ClockMeasured, ExchangeStatus, ExchangeStatusChanged, OperatorAction, Verdict
from flashscalper.model.instants import DAY_US, SECOND_US
from flashscalper.model.orders import OrderRole, OrderStatus, Side
from flashscalper.model.records import OrderDenied, SignalJudged, TradingStateChanged
from flashscalper.trading.exposure import SymbolExposure
from flashscalper.trading.limits import Proposal, Surroundings, limit_gates
from flashscalper.trading.risk import CLEAR_KILL, Halt, Risk, RiskCounters
from flashscalper.trading.settings import CorrelatedGroup, RiskLimits
from tests.trading.stage import BTC, ETH, MARKET, SETTINGS, START, D, Stage, every, none, one, signal

LIMITS = RiskLimits()


def risk(limits: RiskLimits = LIMITS, counters: RiskCounters | None = None) -> tuple[Risk, list[TradingStateChanged]]:
    told: list[TradingStateChanged] = []
    return Risk(limits, told.append, counters), told


def gates(proposal: Proposal, limits: RiskLimits = LIMITS, **around: object) -> dict[str, bool]:
    exposure = SymbolExposure(symbol=ETH, price=D(100), margin_rate=D("0.02"))
    fields: dict[str, object] = {
        "exposures": {ETH: exposure}, "equity": D(10_000), "mark": D(100), "mid": D(100), "open_orders": 0, **around,
    }  # fmt: skip
    found = limit_gates(limits, MARKET, proposal, Surroundings(**fields))  # type: ignore[arg-type]
    return {gate.code: gate.passed for gate in found}


def buy(size: str, price: str = "100") -> Proposal:
    return Proposal(symbol=ETH, side=Side.BUY, size=D(size), price=D(price))


def failed(found: dict[str, bool]) -> set[str]:
    return {code for code, passed in found.items() if not passed}


def test_an_order_within_every_limit_passes() -> None:
    assert failed(gates(buy("10"))) == set()


def test_each_cap_denies_alone() -> None:
    limits = msgspec.structs.replace
    assert failed(gates(buy("11"), limits(LIMITS, max_order_notional=D(1_000)))) == {"order_notional"}
    assert failed(gates(buy("11"), limits(LIMITS, max_position_notional=D(1_000)))) == {"position_notional"}
    assert failed(gates(buy("11"), limits(LIMITS, max_account_notional=D(1_000)))) == {"account_notional"}
    assert failed(gates(buy("11"), limits(LIMITS, max_leverage=0.1))) == {"leverage"}
    assert failed(gates(buy("11"), limits(LIMITS, max_margin_share=0.002))) == {"margin"}
    assert failed(gates(buy("11"), open_orders=20)) == {"open_orders"}
    assert failed(gates(buy("11", "100.6"))) == {"collar_mark", "collar_mid"}
    assert failed(gates(buy("11"), mark=D("99.4"))) == {"collar_mark"}
    group = CorrelatedGroup(name="majors", symbols=(ETH, BTC), max_notional=D(1_000))
    assert failed(gates(buy("11"), limits(LIMITS, groups=(group,)))) == {"group_majors"}


def test_a_cap_is_reached_exactly_but_not_passed() -> None:
    limits = msgspec.structs.replace(LIMITS, max_order_notional=D(1_000))
    assert failed(gates(buy("10"), limits)) == set()
    assert failed(gates(buy("10.001"), limits)) == {"order_notional"}


def test_without_a_price_to_compare_with_nothing_is_sent() -> None:
    assert failed(gates(buy("1"), mark=None)) == {"collar_mark"}
    assert failed(gates(buy("1"), mid=None)) == {"collar_mid"}


def test_what_is_not_on_the_grid_is_never_sent() -> None:
    assert "grid" in failed(gates(buy("1.0005")))
    assert "grid" in failed(gates(buy("1", "100.001")))
    assert "grid" in failed(gates(buy("0")))
    assert "grid" in failed(gates(buy("-1")))


def test_other_markets_unknown_orders_and_both_directions_count() -> None:
    other = SymbolExposure(symbol=BTC, position=D(-3), sells=D(1), price=D(10_000), margin_rate=D("0.02"))
    own = SymbolExposure(symbol=ETH, position=D(20), buys=D(5), price=D(100), margin_rate=D("0.02"))
    assert other.worst_size == D(4)
    assert own.worst_size == D(25)
    found = gates(buy("100"), exposures={ETH: own, BTC: other})
    assert {"account_notional"} <= failed(found)


@given(
    position=st.decimals(-50, 50, places=3), buys=st.decimals(0, 50, places=3), sells=st.decimals(0, 50, places=3),
    size=st.decimals("0.001", 50, places=3), side=st.sampled_from(Side),
)  # fmt: skip
def test_whatever_fills_of_what_was_let_through_stays_within_the_position_limit(
    position: Decimal, buys: Decimal, sells: Decimal, size: Decimal, side: Side
) -> None:
    limits = msgspec.structs.replace(LIMITS, max_position_notional=D(4_000), max_order_notional=D(100_000))
    before = SymbolExposure(symbol=ETH, position=position, buys=buys, sells=sells, price=D(100), margin_rate=D("0.02"))
    proposal = Proposal(symbol=ETH, side=side, size=size, price=D(100))
    if gates(proposal, limits, exposures={ETH: before})["position_notional"]:
        more_buys, more_sells = (buys + size, sells) if side is Side.BUY else (buys, sells + size)
        for end in (position + more_buys, position - more_sells, position):
            assert abs(end) * 100 <= 4_000


def test_orders_that_reduce_have_a_lane_of_their_own() -> None:
    gate, _ = risk(msgspec.structs.replace(LIMITS, max_orders_per_second=10, reserve_share=0.3))
    for _ in range(7):
        gate.on_sent(START)
    assert not gate.rate_gate(START, reduces=False).passed
    assert gate.rate_gate(START, reduces=True).passed
    for _ in range(3):
        gate.on_sent(START)
    assert not gate.rate_gate(START, reduces=True).passed
    assert gate.rate_gate(START + SECOND_US, reduces=False).passed


def test_the_minute_limit_holds_when_the_second_does() -> None:
    gate, _ = risk(msgspec.structs.replace(LIMITS, max_orders_per_minute=10, reserve_share=0.0))
    for number in range(10):
        gate.on_sent(START + number * 2 * SECOND_US)
    assert not gate.rate_gate(START + 30 * SECOND_US, reduces=False).passed
    assert gate.rate_gate(START + 61 * SECOND_US, reduces=False).passed


def test_the_same_entry_twice_in_a_moment_is_a_defect() -> None:
    gate, _ = risk()
    gate.on_sent(START, buy("1"))
    assert not gate.duplicate_gate(buy("1"), START + 900_000).passed
    assert gate.duplicate_gate(buy("1.001"), START + 900_000).passed
    assert gate.duplicate_gate(buy("1"), START + 1_000_000).passed


def test_refusals_in_a_row_halt_until_a_person_resumes() -> None:
    gate, told = risk(msgspec.structs.replace(LIMITS, max_consecutive_rejects=3))
    for number in range(2):
        gate.on_answer(rejected=True, now=START + number, detail="NOT_ENOUGH_MARGIN")
    gate.on_answer(rejected=False, now=START)
    for number in range(3):
        assert gate.state == "active"
        gate.on_answer(rejected=True, now=START + number, detail="NOT_ENOUGH_MARGIN")
    assert gate.state == "halted"
    assert told[-1].after == "halted"
    gate.resume(START, "looked at it")
    assert gate.state == "active"


def test_refusals_far_apart_are_no_series() -> None:
    gate, _ = risk(msgspec.structs.replace(LIMITS, max_consecutive_rejects=3, reject_window_s=60))
    for number in range(6):
        gate.on_answer(rejected=True, now=START + number * 31 * SECOND_US)
    assert gate.state == "active"


def test_the_daily_loss_ends_with_the_day_in_utc() -> None:
    gate, _ = risk(msgspec.structs.replace(LIMITS, max_daily_loss=D(100), max_drawdown_share=None))
    gate.on_equity(D(10_000), START)
    gate.on_equity(D("9900.01"), START + 1)
    assert gate.state == "active"
    gate.on_equity(D(9_900), START + 2)
    assert gate.state == "reducing"
    midnight = (START // DAY_US + 1) * DAY_US
    assert gate.wake_at() == midnight
    gate.expire(midnight)
    assert gate.state == "active"
    gate.on_equity(D(9_850), midnight)
    assert gate.state == "active"


def test_a_drawdown_from_the_highest_equity_needs_a_person() -> None:
    gate, _ = risk(msgspec.structs.replace(LIMITS, max_daily_loss_share=None, max_drawdown_share=0.1))
    for equity in (10_000, 12_000, 10_801):
        gate.on_equity(D(equity), START)
    assert gate.state == "active"
    gate.on_equity(D(10_800), START)
    assert gate.state == "halted"
    gate.resume(START, "seen")
    gate.on_equity(D(10_800), START)
    assert gate.state == "active"


def test_a_losing_streak_and_a_losing_market_rest_for_a_while() -> None:
    limits = msgspec.structs.replace(LIMITS, max_consecutive_losses=2, loss_cooldown_s=10, symbol_loss_cooldown_s=5)
    gate, _ = risk(limits)
    gate.on_trip(ETH, D(-1), START)
    assert gate.cooling(ETH) == START + 5 * SECOND_US
    assert gate.cooling(BTC) is None
    gate.on_trip(ETH, D(-1), START)
    assert gate.state == "reducing"
    gate.expire(START + 5 * SECOND_US)
    assert gate.cooling(ETH) is None
    gate.expire(START + 10 * SECOND_US)
    assert gate.state == "active"
    gate.on_trip(ETH, D(1), START)
    assert gate.cooling(ETH) is None


def test_a_fee_that_differs_halts_entries_within_a_tolerance() -> None:
    gate, _ = risk(msgspec.structs.replace(LIMITS, fee_tolerance=0.01))
    gate.on_fee(paid=D("1.009"), expected=D(1), now=START, detail="fill")
    assert gate.state == "active"
    gate.on_fee(paid=D("1.02"), expected=D(1), now=START, detail="fill")
    assert gate.state == "halted"


def test_the_kill_latch_gives_way_only_to_its_own_word() -> None:
    gate, _ = risk()
    gate.hold(Halt.KILLED, "test", START)
    gate.hold("paused", "", START)
    gate.resume(START, "please")
    assert gate.reasons == ("killed: test",)
    gate.resume(START, CLEAR_KILL)
    assert gate.state == "active"


def test_counters_and_latches_survive_a_restart() -> None:
    gate, _ = risk(msgspec.structs.replace(LIMITS, max_consecutive_losses=3))
    gate.on_equity(D(10_000), START)
    gate.on_trip(ETH, D(-1), START)
    gate.on_sent(START)
    gate.hold(Halt.KILLED, "test", START)
    gate.hold("stream_market", "lost", START)
    again, _ = risk(msgspec.structs.replace(LIMITS, max_consecutive_losses=3), gate.counters())
    assert again.state == "halted"
    assert again.reasons == ("killed: test",), "what is found out anew is not carried over"
    assert again.counters() == gate.counters()
    again.on_trip(ETH, D(-1), START)
    again.on_trip(ETH, D(-1), START)
    assert again.holds("losing_streak")


def test_no_entry_leaves_while_reducing_or_halted_and_the_reason_is_written_down() -> None:
    stage = Stage()
    for action in (OperatorAction.PAUSE, OperatorAction.KILL):
        stage.operator(action)
        stage.told[ETH].next.append(signal())
        outputs = stage.kline()
        none(PlaceOrder, outputs)
        judged = one(SignalJudged, outputs)
        assert (judged.outcome, judged.denied_by) == ("denied", "trading_state")


def test_a_clock_that_is_off_opens_nothing() -> None:
    stage = Stage()
    stage.tell(ClockMeasured(offset_us=-300_000, uncertainty_us=1_000))
    assert stage.engine.status().state == "reducing"
    stage.tell(ClockMeasured(offset_us=-3_000, uncertainty_us=1_000))
    assert stage.engine.status().state == "active"


def test_an_exchange_that_is_not_open_opens_nothing() -> None:
    stage = Stage()
    for status in (ExchangeStatus.CANCEL_ONLY, ExchangeStatus.POST_ONLY, ExchangeStatus.MAINTENANCE):
        stage.tell(ExchangeStatusChanged(status))
        assert stage.engine.status().reasons == (f"exchange_status: {status}",)
    stage.tell(ExchangeStatusChanged(ExchangeStatus.OK))
    assert stage.engine.status().state == "active"


def test_a_limit_makes_an_entry_smaller_and_a_smaller_account_denies_it() -> None:
    limits = msgspec.structs.replace(SETTINGS.risk, max_order_notional=D(5_000))
    stage = Stage(msgspec.structs.replace(SETTINGS, risk=limits))
    entry = stage.enter()
    assert entry.price is not None
    assert D(4_990) < entry.size * entry.price <= D(5_000)
    limits = msgspec.structs.replace(SETTINGS.risk, max_account_notional=D(1_000))
    stage = Stage(msgspec.structs.replace(SETTINGS, risk=limits))
    stage.told[ETH].next.append(signal())
    outputs = stage.kline()
    none(PlaceOrder, outputs)
    denied = one(OrderDenied, outputs)
    assert (denied.gate.code, denied.role) == ("account_notional", OrderRole.ENTRY)
    assert one(SignalJudged, outputs).denied_by == "account_notional"


def test_a_wrong_fee_on_a_fill_halts_entries_but_not_protection() -> None:
    stage = Stage()
    entry = stage.enter()
    stage.answer(entry)
    outputs = stage.fill(entry, price=100.01, fee=D("99"))
    assert one(PlaceOrder, outputs).role is OrderRole.STOP
    assert stage.engine.status().state == "halted"


def test_a_free_retail_fill_recovered_before_our_fees_are_read_halts_nothing() -> None:
    stage = Stage()
    entry = stage.enter()
    stage.answer(entry)
    stage.fill(entry, price=100.01, fee=D("0"), flags=("interactive",))
    assert stage.engine.status().state == "active"


def test_orders_that_were_rejected_trip_the_breaker_on_the_stage() -> None:
    limits = msgspec.structs.replace(SETTINGS.risk, max_consecutive_rejects=2)
    stage = Stage(msgspec.structs.replace(SETTINGS, risk=limits))
    for _ in range(2):
        entry = stage.enter()
        stage.answer(entry, Verdict.REJECTED, "NOT_ENOUGH_MARGIN")
    assert stage.engine.status().state == "halted"
    assert stage.engine.status().rejected == 2


def test_after_a_losing_round_trip_the_market_cools_down() -> None:
    limits = msgspec.structs.replace(SETTINGS.risk, symbol_loss_cooldown_s=30.0)
    stage = Stage(msgspec.structs.replace(SETTINGS, risk=limits))
    _, stop = stage.long()
    stage.fill(stop, price=99.4)
    stage.show(stop, OrderStatus.CLOSED, filled=stop.size)
    stage.told[ETH].next.append(signal())
    judged = every(SignalJudged, stage.kline())
    assert "cooling" in "; ".join(gate.seen for gate in judged[-1].gates)
    stage.wait(30.0)
    stage.price(100.0)
    assert stage.enter().size > ZERO


def test_after_a_winning_round_trip_only_the_cooldown_of_every_trip_holds() -> None:
    limits = msgspec.structs.replace(SETTINGS.risk, symbol_loss_cooldown_s=60.0, symbol_cooldown_s=10.0)
    stage = Stage(msgspec.structs.replace(SETTINGS, risk=limits))
    _, stop = stage.long()
    stage.fill(stop, price=101.0)
    stage.show(stop, OrderStatus.CLOSED, filled=stop.size)
    stage.told[ETH].next.append(signal())
    judged = every(SignalJudged, stage.kline())
    assert "cooling" in "; ".join(gate.seen for gate in judged[-1].gates)
    stage.wait(10.0)
    stage.price(100.0)
    assert stage.enter().size > ZERO
