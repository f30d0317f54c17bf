"""A binary (SBE) trade frame of Paradex to an event: ours against the official SDK's decoder.

Both read the same frames; what they read is compared. Ours goes on to the checked `Trade` that the engine gets, the SDK's
to its pydantic model. Processes of their own, because the SDK runs under Python 3.10 only; CPU time is compared.

Run: python -m benchmarks.sbe_decode [--rounds N] [--json] --sdk-python PATH
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.turns import Worker, serve, show, take_turns

TITLE = "Trade frame (SBE) to event"
COUNT = 2_000


def make_frames() -> list[str]:
    """Trade frames as the simulated exchange sends them, in hex."""
    from decimal import Decimal
    from random import Random

    from flashscalper.exchanges.paradex import sbe_schema
    from flashscalper.exchanges.paradex.sbe import encode

    dice = Random(1)
    frames = []
    for number in range(COUNT):
        at = 1_767_225_600_000_000 + number * 1_000
        values = {
            "sent_at": at,
            "seq_no": number + 1,
            "short_id": number + 1,
            "side": dice.choice(("BUY", "SELL")),
            "price": Decimal(30_000 + dice.randrange(1_000)) / 10,
            "size": Decimal(dice.randrange(1, 10_000)) / 1_000,
            "created_at": at,
            "trade_type": "FILL",
            "market": "ETH-USD-PERP",
            "trade_id": str(1_767_225_600_123_201_704_028_870_000 + number),
        }
        frames.append(encode(sbe_schema.TRADE, 2, values).hex())
    return frames


Row = tuple[str, float, float, int]
"""Id, price, size, exchange's instant in milliseconds: what both must agree on."""


def ours(frames: list[bytes]) -> tuple[object, list[Row]]:
    from flashscalper.exchanges.paradex.market_frames import MarketFrames

    read = MarketFrames({"ETH-USD-PERP": "ETHUSDT"}).read_binary
    trades = [read(frame) for frame in frames]
    return read, [(str(trade.id), trade.price, trade.size, trade.traded_at // 1_000) for trade in trades]


def official_sdk(frames: list[bytes]) -> tuple[object, list[Row]]:
    from paradex_py.api.sbe import decode_frame

    models = [decode_frame(frame) for frame in frames]
    models = [model[-1] if isinstance(model, tuple) else model for model in models]
    return decode_frame, [(m.trade_id_str, float(m.price), float(m.size), m.created_at) for m in models]


SUBJECTS = {"flashscalper": (ours, ()), "official SDK": (official_sdk, ("paradex-py", "pydantic"))}


def work(name: str) -> None:
    """A worker: frames come on the first line."""
    from benchmarks.machine import versions

    prepare, packages = SUBJECTS[name]
    frames = [bytes.fromhex(frame) for frame in json.loads(sys.stdin.readline())]
    read, rows = prepare(frames)

    def turn() -> int:
        for frame in frames:
            read(frame)
        return len(frames)

    serve(turn, {"versions": versions(*packages), "rows": rows[:50]})


def main() -> None:
    parser = argparse.ArgumentParser(description=TITLE)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--sdk-python", help="a Python 3.10 that has paradex-py")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker)
        return
    first_line = json.dumps(make_frames())
    workers = [Worker("flashscalper", sys.executable, "sbe_decode.py", "--worker", "flashscalper", first_line=first_line)]
    missing = []
    if options.sdk_python:
        try:
            sdk = Worker(
                "official SDK", options.sdk_python, "sbe_decode.py", "--worker", "official SDK", first_line=first_line
            )
            workers.append(sdk)
        except (RuntimeError, OSError) as error:
            missing.append(f"official SDK: {error}")
    else:
        missing.append("official SDK: no --sdk-python given")
    read = [worker.about.pop("rows") for worker in workers]
    if any(rows != read[0] for rows in read):
        raise SystemExit(f"the decoders disagree: {[rows[0] for rows in read]}")
    show(TITLE, "frame", take_turns(workers, options.rounds), missing, as_json=options.json)


if __name__ == "__main__":
    main()
