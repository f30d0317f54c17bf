"""A feed by name: `synthetic`, or the path of a recording; and symbols as a person writes them."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Final

from flashscalper.model.errors import ConfigError
from flashscalper.simulator.feeds.recording import RecordingFeed, read_recording
from flashscalper.simulator.feeds.synthetic import SyntheticFeed
from flashscalper.simulator.markets import DEFAULT_MARKETS, choose_markets

SYNTHETIC: Final = "synthetic"
MAX_RECORDING_BYTES: Final = 2 * 1024 * 1024 * 1024


def parse_symbols(text: str) -> tuple[str, ...]:
    """`BTCUSDT,ETHUSDT` as a tuple; empty text means all that the feed has, and stays empty."""
    return tuple(dict.fromkeys(part.strip().upper() for part in text.split(",") if part.strip()))


def open_synthetic(
    *, seed: int, symbols: tuple[str, ...], started_at: int, prices: Mapping[str, Decimal] | None = None
) -> SyntheticFeed:
    """The synthetic market of a seed for `symbols` (empty: all seven), beginning at `started_at` (and at `prices`)."""
    markets = choose_markets(symbols) if symbols else DEFAULT_MARKETS
    return SyntheticFeed(markets, Random(f"market/{seed}"), started_at, prices=prices)  # noqa: S311 - a market, no secret


def open_recording(name: str, *, symbols: tuple[str, ...], start_at: int | None = None) -> RecordingFeed:
    """A recording, read and checked whole. With `start_at` it is shifted to begin then, else it keeps its own time.

    Raises ConfigError naming the option or the line that is wrong.
    """
    feed = read_recording(recording_lines(Path(name)), source=Path(name).name, markets=DEFAULT_MARKETS, start_at=start_at)
    listed = [market.symbol for market in feed.markets]
    missing = [symbol for symbol in symbols if symbol not in listed]
    if missing:
        raise ConfigError("markets", ",".join(missing), f"what the recording has: {', '.join(listed)}")
    return feed


def recording_lines(path: Path) -> Iterator[bytes]:
    """The lines of a recording, unpacked; a file that is missing or cut short is a ConfigError naming `feed`."""
    accepted = "`synthetic`, or the path of a recording (.jsonl or .jsonl.gz)"
    try:
        if path.stat().st_size > MAX_RECORDING_BYTES:
            raise ConfigError("feed", str(path), f"a recording of at most {MAX_RECORDING_BYTES} bytes")
        packed = path.open("rb").read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if packed else path.open("rb") as file:
            yield from file
    except FileNotFoundError:
        raise ConfigError("feed", str(path), accepted) from None
    except IsADirectoryError:
        raise ConfigError("feed", f"{path} (a folder)", accepted) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ConfigError("feed", f"{path} ({error})", "a whole, undamaged recording") from None
    except OSError as error:
        raise ConfigError("feed", f"{path} ({error.strerror})", accepted) from None
