"""What of an exchange outlives its process: accounts with their money, orders, fills and leverage, and the counters.

The state is written as rows under keys, each one self-contained JSON; `CoreSaver` gives the rows that changed since it was
last asked, `restore_core` builds the state from all of them. Public trades and klines are not kept: they are the feed's.
Where rows are stored, and when that counts as done, is the runtime's business. Prices are kept once a second.

Resting orders come back in the order in which they were placed, which is their priority unless one was modified.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from flashscalper.model.amounts import ZERO
from flashscalper.model.errors import ConfigError
from flashscalper.model.events import ExchangeStatus
from flashscalper.model.orders import OrderStatus
from flashscalper.simulator.accounts import Account
from flashscalper.simulator.clockwork import Clockwork, Waiting
from flashscalper.simulator.facts import (
    AccountTouched,
    Fact,
    FillBusted,
    FillMade,
    FundingSettled,
    LedgerState,
    Liquidated,
    ModifyInfo,
    NewOrder,
    OrderChanged,
    PositionTouched,
    SimFill,
)
from flashscalper.simulator.ledger import Booking, Holding
from flashscalper.simulator.listing import Listing
from flashscalper.simulator.orders import LiveOrder
from flashscalper.simulator.state import ExchangeState

Rows = dict[str, bytes]
T = TypeVar("T")

_ENCODE = msgspec.json.Encoder().encode
_OF_ACCOUNT = (AccountTouched, PositionTouched, FundingSettled, FillMade, FillBusted, Liquidated)


class SavedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One order. Its socket is gone when it is read back, so `request.conn` is empty."""

    id: str
    number: int
    request: NewOrder
    status: OrderStatus
    lots: int
    left: int
    tick: int
    price: Decimal | None
    trigger_price: Decimal | None
    whole_position: bool
    gone: bool
    cancel_reason: str
    filled_ticks: int
    vwap_bounded: bool
    modify: ModifyInfo | None
    created_at: int
    updated_at: int
    seq_no: int


class SavedAccount(msgspec.Struct, frozen=True, kw_only=True):
    """One account but for its orders and the lists that only grow."""

    place: int
    cash: Decimal
    fees: Decimal
    funding: Decimal
    realized_pnl: Decimal
    holdings: dict[str, dict[str, Any]]
    leverage: dict[str, int]
    liquidating: bool
    busts: list[tuple[str, int]]
    liquidations: list[Liquidated]
    updated_at: int
    seq_no: int


class SavedListing(msgspec.Struct, frozen=True, kw_only=True):
    """One market's part in the money: prices, funding, and what the other sides of all positions hold."""

    mark: Decimal | None
    index: Decimal | None
    funding_index: Decimal
    funding_rate: Decimal
    crowd_lots: int
    insurance_lots: int


class SavedExchange(msgspec.Struct, frozen=True, kw_only=True):
    """Counters, mode, and requests behind their speed bump."""

    counter: int
    seq_no: int
    trade_id: int
    status: ExchangeStatus
    waiting: list[Waiting]


class CoreSaver:
    """Rows of the exchange core that changed. Told every fact; asked after every call from outside."""

    def __init__(self, state: ExchangeState, clockwork: Clockwork) -> None:
        self._state = state
        self._clockwork = clockwork
        self._orders: dict[str, str] = {}
        self._accounts: dict[str, None] = {}
        self._saved_lists: dict[str, int] = {}

    def note(self, facts: Iterable[Fact]) -> None:
        """Remember whose rows changed."""
        for fact in facts:
            if isinstance(fact, OrderChanged):
                self._orders[fact.order.order_id] = fact.order.account
            elif isinstance(fact, _OF_ACCOUNT):
                self._accounts[fact.fill.account if isinstance(fact, FillMade) else fact.account] = None

    def rows(self) -> Rows:
        """The changed rows, and the small ones that change with everything."""
        for waiting in self._clockwork.waiting():
            self._orders[waiting.order_id] = waiting.account
        rows: Rows = {"exchange": _ENCODE(_saved_exchange(self._state, self._clockwork))}
        rows |= {f"listing/{symbol}": _ENCODE(_saved_listing(each)) for symbol, each in self._state.listings.items()}
        for order_id, account in self._orders.items():
            order = self._state.find(account, order_id)
            if order is not None:
                rows[f"order/{account}/{order.number:015d}"] = _ENCODE(_saved_order(order))
        places = {account: place for place, account in enumerate(self._state.accounts)}
        for account in self._accounts:
            owner = self._state.accounts[account]
            rows[f"account/{account}"] = _ENCODE(_saved_account(owner, places[account]))
            rows |= self._tail(f"fill/{account}", owner.fills)
            rows |= self._tail(f"ledger/{account}", owner.ledger_log)
            rows |= self._tail(f"payment/{account}", owner.funding_payments)
        self._orders.clear()
        self._accounts.clear()
        return rows

    def mark_saved(self, rows: Mapping[str, bytes]) -> None:
        """What was restored need not be written again."""
        for key in rows:
            name, slash, _ = key.rpartition("/")
            if slash and name.partition("/")[0] in ("fill", "ledger", "payment"):
                self._saved_lists[name] = self._saved_lists.get(name, 0) + 1

    def _tail(self, name: str, values: Sequence[object]) -> Rows:
        """What was added to a list that only grows."""
        begin = self._saved_lists.get(name, 0)
        self._saved_lists[name] = len(values)
        return {f"{name}/{at:012d}": _ENCODE(values[at]) for at in range(begin, len(values))}


