from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashscalper.model.amounts import ZERO, round_money
from flashscalper.model.fills import Fill, Liquidity
from flashscalper.model.orders import Side
from flashscalper.model.positions import PositionSide
from flashscalper.trading import positions
from flashscalper.trading.fold import Holding
from flashscalper.trading.positions import BookedFill, Ledger, fill_key
from tests.trading.stage import ETH, START, D


def fill(number: int, side: Side, size: Decimal | str, price: Decimal | str, **changed: object) -> Fill:
    made = Fill(
        id=f"{number:06d}", order_id="x", client_id="fs-1-1", symbol=ETH, side=side, liquidity=Liquidity.TAKER,
        price=D(price), size=D(size), fee=D("0.01"), filled_at=START + number,
    )  # fmt: skip
    return msgspec.structs.replace(made, **changed)


def ledger_of(*fills: Fill, cash: Decimal = ZERO) -> Ledger:
    ledger = Ledger(cash)
    for one in fills:
        ledger.book(BookedFill(fill=one))
    return ledger


def test_growing_and_shrinking_a_long_follows_the_contract() -> None:
    ledger = ledger_of(fill(1, Side.BUY, "1", "100"), fill(2, Side.BUY, "2", "103"), fill(3, Side.SELL, "1", "110"))
    holding = ledger.holding(ETH)
    assert (holding.size, holding.cost) == (D(2), D(306) - D(306) * 1 / 3)
    assert ledger.realized == round_money(D(110) - D(306) / 3)
    assert holding.entry_price == D(102)


def test_closing_everything_releases_the_whole_cost_without_a_division() -> None:
    ledger = ledger_of(
        fill(1, Side.BUY, "0.3", "100.1"), fill(2, Side.BUY, "0.4", "99.7"), fill(3, Side.SELL, "0.7", "101.3")
    )
    assert ledger.holding(ETH) == Holding()
    assert ledger.realized == D("0.7") * D("101.3") - (D("30.03") + D("39.88"))


def test_a_fill_that_crosses_zero_closes_first_and_opens_the_rest_with_one_fee() -> None:
    ledger = ledger_of(fill(1, Side.SELL, "1", "100"))
    booked = ledger.book(BookedFill(fill=fill(2, Side.BUY, "3", "90", fee=D("0.03"))))
    assert booked is not None
    assert booked.trips[0].pnl == D(10)
    assert booked.trips[0].fees == D("0.02")
    assert (booked.after.size, booked.after.cost, booked.after.direction) == (D(2), D(180), PositionSide.LONG)
    assert booked.after.trip is not None
    assert booked.after.trip.fees == D("0.02")
    assert ledger.fees == D("0.04")


def test_a_fill_is_booked_once_however_often_it_is_reported() -> None:
    ledger = ledger_of(fill(1, Side.BUY, "1", "100"))
    assert ledger.book(BookedFill(fill=fill(1, Side.BUY, "1", "100"))) is None
    assert ledger.holding(ETH).size == D(1)


def test_the_same_id_of_another_kind_is_another_fill() -> None:
    other = fill(1, Side.BUY, "1", "100", kind="rpi")
    assert fill_key(*fill(1, Side.BUY, "1", "100").key) != fill_key(*other.key)


def test_a_fill_busted_before_it_is_seen_is_never_booked() -> None:
    ledger = Ledger()
    late = fill(1, Side.BUY, "1", "100")
    assert ledger.bust(fill_key(*late.key)) is None
    assert ledger.book(BookedFill(fill=late)) is None
    assert ledger.holding(ETH).size == ZERO


def test_the_exchanges_pnl_is_booked_where_it_wins_and_ours_is_kept_beside_it() -> None:
    ledger = Ledger(reported_pnl=True)
    ledger.book(BookedFill(fill=fill(1, Side.BUY, "1", "100", realized_pnl=ZERO)))
    booked = ledger.book(BookedFill(fill=fill(2, Side.SELL, "1", "101", realized_pnl=D("0.99"))))
    assert booked is not None
    assert (booked.entry.realized_pnl, booked.entry.own_pnl) == (D("0.99"), D(1))
    assert ledger.realized == D("0.99")


def test_a_late_fill_is_put_in_its_place_and_what_follows_is_folded_again() -> None:
    ledger = ledger_of(fill(1, Side.BUY, "1", "100"), fill(3, Side.SELL, "1", "105"))
    booked = ledger.book(BookedFill(fill=fill(2, Side.BUY, "1", "104")))
    assert booked is not None
    assert booked.reordered
    assert ledger.realized == D(3)
    assert ledger.holding(ETH).cost == D(102)


def test_a_round_trip_that_only_a_late_fill_completes_is_told_once() -> None:
    ledger = ledger_of(fill(1, Side.BUY, "1", "100"), fill(3, Side.BUY, "1", "105"))
    booked = ledger.book(BookedFill(fill=fill(2, Side.SELL, "1", "102")))
    assert booked is not None
    assert [trip.pnl for trip in booked.trips] == [D(2)]
    done = ledger.book(BookedFill(fill=fill(4, Side.SELL, "1", "106")))
    assert done is not None
    assert [trip.pnl for trip in done.trips] == [D(1)]


