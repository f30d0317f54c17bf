"""REST as a machine: reads with deadline, retries and rate budget; order requests exactly once.

A read carries one deadline over all its attempts and is repeated after lost answers, 5xx and 429 with capped full-jitter
backoff. An order request is never repeated here: whatever became of it goes to `orders` as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from flashscalper.exchanges.base import HttpFailed, HttpRequest, HttpResponse
from flashscalper.exchanges.paradex import responses
from flashscalper.exchanges.paradex.requests import Group
from flashscalper.model.errors import (
    AuthError,
    DeadlineError,
    FlashScalperError,
    RateLimitError,
    TransportError,
)
from flashscalper.model.instants import SECOND_US

if TYPE_CHECKING:
    from flashscalper.exchanges.paradex.alarms import Alarm
    from flashscalper.exchanges.paradex.desk import Answer, Ask, Desk, Done
    from flashscalper.exchanges.paradex.limits import RateBudget
    from flashscalper.exchanges.paradex.requests import Call

HttpOutcome = HttpResponse | HttpFailed | None
"""What became of one HTTP request; None means no answer before the deadline."""

_JSON: Final = (("Content-Type", "application/json"),)
_MAX_ATTEMPTS: Final = 4


class TokenSource(Protocol):
    """Who knows our token (the session)."""

    def token(self, now: int) -> str | None:
        """A token that is certainly not expired, or None."""
        ...

    def need(self, now: int, done: Done) -> None:
        """Call `done` with a fresh token as bytes, or with why there is none."""
        ...

    def reject(self, token: str, now: int) -> None:
        """The exchange refused this token: use it no more."""
        ...


class Rest:
    """All HTTP of one client."""

    def __init__(self, desk: Desk, budget: RateBudget) -> None:
        self._desk = desk
        self._budget = budget
        self._pending: dict[int, Callable[[HttpOutcome, int], None]] = {}
        self.tokens: TokenSource | None = None

    # ---- reads ----

    def ask(self, call: Call, timeout_s: float = 0.0) -> Ask:
        """A question for a flow: a read (or another request that may be repeated) with its own deadline."""
        limit_s = timeout_s or self._desk.settings.read_timeout_s

        def start(now: int, done: Done) -> None:
            _Read(self, self._desk, call, now=now, limit_s=limit_s, done=done)

        return start

    def grant(self, call: Call, now: int) -> int:
        """Ask the budget for an ordinary call; 0 or how long to wait."""
        return self._budget.take(call.group, now)

    # ---- one request ----

    def send_order(self, call: Call, token: str, now: int, done: Callable[[HttpOutcome, int], None]) -> None:
        """Send one order request once, with the deadline of orders."""
        self.send(call, token, now, self._desk.settings.order_timeout_s, done)

    def send(self, call: Call, token: str, now: int, timeout_s: float, done: Callable[[HttpOutcome, int], None]) -> int:
        """Send one request; `done` gets its outcome exactly once. Returns the request's id."""
        request_id = self._desk.next_id()
        headers = call.headers + (_JSON if call.body or call.method != "GET" else ())
        if token:
            headers += (("Authorization", f"Bearer {token}"),)
        url = f"{self._desk.settings.rest_url}{call.path}" + (f"?{call.query}" if call.query else "")
        alarm = self._desk.later(now, timeout_s, lambda at: self._finish(request_id, None, at))
        self._pending[request_id] = _cancelling(alarm, self._learning(call.group, done))
        self._desk.out.append(HttpRequest(request_id, call.method, url, headers, call.body, timeout_s))
        return request_id

    def take(self, message: HttpResponse | HttpFailed, now: int) -> None:
        """Hand an answer to whoever asked; answers after the deadline find nobody."""
        self._finish(message.id, message, now)

    def forget(self) -> None:
        """Drop everything that waits (the client stops)."""
        self._pending.clear()

    def _finish(self, request_id: int, outcome: HttpOutcome, now: int) -> None:
        done = self._pending.pop(request_id, None)
        if done is not None:
            done(outcome, now)

    def _learning(self, group: Group, done: Callable[[HttpOutcome, int], None]) -> Callable[[HttpOutcome, int], None]:
        def learn(outcome: HttpOutcome, now: int) -> None:
            if isinstance(outcome, HttpResponse):
                self._budget.learn(group, outcome.headers, now)
                if outcome.status == 429:
                    self._budget.block(group, now, responses.retry_after_s(outcome.headers))
            done(outcome, now)

        return learn


