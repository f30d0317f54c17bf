"""The journal where the operating system says no, and what must reach the disk before anything else happens."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from flashscalper.model.errors import JournalError
from flashscalper.model.records import Note
from flashscalper.runtime import journal as journal_module
from flashscalper.runtime.framing import MAX_PAYLOAD, decode_header, encode_header, encode_record
from flashscalper.runtime.journal import JOURNAL_MAGIC, Journal, journal_hash, journal_metadata, read_journal

NOTE = Note("a", "text", 1)


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The descriptors that were synced, in order; the real call is made."""
    seen: list[int] = []
    real: Callable[[int], None] = os.fdatasync

    def sync(descriptor: int) -> None:
        seen.append(descriptor)
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", sync)
    return seen


def failing(code: int) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


def test_a_durable_journal_syncs_when_asked_and_at_its_end_another_never(tmp_path: Path, synced: list[int]) -> None:
    with Journal(tmp_path / "a", {}) as journal:
        journal.append(1, [NOTE])
        assert synced == []
        journal.sync()
        assert len(synced) == 1
        journal.append(2, [NOTE])
    assert len(synced) == 2
    with Journal(tmp_path / "b", {}, durable=False) as journal:
        journal.append(1, [NOTE])
        journal.sync()
    assert len(synced) == 2


def test_a_second_close_does_nothing_and_the_descriptor_is_free(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0
    journal = Journal(tmp_path / "a", {})
    journal.close()
    journal.close()
    after = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0
    assert before == after
    with Journal(tmp_path / "a", {}):
        pass


@pytest.mark.parametrize("durable", [True, False])
def test_after_a_failed_write_sync_says_why_and_close_does_not_hide_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synced: list[int], durable: bool
) -> None:
    journal = Journal(tmp_path / "a", {}, durable=durable)
    journal.sync()
    with monkeypatch.context() as broken:
        broken.setattr(journal_module, "write_all", failing(errno.ENOSPC))
        with pytest.raises(JournalError, match="No space left on device; the journal cannot be trusted after this"):
            journal.append(1, [NOTE])
    before = len(synced)
    with pytest.raises(JournalError, match="No space left"):
        journal.sync()
    journal.close()
    assert len(synced) == before
    with pytest.raises(JournalError, match="No space left"):
        journal.append(2, [NOTE])


def test_a_failed_sync_ends_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal(tmp_path / "a", {}) as journal:
        with monkeypatch.context() as broken:
            broken.setattr(os, "fdatasync", failing(errno.EIO))
            with pytest.raises(JournalError, match="Input/output error"):
                journal.sync()
        with pytest.raises(JournalError, match="Input/output error"):
            journal.append(1, [NOTE])


def test_a_closed_journal_says_that_it_is_closed(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a", {}, durable=False)
    journal.close()
    for call in (journal.sync, lambda: journal.append(1, [NOTE])):
        with pytest.raises(JournalError, match="the journal is closed"):
            call()


def test_folders_on_the_way_are_made_and_no_draft_stays(tmp_path: Path) -> None:
    with Journal(tmp_path / "x" / "y" / "j", {"run": "1"}):
        pass
    assert [path.name for path in (tmp_path / "x" / "y").iterdir()] == ["j"]
    assert journal_metadata(tmp_path / "x" / "y" / "j") == {"run": "1"}


def test_a_new_journal_and_its_name_are_on_the_disk_before_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    real_fsync, real_link = os.fsync, os.link

    def fsync(descriptor: int) -> None:
        steps.append("sync folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "sync file")
        real_fsync(descriptor)

    def link(source: Path, target: Path) -> None:
        steps.append("link")
        assert decode_header(Path(source).read_bytes(), JOURNAL_MAGIC, "draft")[0] == {"run": "1"}
        real_link(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "link", link)
    with Journal(tmp_path / "j", {"run": "1"}):
        assert steps == ["sync file", "link", "sync folder"]


def test_a_folder_that_cannot_be_made_is_a_journal_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(JournalError, match=r"File exists|Not a directory"):
        Journal(tmp_path / "file" / "j", {})
    for reader in (read_journal, journal_hash, journal_metadata):
        with pytest.raises(JournalError, match="No such file"):
            reader(tmp_path / "none")


def test_a_journal_that_is_locked_elsewhere_is_left_as_it_is(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", {}, durable=False) as journal:
        journal.append(1, [NOTE])
    before = (tmp_path / "j").read_bytes() + b"torn"
    (tmp_path / "j").write_bytes(before)
    with (tmp_path / "j").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        with pytest.raises(JournalError, match="another process is writing this journal"):
            Journal(tmp_path / "j", {})
    assert (tmp_path / "j").read_bytes() == before
    with Journal(tmp_path / "j", {}, durable=False) as journal:
        assert len(journal) == 1
    assert (tmp_path / "j").read_bytes() == before[:-4]


def test_a_record_that_is_whole_but_of_another_release_is_named_by_its_offset(tmp_path: Path) -> None:
    head = encode_header(JOURNAL_MAGIC, {})
    (tmp_path / "j").write_bytes(head + encode_record(1, b"\x93\x01\x02\x03"))
    for reader in (journal_hash, lambda path: list(read_journal(path)), lambda path: Journal(path, {})):
        with pytest.raises(JournalError, match=f"the record at byte {len(head)} is whole but not understood"):
            reader(tmp_path / "j")


def test_a_header_that_is_cut_or_damaged_is_said() -> None:
    head = encode_header(JOURNAL_MAGIC, {"run": "1"})
    assert decode_header(head, JOURNAL_MAGIC, "j") == ({"run": "1"}, len(head))
    for cut in range(4, 14):
        with pytest.raises(JournalError, match="j: ends inside its header"):
            decode_header(head[:cut], JOURNAL_MAGIC, "j")
    for cut in range(14, len(head)):
        with pytest.raises(JournalError, match="j: its header is damaged"):
            decode_header(head[:cut], JOURNAL_MAGIC, "j")
    with pytest.raises(JournalError, match="j: its header is damaged"):
        decode_header(head[:-1] + bytes([head[-1] ^ 1]), JOURNAL_MAGIC, "j")
    with pytest.raises(JournalError, match="not a file of this kind"):
        decode_header(b"FSTP" + head[4:], JOURNAL_MAGIC, "j")


def test_a_payload_may_be_as_long_as_the_limit_and_no_longer() -> None:
    assert len(encode_record(1, bytes(MAX_PAYLOAD))) == MAX_PAYLOAD + 16
    with pytest.raises(JournalError, match=f"record 7 has {MAX_PAYLOAD + 1} bytes; the limit is 16777216"):
        encode_record(7, bytes(MAX_PAYLOAD + 1))
