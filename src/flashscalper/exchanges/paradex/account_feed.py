"""The two private sockets: `entries` (account channels, orders, cancel-on-disconnect on) and `protection` (orders only).

Entries are cancelled by the exchange when our connection dies; stops and exits are sent on the other socket and stay
(paradex.md section 5.2; reliability: re-armed before READY, because the switch is off on every new connection).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from flashscalper.exchanges.paradex import requests, responses, wire
from flashscalper.exchanges.paradex.account_frames import CHANNELS, OPTIONAL_CHANNELS, AccountFrames
from flashscalper.exchanges.paradex.link import Link, LinkState
from flashscalper.exchanges.paradex.settings import OrderEntry
from flashscalper.model.errors import ExchangeError, FlashScalperError, ProtocolError
from flashscalper.model.events import StreamChanged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flashscalper.exchanges.paradex.desk import Answer, Ask, Desk, Flow
    from flashscalper.exchanges.paradex.session import Session

ACCOUNT: Final = "account"
ENTRIES: Final = "entries"
PROTECTION: Final = "protection"
_BEARER_CODES: Final = frozenset({"40110", "40111"})
_ARM: Final = b'{"enabled":true}'


class AccountFeed:
    """Owner of the private links."""

    def __init__(self, desk: Desk, session: Session, *, trades: bool) -> None:
        """`trades`: orders will be sent, not only watched."""
        self._desk = desk
        self._session = session
        self._frames = AccountFrames(desk.symbol_of)
        self._trades = trades
        self._over_socket = trades and desk.settings.order_entry is OrderEntry.WEBSOCKET
        self._healthy = False
        self._told: dict[str, bool] = {}
        self.entries = Link(desk, ENTRIES, desk.settings.socket_url, data_counts=False)
        self.entries.set_up = self._set_up_entries
        self.entries.on_lost = self._lost
        self.protection = Link(desk, PROTECTION, desk.settings.socket_url, data_counts=False)
        self.protection.set_up = self._set_up_protection
        self.protection.on_lost = self._lost
        session.on_health = self._token_health

    @property
    def links(self) -> tuple[Link, ...]:
        """The sockets that this account needs."""
        return (self.entries, self.protection) if self._over_socket else (self.entries,)

    @property
    def never_ready(self) -> bool:
        """Whether nobody was ever told that the account stream is ready."""
        return ACCOUNT not in self._told

    def open(self, now: int) -> None:
        """Connect what this account needs."""
        for link in self.links:
            link.open(now)

    # ---- frames ----

    def take(self, link: Link, data: bytes, binary: bool, now: int) -> None:  # noqa: FBT001 - the frame's own field
        """One frame of a private socket."""
        link.heard_at = now
        try:
            if binary:
                self._desk.events.extend(self._frames.read_binary(data))
                return
            envelope = responses.decode("frame", wire.Envelope, data)
            if envelope.method == "subscription" and envelope.params is not None:
                self._desk.events.extend(self._frames.read(envelope.params.channel, bytes(envelope.params.data)))
                return
        except ProtocolError as error:
            self._damaged(link, error, now)
            return
        if not link.answered(envelope, now) and envelope.error is not None:
            self._desk.trouble(link.name, f"error frame: {envelope.error.code} {envelope.error.message}")

    def _damaged(self, link: Link, error: ProtocolError, now: int) -> None:
        """We may have lost a fill or an order's end. A new connection makes the engine reconcile."""
        self._desk.trouble(link.name, error)
        if link is self.entries and link.ready:
            link.close(now, f"damaged frame: {error}")

    # ---- set-up ----

    def _set_up_entries(self, now: int) -> Flow:
        conn = self.entries.conn
        (token,), now = yield [self._session.ask()]
        if self.entries.conn != conn:
            return
        (answer,), now = yield [self._login(self.entries, token)]
        if self._refused(self.entries, conn, "auth", answer, token=token, now=now):
            return
        if self._over_socket:
            (answer,), now = yield [self.entries.ask("order.cancel_on_disconnect", _ARM)]
            if self._refused(self.entries, conn, "cancel_on_disconnect", answer, token=token, now=now):
                return
        channels = (*CHANNELS, *OPTIONAL_CHANNELS)
        answers, now = yield [self.entries.ask("subscribe", requests.channel_params(each)) for each in channels]
        if not self._subscribed(conn, channels, answers, token, now):
            return
        self.entries.became_ready(now)
        self._tell()

    def _subscribed(self, conn: str, channels: Sequence[str], answers: list[Answer], token: Answer, now: int) -> bool:
        for channel, answer in zip(channels, answers, strict=True):
            if channel in OPTIONAL_CHANNELS and isinstance(answer, ExchangeError):
                self._desk.trouble(ENTRIES, f"{channel} is not served: {answer}")
            elif self._refused(self.entries, conn, channel, answer, token=token, now=now):
                return False
        return True

    def _set_up_protection(self, now: int) -> Flow:
        conn = self.protection.conn
        (token,), now = yield [self._session.ask()]
        if self.protection.conn != conn:
            return
        (answer,), now = yield [self._login(self.protection, token)]
        if not self._refused(self.protection, conn, "auth", answer, token=token, now=now):
            self.protection.became_ready(now)
            self._tell()

    def _login(self, link: Link, token: Answer) -> Ask:
        if isinstance(token, FlashScalperError):
            error = token
            return lambda now, done: done(error, now)
        return link.ask("auth", msgspec.json.encode({"bearer": token.decode()}))

    def _refused(self, link: Link, conn: str, what: str, answer: Answer, *, token: Answer, now: int) -> bool:
        """Whether the set-up ends here: the answer is a refusal, or the connection is another one by now."""
        if link.conn != conn or link.state is not LinkState.SETTING_UP:
            return True
        if not isinstance(answer, FlashScalperError):
            return False
        if isinstance(answer, ExchangeError) and answer.code in _BEARER_CODES and isinstance(token, bytes):
            self._session.reject(token.decode(), now)
        link.close(now, f"{what}: {answer}")
        return True

    # ---- readiness ----

    def _token_health(self, healthy: bool, now: int) -> None:  # noqa: FBT001, ARG002 - a listener's shape
        self._healthy = healthy
        self._tell("the token ends soon and could not be renewed")

    def _lost(self, reason: str, now: int) -> None:  # noqa: ARG002 - a listener's shape
        self._tell(reason)

    def _tell(self, reason: str = "") -> None:
        """Report every stream whose readiness changed."""
        states = {ACCOUNT: self.entries.ready}
        if self._trades:
            states[ENTRIES] = self.entries.ready and self._healthy
            states[PROTECTION] = self.protection.ready if self._over_socket else self._healthy
        for stream, ready in states.items():
            if ready != self._told.get(stream, False):
                self._told[stream] = ready
                self._desk.events.append(StreamChanged(stream, ready, "" if ready else reason))
