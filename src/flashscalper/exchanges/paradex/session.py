"""The session: one token, refreshed by one refresher, never used past its end.

A token lives 300 s and cannot be extended (paradex.md section 2.6). It is renewed 180 s after it was asked for; until
the new one is there the old one goes on. Its end is counted from the moment of asking, or from its own `exp`, whichever
is earlier. A refresh that fails is tried again for ever with backoff: open sockets stay authenticated meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from flashscalper.exchanges.paradex import requests, responses, wire
from flashscalper.model.errors import AuthError, ExchangeError, FlashScalperError, ProtocolError
from flashscalper.model.instants import SECOND_US

if TYPE_CHECKING:
    from flashscalper.exchanges.paradex.alarms import Alarm
    from flashscalper.exchanges.paradex.clock import ExchangeClock
    from flashscalper.exchanges.paradex.desk import Answer, Ask, Desk, Done, Flow
    from flashscalper.exchanges.paradex.rest import Rest
    from flashscalper.exchanges.paradex.signing import ParadexSigner
    from flashscalper.model.secrets import Secret

TOKEN_LIFE_US: Final = 300 * SECOND_US
SPARE_US: Final = 15 * SECOND_US
"""A token is not put on a request in its last 15 s: longer than any request of ours may take to arrive."""


class Session:
    """Whoever needs a token asks here."""

    def __init__(
        self, desk: Desk, rest: Rest, clock: ExchangeClock, signer: ParadexSigner | None, bearer: Secret | None
    ) -> None:
        self._desk = desk
        self._rest = rest
        self._clock = clock
        self._signer = signer
        self._fixed = bearer is not None
        self._token = bearer.reveal() if bearer is not None else ""
        self._ends_at = 0
        self._refreshing = False
        self._failures = 0
        self._waiting: list[Done] = []
        self._refresh_alarm: Alarm | None = None
        self._floor_alarm: Alarm | None = None
        self.on_health: Callable[[bool, int], None] = _nobody
        """Told True when a fresh token is there, False when the token has less than the entry floor left."""
        if self._fixed:
            self._ends_at = _fixed_end(self._token)

    # ---- for those who need a token ----

    def token(self, now: int) -> str | None:
        """A token that will not expire under way, or None."""
        return self._token if self._token and now < self._ends_at - SPARE_US else None

    def need(self, now: int, done: Done) -> None:
        """Call `done` with a token (as bytes) as soon as there is one; with AuthError when there never will be."""
        token = self.token(now)
        if token is not None:
            done(token.encode(), now)
        elif self._fixed or self._signer is None:
            done(AuthError("TOKEN_EXPIRED", "PARADEX_BEARER_TOKEN has expired and there is no key to renew it"), now)
        else:
            self._waiting.append(done)
            self.refresh(now)

    def ask(self) -> Ask:
        """The same as a question for a flow."""
        return self.need

    def reject(self, token: str, now: int) -> None:
        """The exchange refused `token`: it is used no more, and a new one is fetched."""
        if token == self._token and not self._fixed:
            self._token = ""
            self.refresh(now)
        elif token == self._token:
            self._ends_at = 0

    # ---- the one refresher ----

    def refresh(self, now: int) -> None:
        """Fetch a token, unless that is under way already."""
        if not self._refreshing and self._signer is not None and not self._fixed:
            self._refreshing = True
            self._cancel(self._refresh_alarm)
            self._desk.run(self._fetch(now), now)

    def _fetch(self, now: int) -> Flow:
        asked_at = now
        (answer,), now = yield [self._auth(now)]
        if _not_onboarded(answer) and self._desk.settings.onboard:
            (answer,), now = yield [self._onboarding()]
            if not isinstance(answer, FlashScalperError):
                asked_at = now
                (answer,), now = yield [self._auth(now)]
        self._refreshing = False
        if isinstance(answer, FlashScalperError):
            self._failed(answer, now)
            return
        try:
            self._accept(answer, asked_at, now)
        except ProtocolError as error:
            self._failed(error, now)

    def _auth(self, now: int) -> Ask:
        assert self._signer is not None
        call = requests.auth(
            self._signer, self._clock.exchange_now(now) // SECOND_US, interactive=self._desk.settings.interactive
        )
        return self._rest.ask(call, self._desk.settings.auth_timeout_s)

    def _onboarding(self) -> Ask:
        assert self._signer is not None
        return self._rest.ask(
            requests.onboarding(self._signer, self._desk.settings.ethereum_account), self._desk.settings.auth_timeout_s
        )

    def _accept(self, body: bytes, asked_at: int, now: int) -> None:
        token = responses.decode("POST /auth", wire.AuthResult, body).jwt_token
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise ProtocolError("POST /auth jwt_token", "not a token that could stand in a header")
        ends_at = min(asked_at + TOKEN_LIFE_US, self._own_end(token))
        if ends_at - SPARE_US <= now:
            raise ProtocolError("POST /auth jwt_token", f"it ends {(ends_at - now) / SECOND_US:.1f} s from now")
        self._token = token
        self._ends_at = ends_at
        self._failures = 0
        settings = self._desk.settings
        lives_s = (self._ends_at - now) / SECOND_US
        self._refresh_alarm = self._desk.later(now, max(1.0, min(settings.token_refresh_s, lives_s * 0.6)), self.refresh)
        self._cancel(self._floor_alarm)
        self._floor_alarm = self._desk.later(now, max(0.0, lives_s - settings.token_entry_floor_s), self._low)
        self.on_health(True, now)
        self._release(token.encode(), now)

    def _own_end(self, token: str) -> int:
        """The token's own end on our clock. A token that we cannot read counts as an ordinary one."""
        try:
            return responses.claims_from(token).exp * SECOND_US - self._clock.offset_us
        except ProtocolError:
            return 1 << 62

    def _failed(self, error: FlashScalperError, now: int) -> None:
        self._desk.trouble("session", error)
        wait_s = self._desk.backoff_s(self._failures)
        self._failures += 1
        self._refresh_alarm = self._desk.later(now, wait_s, self.refresh)
        if self.token(now) is None:
            self._release(error, now)

    def _release(self, answer: Answer, now: int) -> None:
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            done(answer, now)

    def _low(self, now: int) -> None:
        """The token has less than the entry floor left, so its refresh has been failing for a while."""
        self.on_health(False, now)

    @staticmethod
    def _cancel(alarm: Alarm | None) -> None:
        if alarm is not None:
            alarm.cancel()


def _nobody(healthy: bool, now: int) -> None:  # noqa: FBT001 - a callback's shape
    """Listen to nothing."""


def _fixed_end(token: str) -> int:
    """When a ready-made token ends; one that is not a JWT is believed until the exchange refuses it."""
    try:
        return responses.claims_from(token).exp * SECOND_US
    except ProtocolError:
        return 1 << 62


def _not_onboarded(answer: Answer) -> bool:
    """Whether the exchange does not know the account yet (section 2.6)."""
    if not isinstance(answer, ExchangeError):
        return False
    return answer.code == "NOT_ONBOARDED" or "onboarding" in answer.message.lower()
