"""Paradex's REST side for callers who wait: the trading client's own machinery (reads with retries and rate budget, one
session, clock offset, verdicts on order requests), driven from an event loop.

Reads raise what went wrong. An order request is sent once; only a refused login, which proves that nothing happened, is
mended with a fresh token and sent once more with the same client id.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from typing import Final

from flashscalper.exchanges.base import HttpFailed, HttpRequest, HttpResponse, Incoming, Outgoing
from flashscalper.exchanges.paradex import requests, responses, wire
from flashscalper.exchanges.paradex.clock import ExchangeClock
from flashscalper.exchanges.paradex.desk import Answer, Ask, Desk
from flashscalper.exchanges.paradex.limits import PRO_LIMITS, RETAIL_LIMITS, RateBudget
from flashscalper.exchanges.paradex.requests import Call, Group
from flashscalper.exchanges.paradex.rest import HttpOutcome, Rest
from flashscalper.exchanges.paradex.session import Session
from flashscalper.exchanges.paradex.settings import Environment, ParadexSettings
from flashscalper.exchanges.paradex.signing import (
    L1_CHAIN_IDS,
    AccountClasses,
    CurveSigner,
    KeyRole,
    ParadexSigner,
    account_address,
    key_role,
    parse_private_key,
)
from flashscalper.exchanges.paradex.signing.keys import public_key_of
from flashscalper.exchanges.paradex.verdicts import Judgement, judge_http, judge_whole
from flashscalper.model.dice import Dice
from flashscalper.model.errors import AuthError, ConfigError, FlashScalperError, RateLimitError
from flashscalper.model.events import Event, RequestKind
from flashscalper.model.instants import SECOND_US
from flashscalper.model.secrets import Secret
from flashscalper.runtime.clock import Clock
from flashscalper.runtime.credentials import Credentials
from flashscalper.runtime.http import HttpShell

KEY_VARIABLE: Final = "PARADEX_SECRET_KEY"
_CLOCK_SAMPLES: Final = 3
_EVENTS_KEPT: Final = 1_000

OrderCall = Callable[[ParadexSigner, int], Call]
"""Builds a signed request from the signer and the exchange's time in milliseconds."""