def test_old_fills_are_folded_for_good_without_changing_anything(monkeypatch: object) -> None:
    kept, positions.KEEP_FILLS = positions.KEEP_FILLS, 10
    try:
        fills = [fill(number, Side.BUY if number % 2 else Side.SELL, "1", str(100 + number)) for number in range(1, 102)]
        bounded = ledger_of(*fills)
        assert len(bounded.position(ETH).fills) <= 21
    finally:
        positions.KEEP_FILLS = kept
    unbounded = ledger_of(*fills)
    assert (bounded.cash, bounded.holding(ETH)) == (unbounded.cash, unbounded.holding(ETH))


SIZES = st.integers(1, 5_000).map(lambda lots: D(lots) / 1000)
PRICES = st.integers(9_000, 11_000).map(lambda ticks: D(ticks) / 100)
FILLS = st.lists(st.tuples(st.sampled_from(Side), SIZES, PRICES), min_size=1, max_size=25)


def _by_the_contract(rows: list[Fill]) -> tuple[Decimal, Decimal, Decimal]:
    """Size, cost and realised PnL, written down again from the contract's sentences."""
    size, cost, realized = ZERO, ZERO, ZERO
    for row in rows:
        rest = row.size
        opposite = size != ZERO and (size > ZERO) != (row.side is Side.BUY)
        if opposite:
            leaving = min(rest, abs(size))
            released = cost if leaving == abs(size) else cost * leaving / abs(size)
            proceeds = row.price * leaving
            realized += round_money(proceeds - released if size > ZERO else released - proceeds)
            cost -= released
            size += leaving * row.side.sign
            rest -= leaving
        if rest:
            size += rest * row.side.sign
            cost += row.price * rest
    return size, cost, realized


@given(FILLS)
def test_the_fold_is_the_contracts_arithmetic(rows: list[tuple[Side, Decimal, Decimal]]) -> None:
    fills = [fill(number, *row) for number, row in enumerate(rows, 1)]
    ledger = ledger_of(*fills, cash=D(10_000))
    size, cost, realized = _by_the_contract(fills)
    holding = ledger.holding(ETH)
    assert (holding.size, holding.cost, ledger.realized) == (size, cost, realized)
    assert holding.size == sum((one.size * one.side.sign for one in fills), ZERO)
    assert ledger.cash == D(10_000) + realized - D("0.01") * len(fills)


@settings(max_examples=60)
@given(FILLS, st.data())
def test_the_state_is_a_function_of_the_set_of_fills(rows: list[tuple[Side, Decimal, Decimal]], data: st.DataObject) -> None:
    fills = [fill(number, *row) for number, row in enumerate(rows, 1)]
    shuffled = data.draw(st.permutations(fills))
    repeated = [*shuffled, *data.draw(st.lists(st.sampled_from(fills), max_size=5))]
    plain, mixed = ledger_of(*fills), ledger_of(*repeated)
    assert (mixed.holding(ETH), mixed.cash, mixed.realized) == (plain.holding(ETH), plain.cash, plain.realized)


@settings(max_examples=60)
@given(FILLS, st.data())
def test_a_bust_is_as_if_the_fill_had_never_been(rows: list[tuple[Side, Decimal, Decimal]], data: st.DataObject) -> None:
    fills = [fill(number, *row) for number, row in enumerate(rows, 1)]
    gone = data.draw(st.sampled_from(fills))
    ledger = ledger_of(*fills)
    taken = ledger.bust(fill_key(*gone.key))
    assert taken is not None
    without = ledger_of(*(one for one in fills if one is not gone))
    assert (ledger.holding(ETH), ledger.cash) == (without.holding(ETH), without.cash)


@settings(max_examples=80)
@given(FILLS, st.data())
def test_fills_that_were_put_aside_still_count_when_one_comes_late_or_is_taken_back(
    rows: list[tuple[Side, Decimal, Decimal]], data: st.DataObject
) -> None:
    """Whatever order fills come and go in: the same answer to each as if none had been put aside."""
    fills = [fill(number, *row, funding=D("0.5")) for number, row in enumerate(rows, 1)]
    came = sorted(fills, key=lambda one: one.filled_at + data.draw(st.integers(0, 6)))
    gone = data.draw(st.lists(st.sampled_from(fills), max_size=3))
    told = []
    for at_hand in (1, 3, 1_000):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(positions, "AT_HAND", at_hand)
            ledger, said = Ledger(), []
            for count, one in enumerate(came, 1):
                said.append(repr(ledger.book(BookedFill(fill=one))))
                now = gone[:1] if count == len(came) // 2 else gone[1:] if count == len(came) else []
                said += [repr(ledger.bust(fill_key(*busted.key))) for busted in now]
            told.append((said, ledger.position(ETH).fills, ledger.cash))
    assert told[0] == told[1] == told[2]


def test_fills_that_were_put_aside_take_little_room() -> None:
    """What `make soak` allows a fill to take: a kilobyte would be too much."""
    rows = [fill(number, Side.BUY if number % 2 else Side.SELL, "1", str(100 + number)) for number in range(1, 201)]
    position = ledger_of(*rows).position(ETH)
    assert len(position._fills) <= 2 * positions.AT_HAND
    assert len(position.fills) == 200
    assert sum(map(len, position._settled._rows)) < 300 * len(position._settled)
