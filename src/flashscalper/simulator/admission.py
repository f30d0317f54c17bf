"""The synchronous half of an order's checks: what is refused at once, with the exchange's error code (paradex.md 6.1, C)."""

from __future__ import annotations

from decimal import Decimal

from flashscalper.model.amounts import ZERO
from flashscalper.model.events import ExchangeStatus
from flashscalper.model.orders import OrderStatus, OrderType, Side, TimeInForce
from flashscalper.simulator.accounts import Account
from flashscalper.simulator.desk import Change
from flashscalper.simulator.facts import NewOrder, Refusal
from flashscalper.simulator.listing import Listing
from flashscalper.simulator.orders import MARKET_TYPES, TPSL_TYPES, TRIGGER_TYPES, LiveOrder
from flashscalper.simulator.rules import ClientIdScope
from flashscalper.simulator.state import ExchangeState

CLIENT_ID_LENGTH = 64
_POST_ONLY_TYPES = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})


class Admission:
    """Reads the state, changes nothing."""

    def __init__(self, state: ExchangeState) -> None:
        self._state = state

    def check(self, account: str, request: NewOrder, now: int) -> Refusal | None:
        """Why a new order is refused at once; None lets it in."""
        listing = self._state.listings.get(request.symbol)
        if listing is None:
            return Refusal("MARKET_NOT_FOUND", f"market {request.symbol} not found")
        owner = self._state.accounts.get(account)
        if owner is None:
            return Refusal("ACCOUNT_NOT_FOUND", f"account {account} not found")
        return (
            self._check_mode(request.time_in_force)
            or _check_shape(request)
            or self._check_window(request, now)
            or _check_size(listing, request.size, whole_position=_may_be_whole_position(request))
            or _check_price(listing, "price", None if _is_priceless(request) else request.price)
            or _check_price(listing, "trigger_price", request.trigger_price)
            or self._check_owner(owner, listing, request)
            or _check_market(owner, listing, request)
        )

    def _check_mode(self, time_in_force: TimeInForce) -> Refusal | None:
        status = self._state.status
        if status is ExchangeStatus.MAINTENANCE:
            return Refusal("SERVICE_UNAVAILABLE", "exchange is under maintenance")
        if status is ExchangeStatus.CANCEL_ONLY:
            return Refusal("SYSTEM_STATUS_CANCEL_ONLY", "exchange is in cancel-only mode")
        if status is ExchangeStatus.POST_ONLY and time_in_force is not TimeInForce.POST_ONLY:
            return Refusal("SYSTEM_STATUS_POST_ONLY", "exchange is in post-only mode")
        return None

    def _check_window(self, request: NewOrder, now: int) -> Refusal | None:
        rules = self._state.rules
        window = rules.recv_window_us if request.recv_window_us is None else request.recv_window_us
        if window < rules.recv_window_min_us:
            return Refusal("INVALID_REQUEST_PARAMETER", f"recv_window is below {rules.recv_window_min_us // 1000} ms")
        if now > request.signed_at + window:
            return Refusal("INVALID_TIMESTAMP", "order arrived after its receive window")
        return None

    def _check_owner(self, owner: Account, listing: Listing, request: NewOrder) -> Refusal | None:
        client_id = request.client_id
        if client_id and self._is_taken(owner, client_id):
            return Refusal("DUPLICATED_CLIENT_ID", f"client_id {client_id} is in use")
        if request.time_in_force is TimeInForce.RPI and owner.id not in self._state.rules.rpi_accounts:
            return Refusal("RPI_ACCOUNT_NOT_WHITELISTED", "account is not whitelisted for RPI orders")
        if sum(order.listing is listing for order in owner.live.values()) >= listing.market.max_open_orders:
            return Refusal("VALIDATION_ERROR", f"max_open_orders {listing.market.max_open_orders} reached")
        return None

    def _is_taken(self, owner: Account, client_id: str) -> bool:
        if client_id not in owner.client_ids:
            return False
        if self._state.rules.client_id_scope is ClientIdScope.FOREVER:
            return True
        return any(order.request.client_id == client_id for order in owner.live.values())

    def check_modify(
        self, account: str, order_id: str, size: Decimal, price: Decimal | None, trigger_price: Decimal | None
    ) -> Refusal | tuple[LiveOrder, Change]:
        """The order and what to make of it, or why the request is refused at once."""
        order = self._state.find(account, order_id)
        if order is None:
            return Refusal("ORDER_ID_NOT_FOUND", f"order {order_id} not found")
        if order.status is OrderStatus.CLOSED:
            return Refusal("ORDER_IS_CLOSED", f"order {order_id} is closed")
        listing = order.listing
        if trigger_price is not None and trigger_price != order.trigger_price and order.status is OrderStatus.OPEN:
            return Refusal("VALIDATION_ERROR", "trigger_price cannot change after the trigger")
        if price is not None and order.is_market:
            price = None
        refusal = (
            self._check_mode(order.request.time_in_force)
            or _check_size(listing, size, whole_position=order.whole_position)
            or _check_price(listing, "price", price)
            or _check_price(listing, "trigger_price", trigger_price)
        )
        if refusal is not None:
            return refusal
        price = order.price if price is None else price
        tick = order.tick if price is None else listing.ticks(price)
        lots = listing.lots(size)
        if tick is None or lots is None:
            raise ValueError("the grid was checked above")
        return order, Change(lots, tick, price, order.trigger_price if trigger_price is None else trigger_price)