def restore_core(state: ExchangeState, clockwork: Clockwork, rows: Mapping[str, bytes]) -> None:
    """Put a fresh state of the same markets where the saved one was. Raises ConfigError naming a market that is missing."""
    _check_markets(state, rows)
    for symbol, listing in state.listings.items():
        if f"listing/{symbol}" in rows:
            _restore_listing(listing, _read(rows, f"listing/{symbol}", SavedListing))
    saved = sorted(
        ((key, _read(rows, key, SavedAccount)) for key in _under(rows, "account")), key=lambda each: each[1].place
    )
    for key, account in saved:
        _restore_account(state, key.partition("/")[2], account, rows)
    orders = [(key.split("/")[1], _read(rows, key, SavedOrder)) for key in _under(rows, "order")]
    for account_id, order in sorted(orders, key=lambda each: each[1].number):
        _restore_order(state, state.accounts[account_id], order)
    exchange = _read(rows, "exchange", SavedExchange)
    state.resume(exchange.counter, exchange.seq_no, exchange.trade_id)
    state.status = exchange.status
    clockwork.restore(exchange.waiting)


def saved_marks(rows: Mapping[str, bytes]) -> dict[str, Decimal]:
    """The last mark price of every market that had one, by symbol."""
    listings = {key.partition("/")[2]: _read(rows, key, SavedListing) for key in _under(rows, "listing")}
    return {symbol: listing.mark for symbol, listing in listings.items() if listing.mark is not None}


def _under(rows: Mapping[str, bytes], *names: str) -> list[str]:
    """The keys below a name, in order."""
    prefix = "/".join(names) + "/"
    return sorted(key for key in rows if key.startswith(prefix))


