"""What must hold, whatever the weather: looked at after every step, and once more when everything has come home.

Truth is what the exchange holds and what lies on the wire, never what the engine believes; where both are compared they
must be equal to the last digit.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import msgspec

from flashscalper.exchanges.base import HttpRequest, HttpResponse, Incoming, Outgoing, SendFrame
from flashscalper.model.amounts import ZERO
from flashscalper.model.commands import PlaceOrder
from flashscalper.model.events import ExchangeStatus
from flashscalper.model.fills import Fill
from flashscalper.model.instants import SECOND_US
from flashscalper.model.klines import Kline, Trade
from flashscalper.model.orders import OrderRole, OrderStatus, OrderType, Side
from flashscalper.model.records import TradingStateChanged
from flashscalper.trading.client_ids import is_ours
from flashscalper.trading.engine import Engine
from flashscalper.trading.orders import OrderState
from flashscalper.trading.protection import ProtectionState
from flashscalper.trading.risk import Halt, TradingState
from flashscalper.trading.saved import read_back

if TYPE_CHECKING:
    from tests.campaigns.storm import World

SLACK: Final = Decimal("1.03")
"""Prices move between decision and fill; limits are meant in the prices of the decision."""
WINDOW_US: Final = 6 * SECOND_US
"""After this long an order that the exchange does not know can no longer arrive (receive window and clock error)."""

STEPS_AT_ONCE, AT_ONCE_US = 2_000, 10_000
"""More steps within so short a time are a loop that would never end."""

_UNSAFE: Final = (ProtectionState.NAKED, ProtectionState.STOP_SENT)


class _Params(msgspec.Struct):
    """As much of an order request as the laws look at."""

    market: str = ""
    side: str = ""
    type: str = ""
    size: str = "0"
    price: str = "0"
    client_id: str = ""
    id: str = ""
    flags: tuple[str, ...] = ()


class _Request(msgspec.Struct):
    method: str
    params: _Params
    id: int


class Placed(msgspec.Struct):
    """An order that left us: what it may add, and when."""

    symbol: str
    buys: bool
    size: Decimal
    price: Decimal
    adds: bool
    sent_at: int
    request: str
    refused_login: bool = False
    attempts: int = 1
    leaves: bool = False
    """A market order that only reduces."""
    alone: bool = True
    """Nothing had yet been heard of somebody else's position in the market."""


