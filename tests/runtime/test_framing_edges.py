"""Where a torn tail ends and damage begins, byte by byte: records of no payload, numbers that cannot be, bytes too many."""

from __future__ import annotations

import struct
from zlib import crc32

import pytest

from flashscalper.model.errors import JournalError
from flashscalper.runtime.framing import decode_growing, decode_records, encode_record

ONE, TWO, THREE = (encode_record(number, b"payload") for number in (1, 2, 3))
EMPTY = [encode_record(number, b"") for number in (1, 2, 3)]


def numbers(data: bytes, *, expected: int = 1, base: int = 0) -> list[int]:
    return [record.sequence for record in decode_records(data, 0, "j", expected=expected, base=base)]


def test_a_record_is_as_long_as_its_head_and_its_payload_even_of_none() -> None:
    assert numbers(b"".join(EMPTY)) == [1, 2, 3]
    assert [record.offset for record in decode_growing(b"".join(EMPTY), 1)] == [0, 16, 32]
    assert [(record.sequence, record.payload) for record in decode_growing(ONE + TWO[:-1], 1)] == [(1, b"payload")]


@pytest.mark.parametrize("last", [EMPTY[1], TWO])
@pytest.mark.parametrize("place", range(16))
def test_one_whole_record_behind_a_damaged_one_is_enough_to_refuse(last: bytes, place: int) -> None:
    damaged = bytearray(EMPTY[0])
    damaged[place] ^= 0x41
    with pytest.raises(JournalError, match="j: damaged at byte 0, at record 1; what follows it is whole, so it is not cut"):
        numbers(bytes(damaged) + last)
    assert numbers(bytes(damaged) + last[:-1]) == []


@pytest.mark.parametrize("strange", [b"\x00", b"\xff", b"\x00" * 5, ONE[:15], ONE[:17]])
def test_bytes_that_stand_between_whole_records_are_damage_be_it_one(strange: bytes) -> None:
    with pytest.raises(JournalError, match=r"damaged at byte 23\b"):
        numbers(ONE + strange + TWO)


def test_what_was_lost_between_two_whole_records_is_damage_however_much_it_was() -> None:
    rest = b"".join(encode_record(number, b"") for number in range(2, 40))
    for lost in range(1, len(rest) - 16):
        with pytest.raises(JournalError, match=r"damaged at byte 16\b"):
            numbers(EMPTY[0] + rest[lost:])


def test_the_offset_of_damage_counts_from_the_files_beginning() -> None:
    with pytest.raises(JournalError, match=r"damaged at byte 1023, at record 8;"):
        numbers(encode_record(7, b"payload") + b"?" + encode_record(8, b"payload"), expected=7, base=1_000)


def test_an_old_record_in_a_torn_tail_is_no_lost_one() -> None:
    assert numbers(ONE + TWO + b"torn" + ONE) == [1, 2]


def test_a_number_that_would_fit_is_no_record_without_its_checksum() -> None:
    assert numbers(ONE + b"torn" + struct.pack("<IIQ", 0, 0, 2)) == [1]
    assert numbers(ONE + b"torn" + struct.pack("<IIQ", 0, 0, 2) + b"more") == [1]


def test_a_number_that_no_file_reaches_is_no_record_and_the_one_before_it_is() -> None:
    assert numbers(ONE + b"torn" + encode_record(2**48, b"")) == [1]
    with pytest.raises(JournalError, match=r"damaged at byte 23\b"):
        numbers(ONE + b"torn" + encode_record(2**48 - 1, b""))


def test_a_record_that_says_it_is_longer_than_the_file_is_torn_whatever_its_checksum() -> None:
    payload = b"payload"
    checksum = crc32(payload, crc32(struct.pack("<IQ", len(payload), 2)))
    assert struct.pack("<IIQ", len(payload), checksum, 2) + payload == TWO
    assert numbers(ONE + struct.pack("<IIQ", len(payload) + 1, checksum, 2) + payload) == [1]
