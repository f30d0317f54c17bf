"""Known mistakes, planted: each is a named substitution in the source of a module, and the storm must notice it.

`python -m tests.campaigns.plants NAME` loads the modules with the substitution in a process of its own and goes through
seeds until a law breaks. A substitution whose text is no longer in the source (exactly once) is an error: a plant that does
not grow proves nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import find_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final, NamedTuple

SEEDS: Final = 500


class Swap(NamedTuple):
    """One change of one module: `old` must be there exactly once."""

    module: str
    old: str
    new: str


class Plant(NamedTuple):
    """One mistake. `first` is where the search in the seeds 0 to 499 begins: a seed whose weather suits it."""

    name: str
    swaps: tuple[Swap, ...]
    first: int = 0


def plant(name: str, *swaps: tuple[str, str, str], first: int = 0) -> Plant:
    """Modules are named below `flashscalper`."""
    return Plant(name, tuple(Swap(f"flashscalper.{module}", old, new) for module, old, new in swaps), first)


_AGAIN = """
            if outcome.verdict is Verdict.UNKNOWN and order.role is OrderRole.ENTRY and order.price is not None:
                from flashscalper.trading.limits import Proposal

                again = Proposal(symbol=order.symbol, side=order.side, size=order.size, price=order.price)
                self._floor.desk.send(self._floor.desk.entry_command(again, order.time_in_force, "again"), now)
