"""A live order inside the exchange: mutable, and matched in ticks and lots; `snapshot` is what the outside sees."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from flashscalper.model.amounts import round_money
from flashscalper.model.events import FeeClass
from flashscalper.model.orders import OrderStatus, OrderType, Side, TimeInForce
from flashscalper.simulator.book import Resting
from flashscalper.simulator.facts import ModifyInfo, NewOrder, SimOrder
from flashscalper.simulator.triggers import triggers_above

if TYPE_CHECKING:
    from flashscalper.simulator.accounts import Account
    from flashscalper.simulator.listing import Listing

MARKET_TYPES = frozenset({OrderType.MARKET, OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_MARKET, OrderType.STOP_LOSS_MARKET})
TRIGGER_TYPES = frozenset(OrderType) - {OrderType.MARKET, OrderType.LIMIT}
TPSL_TYPES = TRIGGER_TYPES - {OrderType.STOP_MARKET, OrderType.STOP_LIMIT}
TAKE_PROFIT_TYPES = frozenset({OrderType.TAKE_PROFIT_MARKET, OrderType.TAKE_PROFIT_LIMIT})


class LiveOrder(Resting):
    """One order of an account from NEW to CLOSED. `lots` is the total, `left` (of `Resting`) what remains."""

    __slots__ = (
        "account",
        "cancel_reason",
        "created_at",
        "filled_ticks",
        "id",
        "listing",
        "lots",
        "modify",
        "price",
        "request",
        "seq_no",
        "status",
        "trigger_price",
        "updated_at",
        "vwap_bounded",
        "whole_position",
    )

    def __init__(
        self, order_id: str, account: Account, listing: Listing, request: NewOrder, *, number: int, seq_no: int, now: int
    ) -> None:
        lots = listing.lots(request.size)
        tick = 0 if request.price is None else listing.ticks(request.price)
        if lots is None or tick is None:
            raise ValueError(f"order {order_id} is off the grid of {listing.symbol}; admission checks that")
        super().__init__(number, request.side, tick, lots)
        self.owner = self.account = account
        self.retail = request.fee_class is FeeClass.RETAIL
        self.rpi = request.time_in_force is TimeInForce.RPI
        self.stp = request.stp
        self.id = order_id
        self.listing = listing
        self.request = request
        self.lots = lots
        self.price = request.price
        self.trigger_price = request.trigger_price
        self.whole_position = lots == 0
        self.status = OrderStatus.NEW
        self.cancel_reason = ""
        self.filled_ticks = 0
        self.vwap_bounded = False
        self.modify: ModifyInfo | None = None
        self.created_at = self.updated_at = now
        self.seq_no = seq_no

    @property
    def is_market(self) -> bool:
        """Executes at any price within its bounds, never rests."""
        return self.request.type in MARKET_TYPES

    @property
    def reduce_only(self) -> bool:
        """May only make the position smaller."""
        return self.request.reduce_only

    @property
    def average_price(self) -> Decimal | None:
        """Mean price of what filled, to 8 decimals; None before the first fill."""
        filled = self.lots - self.left
        return round_money(self.listing.tick * self.filled_ticks / filled) if filled and self.filled_ticks else None

    def flags(self) -> tuple[str, ...]:
        """Paradex's order flags."""
        flags = ["REDUCE_ONLY"] if self.reduce_only else []
        if self.request.type in TRIGGER_TYPES:
            above = triggers_above(self.request.type, self.side)
            flags.append("STOP_CONDITION_ABOVE_TRIGGER" if above else "STOP_CONDITION_BELOW_TRIGGER")
        if self.retail:
            flags.append("INTERACTIVE")
        if self.vwap_bounded:
            flags.append("TARGET_STRATEGY_VWAP")
        return tuple(flags)

    def snapshot(self) -> SimOrder:
        """The order as it stands."""
        request = self.request
        return SimOrder(
            order_id=self.id,
            account=self.account.id,
            client_id=request.client_id,
            symbol=request.symbol,
            side=request.side,
            type=request.type,
            size=self.listing.size(self.lots),
            remaining=self.listing.size(self.left),
            status=self.status,
            price=self.price,
            trigger_price=self.trigger_price,
            time_in_force=request.time_in_force,
            reduce_only=request.reduce_only,
            stp=request.stp,
            fee_class=request.fee_class,
            signed_at=request.signed_at,
            recv_window_us=request.recv_window_us,
            vwap_price=request.vwap_price,
            conn=request.conn,
            cancel_reason=self.cancel_reason,
            average_price=self.average_price,
            created_at=self.created_at,
            updated_at=self.updated_at,
            received_at=self.created_at,
            seq_no=self.seq_no,
            flags=self.flags(),
            modify=self.modify,
        )

    def aggressiveness(self) -> tuple[int, Decimal, int]:
        """Sort key of reduce-only orders: who uses up the position first (market, then better price, then older)."""
        price = self.price if self.price is not None else self.trigger_price
        if price is None or (self.is_market and self.status is not OrderStatus.UNTRIGGERED):
            return 0, Decimal(0), self.number
        return 1, -price if self.side is Side.BUY else price, self.number
