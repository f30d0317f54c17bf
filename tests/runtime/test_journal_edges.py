"""The journal where the operating system says no, and what must reach the disk before anything else happens."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from zlib import crc32

import pytest

from flashscalper.model.errors import JournalError
from flashscalper.model.records import Note
from flashscalper.runtime import journal as journal_module
from flashscalper.runtime.framing import FORMAT_VERSION, MAX_PAYLOAD, decode_header, encode_header, encode_record
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


@contextmanager
def without_descriptor_0() -> Iterator[None]:
    """Standard input is closed, as a service manager may leave it: the next file that is opened gets its number."""
    kept = os.dup(0)
    os.close(0)
    try:
        yield
    finally:
        os.dup2(kept, 0)
        os.close(kept)


def open_descriptors() -> set[str]:
    return set(os.listdir("/dev/fd"))


def test_a_journal_whose_descriptor_is_0_is_closed_like_any_other(tmp_path: Path) -> None:
    with without_descriptor_0():
        journal = Journal(tmp_path / "a", {})
        assert os.fstat(0).st_ino == (tmp_path / "a").stat().st_ino
        journal.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(0)


def test_a_journal_that_could_not_be_opened_closes_nothing_that_is_not_its_own(tmp_path: Path, synced: list[int]) -> None:
    before = open_descriptors()
    (tmp_path / "file").write_text("x")
    with pytest.raises(JournalError):
        Journal(tmp_path / "file" / "j", {})
    assert open_descriptors() == before
    assert synced == []


def test_a_journal_that_cannot_be_continued_is_free_again_and_no_draft_of_it_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Journal(tmp_path / "j", {}) as journal:
        journal.append(1, [NOTE])
    with (tmp_path / "j").open("ab") as file:
        file.write(b"torn")
    before = open_descriptors()
    with monkeypatch.context() as broken:
        broken.setattr(os, "ftruncate", failing(errno.EIO))
        with pytest.raises(JournalError, match="Input/output error"):
            Journal(tmp_path / "j", {})
    assert open_descriptors() == before
    with Journal(tmp_path / "j", {"run": "later"}) as journal:
        assert len(journal) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["j"]


def test_a_tail_that_was_cut_is_cut_on_the_disk_too_before_anything_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Journal(tmp_path / "j", {}) as journal:
        journal.append(1, [NOTE])
    whole = (tmp_path / "j").stat().st_size
    with (tmp_path / "j").open("ab") as file:
        file.write(b"torn")
    sizes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: sizes.append(os.fstat(descriptor).st_size))
    with Journal(tmp_path / "j", {}):
        assert sizes == [whole]


def test_a_continued_journal_knows_what_the_run_said_of_itself_at_its_beginning(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", {"run": "first", "seed": 7}) as journal:
        assert journal.metadata == {"run": "first", "seed": 7}
    with Journal(tmp_path / "j", {"run": "second"}) as journal:
        assert journal.metadata == {"run": "first", "seed": 7}


def test_a_journal_that_another_process_makes_meanwhile_is_taken_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(source: Path, target: Path) -> None:
        assert source != target
        target.write_bytes(encode_header(JOURNAL_MAGIC, {"run": "theirs"}))
        raise FileExistsError(errno.EEXIST, "File exists")

    monkeypatch.setattr(os, "link", link)
    with Journal(tmp_path / "j", {"run": "ours"}) as journal:
        assert journal.metadata == {"run": "theirs"}
    assert [path.name for path in tmp_path.iterdir()] == ["j"]


def test_a_draft_that_a_crash_left_behind_is_in_nobodys_way_although_the_process_id_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Path] = []

    def die(source: Path, _: Path) -> None:
        kept.append(source)
        raise KeyboardInterrupt

    with monkeypatch.context() as crash:
        crash.setattr(os, "link", die)
        crash.setattr(Path, "unlink", lambda *_, **__: None)
        with pytest.raises(KeyboardInterrupt):
            Journal(tmp_path / "j", {})
    assert [path.name for path in tmp_path.iterdir()] == [kept[0].name]
    with Journal(tmp_path / "j", {"run": "1"}) as journal:
        assert journal.metadata == {"run": "1"}


def test_a_folder_that_takes_no_new_file_is_named_with_the_systems_own_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "open", failing(errno.EROFS))
    with pytest.raises(JournalError, match="j: Read-only file system"):
        Journal(tmp_path / "j", {})


def test_a_second_close_does_nothing_and_the_descriptor_is_free(tmp_path: Path) -> None:
    before = open_descriptors()
    journal = Journal(tmp_path / "a", {})
    journal.close()
    journal.close()
    assert open_descriptors() == before
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
        status = os.fstat(descriptor)
        steps.append("sync folder" if stat.S_ISDIR(status.st_mode) else f"sync {status.st_size} bytes")
        real_fsync(descriptor)

    def link(source: Path, target: Path) -> None:
        steps.append("link")
        assert decode_header(Path(source).read_bytes(), JOURNAL_MAGIC, "draft")[0] == {"run": "1"}
        real_link(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "link", link)
    with Journal(tmp_path / "j", {"run": "1"}):
        assert steps == [f"sync {len(encode_header(JOURNAL_MAGIC, {'run': '1'}))} bytes", "link", "sync folder"]


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
    descriptors = open_descriptors()
    with (tmp_path / "j").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        with pytest.raises(JournalError, match="another process is writing this journal"):
            Journal(tmp_path / "j", {})
    assert open_descriptors() == descriptors
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
    strange = b"\x93\x01\x02\x03"
    whole = struct.pack("<4sHII", JOURNAL_MAGIC, FORMAT_VERSION, len(strange), crc32(strange)) + strange
    with pytest.raises(JournalError, match="j: its header is whole but not understood"):
        decode_header(whole, JOURNAL_MAGIC, "j")


def test_a_payload_may_be_as_long_as_the_limit_and_no_longer() -> None:
    assert len(encode_record(1, bytes(MAX_PAYLOAD))) == MAX_PAYLOAD + 16
    with pytest.raises(JournalError, match=f"record 7 has {MAX_PAYLOAD + 1} bytes; the limit is 16777216"):
        encode_record(7, bytes(MAX_PAYLOAD + 1))