"""

PLANTS: Final = (
    plant(
        "a lost answer leads to a second order with a new id",
        ("trading.reports", "ANSWERS[outcome.verdict], now, detail)\n", "ANSWERS[outcome.verdict], now, detail)" + _AGAIN),
        first=7,
    ),
    plant(
        "a lost answer leads to the same order again",
        (
            "exchanges.paradex.orders",
            "if judgement.retry_login and not self._desk.stopped:",
            "if (judgement.retry_login or judgement.verdict is Verdict.UNKNOWN) and not self._desk.stopped:",
        ),
    ),
    plant(
        "an order that was not found once is dead",
        ("trading.pursuit", "NEGATIVES_NEEDED = 2", "NEGATIVES_NEEDED = 1"),
        ("trading.pursuit", "if not clean:", "if False:"),
        first=92,
    ),
    plant(
        "a fill that is told twice is booked twice",
        (
            "trading.positions",
            "        if key in self._keys:\n            return None\n        self.remember",
            "        self.remember",
        ),
        ("trading.positions", "return key in self._keys", "return False"),
    ),
    plant(
        "orders leave before they are durable",
        ("runtime.trader", "if holds_order(outputs) or _is_halting(outputs):", "if False:"),
    ),
    plant(
        "sizes are floats",
        ("trading.fold", "signed = fill.size * fill.side.sign", "signed = Decimal(float(fill.size) * fill.side.sign)"),
    ),
    plant(
        "one read of the account is believed at once",
        (
            "trading.reconcile",
            "if doubt is not None and doubt.difference == difference and snapshot.asked_at >= doubt.asked_at + apart:",
            "self._doubts[symbol] = _Doubt(difference, snapshot.asked_at)\n        if True:",
        ),
        first=295,
    ),
    plant(
        "a foreign position is traded as ours",
        (
            "trading.floor",
            "size = _within(size, size + self.foreign.get(symbol, ZERO))",
            "size += self.foreign.get(symbol, ZERO)",
        ),
        first=35,
    ),
    plant(
        "the stop keeps its size when the position grows",
        ("trading.protection", "if stop.size == size and stop.trigger_price == price:", "if stop.trigger_price == price:"),
        first=10,
    ),
    plant(
        "the old stop is cancelled before the new one stands",
        (
            "trading.protection",
            'elif self._desk.modify(stop, size=size, trigger_price=price, reason="stop", now=now):',
            'elif self._desk.cancel(stop, "replaced", now) is None:',
        ),
    ),
    plant(
        "an order refused for its login is sent again and again",
        ("exchanges.paradex.orders", "            if not resent:\n", "            if True:\n"),
        first=95,
    ),
    plant(
        "a fill taken back before it was seen stays owed",
        ("trading.reports", "if order is not None and self._floor.ledger.took_back(key):", "if False:"),
        first=56,
    ),
    plant(
        "an unknown order does not block its market",
        ("trading.floor", "if in_doubt(self.orders.active(symbol)):", "if False:"),
        ("trading.floor", "return order.role is OrderRole.ENTRY and order.live and", "return False and"),
        ("trading.exposure", "if order.reduce_only or not", "if order.reduce_only or order.state == 'unknown' or not"),
        ("trading.entries", "if entry.order.settled:", "if entry.order.settled or entry.order.state is OrderState.UNKNOWN:"),
        first=88,
    ),
    plant(
        "a fill that is taken back stays booked",
        ("trading.reports", "booked = self._floor.ledger.bust(key)", "booked = None"),
        first=1,
    ),
    plant(
        "entries leave while halted",
        ("trading.desk", "passed=state is TradingState.ACTIVE", "passed=True"),
        ("trading.judging", 'passed=risk.state == "active"', "passed=True"),
    ),
    plant(
        "requests may arrive five minutes late",
        ("exchanges.paradex.settings", "recv_window_ms: int = 5_000", "recv_window_ms: int = 300_000"),
        first=7,
    ),
    plant(
        "a fill that comes after its order ended is dropped",
        (
            "trading.reports",
            "        role, reason = (order.role, self._reason(order))",
            "        if order is not None and not order.live:\n            return\n"
            "        role, reason = (order.role, self._reason(order))",
        ),
    ),
    plant(
        "a partial fill counts as a full one",
        ("trading.orders", "whole = order.filled + order.busted >= order.size", "whole = True"),
        first=279,
    ),
    plant(
        "trades of a gap are not read",
        (
            "exchanges.paradex.trade_gaps",
            "self._close(symbol, gap, gapless=reached)",
            "gap.found.clear()\n            self._close(symbol, gap, gapless=True)",
        ),
        first=5,
    ),
    plant(
        "protection may add to a position",
        ("trading.desk", "trigger_price=trigger_price, reduce_only=True", "trigger_price=trigger_price, reduce_only=False"),
    ),
    plant(
        "client ids begin anew after a restart",
        ("trading.client_ids", "if parsed is not None and parsed > (self._run, self._counter):", "if False:"),
        first=58,
    ),
    plant(
        "an order without an answer in the journal counts as refused",
        ("trading.saved", "order.state = OrderState.UNKNOWN", "order.state = OrderState.REJECTED"),
        first=9,
    ),
    plant(
        "fills made while the stream was down are not read",
        ("trading.reconcile", "for fill in sorted(snapshot.fills,", "for fill in sorted((),"),
        ("trading.reports", "        for fill in found.fills:\n            self.on_fill(fill, now)\n", ""),
        first=4,
    ),
    plant(
        "a killed bot that is started again trades",
        (
            "trading.saved",
            "self.counters = msgspec.json.decode(note.text, type=RiskCounters)",
            "self.counters = RiskCounters()",
        ),
        first=34,
    ),
    plant(
        "funding is left out",
        ("trading.positions", "self.funding += (fill.funding or ZERO) * sign", "self.funding += ZERO * sign"),
    ),
    plant(
        "a stop that is gone is not missed",
        (
            "trading.protection",
            "            self._after(ended, seen, covered=_covered(live) >= abs(seen.size), now=now)",
            "            self.stop = ended\n            return",
        ),
        ("trading.protection", "if self._naked_since is not None and now >=", "if False and now >="),
        first=5,
    ),
    plant(
        "a stop that went with the connection is forgotten after the reconnect",
        ("trading.reconcile", "                self._floor.pursuit.suspect(order)", "                continue"),
        first=29,
    ),
    plant(
        "a stop that was confirmed within the last second is not missed, and the account is not read once more",
        ("trading.reconcile", "order.changed_at >= snapshot.asked_at", "order.changed_at > snapshot.asked_at - 1_000_000"),
        ("trading.reconcile", 'self._asked_cause in ("start", "reconnect")', "False"),
        first=266,
    ),
    plant(
        "a change that did not leave is sent again in the same instant",
        (
            "trading.protection",
            "        if self.stop is order:\n            self._stop_at",
            "        if False:\n            self._stop_at",
        ),
        first=26,
    ),
    plant(
        "busts are heard only on the stream",
        ("exchanges.paradex.reconcile", "        self._desk.events.extend(busts)\n", ""),
        first=17,
    ),
)


class Loader(SourceFileLoader):
    """Compiles a module from its source with substitutions, and never from or to a cache."""

    swaps: Sequence[Swap] = ()

    def get_code(self, fullname: str) -> CodeType:
        source = Path(self.path).read_text()
        for swap in self.swaps:
            found = source.count(swap.old)
            if found != 1:
                raise LookupError(f"the plant no longer applies: {swap.old!r} is {found} times in {fullname}")
            source = source.replace(swap.old, swap.new)
        return compile(source, self.path, "exec", dont_inherit=True)


class _Finder(MetaPathFinder):
    """Finds the modules that a plant changes before anybody else does."""

    def __init__(self, swaps: Sequence[Swap]) -> None:
        self._swaps = swaps

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The spec with a loader of ours, for changed modules only."""
        swaps = [swap for swap in self._swaps if swap.module == fullname]
        if not swaps or path is None:
            return None
        file = Path(next(iter(path))) / f"{fullname.rpartition('.')[2]}.py"
        loader = Loader(fullname, str(file))
        loader.swaps = swaps
        return spec_from_file_location(fullname, file, loader=loader)


def sow(name: str) -> Plant:
    """From now on the changed modules are loaded with the mistake in them. Nothing of the product may be loaded yet."""
    found = next(one for one in PLANTS if one.name == name)
    loaded = [swap.module for swap in found.swaps if swap.module in sys.modules]
    if loaded:
        raise RuntimeError(f"already loaded: {loaded}")
    sys.meta_path.insert(0, _Finder(found.swaps))
    for swap in found.swaps:
        if find_spec(swap.module) is None:
            raise LookupError(f"no module {swap.module}")
    return found


def main(name: str, first: int | None = None) -> int:
    """Exit code 0 when some seed below 500 notices, 1 when none does. Begins where the plant says, or at `first`."""
    sown = sow(name)
    first = sown.first if first is None else first
    from tests.campaigns.seeding import draw
    from tests.campaigns.storm import live

    for seed in range(first, SEEDS):
        try:
            live(draw(seed))
        except Exception as error:  # noqa: BLE001 - a mistake may show itself as anything
            print(f"seed {seed} notices: {type(error).__name__}: {error}"[:400])
            return 0
    print(f"the seeds {first} to {SEEDS - 1} do not notice: {name}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *map(int, sys.argv[2:3])))