def _cancelling(alarm: Alarm, done: Callable[[HttpOutcome, int], None]) -> Callable[[HttpOutcome, int], None]:
    def finish(outcome: HttpOutcome, now: int) -> None:
        alarm.cancel()
        done(outcome, now)

    return finish


class _Read:
    """One read over all its attempts."""

    def __init__(self, rest: Rest, desk: Desk, call: Call, *, now: int, limit_s: float, done: Done) -> None:
        self._rest = rest
        self._desk = desk
        self._call = call
        self._done: Done | None = done
        self._give_up_at = now + int(limit_s * SECOND_US)
        self._attempt_s = limit_s / 2
        self._attempts = 0
        self._token = ""
        self._renewed = False
        self._alarm = desk.later(
            now, limit_s, lambda at: self._end(DeadlineError(f"{self._where}: no answer in {limit_s} s"), at)
        )
        self._try(now)

    @property
    def _where(self) -> str:
        return f"{self._call.method} {self._call.path}"

    def _end(self, answer: Answer, now: int) -> None:
        done, self._done = self._done, None
        if done is not None:
            self._alarm.cancel()
            done(answer, now)

    def _try(self, now: int) -> None:
        if self._done is None:
            return
        wait = self._rest.grant(self._call, now)
        if wait:
            if now + wait >= self._give_up_at:
                self._end(RateLimitError(f"{self._where}: our own budget is spent", retry_after_s=wait / SECOND_US), now)
            else:
                self._desk.alarms.at(now + wait, self._try)
        elif not self._call.private:
            self._send("", now)
        elif self._rest.tokens is None:
            self._end(AuthError("NO_TOKEN", f"{self._where} needs a key or a token"), now)
        else:
            self._rest.tokens.need(now, self._with_token)

    def _with_token(self, token: Answer, now: int) -> None:
        if isinstance(token, FlashScalperError):
            self._end(token, now)
        else:
            self._send(token.decode(), now)

    def _send(self, token: str, now: int) -> None:
        if self._done is not None:
            self._attempts += 1
            self._token = token
            left_s = (self._give_up_at - now) / SECOND_US
            self._rest.send(self._call, token, now, min(self._attempt_s, left_s), self._judge)

    def _judge(self, outcome: HttpOutcome, now: int) -> None:
        if isinstance(outcome, HttpResponse) and 200 <= outcome.status < 300:
            self._end(outcome.body, now)
            return
        error = self._error(outcome)
        if isinstance(error, AuthError) and error.status == 401 and self._token and not self._renewed:
            self._renewed = True
            assert self._rest.tokens is not None  # a token came from it
            self._rest.tokens.reject(self._token, now)
            self._try(now)
        elif isinstance(error, TransportError | RateLimitError) and self._attempts < _MAX_ATTEMPTS:
            wait_s = error.retry_after_s if isinstance(error, RateLimitError) else 0.0
            self._desk.later(now, wait_s + self._desk.backoff_s(self._attempts - 1), self._try)
        else:
            self._end(error, now)

    def _error(self, outcome: HttpOutcome) -> FlashScalperError:
        if outcome is None:
            return DeadlineError(f"{self._where}: no answer in {self._attempt_s} s")
        if isinstance(outcome, HttpFailed):
            return TransportError(f"{self._where}: {outcome.reason}")
        return responses.error_from(self._where, outcome.status, outcome.headers, outcome.body)
