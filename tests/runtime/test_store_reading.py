"""Reading a journal piece by piece while it is written: every entry once, whatever the pieces."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashscalper.model.errors import JournalError
from flashscalper.model.records import Note
from flashscalper.runtime.framing import decode_growing, decode_records, encode_record
from flashscalper.runtime.journal import Journal, read_journal
from flashscalper.runtime.store.reading import GrowingJournal
from tests.runtime.store_samples import open_journal


def note(number: int, size: int = 10) -> Note:
    return Note("n", f"{number} " + "x" * size, number)


def everything(growing: GrowingJournal, most: int = 64) -> list[tuple[int, object]]:
    found: list[tuple[int, object]] = []
    while pieces := growing.read(most):
        found += [(one.number, one.entry.content) for one in pieces]
    return found


def test_every_entry_comes_once_while_it_is_written(tmp_path: Path) -> None:
    with open_journal(tmp_path, "one") as journal:
        growing = GrowingJournal(tmp_path / "one" / "journal.fsj")
        assert growing.read(5) == []
        seen: list[tuple[int, object]] = []
        for number in range(1, 40):
            journal.append(number, [note(number)])
            if number % 7 == 0:
                seen += everything(growing, most=3)
        seen += everything(growing)
    assert seen == [(number, note(number)) for number in range(1, 40)]
    assert growing.left() == 0
    growing.check_end()


def test_an_entry_larger_than_any_piece_is_read(tmp_path: Path) -> None:
    with open_journal(tmp_path, "one") as journal:
        journal.append(1, [note(1), note(2, 3_000_000), note(3)])
    assert [number for number, _ in everything(GrowingJournal(tmp_path / "one" / "journal.fsj"))] == [1, 2, 3]


@given(cut=st.integers(min_value=1, max_value=100))
@settings(max_examples=30, deadline=None)
def test_half_an_entry_waits_for_its_other_half(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    folder = tmp_path_factory.mktemp("half")
    with open_journal(folder, "one") as journal:
        journal.append(1, [note(number, 100) for number in range(1, 4)])
    path = folder / "one" / "journal.fsj"
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    growing = GrowingJournal(path)
    before = everything(growing)
    assert len(before) == 2
    assert growing.left() > 0
    growing.check_end()
    path.write_bytes(whole)
    assert before + everything(growing) == [(number, note(number, 100)) for number in range(1, 4)]


@pytest.mark.parametrize("place", [0.3, 0.6])
def test_damage_says_the_same_offset_as_the_reader_of_whole_files(tmp_path: Path, place: float) -> None:
    with open_journal(tmp_path, "one") as journal:
        journal.append(1, [note(number, 100) for number in range(1, 40)])
    path = tmp_path / "one" / "journal.fsj"
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 1
    path.write_bytes(data)
    growing = GrowingJournal(path)
    everything(growing)
    with pytest.raises(JournalError) as here:
        growing.check_end()
    with pytest.raises(JournalError) as there:
        list(read_journal(path))
    assert str(here.value) == str(there.value)


def test_a_growing_file_is_read_up_to_what_is_not_whole_or_not_next() -> None:
    first, second, fourth = (encode_record(number, b"abc") for number in (1, 2, 4))
    found = list(decode_growing(first + second + fourth, 1))
    assert [(one.offset, one.sequence) for one in found] == [(0, 1), (len(first), 2)]
    assert list(decode_growing(second, 1)) == []
    assert [one.sequence for one in decode_growing(second + fourth, 2)] == [2]


def test_the_rest_of_a_file_is_checked_with_its_own_numbers_and_offsets() -> None:
    fifth, sixth = encode_record(5, b"abc"), encode_record(6, b"def")
    assert [one.sequence for one in decode_records(fifth + sixth, 0, "f", expected=5, base=100)] == [5, 6]
    damaged = fifth[:-1] + b"x" + sixth
    with pytest.raises(JournalError, match="f: damaged at byte 100, at record 5"):
        list(decode_records(damaged, 0, "f", expected=5, base=100))


def test_what_is_no_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"something else entirely")
    with pytest.raises(JournalError, match="not a file of this kind"):
        GrowingJournal(tmp_path / "x")
    with pytest.raises(JournalError, match="No such file"):
        GrowingJournal(tmp_path / "y")


def test_a_journal_reads_back_what_a_journal_wrote(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", {"run": "x"}, durable=False) as journal:
        journal.append(3, ["a remark", note(1)])
    growing = GrowingJournal(tmp_path / "j")
    assert growing.metadata == {"run": "x"}
    assert [(one.number, one.entry.at, one.entry.content) for one in growing.read(9)] == [
        (1, 3, "a remark"), (2, 3, note(1)),
    ]  # fmt: skip
    assert growing.read_to == (tmp_path / "j").stat().st_size