def _check_shape(request: NewOrder) -> Refusal | None:
    """Fields that must be there, or must not, for the order's type and instruction (paradex.md 6.3)."""
    kind, instruction = request.type, request.time_in_force
    if kind not in MARKET_TYPES and request.price is None:
        return Refusal("VALIDATION_ERROR", f"{kind.value} order needs a price")
    if kind is OrderType.MARKET and request.price is not None and request.price != ZERO:
        return Refusal("VALIDATION_ERROR", "market order takes no price")
    if (kind in TRIGGER_TYPES) is not (request.trigger_price is not None):
        return Refusal("VALIDATION_ERROR", f"trigger_price does not go with {kind.value}")
    if instruction is TimeInForce.IOC and kind not in (OrderType.LIMIT, OrderType.MARKET):
        return Refusal("VALIDATION_ERROR", "IOC is for limit orders")
    if instruction is TimeInForce.POST_ONLY and kind not in _POST_ONLY_TYPES:
        return Refusal("VALIDATION_ERROR", "POST_ONLY is for limit and stop-limit orders")
    if instruction is TimeInForce.RPI and kind is not OrderType.LIMIT:
        return Refusal("VALIDATION_ERROR", "RPI is for limit orders")
    if len(request.client_id) > CLIENT_ID_LENGTH:
        return Refusal("VALIDATION_ERROR", f"client_id is longer than {CLIENT_ID_LENGTH} characters")
    return None


def _is_priceless(request: NewOrder) -> bool:
    """Market types are sent with price 0 or none (paradex.md 3.1)."""
    return request.type in MARKET_TYPES and request.price == ZERO


def _may_be_whole_position(request: NewOrder) -> bool:
    return request.reduce_only and request.type in TPSL_TYPES


def _check_size(listing: Listing, size: Decimal, *, whole_position: bool) -> Refusal | None:
    if size < ZERO or (size == ZERO and not whole_position):
        return Refusal("INVALID_ORDER_SIZE", f"size {size} is not above zero")
    if listing.lots(size) is None:
        return Refusal("INVALID_ORDER_SIZE", f"size {size} is not a multiple of {listing.step}")
    if size > listing.market.max_order_size:
        return Refusal("INVALID_ORDER_SIZE", f"size {size} is above max_order_size {listing.market.max_order_size}")
    return None


def _check_price(listing: Listing, field: str, price: Decimal | None) -> Refusal | None:
    if price is None:
        return None
    if price <= ZERO or listing.ticks(price) is None:
        return Refusal("VALIDATION_ERROR", f"{field} {price} is not a positive multiple of {listing.tick}")
    return None


def _check_market(owner: Account, listing: Listing, request: NewOrder) -> Refusal | None:
    """The market must have a price, and the order be worth the minimum notional unless it closes a whole position."""
    if listing.mark is None:
        return Refusal("MARKET_NOT_OPEN", f"market {listing.market.market} has no price yet")
    if request.size == ZERO or request.size * listing.mark >= listing.market.min_notional:
        return None
    held = owner.ledger.size_of(listing.symbol)
    closing = Side.SELL if held > ZERO else Side.BUY
    if request.reduce_only and request.side is closing and request.size == abs(held):
        return None
    return Refusal("INVALID_ORDER_SIZE", f"notional is below min_notional {listing.market.min_notional}")
