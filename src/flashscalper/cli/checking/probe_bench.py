"""What probes work with: raw requests and raw sockets of one account, small orders far from the market, and cleaning up.

The trading client refuses to say most of what a probe must say (the same order twice, a request that is too old), so probes
build their requests from the client's parts and send them themselves, once each.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from itertools import count
from typing import Any, Final, TypeVar

import msgspec

from flashscalper.cli.checking.check_orders import far_bid
from flashscalper.exchanges.base import (
    Frame,
    HttpRequest,
    HttpResponse,
    Incoming,
    OpenSocket,
    SendFrame,
    SocketClosed,
    SocketOpened,
)
from flashscalper.exchanges.paradex import requests, responses, wire
from flashscalper.exchanges.paradex.requests import Call
from flashscalper.exchanges.paradex.signing import ParadexSigner
from flashscalper.exchanges.paradex.verdicts import rpc_words
from flashscalper.model.commands import PlaceOrder
from flashscalper.model.errors import DeadlineError, ExchangeError, FlashScalperError, TransportError
from flashscalper.model.markets import Market
from flashscalper.model.orders import Order, OrderRole, OrderStatus, OrderType, Side, TimeInForce
from flashscalper.runtime.clients.paradex_rest import ParadexRest
from flashscalper.runtime.clients.rest_client import ParadexRestClient
from flashscalper.runtime.http import HttpShell
from flashscalper.runtime.sockets import SocketShell

WAIT_S: Final = 5.0
_ASK_AGAIN_S: Final = 0.05
_JSON: Final = (("Content-Type", "application/json"),)
T = TypeVar("T")


class Reply(msgspec.Struct, frozen=True):
    """One HTTP answer: status, the exchange's code and text when it refused, the body."""

    status: int
    code: str
    message: str
    body: bytes

    @property
    def good(self) -> bool:
        """Whether it was accepted."""
        return 200 <= self.status < 300

    @property
    def word(self) -> str:
        """`accepted`, or the code of the refusal."""
        return "accepted" if self.good else self.code or f"HTTP {self.status}"


class ProbeBench:
    """One account on one market, and every order that the probes left there."""

    def __init__(self, rest: ParadexRest, client: ParadexRestClient, market: Market, signer: ParadexSigner) -> None:
        self.rest = rest
        self.client = client
        self.market = market
        self.signer = signer
        self.mark = 0.0
        self._http = HttpShell(_ignore)
        self._numbers = count(1)
        self._prefix = f"probe-{time.time_ns() // 1_000_000:x}"
        self._placed: dict[str, None] = {}

    async def begin(self) -> None:
        """Sign in, and read the mark price that orders are placed far from."""
        await self.token()
        self.mark = (await self.client.get_price(self.market.symbol)).mark

    async def end(self) -> None:
        """Cancel every order of ours that may still be there, and close the connections."""
        for order_id in self._placed:
            with suppress(FlashScalperError):
                await self.send(requests.cancel_order(order_id, "", self.market.market))
        await self._http.aclose()

    # REST

    async def token(self) -> str:
        """A token of our session."""
        assert self.rest.session is not None
        return (await self.rest.answer(self.rest.session.need)).decode()

    async def send(self, call: Call) -> Reply:
        """Send one request exactly once. Raises TransportError when no answer came."""
        headers = call.headers + (_JSON if call.body or call.method != "GET" else ())
        if call.private:
            headers += (("Authorization", f"Bearer {await self.token()}"),)
        url = f"{self.rest.settings.rest_url}{call.path}" + (f"?{call.query}" if call.query else "")
        answer = await self._http.exchange(HttpRequest(1, call.method, url, headers, call.body, WAIT_S))
        if not isinstance(answer, HttpResponse):
            raise TransportError(f"{call.method} {call.path}: {answer.reason}")
        code, message = ("", "") if answer.status < 300 else responses.error_words(answer.body)
        return Reply(answer.status, code, message, answer.body)

    # orders

    def client_id(self) -> str:
        """A client id that was never used."""
        return f"{self._prefix}-{next(self._numbers)}"

    def far_order(self, **changes: Any) -> PlaceOrder:
        """A small post-only bid that nobody hits, with `changes` of its fields."""
        price, size = far_bid(self.market, self.mark)
        given: dict[str, Any] = {
            "client_id": self.client_id(),
            "symbol": self.market.symbol,
            "side": Side.BUY,
            "type": OrderType.LIMIT,
            "size": size,
            "price": price,
            "time_in_force": TimeInForce.POST_ONLY,
            "role": OrderRole.ENTRY,
            "reason": "probe",
        }
        return PlaceOrder(**{**given, **changes})

    def small_size(self) -> Decimal:
        """A size that is certainly above the minimum notional at the market."""
        return far_bid(self.market, self.mark)[1]

    def order_body(
        self, command: PlaceOrder, *, age_ms: int = 0, window_ms: int | None = None, **changes: Any
    ) -> dict[str, Any]:
        """The signed body of an order, `age_ms` old; `changes` are put in unsigned. A change to None leaves a field out."""
        at_ms = self.rest.exchange_now() // 1000 - age_ms
        signature = self.signer.sign_order(
            market=self.market.market,
            side=command.side,
            order_type=command.type,
            size=command.size,
            price=command.price,
            timestamp_ms=at_ms,
        )
        window = self.rest.settings.recv_window_ms if window_ms is None else window_ms
        body = msgspec.json.decode(requests.order_body(command, self.market.market, signature, at_ms, window))
        return {name: value for name, value in {**body, **changes}.items() if value is not None}

    async def place(self, body: dict[str, Any]) -> Reply:
        """Send an order over REST and remember its id."""
        reply = await self.send(requests.place_order(msgspec.json.encode(body)))
        if reply.good:
            self.remember(order_id_of(reply.body))
        return reply

    def remember(self, order_id: str) -> None:
        """An order that `end` must see gone."""
        self._placed[order_id] = None

    async def order(self, order_id: str) -> Order | None:
        """An order as the exchange now reports it."""
        return await self.client.get_order(self.market.symbol, order_id=order_id)

    async def until_closed(self, order_id: str, wait_s: float = WAIT_S) -> Order | None:
        """The order once it is closed, or None when it is not after `wait_s`."""
        return await self.until(order_id, lambda order: order.status is OrderStatus.CLOSED, wait_s)

    async def until_live(self, order_id: str) -> Order | None:
        """The order once it rests, waits for its trigger or is closed."""
        return await self.until(order_id, lambda order: order.status is not OrderStatus.NEW, WAIT_S)

    async def until(self, order_id: str, done: Callable[[Order], bool], wait_s: float) -> Order | None:
        """The order once `done`, or None."""
        give_up_at = time.monotonic() + wait_s
        while time.monotonic() < give_up_at:
            found = await self.order(order_id)
            if found is not None and done(found):
                return found
            await asyncio.sleep(_ASK_AGAIN_S)
        return None

    async def cancel(self, order_id: str) -> None:
        """Cancel and wait until it is closed. Raises DeadlineError when it is not."""
        await self.send(requests.cancel_order(order_id, "", self.market.market))
        if await self.until_closed(order_id) is None:
            raise DeadlineError(f"an order was not canceled within {WAIT_S:g} s")


