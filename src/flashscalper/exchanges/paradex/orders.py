"""Order requests: checked, signed and sent in one call; each has its own deadline and gets exactly one outcome.

Entries leave on the socket with cancel-on-disconnect and never elsewhere; stops, targets and exits leave on the protection
socket, or by REST when that is down. A request is sent at most once, with one exception that is safe: a refused login (401)
proves that nothing happened, so the same client id is signed anew and sent once more with a fresh token. Not so an entry:
until the token is there the risk gate may have changed its mind, and only it decides what adds risk.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from flashscalper.exchanges.paradex import requests, responses
from flashscalper.exchanges.paradex.requests import MARKET_TYPES, SOCKET_TYPES, Group
from flashscalper.exchanges.paradex.settings import OrderEntry
from flashscalper.exchanges.paradex.verdicts import Judgement, judge_http, judge_rpc, unknown
from flashscalper.model.amounts import ZERO
from flashscalper.model.commands import ArmOrder, CancelOrder, DisarmOrder, ModifyOrder, PlaceOrder
from flashscalper.model.errors import ConfigError, FlashScalperError, ProtocolError
from flashscalper.model.events import OrderUpdate, RequestKind, RequestOutcome, Verdict
from flashscalper.model.orders import Order, OrderRole

if TYPE_CHECKING:
    from collections.abc import Callable

    from flashscalper.exchanges.paradex.account_feed import AccountFeed
    from flashscalper.exchanges.paradex.alarms import Alarm
    from flashscalper.exchanges.paradex.clock import ExchangeClock
    from flashscalper.exchanges.paradex.desk import Answer, Desk
    from flashscalper.exchanges.paradex.limits import RateBudget
    from flashscalper.exchanges.paradex.link import Link, RpcOutcome
    from flashscalper.exchanges.paradex.requests import Call
    from flashscalper.exchanges.paradex.rest import HttpOutcome, Rest
    from flashscalper.exchanges.paradex.session import Session
    from flashscalper.exchanges.paradex.signing import ParadexSigner

MAX_CLIENT_ID: Final = 64
_DOUBT_AFTER_S: Final = 1.0
"""After this long without a sound from its socket an order's way is tested with a ping."""
OrderCommand = PlaceOrder | ModifyOrder | CancelOrder

_KINDS: Final = {PlaceOrder: RequestKind.PLACE, ModifyOrder: RequestKind.MODIFY, CancelOrder: RequestKind.CANCEL}
_METHODS: Final = {PlaceOrder: "order.create", ModifyOrder: "order.modify", CancelOrder: "order.cancel"}


