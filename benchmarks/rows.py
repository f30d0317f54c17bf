"""The table of goals: which work is compared with whom, what is asked, and how each figure is read from the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

Answers = Mapping[str, Sequence[Mapping[str, Any]]]
"""What the scripts said: script -> its JSON objects."""


class Figure(NamedTuple):
    """A measured figure with the spread of the rounds, where there were rounds."""

    value: float
    low: float | None = None
    high: float | None = None


class Row(NamedTuple):
    """One line of the table. `why` is said when the goal is missed; a row without a goal is only stated."""

    work: str
    peer: str
    goal: float | None
    unit: str
    read: Callable[[Answers], Figure | None]
    at_most: bool = False
    why: str = ""

    def met(self, figure: Figure) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        if self.goal is None:
            return None
        return figure.value <= self.goal if self.at_most else figure.value >= self.goal


def find(answers: Answers, script: str, name: str, part: int = 0, python: str = "") -> Mapping[str, Any] | None:
    """A subject's line in a script's answer."""
    parts = answers.get(script, ())
    rows = parts[part].get("rows", ()) if part < len(parts) else ()
    return next((row for row in rows if row["name"] == name and str(row.get("python", "")).startswith(python)), None)


def times(script: str, theirs: str, ours: str, part: int = 0) -> Callable[[Answers], Figure | None]:
    """How many times our time theirs is; both were measured in turns against one reference, so ratios divide."""

    def read(answers: Answers) -> Figure | None:
        their, our = find(answers, script, theirs, part), find(answers, script, ours, part)
        if their is None or our is None:
            return None
        if our["ratio"] == 1.0:
            return Figure(their["ratio"], their["ratio_low"], their["ratio_high"])
        low, high = their["ratio_low"] / our["ratio_high"], their["ratio_high"] / our["ratio_low"]
        return Figure(their["ratio"] / our["ratio"], low, high)

    return read


def slowest_python(answers: Answers) -> Figure | None:
    """The official SDK against ours with gmpy2 in the Python where ours is slowest."""
    rows = [row for row in answers.get("signing", [{}])[0].get("rows", ()) if row["name"] == "ours, gmpy2"]
    sdk = find(answers, "signing", "official SDK")
    if sdk is None or not rows:
        return None
    our = max(rows, key=lambda row: row["ratio"])
    low, high = sdk["ratio_low"] / our["ratio_high"], sdk["ratio_high"] / our["ratio_low"]
    return Figure(sdk["ratio"] / our["ratio"], low, high)


def value(script: str, *path: str, part: int = 0, scale: float = 1.0) -> Callable[[Answers], Figure | None]:
    """A plain number somewhere in a script's answer."""

    def read(answers: Answers) -> Figure | None:
        parts = answers.get(script, ())
        found: Any = parts[part] if part < len(parts) else None
        for key in path:
            found = found.get(key) if isinstance(found, Mapping) else None
        return None if found is None else Figure(found * scale)

    return read


def median(script: str, name: str, field: str, scale: float = 1.0) -> Callable[[Answers], Figure | None]:
    """A subject's median with its extremes."""

    def read(answers: Answers) -> Figure | None:
        row = find(answers, script, name)
        if row is None:
            return None
        extremes = (row.get(field.replace("median", end)) for end in ("best", "worst"))
        return Figure(row[field] * scale, *(None if end is None else end * scale for end in extremes))

    return read


SIGN = "Paradex limit order: fields to signed request body, RFC 6979"
FRAME = "trade frame (JSON) on a loopback socket to updated klines of 8 timeframes"
SOCKET = "WebSocket: sustained trade and book messages a second per core, one reader to engine"
ORDER = "tick to order: trade frame received to signed order bytes on the socket, full engine"
OUTSIDE = "the same, seen from outside: frame sent by one process to order received by it"
GMPY2, NATIVE, PURE = "ours, gmpy2", "ours, native Pedersen wheel", "ours, pure Python"
PLAIN = "journal without sync"
SYNCED = "journal with sync"
TLS = "journal without sync, TLS"
FUSED = "flashscalper, fused"
STARTS = ("flashscalper --version", "import flashscalper (less an empty Python)", "demo to the first trade")

