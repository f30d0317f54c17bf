"""One account: ledger, orders, fills, leverage."""

from __future__ import annotations

from decimal import Decimal

from flashscalper.simulator.facts import FundingSettled, LedgerState, Liquidated, SimFill
from flashscalper.simulator.ledger import Ledger
from flashscalper.simulator.listing import Listing
from flashscalper.simulator.orders import LiveOrder


class Account:
    """Mutable state of one account.

    `live` are NEW, OPEN and UNTRIGGERED orders; `orders` are those and the youngest closed ones; fills and the ledger log
    are the account's history and are kept for the whole run.
    """

    def __init__(self, account: str, collateral: Decimal, now: int) -> None:
        self.id = account
        self.ledger = Ledger(account, collateral)
        self.live: dict[str, LiveOrder] = {}
        self.orders: dict[str, LiveOrder] = {}
        self.client_ids: set[str] = set()
        self.fills: list[SimFill] = []
        self.ledger_log: list[tuple[str, LedgerState]] = []
        self.funding_payments: list[FundingSettled] = []
        self.liquidations: list[Liquidated] = []
        self.busts: list[tuple[str, int]] = []
        self.leverage: dict[str, int] = {}
        self.liquidating = False
        self.updated_at = now
        self.seq_no = now

    def leverage_of(self, listing: Listing) -> int:
        """The leverage in force for a market: the account's own, else the maximum."""
        return self.leverage.get(listing.symbol, listing.max_leverage)

    def forget_closed(self, kept: int) -> None:
        """Drop the oldest closed orders beyond `kept`."""
        excess = len(self.orders) - len(self.live) - kept
        if excess > 0:
            closed = [order_id for order_id in self.orders if order_id not in self.live]
            for order_id in closed[:excess]:
                del self.orders[order_id]
