"""The store beside a bot: whatever the database does, the bot goes on, says so, and nothing is missing afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest

from flashscalper.model.errors import ConfigError, StoreError
from flashscalper.model.secrets import Secret
from flashscalper.runtime.journal import Entry, Journal
from flashscalper.runtime.store import follower as follower_module
from flashscalper.runtime.store.database import Database
from flashscalper.runtime.store.follower import StoreFollower, StoreState, StoreTarget
from flashscalper.runtime.store.postgres import read_address
from flashscalper.runtime.store.rebuild import rebuild
from flashscalper.runtime.store.sqlite import SqliteDatabase
from flashscalper.runtime.store.target import store_target
from tests.runtime.postgres import Cluster, cluster
from tests.runtime.store_samples import content, halves, later, open_journal, stormy_entries, write_journal

PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    with cluster() as running:
        yield running


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> list[Entry]:
    return stormy_entries(tmp_path_factory.mktemp("storm"))


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower_module, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(follower_module, "LONGEST_PAUSE_S", 0.05)
    monkeypatch.setattr(follower_module, "POLL_S", 0.01)
    monkeypatch.setattr(follower_module, "LAST_WAIT_S", PATIENCE_S)


def until(follower: StoreFollower, wanted: Callable[[StoreState], bool]) -> StoreState:
    give_up = time.monotonic() + PATIENCE_S
    while not wanted(seen := follower.seen):
        assert time.monotonic() < give_up, seen
        time.sleep(0.01)
    return seen


def all_in(seen: StoreState) -> bool:
    return seen.state == "current" and seen.behind_bytes == 0


def append(journal: Journal, entries: list[Entry]) -> None:
    for at, said in entries:
        journal.append(at, [said])


def rebuilt(runs: Path, folder: Path) -> dict[str, list[dict[str, object]]]:
    with closing(store_target("", folder).open()) as database:
        rebuild(database, runs)
        return content(database)


def held(target: StoreTarget) -> dict[str, list[dict[str, object]]]:
    with closing(target.open()) as database:
        return content(database)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_what_the_bot_wrote_is_what_a_rebuild_writes(
    kind: str, request: pytest.FixtureRequest, entries: list[Entry], tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    url = request.getfixturevalue("server").new_database() if kind == "postgres" else ""
    target = store_target(url, runs)
    with StoreFollower(target, runs) as follower, open_journal(runs, "one") as journal:
        follower.start(runs / "one" / "journal.fsj")
        for start in range(0, len(entries), 40):
            append(journal, entries[start : start + 40])
            time.sleep(0.005)
    assert follower.seen.state == "current"
    assert follower.news() == ""
    assert held(target) == rebuilt(runs, tmp_path / "again")


def test_a_database_that_goes_away_is_said_and_brought_up_to_date(
    server: Cluster, entries: list[Entry], tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    target = store_target(server.new_database(), runs)
    first, second = halves(entries)
    with StoreFollower(target, runs) as follower, open_journal(runs, "one") as journal:
        follower.start(runs / "one" / "journal.fsj")
        append(journal, first)
        until(follower, all_in)
        server.stop()
        try:
            append(journal, second)
            seen = until(follower, lambda seen: seen.state == "lost" and seen.behind_bytes > 0)
            assert seen.failures > 0
            assert until(follower, lambda later: later.behind_s > seen.behind_s).behind_bytes > 0
            news = follower.news()
            assert "lost: " in news
            assert "trading goes on" in news
            assert "swordfish" not in news + repr(follower.seen) + repr(target.where)
        finally:
            server.start()
        until(follower, all_in)
        assert follower.news() == f"store {target.where} is up to date again"
        assert follower.seen.behind_s == 0
    assert held(target) == rebuilt(runs, tmp_path / "again")


def test_bots_of_several_machines_begin_and_write_at_once(server: Cluster, entries: list[Entry], tmp_path: Path) -> None:
    url = server.new_database()
    machines = [tmp_path / name for name in ("one", "two", "three")]
    with ExitStack() as running:
        for runs in machines:
            follower = running.enter_context(StoreFollower(store_target(url, runs), runs))
            account = f"0x{runs.name}"
            journal = running.enter_context(open_journal(runs, "same-name", account=account))
            follower.start(runs / "same-name" / "journal.fsj")
            append(journal, entries)
    shared = held(store_target(url, tmp_path))
    for runs in machines:
        own = rebuilt(runs, runs / "again")
        of_it = {name: [row for row in rows if row["account"] == f"0x{runs.name}"] for name, rows in shared.items()}
        assert of_it == own
        assert own["fills"]


def test_a_wrong_password_is_said_without_any_and_mended_while_it_runs(
    server: Cluster, entries: list[Entry], tmp_path: Path
) -> None:
    runs, url = tmp_path / "runs", server.new_database()
    user = server.new_user("another-canary")
    target = store_target(url.replace("tester:swordfish-canary", f"{user}:wrong-canary"), runs)
    with StoreFollower(target, runs) as follower, open_journal(runs, "one") as journal:
        follower.start(runs / "one" / "journal.fsj")
        append(journal, entries)
        seen = until(follower, lambda seen: seen.state == "lost" and "authentication failed" in seen.detail)
        assert "canary" not in follower.news() + repr(seen)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER ROLE locked PASSWORD 'wrong-canary'")
        until(follower, all_in)
    assert held(target) == rebuilt(runs, tmp_path / "again")


def test_tables_of_another_release_are_said_with_the_command_and_taken_up_once_made_anew(
    server: Cluster, entries: list[Entry], tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    target = store_target(server.new_database(), runs)
    with closing(target.open()) as database:
        database.prepare()
        database.execute("UPDATE flashscalper.schema_version SET version = 7")
    with StoreFollower(target, runs) as follower, open_journal(runs, "one") as journal:
        follower.start(runs / "one" / "journal.fsj")
        append(journal, entries)
        seen = until(follower, lambda seen: seen.state == "lost")
        assert (
            "its tables are of version 7, this release writes version 1: `flashscalper store rebuild --anew`" in seen.detail
        )
        with closing(target.open()) as database:
            rebuild(database, runs, anew=True)
        until(follower, all_in)
    assert held(target) == rebuilt(runs, tmp_path / "again")


def test_a_folder_that_cannot_be_written_is_said_and_caught_up_later(entries: list[Entry], tmp_path: Path) -> None:
    runs, blocked = tmp_path / "runs", tmp_path / "blocked"
    blocked.write_text("no folder")
    target = StoreTarget(where="there", open=lambda: SqliteDatabase(blocked / "store.sqlite3"))
    with StoreFollower(target, runs) as follower, open_journal(runs, "one") as journal:
        follower.start(runs / "one" / "journal.fsj")
        append(journal, entries)
        assert until(follower, lambda seen: seen.state == "lost").behind_bytes > 0
        blocked.unlink()
        until(follower, all_in)
    assert held(target) == rebuilt(runs, tmp_path / "again")


def test_a_full_disk_is_said_and_caught_up_later(entries: list[Entry], tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    full = [True]
    with closing(SqliteDatabase(tmp_path / "store.sqlite3")) as database:
        database.prepare()
        ((pages,),) = database.execute("PRAGMA page_count")

    def small() -> Database:
        database = SqliteDatabase(tmp_path / "store.sqlite3")
        if full[0]:
            database.execute(f"PRAGMA max_page_count = {pages + 1}")
        return database

    target = StoreTarget(where="there", open=small)
    with StoreFollower(target, runs) as follower, open_journal(runs, "one") as journal:
        follower.start(runs / "one" / "journal.fsj")
        append(journal, entries)
        assert "full" in until(follower, lambda seen: seen.state == "lost").detail
        full[0] = False
        until(follower, all_in)
    assert held(target) == rebuilt(runs, tmp_path / "again")


def test_a_database_that_never_answers_does_not_hold_the_end_of_the_run(
    monkeypatch: pytest.MonkeyPatch, entries: list[Entry], tmp_path: Path
) -> None:
    monkeypatch.setattr(follower_module, "LAST_WAIT_S", 0.1)
    runs, answers = tmp_path / "runs", threading.Event()

    def stuck() -> Database:
        answers.wait(PATIENCE_S)
        raise StoreError("too late")

    with open_journal(runs, "one") as journal:
        follower = StoreFollower(StoreTarget(where="there", open=stuck), runs)
        with follower:
            follower.start(runs / "one" / "journal.fsj")
            append(journal, entries)
        assert (follower.seen.state, follower.seen.behind_bytes > 0) == ("starting", True)
    answers.set()
    until(follower, lambda seen: seen.state == "lost")


def test_a_rebuild_under_a_running_bot_leaves_nothing_out(entries: list[Entry], tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    target = store_target("", runs)
    first, second = halves(entries)
    with StoreFollower(target, runs) as follower, open_journal(runs, "one") as journal:
        follower.start(runs / "one" / "journal.fsj")
        append(journal, first)
        until(follower, all_in)
        with closing(target.open()) as database:
            assert rebuild(database, runs, anew=True).running == ("one",)
        append(journal, second)
        until(follower, lambda seen: seen.state == "lost")
        until(follower, all_in)
    assert held(target) == rebuilt(runs, tmp_path / "again")


def test_what_earlier_runs_could_not_write_the_next_one_brings_in(entries: list[Entry], tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    first, second = halves(entries)
    write_journal(runs, "one", first)
    write_journal(runs, "demo", first, mode="demo")
    write_journal(runs, "broken", [Entry(1, 'checkpoint {"saved_at":"yesterday"}')], account="0xdef")
    target = store_target("", runs)
    with StoreFollower(target, runs) as follower, open_journal(runs, "two", started_at=later(30)) as journal:
        follower.start(runs / "two" / "journal.fsj")
        append(journal, second)
        until(follower, all_in)
        assert "not read: " in follower.news()
        assert follower.news() == ""
    assert {row["run"] for row in held(target)["orders"]} == {"one", "two"}
    assert held(target) == rebuilt(runs, tmp_path / "again")


def test_a_store_that_is_not_wanted_is_off(tmp_path: Path) -> None:
    with StoreFollower(None, tmp_path) as follower:
        follower.start(tmp_path / "journal.fsj")
    assert (follower.seen.state, follower.news(), list(tmp_path.iterdir())) == ("off", "", [])


# ---- addresses ----


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://root@localhost/x", "accepted: postgresql://"),
        ("postgresql://u:swordfish@[::1/x", "accepted: postgresql://"),
        ("postgresql://u:swordfish@h/x?colour=red", "accepted: postgresql://"),
        ("postgresql://u:swordfish@db.example.org/x?sslmode=require", "sslmode=verify-full"),
        ("postgresql://u:swordfish@10.1.2.3/x?sslmode=disable", "sslmode=verify-full"),
        ("postgresql://u:swordfish@localhost,db.example.org/x?sslmode=prefer", "sslmode=verify-full"),
    ],
)
def test_an_address_that_will_not_do_is_refused_without_showing_the_password(url: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_address(Secret(url))
    assert says in str(caught.value)
    assert "swordfish" not in str(caught.value) + repr(caught.value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", ""])
def test_on_this_machine_there_is_no_need_of_tls(host: str) -> None:
    assert "sslmode" not in read_address(Secret(f"postgresql://u@{host}/x"))


def test_off_this_machine_certificate_and_name_are_checked() -> None:
    found = read_address(Secret("postgresql://u@db.example.org/x"))
    assert (found["sslmode"], found["sslrootcert"]) == ("verify-full", "system")
    own = read_address(Secret("postgresql://u@db.example.org/x?sslmode=verify-full&sslrootcert=/etc/own.pem"))
    assert own["sslrootcert"] == "/etc/own.pem"


def test_the_password_is_handed_to_the_log_to_be_blotted_out(tmp_path: Path) -> None:
    target = store_target("postgresql://u:swordfish@localhost/x", tmp_path)
    assert "swordfish" in target.secrets
    assert "swordfish" not in target.where
    assert target.where == "PostgreSQL x at localhost"