ROWS: tuple[Row, ...] = (
    Row(SIGN, "official SDK; ours with the native wheel", 10, "x", times("signing", "official SDK", NATIVE)),
    Row(SIGN, "official SDK; ours with gmpy2, slowest of our Pythons", 6, "x", slowest_python),
    Row(SIGN, "ccxt; ours with gmpy2", 50, "x", times("signing", "ccxt", GMPY2)),
    Row(SIGN, "ccxt; ours in pure Python", 15, "x", times("signing", "ccxt", PURE)),
    Row(SIGN, "ours, native wheel; Paradex's own figure for native code is 0.2 to 0.4 ms", None, "ms",
        median("signing", NATIVE, "median_us", 1e-3)),
    Row(FRAME, "ccxt.pro watch_trades and build_ohlcvc on the new trade", 30, "x",
        times("websocket_throughput", "ccxt.pro", "flashscalper"),
        why="of ours a tenth is kernel and socket, an eighth the decoder; the rest is a chain of six Python calls a frame"),
    Row(FRAME, "paradex-py's reader and the same klines in naive Python", 8, "x",
        times("websocket_throughput", "official SDK", "flashscalper")),
    Row("trade frame (SBE) to event", "official SDK's decoder", 10, "x", times("sbe_decode", "official SDK", "flashscalper"),
        why="one `struct` call, one `int` of 28 digits and one checked value: each is already a single C call"),
    Row("trades to 8 timeframes, streaming, no socket, klines closed", "nautilus_trader's aggregators with their clock", 12,
        "x", times("klines", "nautilus_trader, the same with its clock", "flashscalper, 8 timeframes"),
        why="theirs are compiled; ours is at a dozen bytecodes a trade, and a trade must still be looked at in id order"),
    Row("20-level book delta applied, best bid and ask read", "ccxt.pro's book, given the same floats", 6, "x",
        times("book", "ccxt.pro OrderBook, given floats (storeArray)", "flashscalper OrderBook"),
        why="20 levels are 20 stores in a dict and 20 comparisons; ccxt.pro bisects a list, which is not six times that"),
    Row("indicators that all three have, per closed kline", "TA-Lib streaming on 500 rows", 15, "x",
        times("indicators", "TA-Lib stream on 500 rows", FUSED),
        why="theirs is one C call an indicator over 500 rows; the spread of the runs reaches from 8 to 19 times"),
    Row("indicators that all three have, per closed kline", "talipp", 10, "x", times("indicators", "talipp add", FUSED)),
    Row("indicators that all three have, per closed kline", "ours in nautilus_trader's Rust classes", 3, "x slower",
        lambda answers: _inverted(times("indicators", "nautilus_trader Rust, without Williams %R", FUSED)(answers)), True),
    Row(SOCKET, "ccxt.pro, reader to caller", 15, "x", times("websocket_throughput", "ccxt.pro", "flashscalper", 1),
        why="half of the messages are whole books: ours checks and sorts out 30 levels of each before anybody uses them"),
    Row(SOCKET, "paradex-py, reader to caller", 5, "x", times("websocket_throughput", "official SDK", "flashscalper", 1)),
    Row("the same, ours through the whole engine and its tape", "ccxt.pro, reader to caller", None, "x",
        times("websocket_throughput", "ccxt.pro", "flashscalper", 2)),
    Row(ORDER + ", no sync", "sum of the parts' floors, p50", 1.5, "x", value("tick_to_order", "runs", PLAIN, "ratio_50"),
        True, "the engine looks at more than the parts do: costs, gates, exits, tape"),
    Row(ORDER + ", no sync", "sum of the parts' floors, p90", 3, "x", value("tick_to_order", "runs", PLAIN, "ratio_90"),
        True, "the tail is the machine's: see steal"),
    Row(ORDER + ", with sync", "sum of the parts' floors, p50", 1.5, "x", value("tick_to_order", "runs", SYNCED, "ratio_50"),
        True, "the engine looks at more than the parts do: costs, gates, exits, tape"),
    Row(ORDER + ", with sync", "sum of the parts' floors, p90", 3, "x", value("tick_to_order", "runs", SYNCED, "ratio_90"),
        True, "the tail is the machine's: see steal"),
    Row(ORDER + ", no sync", "p50, ours", None, "us", value("tick_to_order", "runs", PLAIN, "wall_us", "p50")),
    Row(ORDER + ", with sync", "p50, ours", None, "us", value("tick_to_order", "runs", SYNCED, "wall_us", "p50")),
    Row(ORDER + ", no sync", "p99, ours (steal below)", None, "us", value("tick_to_order", "runs", PLAIN, "wall_us", "p99")),
    Row("fdatasync of the journal alone", "p50", None, "us",
        value("tick_to_order", "runs", SYNCED, "parts_us", "sync the journal", "p50")),
    Row("the same over TLS on loopback", "p50, ours", None, "us", value("tick_to_order", "runs", TLS, "wall_us", "p50")),
    Row("tick to exit: a market order signed ahead, no sync", "an order signed at its tick in the same run, p50", 0.5, "x",
        value("tick_to_exit", "runs", PLAIN, "share", "p50"), True,
        "what is left is decode, tape, the engine's look at the position, and the write to the socket"),
    Row("tick to exit: a market order signed ahead, with sync", "an order signed at its tick in the same run, p50", 0.5, "x",
        value("tick_to_exit", "runs", SYNCED, "share", "p50"), True,
        "what is left is decode, tape, the engine's look at the position, and the write to the socket"),
    Row(OUTSIDE, "a program on the official SDK", 10, "x", times("order_peers", "official SDK", "flashscalper"),
        why="both ways through loopback, and ours' whole engine, gate and journal, are in it; theirs have none of these"),
    Row(OUTSIDE, "a program on ccxt.pro", 80, "x",
        times("order_peers", "ccxt.pro", "flashscalper"),
        why="both ways through loopback, and ours' whole engine, gate and journal, are in it; theirs have none of these"),
    Row("start: `flashscalper --version`", "", 0.3, "s", median("start", STARTS[0], "median_s"), True),
    Row("start: `import flashscalper`", "", 0.15, "s", median("start", STARTS[1], "median_s"), True),
    Row("start: demo to the first market trade", "", 2.0, "s", median("start", STARTS[2], "median_s"), True,
        "exchange, its history and the client's whole start are in one process"),
    Row("memory per market: 100 klines in 8 timeframes, indicators, a 15-level book", "the original's 1 MB", 250, "kB",
        value("memory", "kb"), True),
    Row("100 markets, 100 trades/s each, books at 10 Hz, 60 s: share of a core", "", 50, "%",
        value("hundred_markets", "cpu_share", scale=100), True,
        "11 000 messages a second at ours a message; fewer markets fit, see the growth"),
    Row("100 markets: feed age p99", "", 50, "ms", value("hundred_markets", "age_p99_ms"), True,
        "the core is full, so frames wait"),
    Row("100 markets: age of the last frames (a queue that grows shows here)", "", 50, "ms",
        value("hundred_markets", "age_end_ms"), True, "the core is full, so frames wait"),
)  # fmt: skip


def _inverted(figure: Figure | None) -> Figure | None:
    """Ours in their time."""
    if figure is None or figure.low is None or figure.high is None:
        return None
    return Figure(1 / figure.value, 1 / figure.high, 1 / figure.low)
