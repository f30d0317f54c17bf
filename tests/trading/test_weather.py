"""The whole engine against the matching core in bad weather. More seeds: `World(seed, weather)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flashscalper.model.amounts import ZERO
from flashscalper.model.commands import PlaceOrder
from flashscalper.model.events import Verdict
from flashscalper.model.instants import SECOND_US
from flashscalper.model.orders import OrderRole
from flashscalper.model.records import FillBooked
from flashscalper.trading import pursuit, reports
from flashscalper.trading.client_ids import is_ours
from flashscalper.trading.desk import Desk
from flashscalper.trading.orders import ANSWERS, LIFECYCLE, Happening, OrderState
from flashscalper.trading.positions import Ledger
from tests.trading.weather import ACCOUNT, ETH, Weather, World

STORM = Weather(
    lose_request=0.05, lose_answer=0.05, slow=0.05, double=0.1, fail_read=0.1, cut_account=0.03, cut_market=0.03,
    close_exchange=0.01, crash=0.01, crash_midway=0.02,
)  # fmt: skip
MEDDLING = Weather(lose_request=0.02, lose_answer=0.02, slow=0.02, meddle=0.05, cut_account=0.02)
FOREIGN = Weather(foreign=0.05, lose_answer=0.02, cut_account=0.02)
BUSTS = Weather(bust=0.05, cut_account=0.02)


def survive(seed: int, weather: Weather, seconds: float = 40.0) -> World:
    """Live through it, come home, and compare the books with the exchange's."""
    world = World(seed, weather)
    world.run(seconds)
    world.finish()
    status = world.engine.status()
    held = world.engine._floor.ledger.holding(ETH).size
    assert [order for order in world.exchange.open_orders(ACCOUNT) if is_ours(order.client_id)] == []
    assert status.open_orders == 0
    ours = sorted(fill.id for fill in world.exchange.fills(ACCOUNT, ETH) if is_ours(fill.client_id))
    booked = sorted(one.fill.id for one in world.engine._floor.ledger.position(ETH).fills if not one.foreign)
    if not world.busted:
        assert booked == ours, "every fill is booked, once"
    if not world.counts["foreign"]:
        assert held == ZERO
        assert world.exchange.ledger(ACCOUNT).positions == ()
    if not world.counts["foreign"] and not world.busted:
        assert status.cash == world.exchange.ledger(ACCOUNT).cash
    return world


@pytest.mark.parametrize("seed", range(3))
def test_in_calm_weather_every_figure_fits_and_nothing_is_naked_for_half_a_second(seed: int) -> None:
    world = survive(seed, Weather())
    assert world.longest_naked <= SECOND_US // 2
    log = dict(world.exchange.ledger_log(ACCOUNT))
    records = [output for _, output in world.journal if isinstance(output, FillBooked)]
    assert records
    for record in records:
        assert record.cash_after == log[record.fill_key].cash


@pytest.mark.parametrize("seed", range(8))
def test_a_storm_loses_doubles_and_forgets_nothing(seed: int) -> None:
    survive(seed, STORM)


@pytest.mark.parametrize("seed", range(4))
def test_somebody_who_clicks_our_orders_away_leaves_nothing_unprotected(seed: int) -> None:
    assert survive(seed, MEDDLING).longest_naked <= 6 * SECOND_US


@pytest.mark.parametrize("seed", range(4))
def test_somebody_who_trades_beside_us_keeps_what_is_his(seed: int) -> None:
    world = survive(seed, FOREIGN)
    ours = world.engine._floor.ledger.holding(ETH).size
    assert ours + world.engine._floor.foreign.get(ETH, ZERO) == world._position().size


@pytest.mark.parametrize("seed", range(4))
def test_fills_that_are_taken_back_leave_the_books_right(seed: int) -> None:
    survive(seed, BUSTS)


def test_the_same_seed_gives_the_same_journal() -> None:
    first, second = survive(3, STORM), survive(3, STORM)
    assert first.journal == second.journal


# Planted bugs: each must be found, otherwise this weather proves nothing.


def _no_fill_dedup(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Ledger, "knows", lambda self, key: False)
    original = Ledger.book

    def book(self: Ledger, entry: Any) -> Any:
        self._keys.clear()
        return original(self, entry)

    patch.setattr(Ledger, "book", book)


def _not_found_means_dead(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pursuit, "NEGATIVES_NEEDED", 1)
    patch.setattr(pursuit.Pursuit, "_nothing_arrives_after", lambda self, order: 0)


def _unknown_means_rejected(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reports, "ANSWERS", {**ANSWERS, Verdict.UNKNOWN: Happening.ANSWERED_REJECTED})


def _late_fills_forgotten(patch: pytest.MonkeyPatch) -> None:
    original = reports.Reports.on_fill

    def on_fill(self: reports.Reports, fill: Any, now: int) -> None:
        order = self._floor.orders.get(fill.client_id, fill.order_id)
        if order is not None and order.live:
            original(self, fill, now)

    patch.setattr(reports.Reports, "on_fill", on_fill)


def _same_order_sent_again(patch: pytest.MonkeyPatch) -> None:
    original = Desk.happen

    def happen(self: Desk, order: Any, happening: Happening, now: int, detail: str = "") -> None:
        original(self, order, happening, now, detail)
        if happening is Happening.ANSWERED_UNKNOWN and order.role is OrderRole.ENTRY:
            again = PlaceOrder(
                client_id=order.client_id, symbol=order.symbol, side=order.side, type=order.type, size=order.size,
                price=order.price, time_in_force=order.time_in_force, role=order.role, reason=order.reason,
            )  # fmt: skip
            self.ask(again)

    patch.setattr(Desk, "happen", happen)


PLANTED = [_no_fill_dedup, _not_found_means_dead, _unknown_means_rejected, _late_fills_forgotten, _same_order_sent_again]


@pytest.mark.verify
@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__.strip("_"))
def test_a_planted_bug_is_found(plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    slow = Weather(slow=0.3, lose_answer=0.1, crash_midway=0.01)
    for seed in range(60):
        try:
            survive(seed, slow if seed % 2 else STORM)
        except (AssertionError, KeyError):
            return
    pytest.fail("sixty seeds do not notice it")


def test_the_table_that_the_planted_bugs_bend_is_whole_again() -> None:
    assert LIFECYCLE[OrderState.SENT, Happening.ANSWERED_UNKNOWN] is OrderState.UNKNOWN
