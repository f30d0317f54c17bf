"""What there is in the exchange: listings, accounts, mode, counters, and the facts not yet drained."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from flashscalper.model.errors import ConfigError
from flashscalper.model.events import ExchangeStatus
from flashscalper.model.instants import MILLISECOND_US
from flashscalper.model.markets import Market
from flashscalper.simulator.accounts import Account
from flashscalper.simulator.facts import BookTouched, Fact, QuoteTouched
from flashscalper.simulator.listing import Listing
from flashscalper.simulator.orders import LiveOrder
from flashscalper.simulator.rules import ExchangeRules

TRADE_IDS_PER_MS = 10**15
"""13 digits of milliseconds, 15 of a counter: 28, as Paradex writes them (paradex.md 4.1)."""


class ExchangeState:
    """Shared by the parts of one exchange. `now` only grows."""

    def __init__(self, markets: Sequence[Market], rules: ExchangeRules, started_at: int, recorded: frozenset[str]) -> None:
        self.rules = rules
        self.now = started_at
        self.status = ExchangeStatus.OK
        self.listings = {
            market.symbol: Listing(market, rules, started_at, recorded=market.symbol in recorded) for market in markets
        }
        self.accounts: dict[str, Account] = {}
        self.facts: list[Fact] = []
        self._counter = 0
        self._seq_no = 0
        self._trade_id = started_at // MILLISECOND_US * TRADE_IDS_PER_MS

    def emit(self, fact: Fact) -> None:
        """Something happened."""
        self.facts.append(fact)

    def listing(self, symbol: str) -> Listing:
        """A market by its symbol; an unknown one is a ConfigError naming the known ones."""
        listing = self.listings.get(symbol)
        if listing is None:
            raise ConfigError("symbol", symbol, ", ".join(self.listings))
        return listing

    def open_account(self, account: str, collateral: Decimal, now: int) -> bool:
        """Add an account; False when it exists already."""
        if account in self.accounts:
            return False
        self.accounts[account] = Account(account, collateral, now)
        return True

    def find(self, account: str, order_id: str) -> LiveOrder | None:
        """An account's order, open or closed."""
        owner = self.accounts.get(account)
        return None if owner is None else owner.orders.get(order_id)

    def next_number(self) -> int:
        """The next number of the counter that orders all orders."""
        self._counter += 1
        return self._counter

    def next_id(self, now: int) -> str:
        """A fresh 28-digit id as Paradex writes them: milliseconds, then a counter."""
        self._counter += 1
        return f"{now // MILLISECOND_US:013d}{self._counter:015d}"

    def next_trade_id(self) -> int:
        """Public trade ids: 28 digits, growing, and later runs start higher. No machine word holds them."""
        self._trade_id += 1
        return self._trade_id

    def next_seq_no(self, now: int) -> int:
        """Sequence of private updates: grows with gaps, 19 digits."""
        self._seq_no = max(self._seq_no + 1, now * 1000)
        return self._seq_no

    def counters(self) -> tuple[int, int, int]:
        """Where the counters of ids, private sequences and public trades stand."""
        return self._counter, self._seq_no, self._trade_id

    def resume(self, counter: int, seq_no: int, trade_id: int) -> None:
        """Go on counting where an earlier process stopped: no id is given twice."""
        self._counter = max(self._counter, counter)
        self._seq_no = max(self._seq_no, seq_no)
        self._trade_id = max(self._trade_id, trade_id)

    def flush(self, now: int) -> None:
        """Say once per call from outside which books and quotes changed."""
        for listing in self.listings.values():
            if listing.dirty:
                listing.dirty = False
                listing.seq_no += 1
                listing.at = now
                self.emit(BookTouched(listing.symbol, listing.seq_no, now))
                quoted = listing.top()
                if quoted != listing.quoted:
                    listing.quoted = quoted
                    self.emit(QuoteTouched(listing.symbol, listing.seq_no, now))