class Orders:
    """Sends order requests and judges what comes back."""

    def __init__(
        self,
        desk: Desk,
        *,
        rest: Rest,
        session: Session,
        account: AccountFeed,
        clock: ExchangeClock,
        budget: RateBudget,
        signer: ParadexSigner,
        refused_for_status: Callable[[int], None],
    ) -> None:
        self._desk = desk
        self._rest = rest
        self._session = session
        self._account = account
        self._clock = clock
        self._budget = budget
        self._signer = signer
        self._refused_for_status = refused_for_status
        self._ahead: dict[str, _Ahead] = {}

    def submit(self, command: OrderCommand, now: int) -> None:
        """Send one request, or say at once why it was not sent."""
        refusal = self._refusal(command, now)
        if refusal is not None:
            self._tell(command, refusal)
            return
        link = self._link_for(command)
        try:
            if link is not None:
                params = self._at_hand(command, now) or self._params(command, now)
                timeout_s = self._desk.settings.order_timeout_s
                conn = link.conn
                link.request(_METHODS[type(command)], params, now, timeout_s, _Reply(self, command, conn))
                self._desk.later(now, _DOUBT_AFTER_S, lambda at: link.doubt(conn, now, at))
            else:
                self._by_rest(command, now, resent=self._is_entry(command))
        except ConfigError as error:  # figures that cannot be signed; nothing has left us yet
            self._tell(command, Judgement(Verdict.UNSENT, "INVALID_ORDER", str(error)))

    # ---- signed ahead ----

    def arm(self, command: ArmOrder, now: int) -> None:
        """Sign an order that may be released at any moment, and sign it anew before the exchange would call it old.

        One that cannot be signed (or that nobody released) is no loss: a release signs what is not at hand.
        """
        order = command.order
        if order.symbol not in self._desk.rules:
            return
        armed = self._ahead.get(order.client_id)
        if armed is not None:
            armed.alarm.cancel()
        try:
            params = self._params(order, now)
        except ConfigError as error:
            self._ahead.pop(order.client_id, None)
            self._desk.trouble("arm", str(error))
            return
        alarm = self._desk.later(now, self._desk.settings.recv_window_ms / 2_000, lambda at: self.arm(command, at))
        self._ahead[order.client_id] = _Ahead(order, params, now, alarm)

    def disarm(self, command: DisarmOrder) -> None:
        """Throw an armed order away."""
        armed = self._ahead.pop(command.client_id, None)
        if armed is not None:
            armed.alarm.cancel()

    def _at_hand(self, command: OrderCommand, now: int) -> bytes | None:
        """The signed bytes of an armed order, once; None when there are none, or they are old or say something else."""
        armed = self._ahead.pop(command.client_id, None) if isinstance(command, PlaceOrder) else None
        if armed is None:
            return None
        armed.alarm.cancel()
        fresh = now - armed.signed_at <= self._desk.settings.recv_window_ms * 500
        return armed.params if fresh and msgspec.structs.replace(command, reason=armed.order.reason) == armed.order else None

    # ---- may it leave ----

    def _refusal(self, command: OrderCommand, now: int) -> Judgement | None:
        market = self._desk.rules.get(command.symbol)
        if market is None:
            accepted = ", ".join(self._desk.rules) or "none yet (the markets were not read)"
            return Judgement(Verdict.UNSENT, "UNKNOWN_SYMBOL", f"symbol: saw {command.symbol!r}; accepted: {accepted}")
        if not 0 < len(command.client_id) <= MAX_CLIENT_ID:
            problem = f"client_id: saw {command.client_id!r}; accepted: 1 to {MAX_CLIENT_ID} characters"
            return Judgement(Verdict.UNSENT, "INVALID_ORDER", problem)
        if not isinstance(command, CancelOrder):
            problem = _off_grid(command, market.price_tick, market.size_step)
            if problem:
                return Judgement(Verdict.UNSENT, "INVALID_ORDER", problem)
        if isinstance(command, ModifyOrder) and not command.order_id:
            return Judgement(Verdict.UNSENT, "INVALID_ORDER", "order_id: saw nothing; accepted: the exchange's id")
        wait = self._budget.take(Group.ORDER, now, urgent=_urgent(command))
        if wait:
            return Judgement(Verdict.UNSENT, "RATE_BUDGET", f"our own budget is spent; next in {wait} us")
        return None

    def _link_for(self, command: OrderCommand) -> Link | None:
        """The socket this request leaves on, None for REST. A cancel may use whichever is there."""
        if self._desk.settings.order_entry is OrderEntry.REST:
            return None
        if isinstance(command, PlaceOrder | ModifyOrder) and command.type not in SOCKET_TYPES:
            return None
        entries, protection = self._account.entries, self._account.protection
        first, second = (entries, protection) if command.role is OrderRole.ENTRY else (protection, entries)
        if first.ready:
            return first
        return second if isinstance(command, CancelOrder) and second.ready else None

    # ---- REST ----

    def _by_rest(self, command: OrderCommand, now: int, *, resent: bool) -> None:
        settings = self._desk.settings
        over_rest = settings.order_entry is OrderEntry.REST
        if not over_rest and self._is_entry(command):
            self._tell(command, Judgement(Verdict.UNSENT, "NOT_CONNECTED", "the entries socket is down"))
            return
        if not over_rest and not settings.rest_fallback:
            self._tell(command, Judgement(Verdict.UNSENT, "NOT_CONNECTED", "the order sockets are down"))
            return
        token = self._session.token(now)
        if token is None:
            self._session.refresh(now)
            self._tell(command, Judgement(Verdict.UNSENT, "NO_TOKEN", "there is no token that is certainly valid"))
            return

        def done(outcome: HttpOutcome, at: int) -> None:
            self._judge(command, judge_http(_KINDS[type(command)], outcome), token, at, resent=resent)

        self._rest.send_order(self._call(command, now), token, now, done)

    def _call(self, command: OrderCommand, now: int) -> Call:
        if isinstance(command, CancelOrder):
            return requests.cancel_order(command.order_id, command.client_id, self._desk.market_of[command.symbol])
        body = self._at_hand(command, now) or self._params(command, now)
        return (
            requests.modify_order(command.order_id, body) if isinstance(command, ModifyOrder) else requests.place_order(body)
        )

    # ---- signing ----

    def _params(self, command: OrderCommand, now: int) -> bytes:
        market = self._desk.market_of[command.symbol]
        if isinstance(command, CancelOrder):
            return requests.cancel_params(command.order_id, command.client_id, market)
        signed_ms = self._clock.exchange_now(now) // 1000
        signature = self._signer.sign_order(
            market=market,
            side=command.side,
            order_type=command.type,
            size=command.size,
            price=None if command.type in MARKET_TYPES else command.price,
            timestamp_ms=signed_ms,
            order_id=command.order_id if isinstance(command, ModifyOrder) else "",
        )
        if isinstance(command, ModifyOrder):
            return requests.modify_body(command, market, signature, signed_ms)
        return requests.order_body(command, market, signature, signed_ms, self._desk.settings.recv_window_ms)

    # ---- outcomes ----

    def answered(self, command: OrderCommand, conn: str, outcome: RpcOutcome, now: int) -> None:
        """The socket's answer, or None when none came."""
        judgement = judge_rpc(_KINDS[type(command)], outcome)
        if judgement.retry_login:
            for link in self._account.links:
                if link.conn == conn:
                    link.close(now, f"login refused: {judgement.code}")
        if judgement.code == "RATE_LIMITED":
            self._budget.block(Group.ORDER, now, responses.DEFAULT_RETRY_AFTER_S)
        self._judge(command, judgement, "", now, resent=self._is_entry(command))

    def _is_entry(self, command: OrderCommand) -> bool:
        """Entries are not sent again: never without cancel-on-disconnect, and never behind the back of the risk gate."""
        return isinstance(command, PlaceOrder) and command.role is OrderRole.ENTRY

    def _judge(self, command: OrderCommand, judgement: Judgement, token: str, now: int, *, resent: bool) -> None:
        if judgement.retry_login and not self._desk.stopped:
            if token:
                self._session.reject(token, now)
            if not resent:
                self._session.need(now, _Resend(self, command, judgement))
                return
        if judgement.code.startswith("SYSTEM_STATUS"):
            self._refused_for_status(now)
        self._tell(command, judgement)

    def resend(self, command: OrderCommand, refused: Judgement, token: Answer, now: int) -> None:
        """After a refused login: the same client id, signed anew, once, by REST; or the refusal stands."""
        if isinstance(token, FlashScalperError):
            self._tell(command, refused)
        else:
            self._by_rest(command, now, resent=True)

    def _tell(self, command: OrderCommand, judgement: Judgement) -> None:
        order = None
        if judgement.order is not None:
            try:
                order = self._checked(command, judgement)
            except ProtocolError as error:
                judgement = unknown("BAD_ANSWER", str(error))
        kind = _KINDS[type(command)]
        order_id = order.order_id if order is not None else getattr(command, "order_id", "")
        outcome = RequestOutcome(kind, command.client_id, judgement.verdict, order_id, judgement.code, judgement.message)
        self._desk.events.append(outcome)
        if order is not None:
            self._desk.events.append(OrderUpdate(order))

    def _checked(self, command: OrderCommand, judgement: Judgement) -> Order | None:
        """The answer's order, if it is about this request. Its `seq_no` is not the stream's and is left out."""
        assert judgement.order is not None
        order = responses.order_from(judgement.order, command.symbol)
        if judgement.order.market != self._desk.market_of[command.symbol]:
            raise ProtocolError("order.market", f"saw {judgement.order.market!r} in the answer for {command.symbol}")
        if order.client_id != command.client_id:
            raise ProtocolError("order.client_id", f"saw {order.client_id!r} in the answer for {command.client_id!r}")
        return msgspec.structs.replace(order, seq_no=0)


