"""Paradex as a sans-IO machine: one account, every part composed. Nothing here waits, and nothing here touches a socket.

The parts: `rest` and `link` carry, `session` and `clock` keep us welcome, `market_feed` and `account_feed` read the streams,
`orders` writes, `reconcile`, `klines` and `rules` ask. This file only starts them and hands each report to its part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from flashscalper.exchanges.base import (
    Frame,
    HttpFailed,
    HttpResponse,
    Incoming,
    Outgoing,
    Pong,
    SocketClosed,
    SocketOpened,
    TimerDue,
)
from flashscalper.exchanges.paradex.account_feed import AccountFeed
from flashscalper.exchanges.paradex.clock import ExchangeClock
from flashscalper.exchanges.paradex.degraded import DegradedFeed
from flashscalper.exchanges.paradex.desk import Answer, Desk
from flashscalper.exchanges.paradex.klines import KlineReads
from flashscalper.exchanges.paradex.limits import RateBudget
from flashscalper.exchanges.paradex.market_feed import MarketFeed
from flashscalper.exchanges.paradex.orders import Orders
from flashscalper.exchanges.paradex.reconcile import AccountReads
from flashscalper.exchanges.paradex.rest import Rest
from flashscalper.exchanges.paradex.rules import Rules
from flashscalper.exchanges.paradex.session import Session
from flashscalper.model.commands import (
    ArmOrder,
    CancelOrder,
    Command,
    DisarmOrder,
    FetchKlines,
    ModifyOrder,
    PlaceOrder,
    QueryOrder,
    Reconcile,
    ReleaseOrder,
    ResyncBook,
    SetLeverage,
)
from flashscalper.model.errors import ConfigError, FlashScalperError
from flashscalper.model.events import Event, RequestKind, RequestOutcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flashscalper.exchanges.paradex.link import Link
    from flashscalper.exchanges.paradex.settings import ParadexSettings
    from flashscalper.exchanges.paradex.signing import ParadexSigner
    from flashscalper.model.dice import Dice
    from flashscalper.model.secrets import Secret

OrderCommand = PlaceOrder | ModifyOrder | CancelOrder


class ParadexClient:
    """One account on Paradex, an `ExchangeClient`. Raises ConfigError when settings and credentials do not agree."""

    def __init__(
        self,
        settings: ParadexSettings,
        dice: Dice,
        *,
        signer: ParadexSigner | None = None,
        bearer: Secret | None = None,
        budget: RateBudget | None = None,
    ) -> None:
        """`signer` trades; `bearer` is a ready-made token, which without a signer only reads.

        `budget` is shared by clients of one key and address.
        """
        settings.validate()
        if settings.private and signer is None and bearer is None:
            raise ConfigError("PARADEX_SECRET_KEY", "nothing", "a key or PARADEX_BEARER_TOKEN, or public data only")
        trades = settings.private and signer is not None and not settings.read_only
        self._desk = desk = Desk(settings, dice)
        # Pro's limits in a Retail run too: beyond Retail's an order counts as Pro, and what protects must leave.
        budget = budget or RateBudget()
        rest = self._rest = Rest(desk, budget)
        clock = ExchangeClock(desk, rest)
        self._session = Session(desk, rest, clock, signer, bearer)
        rest.tokens = self._session
        self._rules = Rules(desk, rest, clock)
        self._market = MarketFeed(desk, rest)
        self._market_link = self._market.link
        self._account = AccountFeed(desk, self._session, trades=trades)
        self._degraded = DegradedFeed(desk, rest, self._market, self._account)
        self._reads = AccountReads(desk, rest)
        self._klines = KlineReads(desk, rest)
        self._orders: Orders | None = None
        if trades and signer is not None:
            self._orders = Orders(
                desk,
                rest=rest,
                session=self._session,
                account=self._account,
                clock=clock,
                budget=budget,
                signer=signer,
                refused_for_status=self._rules.look,
            )
        self._now = 0
        self._login_attempts = 0

    @property
    def refused(self) -> str:
        """Why this client will never talk to that exchange (wrong chain, market not listed); empty when it may."""
        return self._rules.refused

    # ---- ExchangeClient ----

    def start(self, now: int) -> None:
        """Begin; what happens comes as events."""
        self._now = now
        self._rules.begin(now, self._listed)

    def receive(self, message: Incoming, now: int) -> Sequence[Event]:
        """Take one report. Whatever the other side sent, this returns events."""
        self._now = now
        if type(message) is Frame:
            self._take_frame(message, now)
        elif not self._desk.stopped:
            self._take(message, now)
        events = self._desk.events
        if events:
            self._desk.events = []
        return events

    def submit(self, command: Command, now: int) -> None:
        """Take one command; its bytes are in `outgoing()` when this returns."""
        self._now = now
        if isinstance(command, PlaceOrder | ModifyOrder | CancelOrder):
            self._submit_order(command, now)
        elif isinstance(command, ArmOrder | ReleaseOrder | DisarmOrder):
            self._submit_armed(command, now)
        elif self._desk.stopped:
            self._desk.trouble("stopped", f"{type(command).__name__} after the client stopped")
        else:
            self._submit_read(command, now)

    def outgoing(self) -> Sequence[Outgoing]:
        """Everything to do now; drained by the call."""
        out = self._desk.out
        if out:
            self._desk.out = []
        return out

    def next_deadline(self) -> int | None:
        """The earliest alarm; now, when events of a `submit` wait to be fetched."""
        return self._now if self._desk.events else self._desk.alarms.next_at()

    def stop(self, now: int) -> None:
        """Close every socket for good. Requests that wait for an answer get none."""
        self._now = now
        self._desk.stopped = True
        for link in self._links():
            link.shut()
        self._rest.forget()
        self._desk.alarms.clear()

    # ---- start ----

    def _listed(self, now: int) -> None:
        self._market.link.open(now)
        self._degraded.watch(now)
        private = self._desk.settings.private
        self._rules.watch(now, private=private)
        if private:
            self._log_in(now)

    def _log_in(self, now: int) -> None:
        self._session.need(now, self._logged_in)

    def _logged_in(self, token: Answer, now: int) -> None:
        if isinstance(token, FlashScalperError):
            self._desk.later(now, self._desk.backoff_s(self._login_attempts), self._log_in)
            self._login_attempts += 1
            return
        self._rules.read_account(now)
        self._account.open(now)

    # ---- reports ----

    def _links(self) -> tuple[Link, ...]:
        return (self._market.link, self._account.entries, self._account.protection)

    def _take_frame(self, frame: Frame, now: int) -> None:
        """Frames of sockets that we gave up find nobody."""
        conn = frame.conn
        if conn == self._market_link.conn:
            self._market.take(frame.data, frame.binary, now)
            return
        for link in self._account.links:
            if conn == link.conn:
                self._account.take(link, frame.data, frame.binary, now)

    def _take(self, message: Incoming, now: int) -> None:
        if isinstance(message, TimerDue):
            self._desk.alarms.ring(now)
        elif isinstance(message, HttpResponse | HttpFailed):
            self._rest.take(message, now)
        elif isinstance(message, SocketOpened | SocketClosed | Pong):
            self._take_socket(message, now)

    def _take_socket(self, message: SocketOpened | SocketClosed | Pong, now: int) -> None:
        for link in self._links():
            if link.conn == message.conn and message.conn:
                if isinstance(message, SocketOpened):
                    link.opened(now)
                elif isinstance(message, SocketClosed):
                    link.closed(message.reason, message.status, now)
                else:
                    link.pong(now)

    # ---- commands ----

    def _submit_order(self, command: OrderCommand, now: int) -> None:
        if self._orders is not None and not self._desk.stopped:
            self._orders.submit(command, now)
            return
        kind = RequestKind.PLACE if isinstance(command, PlaceOrder) else RequestKind.MODIFY
        if isinstance(command, CancelOrder):
            kind = RequestKind.CANCEL
        code = "STOPPED" if self._desk.stopped else "READ_ONLY"
        message = "the client stopped" if self._desk.stopped else "this client has no key to sign with"
        self._desk.events.append(RequestOutcome(kind, command.client_id, Verdict.UNSENT, "", code, message))

    def _submit_armed(self, command: ArmOrder | ReleaseOrder | DisarmOrder, now: int) -> None:
        if isinstance(command, ReleaseOrder):
            self._submit_order(command.order, now)
        elif self._orders is not None and not self._desk.stopped:
            if isinstance(command, ArmOrder):
                self._orders.arm(command, now)
            else:
                self._orders.disarm(command)

    def _submit_read(self, command: QueryOrder | Reconcile | FetchKlines | SetLeverage | ResyncBook, now: int) -> None:
        match command:
            case QueryOrder():
                self._reads.query(command, now)
            case Reconcile():
                self._reads.reconcile(command, now)
            case FetchKlines():
                self._klines.fetch(command, now)
            case SetLeverage():
                self._rules.set_leverage(command, now)
            case ResyncBook():
                self._market.resync(command.symbol, command.reason, now)
            case _:
                assert_never(command)
