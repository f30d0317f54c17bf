"""The store beside the real process: `flashscalper run` with its database there, gone and back; and the verbs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from flashscalper.runtime.store.target import store_target
from tests.campaigns.processes import stand
from tests.runtime.postgres import cluster
from tests.runtime.store_samples import content, stormy_entries, write_journal


def verb(home: Path, *arguments: str, code: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "NO_COLOR": "1", **variables}
    result = subprocess.run(
        [sys.executable, "-m", "flashscalper", "store", *arguments],
        cwd=home, env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert result.returncode == code, result.stdout + result.stderr
    return result


def test_rebuild_and_show_from_the_command_line(tmp_path: Path) -> None:
    assert "there is no store yet" in verb(tmp_path, "show", code=1).stderr
    write_journal(tmp_path / "runs", "one", stormy_entries(tmp_path))
    done = json.loads(verb(tmp_path, "rebuild", "--json").stdout)
    assert (done["runs"], done["damaged"]) == (1, [])
    (account,) = json.loads(verb(tmp_path, "show", "--json").stdout).values()
    assert (account["run"], account["mode"], account["fills"] > 0) == ("one", "testnet", True)
    text = verb(tmp_path, "show").stdout
    assert f"0xabc (testnet, last run one): {account['orders']} orders, {account['fills']} fills" in text
    refused = verb(tmp_path, "show", code=2, DATABASE_URL="mysql://u:swordfish@h/x").stderr
    assert refused == "flashscalper: DATABASE_URL: saw ***; accepted: postgresql://user:password@host:5432/database\n"
    lost = verb(tmp_path, "show", code=1, DATABASE_URL="postgresql://u:swordfish@/x?host=/nowhere").stderr
    assert lost.startswith("flashscalper: PostgreSQL x at /nowhere: ")
    assert "swordfish" not in lost


@pytest.mark.verify
@pytest.mark.timeout(300)
def test_the_real_process_goes_on_without_its_database_and_catches_up(tmp_path: Path) -> None:
    with cluster() as server, stand(tmp_path) as place:
        url = server.new_database()
        place.environment["DATABASE_URL"] = url
        process = place.start()
        place.until("in the store", lambda seen: seen["store"]["state"] == "current" and seen["orders"]["filled"] > 0)
        server.stop()
        try:
            place.until("lost", lambda seen: seen["store"]["state"] == "lost")
            before = place.until("trading", lambda seen: seen["state"] == "active")["orders"]["sent"]
            place.until("trading on", lambda seen: seen["orders"]["sent"] > before)
        finally:
            server.start()
        place.until("caught up", lambda seen: seen["store"]["state"] == "current")
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0, place.log()
        log = place.log()
        assert "lost: " in log
        assert "is up to date again" in log
        (run,) = place.runs()
        for file in [*run.rglob("*"), tmp_path / "run.log"]:
            assert not file.is_file() or b"swordfish" not in file.read_bytes(), file
        with closing(store_target(url, tmp_path).open()) as database:
            live = content(database)
        verb(tmp_path, "rebuild")
        with closing(store_target("", tmp_path / "runs").open()) as database:
            assert content(database) == live
        assert len(live["orders"]) >= before