class ParadexRest:
    """One account's (or nobody's) REST connection. `events` holds the latest troubles of reads that were retried.

    A streaming client on the same machine may take over what is not HTTP: it sets `on_outgoing`, and `on_event`, which then
    gets every event instead of `events`.
    """

    def __init__(
        self,
        settings: ParadexSettings,
        credentials: Credentials,
        clock: Clock,
        dice: Dice,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.settings = settings
        self.events: deque[Event] = deque(maxlen=_EVENTS_KEPT)
        self.on_outgoing: Callable[[Outgoing], None] | None = None
        self.on_event: Callable[[Event], None] = self.events.append
        self._credentials = credentials
        self._clock = clock
        self.desk = Desk(settings, dice)
        self._budget = RateBudget(RETAIL_LIMITS if settings.interactive else PRO_LIMITS)
        self.rest = Rest(self.desk, self._budget)
        self._exchange_clock = ExchangeClock(self.desk, self.rest)
        self._http = HttpShell(self._report, tls)
        self._timer: asyncio.TimerHandle | None = None
        self._signing_in = asyncio.Lock()
        self._signer: CurveSigner | None = None
        self.session: Session | None = None
        if credentials.secret_key is None and credentials.bearer_token is not None:
            self._begin_session(None, credentials.bearer_token)

    def now(self) -> int:
        """Our clock, microseconds."""
        return self._clock.now()

    def exchange_now(self) -> int:
        """The exchange's clock, microseconds, once signed in; ours before."""
        return self._exchange_clock.exchange_now(self._clock.now())

    async def read(self, call: Call, timeout_s: float = 0.0) -> bytes:
        """The body of a good answer. Raises AuthError, RateLimitError, ExchangeError, TransportError or DeadlineError."""
        if call.private:
            await self.sign_in()
        return await self.answer(self.rest.ask(call, timeout_s))

    async def answer(self, ask: Ask) -> bytes:
        """What any question of the machine is answered with; an error is raised."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def done(answer: Answer, _now: int) -> None:
            if not future.done():
                future.set_result(answer)

        ask(self._clock.now(), done)
        self.after()
        answer = await future
        if isinstance(answer, FlashScalperError):
            raise answer
        return answer

    async def order(self, kind: RequestKind, build: OrderCall, *, urgent: bool, whole: bool = False) -> Judgement:
        """Sign and send one order request and judge its answer; `whole` leaves a good answer's body to the caller.

        Raises, when certainly nothing was sent: AuthError without a key, RateLimitError when our own budget is spent, and
        what prevented signing in. Never raises once the request may have left.
        """
        signer = await self.signer()
        wait = self.spend(Group.ORDER, urgent=urgent)
        if wait:
            raise RateLimitError("our own budget of order requests is spent", retry_after_s=wait / SECOND_US)
        judgement, token = await self._send_order(kind, build, signer, whole=whole)
        if judgement.retry_login:
            assert self.session is not None
            self.session.reject(token, self._clock.now())
            judgement, _ = await self._send_order(kind, build, signer, whole=whole)
        return judgement

    def spend(self, group: Group, *, urgent: bool) -> int:
        """Take one request out of the budget; 0, or how many microseconds there is none."""
        return self._budget.take(group, self._clock.now(), urgent=urgent)

    async def signer(self) -> ParadexSigner:
        """What signs our orders. Raises AuthError without a key."""
        await self.sign_in()
        if self._signer is None:
            raise AuthError("NO_KEY", f"orders need a key: {KEY_VARIABLE}")
        return self._signer

    async def sign_in(self) -> None:
        """Learn the chain and the exchange's clock and begin a session, once. Raises what is wrong with it."""
        if self.session is not None:
            return
        if self._credentials.secret_key is None:
            raise AuthError("NO_TOKEN", "private calls need PARADEX_API_KEY and PARADEX_SECRET_KEY, or PARADEX_BEARER_TOKEN")
        async with self._signing_in:
            if self.session is None:
                signer = await self._make_signer(self._credentials.secret_key)
                await self._measure_clock()
                self._signer = signer
                self._begin_session(signer, None)

    async def aclose(self) -> None:
        """Close every connection; whatever waits is cancelled."""
        self.desk.stopped = True
        self.desk.alarms.clear()
        self.rest.forget()
        if self._timer is not None:
            self._timer.cancel()
        await self._http.aclose()

    # the machine

    def after(self) -> None:
        """Do what the machine wants done now; call it after everything that was asked of the machine."""
        while self.desk.out or self.desk.events:
            out, self.desk.out = self.desk.out, []
            for item in out:
                if isinstance(item, HttpRequest):
                    self._http.request(item)
                elif self.on_outgoing is not None:
                    self.on_outgoing(item)
            events, self.desk.events = self.desk.events, []
            for event in events:
                self.on_event(event)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        at = self.desk.alarms.next_at()
        if at is not None:
            self._timer = asyncio.get_running_loop().call_later(self._clock.wait_s(at), self._ring)

    def _ring(self) -> None:
        self._timer = None
        self.desk.alarms.ring(self._clock.now())
        self.after()

    def _report(self, message: Incoming) -> None:
        if isinstance(message, HttpResponse | HttpFailed):
            self.rest.take(message, self._clock.now())
            self.after()

    # signing in

    def _begin_session(self, signer: CurveSigner | None, bearer: Secret | None) -> None:
        self.session = self.rest.tokens = Session(self.desk, self.rest, self._exchange_clock, signer, bearer)

    async def _make_signer(self, secret_key: Secret) -> CurveSigner:
        body = await self.answer(self.rest.ask(requests.system_config()))
        config = responses.decode("GET /system/config", wire.SystemConfig, body)
        self.settings.check_chain(config.starknet_chain_id)
        account = self._credentials.account
        if config.paraclear_account_hash and config.paraclear_account_proxy_hash:
            classes = AccountClasses(config.paraclear_account_hash, config.paraclear_account_proxy_hash)
            account = account or account_address(public_key_of(secret_key, field=KEY_VARIABLE), classes)
            self._check_key(secret_key, account, classes)
        elif not account:
            raise ConfigError(
                "PARADEX_API_KEY", account, "the account's address: this exchange does not say how to derive it"
            )
        return CurveSigner(account, secret_key, config.starknet_chain_id, key_field=KEY_VARIABLE)

    def _check_key(self, secret_key: Secret, account: str, classes: AccountClasses) -> None:
        """An Ethereum key where a Stark key belongs is told from a subkey by the address that follows from it."""
        layer_one = L1_CHAIN_IDS["prod" if self.settings.environment is Environment.PROD else "testnet"]
        role = key_role(secret_key, account, classes, layer_one, field=KEY_VARIABLE)
        if role in (KeyRole.ETHEREUM, KeyRole.EVM_OWNER):
            raise ConfigError(KEY_VARIABLE, secret_key, "a Stark private key or subkey; this is the account's Ethereum key")
        parse_private_key(KEY_VARIABLE, secret_key)

    async def _measure_clock(self) -> None:
        for _ in range(_CLOCK_SAMPLES):
            asked_at = self._clock.now()
            body = await self.answer(self.rest.ask(requests.system_time()))
            self._exchange_clock.add(asked_at, self._clock.now(), responses.server_time_from(body))

    # orders

    async def _send_order(
        self, kind: RequestKind, build: OrderCall, signer: ParadexSigner, *, whole: bool
    ) -> tuple[Judgement, str]:
        assert self.session is not None
        token = (await self.answer(self.session.need)).decode()
        future: asyncio.Future[HttpOutcome] = asyncio.get_running_loop().create_future()

        def done(outcome: HttpOutcome, _now: int) -> None:
            if not future.done():
                future.set_result(outcome)

        self.rest.send_order(build(signer, self.exchange_now() // 1000), token, self._clock.now(), done)
        self.after()
        outcome = await future
        return (judge_whole(outcome) if whole else judge_http(kind, outcome)), token
