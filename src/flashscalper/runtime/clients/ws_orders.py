"""Orders of scripts over the account's socket: the bodies, verdicts and rate budget of REST, without its round trip.

A request leaves once. When the socket goes or the answer is late, nobody knows what became of it: the order comes back
`unknown`, to be looked up over REST.
"""

from __future__ import annotations

import asyncio

import msgspec

from flashscalper.exchanges.paradex import requests
from flashscalper.exchanges.paradex.link import Link, RpcOutcome
from flashscalper.exchanges.paradex.requests import SOCKET_TYPES, Group
from flashscalper.exchanges.paradex.settings import ParadexSettings
from flashscalper.exchanges.paradex.verdicts import Judgement, judge_rpc
from flashscalper.market.symbols import SymbolMapper
from flashscalper.model.errors import ConfigError, RateLimitError, TransportError
from flashscalper.model.events import RequestKind, Verdict
from flashscalper.model.instants import SECOND_US
from flashscalper.runtime.clients.paradex_rest import ParadexRest
from flashscalper.runtime.clients.rest_orders import TOO_LATE, ParadexOrders, command_of, one_id, refusal
from flashscalper.runtime.clients.scripted import CancelOutcome, OrderRequest, ScriptedOrder


class SocketOrders(ParadexOrders):
    """Placing and cancelling over the connection `link`; everything else over the connection to REST that it shares."""

    def __init__(self, settings: ParadexSettings, symbols: SymbolMapper, rest: ParadexRest, link: Link) -> None:
        super().__init__(settings, symbols=symbols, rest=rest)
        self._link = link

    async def place_order(self, wanted: OrderRequest) -> ScriptedOrder:
        """Send one order. Raises ConfigError for a type that only REST takes, ExchangeError for a refusal."""
        market = await self.get_market(wanted.symbol)
        command = command_of(wanted, market)
        if command.type not in SOCKET_TYPES:
            accepted = ", ".join(sorted(SOCKET_TYPES))
            raise ConfigError("type", command.type, f"{accepted} over the socket; the others over REST")
        signer = await self._rest.signer()
        body = self._signed(command, market, signer, self._rest.exchange_now() // 1000)
        judgement = await self._ask(RequestKind.PLACE, "order.create", body, urgent=command.reduce_only)
        return self._placed(command, judgement)

    async def cancel_order(self, symbol: str, *, order_id: str = "", client_id: str = "") -> CancelOutcome:
        """Ask for the cancellation by either id; `gone` when it came too late (`get_order` says how it ended)."""
        market = await self.get_market(symbol)
        params = requests.cancel_params(order_id, one_id(order_id, client_id), market.market)
        judgement = await self._ask(RequestKind.CANCEL, "order.cancel", params, urgent=True)
        if judgement.verdict is Verdict.ACCEPTED:
            return CancelOutcome.ACCEPTED
        if judgement.verdict is Verdict.UNKNOWN:
            return CancelOutcome.UNKNOWN
        if judgement.code in TOO_LATE:
            return CancelOutcome.GONE
        raise refusal(judgement)

    async def cancel_all_orders(self, symbol: str = "") -> None:
        """Cancel everything that is open, of one market or of all; raises TransportError when no answer came."""
        params = {"market": (await self.get_market(symbol)).market} if symbol else {}
        judgement = await self._ask(RequestKind.CANCEL, "order.cancel_all", msgspec.json.encode(params), urgent=True)
        if judgement.verdict is not Verdict.ACCEPTED:
            raise refusal(judgement)

    async def _ask(self, kind: RequestKind, method: str, params: bytes, *, urgent: bool) -> Judgement:
        if not self._link.ready:
            raise TransportError(f"{method}: the account's stream is down, nothing was sent")
        wait = self._rest.spend(Group.ORDER, urgent=urgent)
        if wait:
            raise RateLimitError("our own budget of order requests is spent", retry_after_s=wait / SECOND_US)
        future: asyncio.Future[RpcOutcome] = asyncio.get_running_loop().create_future()

        def done(outcome: RpcOutcome, _now: int) -> None:
            if not future.done():
                future.set_result(outcome)

        self._link.request(method, params, self._rest.now(), self._rest.settings.order_timeout_s, done)
        self._rest.after()
        return judge_rpc(kind, await future)