class RawSocket:
    """One WebSocket: requests answered by id, pushes kept in order. `drop` cuts the line without a word."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._shell = SocketShell(self._report)
        self._ids = count(1)
        self._answers: dict[int, asyncio.Future[wire.Envelope]] = {}
        self._opened: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._heard = asyncio.Event()
        self.pushes: list[Frame] = []
        self.arrived: list[float] = []
        """When each push came, monotonic seconds."""

    async def open(self) -> int:
        """Connect; 0 when it is open, else the HTTP status that refused it. Raises TransportError when nobody answers."""
        self._shell.open(OpenSocket("probe", self._url))
        status = await self._within(self._opened, "the handshake")
        if status < 0:
            raise TransportError(f"{self._url}: no socket")
        return status

    async def ask(self, method: str, params: object) -> bytes:
        """The result of one request as JSON. Raises ExchangeError with the exchange's code, DeadlineError without answer."""
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        self._shell.send(SendFrame("probe", requests.rpc(method, msgspec.json.encode(params), number)))
        envelope = await self._within(answer, method)
        if envelope.error is not None:
            raise ExchangeError(rpc_words(envelope.error) or str(envelope.error.code), envelope.error.message)
        return bytes(envelope.result)

    async def first_push(self) -> Frame | None:
        """The first push, so far or soon; None when none comes within five seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(WAIT_S):
                while not self.pushes:
                    await self._heard.wait()
        return self.pushes[0] if self.pushes else None

    async def drop(self) -> None:
        """Cut the connection: no goodbye."""
        await self._shell.aclose()

    async def _within(self, answer: asyncio.Future[T], what: str) -> T:
        try:
            async with asyncio.timeout(WAIT_S):
                return await answer
        except TimeoutError:
            raise DeadlineError(f"{what}: no answer within {WAIT_S:g} s") from None

    def _report(self, message: Incoming) -> None:
        if isinstance(message, SocketOpened | SocketClosed):
            if not self._opened.done():
                self._opened.set_result((message.status or -1) if isinstance(message, SocketClosed) else 0)
        elif isinstance(message, Frame):
            self._take(message)

    def _take(self, frame: Frame) -> None:
        envelope = None if frame.binary else responses.decode("frame", wire.Envelope, frame.data)
        answer = self._answers.pop(envelope.id, None) if envelope is not None and isinstance(envelope.id, int) else None
        if answer is not None and envelope is not None:
            answer.set_result(envelope)
        else:
            self.pushes.append(frame)
            self.arrived.append(time.monotonic())
            self._heard.set()
            self._heard.clear()


def order_id_of(body: bytes) -> str:
    """The id in an answer about one order."""
    return responses.decode("order", wire.OrderResult, body).id


def _ignore(message: Incoming) -> None:
    """Answers are returned by `exchange`; nothing else is reported."""
