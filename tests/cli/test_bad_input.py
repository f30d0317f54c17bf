"""Bad input is one line that names what was wrong and what is accepted, exit code 2, and leaves nothing behind."""

from __future__ import annotations

import gzip
import socket
from pathlib import Path

import pytest

from tests.cli.run import flashscalper
from tests.shared import shared_data


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("demo", "--speed", "0"), "speed: saw '0'; accepted: 1, 10, max"),
        (("demo", "--seconds", "-1"), "seconds: saw -1.0; accepted: market seconds above 0"),
        (("demo", "--seconds", "nan"), "seconds: saw nan; accepted: market seconds above 0"),
        (("demo", "--interval", "7m"), "interval: saw '7m'; accepted: 1s, 5s, 15s, 1m"),
        (("demo", "--markets", "DOGEUSDT"), "markets: saw 'DOGEUSDT'; accepted: BTCUSDT, ETHUSDT"),
        (("demo", "--seed", "-3"), "seed: saw -3; accepted: a whole number of 0 or more"),
        (("demo", "--seed", "x"), "--seed"),
        (
            ("demo", "--feed", "none.jsonl.gz"),
            "feed: saw 'none.jsonl.gz'; accepted: `synthetic`, or the path of a recording",
        ),
        (("demo", "--fee", "1"), "--fee"),
        (("sim", "--host", "0.0.0.0"), "host: saw '0.0.0.0'; accepted: a loopback address"),
        (("sim", "--port", "70000"), "port: saw 70000; accepted: 0 (any free port) to 65535"),
        (("sim", "--balance", "NaN"), "balance: saw 'NaN'; accepted: an amount of USDC above 0"),
        (("dmeo",), "dmeo"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_accepted(arguments: tuple[str, ...], says: str, tmp_path: Path) -> None:
    _refused(arguments, says, tmp_path)


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        _refused(("sim", "--port", str(port)), f"port: saw {port}; accepted: a free port", tmp_path)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda data: data[: len(data) // 2], "feed: saw "),
        (lambda data: b"time,price\n1,2\n", "line 1"),
        (lambda data: b"", "recording.jsonl.gz"),
        (lambda data: _lines(data, 200).replace(b'"p":"26', b'"p":"NaN","x":"', 1), "saw 'NaN'"),
        (lambda data: _lines(data, 200).replace(b'"q":"', b'"qq":"', 1), "`q`"),
    ],
    ids=["truncated", "wrong columns", "empty", "NaN price", "missing size"],
)
def test_a_damaged_recording_is_named_by_line_and_field(damage: object, says: str, tmp_path: Path) -> None:
    whole = shared_data("ethusdt_perp_20240808.jsonl.gz").read_bytes()
    broken = tmp_path / "recording.jsonl.gz"
    broken.write_bytes(damage(whole))  # type: ignore[operator]
    _refused(("demo", "--speed", "max", "--feed", str(broken)), says, tmp_path)


def _lines(packed: bytes, count: int) -> bytes:
    return b"".join(gzip.decompress(packed).splitlines(keepends=True)[:count])


def _refused(arguments: tuple[str, ...], says: str, home: Path) -> None:
    before = sorted(home.iterdir())
    result = flashscalper(*arguments, home=home)
    assert result.returncode == 2, result.stdout + result.stderr
    assert says in result.stderr
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert sorted(home.iterdir()) == before
