"""The store on both databases: a view of the journals, equal however it was come by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from flashscalper.model.commands import PlaceOrder
from flashscalper.model.errors import JournalError, StoreError
from flashscalper.model.records import EquityPoint, FillBooked, OrderStateChanged, RoundTripClosed, SignalJudged
from flashscalper.runtime.journal import Entry
from flashscalper.runtime.recovery import CHECKPOINT
from flashscalper.runtime.store.database import Database, OvertakenError
from flashscalper.runtime.store.filling import Filling
from flashscalper.runtime.store.rebuild import rebuild, shown
from flashscalper.runtime.store.sqlite import SqliteDatabase
from flashscalper.runtime.store.target import store_target
from flashscalper.trading.saved import read_back
from tests.runtime.postgres import Cluster, cluster
from tests.runtime.store_samples import content, halves, later, open_journal, stormy_entries, write_journal

Fresh = Callable[[], Database]


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    with cluster() as running:
        yield running


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> list[Entry]:
    return stormy_entries(tmp_path_factory.mktemp("storm"))


@pytest.fixture(params=["sqlite", "postgres"])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Fresh]:
    """Makes a new, empty database each time."""
    made: list[Database] = []

    def make() -> Database:
        if request.param == "sqlite":
            made.append(store_target("", tmp_path / f"database-{len(made)}").open())
        else:
            made.append(store_target(request.getfixturevalue("server").new_database(), tmp_path).open())
        return made[-1]

    yield make
    for database in made:
        database.close()


def test_the_storm_has_everything_in_it(entries: list[Entry]) -> None:
    kinds = {type(entry.content) for entry in entries}
    assert {PlaceOrder, OrderStateChanged, FillBooked, RoundTripClosed, EquityPoint} <= kinds
    assert any(isinstance(entry.content, FillBooked) and entry.content.busted for entry in entries)


def test_every_order_and_fill_of_the_journal_is_one_row(fresh: Fresh, entries: list[Entry], tmp_path: Path) -> None:
    write_journal(tmp_path / "runs", "one", entries)
    database = fresh()
    done = rebuild(database, tmp_path / "runs")
    assert (done.runs, done.entries) == (1, len(entries))
    said = [entry.content for entry in entries]
    held = content(database)
    placed = {one.client_id for one in said if isinstance(one, PlaceOrder)}
    assert {row["client_id"] for row in held["orders"]} >= placed
    last = {one.client_id: one.after for one in said if isinstance(one, OrderStateChanged)}
    assert {row["client_id"]: row["state"] for row in held["orders"] if row["client_id"] in last} == last
    booked = {one.fill_key: one.busted for one in said if isinstance(one, FillBooked)}
    assert {row["fill_key"]: row["busted"] for row in held["fills"]} == booked
    assert len(held["equity"]) == sum(isinstance(one, EquityPoint) for one in said)
    assert len(held["signals"]) == sum(isinstance(one, SignalJudged) for one in said)
    assert len(held["round_trips"]) == sum(isinstance(one, RoundTripClosed) for one in said)


def test_amounts_are_exact_to_the_last_digit(fresh: Fresh, entries: list[Entry], tmp_path: Path) -> None:
    write_journal(tmp_path / "runs", "one", entries)
    database = fresh()
    rebuild(database, tmp_path / "runs")
    booked = [entry.content for entry in entries if isinstance(entry.content, FillBooked)]
    held = content(database)
    per_fill = {row["fill_key"]: row for row in held["fills"]}
    for fill in booked:
        row = per_fill[fill.fill_key]
        assert (row["size"], row["price"], row["fee"]) == (fill.size, fill.price, fill.fee)
    for row in held["positions"]:
        mine = [fill for fill in booked if fill.symbol == row["symbol"]]
        signs = [-1 if fill.busted else 1 for fill in mine]
        assert row["realized_pnl"] == sum(
            (sign * fill.realized_pnl for sign, fill in zip(signs, mine, strict=True)), Decimal(0)
        )
        assert row["fees"] == sum((sign * fill.fee for sign, fill in zip(signs, mine, strict=True)), Decimal(0))
    for order in held["orders"]:
        mine = [fill for fill in booked if fill.client_id == order["client_id"]]
        assert order["filled"] == sum((-fill.size if fill.busted else fill.size for fill in mine), Decimal(0))


def test_both_databases_hold_the_same(server: Cluster, entries: list[Entry], tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    write_journal(runs, "one", entries)
    with closing(store_target("", runs).open()) as one, closing(store_target(server.new_database(), runs).open()) as other:
        rebuild(one, runs)
        rebuild(other, runs)
        assert content(one) == content(other)
        assert shown(one) == shown(other)


def test_the_same_journal_twice_changes_nothing(fresh: Fresh, entries: list[Entry], tmp_path: Path) -> None:
    write_journal(tmp_path / "runs", "one", entries)
    database = fresh()
    rebuild(database, tmp_path / "runs")
    before = content(database)
    rebuild(database, tmp_path / "runs")
    rebuild(database, tmp_path / "runs", anew=True)
    assert content(database) == before


def test_rows_written_while_the_journal_grows_equal_a_rebuild(fresh: Fresh, entries: list[Entry], tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    live, later_on = fresh(), fresh()
    live.prepare()
    with open_journal(runs, "one") as journal:
        filling = Filling.open(runs / "one" / "journal.fsj")
        assert filling is not None
        for number, (at, said) in enumerate(entries):
            journal.append(at, [said])
            if number % 37 == 0:
                filling.step(live)
        filling.finish(live)
    rebuild(later_on, runs)
    assert content(live) == content(later_on)


def test_accounts_with_the_same_ids_stay_apart(fresh: Fresh, entries: list[Entry], tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    write_journal(runs, "one", entries)
    write_journal(runs, "two", halves(entries)[0], account="0xdef", mode="paper")
    database = fresh()
    rebuild(database, runs)
    held = content(database)
    assert {(row["account"], row["run"]) for row in held["orders"]} == {("0xabc", "one"), ("0xdef", "two")}
    alone = fresh()
    (runs / "two" / "journal.fsj").unlink()
    rebuild(alone, runs)
    assert [row for row in held["fills"] if row["account"] == "0xabc"] == content(alone)["fills"]
    assert set(shown(database)) == {"0xabc", "0xdef"}


def test_a_run_that_continues_another_shows_each_thing_once_an_account(
    fresh: Fresh, entries: list[Entry], tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    first, second = halves(entries)
    write_journal(runs, "one", first)
    saved = read_back(first)
    assert saved is not None
    checkpoint = Entry(first[-1].at, CHECKPOINT + msgspec.json.encode(saved).decode())
    write_journal(runs, "two", [checkpoint, *second], started_at=later(30))
    both, whole = fresh(), fresh()
    rebuild(both, runs)
    write_journal(tmp_path / "whole", "all", entries)
    rebuild(whole, tmp_path / "whole")

    def known(database: Database) -> tuple[object, ...]:
        held = content(database)
        orders = {(row["client_id"], row["state"], row["filled"]) for row in held["account_orders"]}
        fills = {(row["fill_key"], row["size"], row["price"], row["busted"]) for row in held["account_fills"]}
        return orders, fills, {row["symbol"]: row["size"] for row in held["account_positions"] if row["size"]}

    assert known(both) == known(whole)
    assert len(content(both)["orders"]) >= len(content(both)["account_orders"])


def test_a_journal_shorter_than_what_is_in_the_store_wins(fresh: Fresh, entries: list[Entry], tmp_path: Path) -> None:
    """After a power cut the journal may have lost what was not synced; the store must not know more than it."""
    runs = tmp_path / "runs"
    write_journal(runs, "one", entries)
    database, other = fresh(), fresh()
    rebuild(database, runs)
    (runs / "one" / "journal.fsj").unlink()
    write_journal(runs, "one", halves(entries)[0])
    rebuild(database, runs)
    rebuild(other, runs)
    assert content(database) == content(other)


def test_what_somebody_else_wrote_meanwhile_is_noticed(fresh: Fresh, entries: list[Entry], tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    path = write_journal(runs, "one", entries)
    database, other = fresh(), fresh()
    database.prepare()
    filling = Filling.open(path)
    assert filling is not None
    filling.step(database)
    rebuild(database, runs, anew=True)
    with pytest.raises(OvertakenError):
        filling.step(database)
    filling.go_on(database)
    filling.finish(database)
    rebuild(other, runs)
    assert content(database) == content(other)


def test_another_version_of_the_tables_is_refused_and_the_command_named(
    fresh: Fresh, entries: list[Entry], tmp_path: Path
) -> None:
    write_journal(tmp_path / "runs", "one", entries)
    database, other = fresh(), fresh()
    database.prepare()
    if isinstance(database, SqliteDatabase):
        database.set_version(0)
    else:
        database.execute("UPDATE flashscalper.schema_version SET version = 0")
    with pytest.raises(StoreError, match=r"of version 0, .* writes version 1: `flashscalper store rebuild --anew`"):
        rebuild(database, tmp_path / "runs")
    rebuild(database, tmp_path / "runs", anew=True)
    rebuild(other, tmp_path / "runs")
    assert content(database) == content(other)


def test_runs_whose_journals_are_elsewhere_stay_and_are_named(fresh: Fresh, entries: list[Entry], tmp_path: Path) -> None:
    write_journal(tmp_path / "here", "one", entries)
    write_journal(tmp_path / "there", "two", entries, account="0xdef")
    database = fresh()
    rebuild(database, tmp_path / "there")
    assert rebuild(database, tmp_path / "here").elsewhere == ("two",)
    assert set(shown(database)) == {"0xabc", "0xdef"}


def test_a_damaged_journal_is_in_up_to_the_damage_and_named(fresh: Fresh, entries: list[Entry], tmp_path: Path) -> None:
    path = write_journal(tmp_path / "runs", "one", entries)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    database = fresh()
    done = rebuild(database, tmp_path / "runs")
    assert len(done.damaged) == 1
    assert "damaged at byte" in done.damaged[0]
    assert (
        0 < len(content(database)["orders"]) < len({e.content.client_id for e in entries if type(e.content) is PlaceOrder})
    )


def test_a_torn_tail_is_not_damage(fresh: Fresh, entries: list[Entry], tmp_path: Path) -> None:
    path = write_journal(tmp_path / "runs", "one", entries)
    path.write_bytes(path.read_bytes()[:-7])
    done = rebuild(fresh(), tmp_path / "runs")
    assert (done.damaged, done.entries) == ((), len(entries) - 1)


def test_demos_and_runs_that_are_being_written_are_left_alone(fresh: Fresh, entries: list[Entry], tmp_path: Path) -> None:
    write_journal(tmp_path / "runs", "show", entries, mode="demo")
    database = fresh()
    with open_journal(tmp_path / "runs", "one") as journal:
        journal.append(entries[0].at, [entries[0].content])
        assert rebuild(database, tmp_path / "runs").running == ("one",)
    assert content(database)["runs"] == []


def test_text_that_a_database_would_refuse_is_taken(fresh: Fresh, tmp_path: Path) -> None:
    change = OrderStateChanged(
        client_id="fs-1-1", symbol="ETHUSDT", role="entry", before="sent", cause="shown_new", after="accepted",  # type: ignore[arg-type]
        changed_at=1, detail="a\x00b 'quoted' 😀",
    )  # fmt: skip
    write_journal(tmp_path / "runs", "one", [Entry(1, change)])
    database = fresh()
    rebuild(database, tmp_path / "runs")
    (row,) = content(database)["orders"]
    assert row["detail"] == "a\ufffdb 'quoted' 😀"


def test_a_checkpoint_of_another_release_is_said(fresh: Fresh, tmp_path: Path) -> None:
    write_journal(tmp_path / "runs", "one", [Entry(1, CHECKPOINT + '{"saved_at":"yesterday"}')])
    done = rebuild(fresh(), tmp_path / "runs")
    assert ["its checkpoint is not one that this release reads" in line for line in done.damaged] == [True]


def test_a_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    import sqlite3

    with closing(sqlite3.connect(tmp_path / "store.sqlite3")) as theirs:
        theirs.execute("CREATE TABLE orders (id)")
    with closing(store_target("", tmp_path).open()) as database, pytest.raises(StoreError, match="somebody else"):
        database.prepare(anew=True)


def test_a_journal_that_is_gone_meanwhile_is_an_error_that_names_it(tmp_path: Path, entries: list[Entry]) -> None:
    path = write_journal(tmp_path / "runs", "one", entries)
    filling = Filling.open(path)
    assert filling is not None
    path.unlink()
    with closing(store_target("", tmp_path).open()) as database:
        database.prepare()
        with pytest.raises(JournalError, match=r"journal\.fsj"):
            filling.step(database)
