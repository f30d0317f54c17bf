"""The runs of earlier releases: read, restored from, gone on with, refused when damaged; this release's is replayed."""

from __future__ import annotations

import shutil
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import msgspec
import pytest

from flashscalper.model.errors import JournalError
from flashscalper.model.records import Note
from flashscalper.runtime.journal import Journal, journal_metadata, read_journal
from flashscalper.runtime.recovery import begin_journal, recover, state_of
from flashscalper.runtime.replaying import Replay
from flashscalper.runtime.session_lock import AccountFolder
from flashscalper.runtime.setup import read_setup
from flashscalper.trading.saved import read_back
from tests.runtime.golden import GOLDENS, Facts, facts_of, unpacked

RELEASES = sorted(path.name for path in GOLDENS.iterdir())
THIS = version("flashscalper")
ANEW = "`python -m tests.runtime.golden` makes it anew"


@pytest.fixture(params=RELEASES)
def golden(request: pytest.FixtureRequest) -> Path:
    return GOLDENS / str(request.param)


def test_this_release_has_one() -> None:
    assert THIS in RELEASES, ANEW


def test_this_releases_tape_leads_to_this_releases_journal_byte_for_byte(tmp_path: Path) -> None:
    result = Replay(unpacked(GOLDENS / THIS, tmp_path / "run")).compare()
    assert result.difference is None, f"decided otherwise than in the golden run; if that is what you want, {ANEW}"
    assert result.same_bytes
    assert result.equal == result.records > 200


def test_it_reads_as_it_did(golden: Path, tmp_path: Path) -> None:
    facts = msgspec.json.decode((golden / "facts.json").read_bytes(), type=Facts)
    assert facts_of(unpacked(golden, tmp_path / "run")) == facts
    assert facts.protected.held
    assert facts.protected.live_orders
    assert facts.end.fills > 1


def test_an_engine_goes_on_from_it(golden: Path) -> None:
    facts = msgspec.json.decode((golden / "facts.json").read_bytes(), type=Facts)
    setup = read_setup(journal_metadata(golden / "journal.fsj"), golden)
    saved = read_back(islice(read_journal(golden / "journal.fsj"), facts.protected_at))
    status = setup.engine(saved).status()
    held = {market.symbol: market.position for market in status.markets if market.position is not None}
    assert {symbol: format(one.size.normalize(), "f") for symbol, one in held.items()} == facts.protected.held


def test_a_start_takes_it_over(golden: Path, tmp_path: Path) -> None:
    folder = AccountFolder("paper", "0xabc", tmp_path / "state")
    old = tmp_path / "old" / "journal.fsj"
    old.parent.mkdir()
    shutil.copyfile(golden / "journal.fsj", old)
    folder.last_run.write_text(f"{old}\n")
    saved = recover(folder)
    assert saved is not None
    with begin_journal(tmp_path / "new" / "journal.fsj", {}, saved, folder, saved.saved_at):
        pass
    again = recover(folder)
    assert again is not None
    assert (again.last_client_id, again.fills) == (saved.last_client_id, saved.fills)
    with Journal(old, {}) as journal:
        journal.append(saved.saved_at, [Note("kill", "the kill verb writes into the last journal", saved.saved_at)])
    assert state_of(old) is not None


def test_damage_in_its_middle_is_refused_with_the_offset(golden: Path, tmp_path: Path) -> None:
    data = bytearray((golden / "journal.fsj").read_bytes())
    data[len(data) // 2] ^= 0x10
    damaged = tmp_path / "journal.fsj"
    damaged.write_bytes(data)
    with pytest.raises(JournalError, match=r"damaged at byte \d+, at record \d+"):
        state_of(damaged)