class Laws:
    """The laws of one world. Every broken one is an AssertionError that names it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.foreign = False
        self.busted = False
        self.killed = False
        self.sent: dict[str, Placed] = {}
        self._requests: dict[str, str] = {}
        self._held: set[tuple[str, str]] = set()
        self._fills_seen = self._orders_seen = self._fills_at_the_end = 0
        self._by_client_id: dict[str, Any] = {}
        self.own: dict[str, Decimal] = {market.symbol: ZERO for market in world.markets}
        self._naked: dict[str, int] = {}
        self._leaving_at: dict[str, int] = {}
        self._unsafe: dict[str, int] = {}
        self.naked_times: list[int] = []
        self._steps_now = self._steps_since = 0

    # ---- lives ----

    def begin_life(self) -> None:
        """A new process: its connections and requests are numbered anew. A kill outlives the process."""
        self._requests.clear()
        if self.killed:
            assert self._world.engine._floor.risk.holds(Halt.KILLED), "the kill did not outlive the process"

    def end_life(self) -> None:
        """What was durable stays durable; protection that the dead process had in mind is nobody's."""
        self._held |= self._world.journal.held
        self._unsafe.clear()

    # ---- what leaves ----

    def sending(self, item: Outgoing) -> None:
        """One thing is about to leave the process."""
        if isinstance(item, SendFrame):
            if b'"method":"order.' in item.data and b"cancel_on_disconnect" not in item.data:
                request = msgspec.json.decode(item.data, type=_Request)
                self._order_leaves(request.method.removeprefix("order."), request.params, f"{item.conn}/{request.id}")
        elif isinstance(item, HttpRequest) and "/v1/orders" in item.url and item.method != "GET":
            verb = {"POST": "create", "PUT": "modify", "DELETE": "cancel"}[item.method]
            params = msgspec.json.decode(item.body, type=_Params) if item.body else _Params()
            self._order_leaves(verb, params, f"http/{item.id}")

    def _order_leaves(self, verb: str, params: _Params, request: str) -> None:
        if verb == "create":
            self._create_leaves(params, request)
            return
        kind = "ModifyOrder" if verb == "modify" else "CancelOrder"
        client_id = params.client_id
        if not client_id and params.id and (order := self._account.orders.get(params.id)) is not None:
            client_id = order.request.client_id
        if client_id:
            assert self._is_held(kind, client_id), f"{kind} {client_id} left before it was durable"
            if verb == "cancel":
                self._cancel_leaves(client_id)

    def _cancel_leaves(self, client_id: str) -> None:
        """The stop of an open position is cancelled only when another covers it, or the position is being closed."""
        order, floor = self._exchange_order(client_id), self._world.engine._floor
        if order is None or order.request.type is not OrderType.STOP_MARKET or order.status is OrderStatus.CLOSED:
            return
        symbol = order.listing.symbol
        own = floor.own_size(symbol)
        if not own or floor.markets[symbol].protection.closing or order.side is (Side.BUY if own > ZERO else Side.SELL):
            return
        assert self._covered(symbol, own, but=client_id) >= abs(own), f"{client_id} was the only stop of {symbol}"

    def _is_held(self, kind: str, client_id: str) -> bool:
        return (kind, client_id) in self._world.journal.held or (kind, client_id) in self._held

    def _create_leaves(self, params: _Params, request: str) -> None:
        client_id = params.client_id
        assert is_ours(client_id), f"an order without our prefix: {client_id!r}"
        assert self._is_held("PlaceOrder", client_id), f"{client_id} left before it was durable"
        before = self.sent.get(client_id)
        assert before is None or before.refused_login, f"{client_id} was sent twice"
        attempts = 1 if before is None else before.attempts + 1
        assert attempts <= 2, f"{client_id} was sent {attempts} times"
        placed = Placed(
            attempts=attempts,
            symbol=self._world.symbol_of[params.market], buys=params.side == "BUY", size=Decimal(params.size),
            price=Decimal(params.price), adds="REDUCE_ONLY" not in params.flags, sent_at=self._world.now, request=request,
            leaves="REDUCE_ONLY" in params.flags and params.type == "MARKET",
            alone=not self._world.engine._floor.foreign.get(self._world.symbol_of[params.market]),
        )  # fmt: skip
        assert placed.size > ZERO
        self._requests[request] = client_id
        if placed.adds:
            self._risk_leaves(client_id, placed)
        elif placed.leaves:
            self._leaving_at[placed.symbol] = placed.sent_at
        self.sent[client_id] = placed

    def _risk_leaves(self, client_id: str, placed: Placed) -> None:
        """An order that adds risk: only when ACTIVE, one per market, and never beyond the limits."""
        floor = self._world.engine._floor
        assert not self.killed, f"{client_id} left although a person killed the bot"
        active = floor.risk.state is TradingState.ACTIVE or self._was_active(client_id)
        assert active, f"{client_id} left while {floor.risk.reasons}"
        others = [
            one
            for one, order in self.sent.items()
            if order.symbol == placed.symbol and one != client_id and self._may_add(one, order)
        ]
        assert not others, f"{client_id} left while {others} may still fill"
        held = self._own_sizes()
        if self.foreign or self.busted:
            return
        assert held[placed.symbol] == ZERO or self._same_way(held[placed.symbol], placed), f"{client_id} against a position"
        limits = self._world.setup.trading.risk
        worst = {symbol: abs(size) * self._price(symbol) for symbol, size in held.items()}
        for one, order in {**self.sent, client_id: placed}.items():
            if one == client_id or self._may_add(one, order):
                known = self._exchange_order(one)
                left = order.size if known is None else known.listing.size(known.left)
                worst[order.symbol] += left * order.price
        position, account = limits.max_position_notional, limits.max_account_notional
        assert position is None or worst[placed.symbol] <= position * SLACK, f"exposure {worst} after {client_id}"
        assert account is None or sum(worst.values()) <= account * SLACK, f"exposure {worst} after {client_id}"

    def _was_active(self, client_id: str) -> bool:
        """Whether it was decided before what changed the state was known: both came in one call, in this order."""
        state = None
        for entry in self._world.journal.entries():
            if isinstance(entry.content, TradingStateChanged):
                state = entry.content.after
            elif isinstance(entry.content, PlaceOrder) and entry.content.client_id == client_id:
                return state == TradingState.ACTIVE and entry.at == self._world.now
        return False

    def _same_way(self, held: Decimal, placed: Placed) -> bool:
        return (held > ZERO) is placed.buys

    def _may_add(self, client_id: str, order: Placed) -> bool:
        """Whether it may still add to the position, as far as the exchange and the wire can tell."""
        if not order.adds:
            return False
        known = self._exchange_order(client_id)
        if known is not None:
            return bool(known.status is not OrderStatus.CLOSED)
        return order.request != "" and self._world.now < order.sent_at + WINDOW_US and not self._is_refused(client_id)

    def _is_refused(self, client_id: str) -> bool:
        order = self._world.engine._floor.orders.get(client_id)
        return order is not None and order.state in (OrderState.REJECTED, OrderState.UNSENT)

    def _exchange_order(self, client_id: str) -> Any:
        if not self._world.known:
            return None
        orders = self._account.orders
        for order in islice(orders.values(), self._orders_seen, None):
            self._by_client_id[order.request.client_id] = order
        self._orders_seen = len(orders)
        return self._by_client_id.get(client_id)

    @property
    def _account(self) -> Any:
        return self._world.exchange._state.accounts[self._world.account]

    def _price(self, symbol: str) -> Decimal:
        return self._world.exchange.summary(symbol).mark or ZERO

    # ---- what comes ----

    def answered(self, message: Incoming) -> None:
        """A refused login proves that the order did nothing: it may be sent once more."""
        request = ""
        if isinstance(message, HttpResponse) and message.status == 401:
            request = f"http/{message.id}"
        elif (data := getattr(message, "data", b"")) and b'"error"' in data and b'"code":40' in data:
            answer = msgspec.json.decode(data)
            request = f"{getattr(message, 'conn', '')}/{answer.get('id')}"
        client_id = self._requests.get(request)
        if client_id is not None:
            self.sent[client_id].refused_login = True

    # ---- every step ----

    def step(self, at: int) -> None:
        """One more thing happens at `at`: nobody turns in circles while the time (almost) stands still."""
        if at >= self._steps_since + AT_ONCE_US:
            self._steps_since, self._steps_now = at, 0
        self._steps_now += 1
        assert self._steps_now <= STEPS_AT_ONCE, f"more than {STEPS_AT_ONCE} steps at one instant"

    def look(self) -> None:
        """After one step."""
        if not self._world.known:
            return
        for symbol, own in self._own_sizes().items():
            if own or symbol in self._naked:
                self._watch_naked(symbol, own)
        if self._world.trader is not None:
            self._watch_engine()

    def _own_sizes(self) -> dict[str, Decimal]:
        """Our own position by our own orders' fills. With somebody else trading beside us it is a matter of attribution
        which part of the net is ours (their fill may have closed our position): then it is what the engine says."""
        if not self._world.known:
            return self.own
        if self.foreign:
            self.own = {symbol: self._world.engine._floor.ledger.holding(symbol).size for symbol in self.own}
            return self.own
        fills = self._account.fills
        if self.busted:
            gone = {str(one[0]) for one in self._account.busts}
            self.own = dict.fromkeys(self.own, ZERO)
            for fill in fills:
                if is_ours(fill.client_id) and fill.id not in gone:
                    self.own[fill.symbol] += fill.size * fill.side.sign
        else:
            for fill in fills[self._fills_seen :]:
                if is_ours(fill.client_id):
                    self.own[fill.symbol] += fill.size * fill.side.sign
            self._fills_seen = len(fills)
        return self.own

    def _watch_naked(self, symbol: str, own: Decimal) -> None:
        """How long the exchange held a position of ours without a confirmed stop for all of it, since the last fault and
        the last order that was to close it."""
        world = self._world
        net = self._account.ledger.size_of(symbol)
        size = min(abs(own), abs(net)) if own and net and (own > ZERO) is (net > ZERO) else ZERO
        if size == ZERO or world.exchange.status is not ExchangeStatus.OK or self._covered(symbol, own) >= size:
            since = self._naked.pop(symbol, None)
            if since is not None:
                self.naked_times.append(world.now - max(since, self._leaving_at.get(symbol, 0)))
            return
        since = self._naked.setdefault(symbol, world.now)
        naked_us = world.now - max(since, world.last_fault_at, self._leaving_at.get(symbol, 0))
        limit_us = int(world.setup.naked_limit_s * SECOND_US)
        assert naked_us <= limit_us, f"{symbol}: {size} naked for {naked_us / SECOND_US} s without a fault"

    def _covered(self, symbol: str, own: Decimal, *, but: str = "") -> Decimal:
        side = Side.SELL if own > ZERO else Side.BUY
        stops = (
            order.listing.size(order.left)
            for order in self._account.live.values()
            if order.listing.symbol == symbol and order.request.type is OrderType.STOP_MARKET
            and order.reduce_only and order.side is side and order.status is not OrderStatus.NEW
            and order.request.client_id != but
        )  # fmt: skip
        return max(stops, default=ZERO)

    def _watch_engine(self) -> None:
        """The engine itself never believes a position unprotected for longer than its limit while orders can be sent."""
        world, floor = self._world, self._world.engine._floor
        limit_us = int(world.setup.trading.protection.naked_limit_s * SECOND_US) + 50_000
        for symbol, state in floor.markets.items():
            if state.protection.state not in _UNSAFE:
                if self._unsafe:
                    self._unsafe.pop(symbol, None)
                continue
            if not floor.can_send or not floor.own_size(symbol):
                self._unsafe.pop(symbol, None)
                continue
            since = self._unsafe.setdefault(symbol, world.now)
            assert world.now - since <= limit_us, f"{symbol}: {state.protection.state} for {world.now - since} us"

    # ---- when everything has come home ----

    def at_rest(self) -> bool:
        """Flat, nothing of ours lives at the exchange, and the engine knows it."""
        world = self._world
        if world.trader is None or not world.known or any(self._own_sizes().values()):
            return False
        if any(is_ours(order.request.client_id) for order in self._account.live.values()):
            return False
        floor = world.engine._floor
        return not floor.orders.all_active() and not any(floor.ledger.holding(symbol).size for symbol in self.own)

    def at_the_end(self) -> None:
        """Nothing was lost, doubled, invented or left behind."""
        world = self._world
        assert world.trader is not None
        if not world.known:
            assert not self.sent, "orders were sent for an account that does not exist"
            return
        self._fills_at_the_end = sum(is_ours(fill.client_id) for fill in self._account.fills)
        self._orders_agree()
        self._fills_agree()
        self._positions_agree()
        self._exits_only_reduced()
        self._klines_agree()
        self._journal_agrees()

    def _orders_agree(self) -> None:
        theirs = [order for order in self._account.orders.values() if is_ours(order.request.client_id)]
        ids = Counter(order.request.client_id for order in theirs)
        doubled = [client_id for client_id, count in ids.items() if count > 1]
        assert not doubled, f"the exchange has {doubled} more than once"
        strangers = set(ids) - set(self.sent)
        assert not strangers, f"orders that never left us: {strangers}"
        live = [order.request.client_id for order in theirs if order.status is not OrderStatus.CLOSED]
        assert not live, f"still live at the exchange: {live}"
        late = [
            one.request.client_id for one in theirs if one.created_at > self.sent[one.request.client_id].sent_at + WINDOW_US
        ]
        assert not late, f"taken in after they could not arrive any more: {late}"
        floor = self._world.engine._floor
        active = [(order.client_id, order.state, order.owed) for order in floor.orders.all_active()]
        assert not active, f"the engine still waits for {active}"
        for order in theirs:
            ours = floor.orders.get(order.request.client_id)
            if ours is None:
                continue
            gone = ours.state in (OrderState.DEAD, OrderState.UNSENT, OrderState.REJECTED)
            assert not gone, f"{ours.client_id} is {ours.state} for us and exists at the exchange"

    def _fills_agree(self) -> None:
        floor = self._world.engine._floor
        gone = {str(one[0]) for one in self._account.busts}
        theirs = Counter(
            (fill.symbol, fill.id, fill.size, fill.price, fill.fee)
            for fill in self._account.fills
            if is_ours(fill.client_id) and fill.id not in gone
        )
        ours = Counter(
            (symbol, one.fill.id, one.fill.size, one.fill.price, one.fill.fee)
            for symbol in self.own
            for one in floor.ledger.position(symbol).fills
            if not one.foreign
        )
        assert ours == theirs, f"fills differ: missing {theirs - ours}, invented {ours - theirs}"

    def _positions_agree(self) -> None:
        floor, ledger = self._world.engine._floor, self._world.exchange.ledger(self._world.account)
        held = {symbol: size for symbol, size, _ in ledger.positions if size}
        for symbol in self.own:
            fold, foreign = floor.ledger.holding(symbol).size, floor.foreign.get(symbol, ZERO)
            assert fold + foreign == held.get(symbol, ZERO), f"{symbol}: {fold} and {foreign} foreign, exchange {held}"
            assert self.foreign or self.busted or fold == ZERO, f"{symbol}: {fold} was not brought home"
        if not self.foreign and not self.busted:
            assert not held, f"left behind: {held}"
            assert floor.ledger.cash == ledger.cash, f"cash {floor.ledger.cash}, exchange {ledger.cash}"

    def _exits_only_reduced(self) -> None:
        """What was sent to leave never made a position of ours larger, or one of somebody else smaller: but for the exit
        that was on its way when somebody else traded, for reduce-only goes by the sum of both."""
        for symbol in self.own:
            for one in self._world.engine._floor.ledger.position(symbol).fills:
                if one.role in (OrderRole.EXIT, OrderRole.STOP) and not self.busted:
                    before = one.after.size - one.fill.size * one.fill.side.sign
                    reduced = abs(one.after.size) < abs(before) or (self.foreign and self._left_alone(one.fill))
                    assert reduced, f"{one.fill.client_id} ({one.reason}) turned {before}"

    def _left_alone(self, fill: Fill) -> bool:
        """Whether the last exit before this fill left before anything could be known of somebody else's position."""
        exits = [
            order for order in self.sent.values()
            if order.symbol == fill.symbol and order.leaves and order.sent_at <= fill.filled_at
        ]  # fmt: skip
        return bool(exits) and max(exits, key=lambda order: order.sent_at).alone

    def after_all(self) -> None:
        """The process is gone and everything that was still on its way has arrived: nothing came of it."""
        if not self._world.known:
            return
        live = [o.request.client_id for o in self._account.live.values() if is_ours(o.request.client_id)]
        assert not live, f"ghosts: {live}"
        assert sum(is_ours(fill.client_id) for fill in self._account.fills) == self._fills_at_the_end, "a late fill"

    def _klines_agree(self) -> None:
        """Every closed kline that calls itself complete holds exactly the trades of its time."""
        trades: dict[str, list[Trade]] = {symbol: [] for symbol in self.own}
        for trade in self._world.feed.trades:
            trades[trade.symbol].append(trade)
        for symbol, state in self._world.engine._floor.markets.items():
            if state.builder is None:
                continue
            for interval in state.builder.intervals:
                for kline in state.builder.get_klines(interval):
                    if kline.complete and kline.close_at < self._world.now - 2 * SECOND_US:
                        _check_kline(kline, trades[symbol])

    def _journal_agrees(self) -> None:
        """Whoever read the journal now would know the same."""
        engine = self._world.engine
        saved = read_back(self._world.journal.entries())
        assert saved is not None
        told = sorted(one.fill.id for one in saved.fills)
        known = sorted(one.fill.id for symbol in self.own for one in engine._floor.ledger.position(symbol).fills)
        assert told == known, "the journal tells other fills than the engine knows"


def _check_kline(kline: Kline, trades: list[Trade]) -> None:
    inside = [trade for trade in trades if kline.open_at <= trade.traded_at < kline.close_at]
    assert kline.trade_count == len(inside), f"{kline} is said to be complete; there were {len(inside)} trades"
    if inside:
        high, low = max(trade.price for trade in inside), min(trade.price for trade in inside)
        assert (kline.open, kline.close) == (inside[0].price, inside[-1].price), str(kline)
        assert (kline.high, kline.low) == (high, low), str(kline)


__all__ = ["Engine", "Laws", "Placed"]