def _read(rows: Mapping[str, bytes], key: str, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(rows[key], type=shape)
    except (KeyError, msgspec.DecodeError) as error:
        raise ConfigError("state", f"row {key}: {error}", "a state that this version wrote, or --reset") from None


def _check_markets(state: ExchangeState, rows: Mapping[str, bytes]) -> None:
    """Every market in which something of an account lies must be there again."""
    used = {
        symbol
        for key in _under(rows, "account")
        for symbol, holding in _read(rows, key, SavedAccount).holdings.items()
        if Decimal(holding["size"]) != ZERO
    }
    for key in _under(rows, "order"):
        order = _read(rows, key, SavedOrder)
        if order.status is not OrderStatus.CLOSED:
            used.add(order.request.symbol)
    missing = sorted(used - set(state.listings))
    if missing:
        raise ConfigError("markets", ", ".join(state.listings), f"also {', '.join(missing)}: the state has something there")


def _saved_exchange(state: ExchangeState, clockwork: Clockwork) -> SavedExchange:
    counter, seq_no, trade_id = state.counters()
    return SavedExchange(counter=counter, seq_no=seq_no, trade_id=trade_id, status=state.status, waiting=clockwork.waiting())


def _saved_listing(listing: Listing) -> SavedListing:
    return SavedListing(
        mark=listing.mark,
        index=listing.index,
        funding_index=listing.funding.index,
        funding_rate=listing.funding.rate,
        crowd_lots=listing.crowd_lots,
        insurance_lots=listing.insurance_lots,
    )


def _restore_listing(listing: Listing, saved: SavedListing) -> None:
    if listing.mark is None:  # a feed that was heard already knows better
        listing.mark, listing.index = saved.mark, saved.index
    listing.funding.resume(saved.funding_index, saved.funding_rate)
    listing.crowd_lots, listing.insurance_lots = saved.crowd_lots, saved.insurance_lots


def _saved_account(account: Account, place: int) -> SavedAccount:
    ledger = account.ledger
    return SavedAccount(
        place=place,
        cash=ledger.cash,
        fees=ledger.fees,
        funding=ledger.funding,
        realized_pnl=ledger.realized_pnl,
        holdings={
            symbol: {name: getattr(holding, name) for name in Holding.__slots__}
            for symbol, holding in ledger.holdings.items()
        },
        leverage=account.leverage,
        liquidating=account.liquidating,
        busts=account.busts,
        liquidations=account.liquidations,
        updated_at=account.updated_at,
        seq_no=account.seq_no,
    )


def _restore_account(state: ExchangeState, account_id: str, saved: SavedAccount, rows: Mapping[str, bytes]) -> None:
    state.open_account(account_id, saved.cash, saved.updated_at)
    account = state.accounts[account_id]
    account.fills = [_read(rows, key, SimFill) for key in _under(rows, "fill", account_id)]
    account.ledger_log = [_read(rows, key, tuple[str, LedgerState]) for key in _under(rows, "ledger", account_id)]
    account.funding_payments = [_read(rows, key, FundingSettled) for key in _under(rows, "payment", account_id)]
    account.leverage, account.liquidating = saved.leverage, saved.liquidating
    account.busts, account.liquidations = saved.busts, saved.liquidations
    account.updated_at, account.seq_no = saved.updated_at, saved.seq_no
    busted = {fill_id for fill_id, _ in saved.busts}
    account.ledger.resume(
        fees=saved.fees,
        funding=saved.funding,
        realized_pnl=saved.realized_pnl,
        holdings={symbol: _holding(values) for symbol, values in saved.holdings.items()},
        bookings=[_booking(fill) for fill in account.fills if fill.id not in busted],
    )


def _holding(values: Mapping[str, Any]) -> Holding:
    """A holding from its slots: texts are decimals but for the last fill's id."""
    holding = Holding(ZERO)
    for name in Holding.__slots__:
        value = values[name]
        setattr(holding, name, Decimal(value) if isinstance(value, str) and name != "last_fill_id" else value)
    return holding


def _booking(fill: SimFill) -> Booking:
    size = fill.side.sign * fill.size
    return Booking(fill.id, fill.symbol, size, fill.price, fill.fee, fill.funding, fill.realized_pnl)


def _saved_order(order: LiveOrder) -> SavedOrder:
    return SavedOrder(
        id=order.id,
        number=order.number,
        request=msgspec.structs.replace(order.request, conn=""),
        status=order.status,
        lots=order.lots,
        left=order.left,
        tick=order.tick,
        price=order.price,
        trigger_price=order.trigger_price,
        whole_position=order.whole_position,
        gone=order.gone,
        cancel_reason=order.cancel_reason,
        filled_ticks=order.filled_ticks,
        vwap_bounded=order.vwap_bounded,
        modify=order.modify,
        created_at=order.created_at,
        updated_at=order.updated_at,
        seq_no=order.seq_no,
    )


def _restore_order(state: ExchangeState, account: Account, saved: SavedOrder) -> None:
    """Put an order where it was; a closed one of a market that is no longer listed is left out."""
    listing = state.listings.get(saved.request.symbol)
    if saved.request.client_id:
        account.client_ids.add(saved.request.client_id)
    if listing is None:
        return
    order = LiveOrder(
        saved.id, account, listing, saved.request, number=saved.number, seq_no=saved.seq_no, now=saved.created_at
    )
    for name in SavedOrder.__struct_fields__:
        if name not in ("id", "number", "request"):
            setattr(order, name, getattr(saved, name))
    account.orders[order.id] = order
    if saved.status is OrderStatus.CLOSED:
        account.forget_closed(state.rules.closed_orders_kept)
        return
    account.live[order.id] = order
    if saved.status is OrderStatus.OPEN:
        listing.book.add(order)
        listing.touched()
    elif saved.status is OrderStatus.UNTRIGGERED:
        listing.untriggered[order.id] = order