class _Ahead(NamedTuple):
    """An order that is signed and waits: its bytes, and when it is signed anew."""

    order: PlaceOrder
    params: bytes
    signed_at: int
    alarm: Alarm


class _Reply:
    """Takes the answer of one socket request."""

    __slots__ = ("_command", "_conn", "_orders")

    def __init__(self, orders: Orders, command: OrderCommand, conn: str) -> None:
        self._orders = orders
        self._command = command
        self._conn = conn

    def __call__(self, outcome: RpcOutcome, now: int) -> None:
        self._orders.answered(self._command, self._conn, outcome, now)


class _Resend:
    """Takes the fresh token for one request that a refused login stopped."""

    __slots__ = ("_command", "_orders", "_refused")

    def __init__(self, orders: Orders, command: OrderCommand, refused: Judgement) -> None:
        self._orders = orders
        self._command = command
        self._refused = refused

    def __call__(self, token: Answer, now: int) -> None:
        self._orders.resend(self._command, self._refused, token, now)


def _urgent(command: OrderCommand) -> bool:
    """Whether it may use the reserved share: it can only reduce what we risk."""
    return isinstance(command, CancelOrder) or command.role is not OrderRole.ENTRY


def _off_grid(command: PlaceOrder | ModifyOrder, tick: Decimal, step: Decimal) -> str:
    """What is wrong with an order's figures; empty when they are finite, above zero and on the market's grid."""
    if not _on_grid(command.size, step):
        return f"size: saw {command.size}; accepted: a multiple of {step} above 0"
    try:
        requests.wire_price(command.type, command.price)
        if isinstance(command, PlaceOrder):
            requests.wire_instruction(command.type, command.time_in_force)
    except ValueError as error:
        return str(error)
    for field, value in (("price", command.price), ("trigger_price", command.trigger_price)):
        if value is not None and not _on_grid(value, tick):
            return f"{field}: saw {value}; accepted: a multiple of {tick} above 0"
    return ""


def _on_grid(value: Decimal, step: Decimal) -> bool:
    try:
        return value.is_finite() and value > ZERO and value % step == ZERO
    except ArithmeticError:  # more digits than the decimal context holds
        return False
