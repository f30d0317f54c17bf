"""The state of one run carried into the next: every journal stands alone, and one pointer says which counts."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from flashscalper.model.commands import PlaceOrder
from flashscalper.model.errors import JournalError
from flashscalper.model.events import OperatorAction
from flashscalper.model.fills import Fill, Liquidity
from flashscalper.model.instants import SECOND_US
from flashscalper.model.orders import Side
from flashscalper.runtime.journal import Journal
from flashscalper.runtime.recovery import CHECKPOINT, begin_journal, recover, state_of
from flashscalper.runtime.session_lock import AccountFolder
from flashscalper.trading.client_ids import parse_client_id
from flashscalper.trading.positions import BookedFill, Ledger
from flashscalper.trading.saved import SavedState, compacted
from tests.trading.stage import ETH, Stage, every


@pytest.fixture
def folder(tmp_path: Path) -> AccountFolder:
    return AccountFolder("testnet", "0xabc", tmp_path / "state")


def write(path: Path, stage: Stage, saved: SavedState | None, folder: AccountFolder) -> None:
    with begin_journal(path, {}, saved, folder, stage.now) as journal:
        for at, output in stage.journal:
            journal.append(at, [output])


def known(saved: SavedState) -> tuple[object, ...]:
    """What must be the same in whatever way the state was come by."""
    orders = sorted((order.client_id, order.state, order.filled) for order in saved.orders)
    fills = sorted((one.fill.id, one.fill.size, one.role) for one in saved.fills)
    return (orders, fills, saved.starting_cash, saved.last_client_id, saved.plans, saved.foreign, saved.counters)


def test_an_account_that_was_never_traded_begins_with_nothing(folder: AccountFolder) -> None:
    assert recover(folder) is None


def test_a_position_its_stop_and_its_plan_come_back_from_the_journal(tmp_path: Path, folder: AccountFolder) -> None:
    stage = Stage()
    entry, stop = stage.long()
    write(tmp_path / "one.fsj", stage, None, folder)
    saved = recover(folder)
    assert saved is not None
    assert [order.client_id for order in saved.orders if order.live] == [stop.client_id]
    assert saved.last_client_id == stop.client_id
    again = Stage(saved=saved, at=stage.now + 1_000_000, ready=False)
    assert again.size == entry.size
    assert parse_client_id(again.ids.next_id()) > parse_client_id(stop.client_id)  # type: ignore[operator]
    assert again.engine.saved().plans[ETH].state.stop == saved.plans[ETH].state.stop


def test_a_chain_of_runs_is_the_same_state_as_one_long_run(tmp_path: Path, folder: AccountFolder) -> None:
    first = Stage()
    first.long()
    write(tmp_path / "one.fsj", first, None, folder)
    saved = recover(folder)
    assert saved is not None
    with begin_journal(tmp_path / "two.fsj", {}, saved, folder, first.now):
        pass
    with begin_journal(tmp_path / "three.fsj", {}, recover(folder), folder, first.now):
        pass
    last = recover(folder)
    assert last is not None
    assert known(last) == known(saved)
    assert folder.last_run.read_text().strip().endswith("three.fsj")


def test_an_engine_that_took_a_state_over_leaves_it_as_it_was(tmp_path: Path, folder: AccountFolder) -> None:
    stage = Stage()
    stage.long()
    stage.operator(OperatorAction.FLATTEN)
    closing = every(PlaceOrder, stage.said)[-1]
    stage.fill_whole(closing, "101")
    cash = stage.engine.status().cash
    assert cash != stage.engine.saved().starting_cash
    write(tmp_path / "0.fsj", stage, None, folder)
    for number in range(1, 4):
        saved = recover(folder)
        assert saved is not None
        again = Stage(saved=saved, at=stage.now, ready=False)
        assert again.engine.status().cash == cash
        with begin_journal(tmp_path / f"{number}.fsj", {}, saved, folder, stage.now):
            pass


def test_a_crash_before_the_new_journal_counts_leaves_the_old_one(tmp_path: Path, folder: AccountFolder) -> None:
    stage = Stage()
    stage.long()
    write(tmp_path / "one.fsj", stage, None, folder)
    before = recover(folder)
    with Journal(tmp_path / "two.fsj", {}):
        pass
    after = recover(folder)
    assert before is not None
    assert after is not None
    assert known(after) == known(before)


def test_a_journal_that_is_gone_is_a_refusal_that_says_what_to_do(tmp_path: Path, folder: AccountFolder) -> None:
    write(tmp_path / "one.fsj", Stage(), None, folder)
    (tmp_path / "one.fsj").unlink()
    with pytest.raises(JournalError, match=r"is gone\. Put it back; or delete .*last-run"):
        recover(folder)


@pytest.mark.parametrize("rubbish", [b"", b"\n", b"\xff\xfe\x00", b"no/such/file"])
def test_a_pointer_to_no_journal_is_a_refusal_that_says_what_to_do(rubbish: bytes, folder: AccountFolder) -> None:
    folder.last_run.write_bytes(rubbish)
    with pytest.raises(JournalError, match=r"is gone\. Put it back; or delete .*last-run"):
        recover(folder)


def test_damage_in_the_middle_is_a_refusal_with_its_offset(tmp_path: Path, folder: AccountFolder) -> None:
    stage = Stage()
    stage.long()
    write(tmp_path / "one.fsj", stage, None, folder)
    data = bytearray((tmp_path / "one.fsj").read_bytes())
    data[len(data) // 2] ^= 0xFF
    (tmp_path / "one.fsj").write_bytes(data)
    with pytest.raises(JournalError, match="damaged at byte"):
        recover(folder)


def test_a_checkpoint_of_another_release_is_refused_by_name(tmp_path: Path) -> None:
    with Journal(tmp_path / "one.fsj", {}) as journal:
        journal.append(0, [CHECKPOINT + '{"saved_at":"yesterday"}'])
    with pytest.raises(JournalError, match="its checkpoint is not one that this release reads"):
        state_of(tmp_path / "one.fsj")


def net(saved: SavedState) -> Decimal:
    """Cash by a fold of its fills, as an engine makes it."""
    ledger = Ledger(saved.starting_cash or Decimal(0))
    ledger.restore([msgspec.structs.replace(one) for one in saved.fills], saved.busted)
    return ledger.cash


def booked(number: int, side: Side, size: str, price: str, at: int) -> BookedFill:
    fill = Fill(
        id=f"{number:06d}", order_id=f"x{number}", client_id=f"fs-1-{number}", symbol=ETH, side=side,
        liquidity=Liquidity.TAKER, price=Decimal(price), size=Decimal(size), fee=Decimal("0.1"), filled_at=at,
    )  # fmt: skip
    return BookedFill(fill=fill)


def test_old_round_trips_go_into_the_cash_and_the_open_one_stays_whole() -> None:
    ledger = Ledger(Decimal(1_000))
    path = [(Side.BUY, "1", "100"), (Side.SELL, "1", "110"), (Side.BUY, "2", "105"), (Side.SELL, "1", "104")]
    for number, (side, size, price) in enumerate(path):
        ledger.book(booked(number, side, size, price, number * SECOND_US))
    fills = tuple(
        BookedFill(fill=msgspec.structs.replace(one.fill, realized_pnl=one.realized_pnl))
        for one in ledger.position(ETH).fills
    )
    saved = SavedState(saved_at=10 * SECOND_US, starting_cash=Decimal(1_000), fills=fills)
    small = compacted(saved, saved.saved_at)
    assert [one.fill.id for one in small.fills] == ["000002", "000003"]
    assert small.starting_cash == Decimal("1009.8")
    assert net(small) == net(saved) == ledger.cash
    assert compacted(saved, SECOND_US) == saved
