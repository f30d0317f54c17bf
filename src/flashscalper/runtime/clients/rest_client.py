"""Paradex for scripts, over REST: a thin async shell over the trading client's own requests, responses and session.

Without credentials it makes public calls only. Here are batches, TWAP orders and tokens; single orders, records and market
data are in the classes below it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from flashscalper.exchanges.paradex import key_requests, responses, script_requests, script_results
from flashscalper.exchanges.paradex.key_requests import SubkeyResult, TokenResult
from flashscalper.exchanges.paradex.requests import Call
from flashscalper.exchanges.paradex.script_results import TwapOrder
from flashscalper.exchanges.paradex.settings import ParadexSettings
from flashscalper.exchanges.paradex.signing import ParadexSigner
from flashscalper.exchanges.paradex.verdicts import Judgement
from flashscalper.market.symbols import DEFAULT_SYMBOLS, SymbolMapper
from flashscalper.model.commands import PlaceOrder
from flashscalper.model.errors import ConfigError, ProtocolError
from flashscalper.model.events import RequestKind, Verdict
from flashscalper.model.markets import Market
from flashscalper.model.orders import OrderStatus, OrderType, Side
from flashscalper.model.secrets import Secret
from flashscalper.runtime.clients.paradex_keys import AccountKeys, check_networks
from flashscalper.runtime.clients.rest_orders import ParadexOrders, as_asked, command_of, refusal
from flashscalper.runtime.clients.scripted import (
    Amount,
    CancelOutcome,
    ExchangeRestClient,
    OrderRequest,
    ScriptedOrder,
    checked_amount,
    checked_side,
)
from flashscalper.runtime.credentials import Credentials

__all__ = ["ExchangeRestClient", "ParadexRestClient"]

MOST_IN_BATCH: Final = 10
"""Of the OpenAPI file; a page of the exchange says 50 (paradex.md 6.12). `check --probe` finds out."""
_TWAP_STEP_S: Final = 30
_TWAP_LONGEST_S: Final = 86_400
_CANCELLED: Final = {
    "QUEUED_FOR_CANCELLATION": CancelOutcome.ACCEPTED,
    "ALREADY_CLOSED": CancelOutcome.GONE,
    "NOT_FOUND": CancelOutcome.GONE,
}


class ParadexRestClient(ParadexOrders):
    """One Paradex account, or public data only. See `ExchangeRestClient` for what its calls promise.

    `settings` say where; `for_environment` makes them from an environment's name. Sessions, token refresh, rate budget and
    repeated reads are the trading client's own. Raises ConfigError when settings do not agree.
    """

    @classmethod
    def for_environment(
        cls,
        environment: str = "testnet",
        credentials: Credentials | None = None,
        *,
        rest_url: str = "",
        ws_url: str = "",
        symbols: SymbolMapper | None = None,
        **changes: Any,
    ) -> ParadexRestClient:
        """A client of `testnet`, `prod` or `simulator` (which needs its addresses); `changes` are fields of the settings,
        `interactive=True` for the Retail class.
        """
        settings = scripted_settings(environment, rest_url=rest_url, ws_url=ws_url, **changes)
        return cls(settings, credentials, symbols=symbols)

    # batches

    async def place_batch(self, wanted: Sequence[OrderRequest]) -> list[ScriptedOrder]:
        """Send up to ten orders in one request, which counts as one; the answer has them in the same order.

        An order that was refused alone comes back `rejected` with the exchange's words. A refusal of the whole batch (a bad
        field, a bad signature) raises ExchangeError; when no answer came, every one of them is `unknown`.
        """
        if not 1 <= len(wanted) <= MOST_IN_BATCH:
            raise ConfigError("batch", f"{len(wanted)} orders", f"1 to {MOST_IN_BATCH}")
        asked: list[tuple[PlaceOrder, Market]] = []
        for each in wanted:
            market = await self.get_market(each.symbol)
            asked.append((command_of(each, market), market))
        if len({command.client_id for command, _ in asked}) < len(asked):
            raise ConfigError("client_id", "the same one twice", "a client id of its own for each order of a batch")

        def build(signer: ParadexSigner, now_ms: int) -> Call:
            return script_requests.place_batch([self._signed(*each, signer, now_ms) for each in asked])

        urgent = all(command.reduce_only for command, _ in asked)
        judgement = await self._rest.order(RequestKind.PLACE, build, urgent=urgent, whole=True)
        if judgement.verdict is Verdict.UNKNOWN:
            return [as_asked(command, Verdict.UNKNOWN, judgement.message) for command, _ in asked]
        if judgement.verdict is not Verdict.ACCEPTED:
            raise refusal(judgement)
        return self._sorted_out([command for command, _ in asked], judgement)

    def _sorted_out(self, asked: list[PlaceOrder], judgement: Judgement) -> list[ScriptedOrder]:
        """Each order's own answer. Errors name no order: they are those of the orders not taken, if their numbers agree."""
        try:
            answer = responses.decode("POST /orders/batch", script_results.BatchResult, judgement.body)
            taken = {order.client_id: order for order in map(self._order, answer.orders or [])}
        except ProtocolError as error:
            return [as_asked(command, Verdict.UNKNOWN, str(error)) for command in asked]
        errors = [f"{each.error}: {each.message}" for each in answer.errors or []]
        missing = [command.client_id for command in asked if command.client_id not in taken]
        outcome = Verdict.REJECTED if len(errors) == len(missing) else Verdict.UNKNOWN
        words = dict(zip(missing, errors, strict=True)) if outcome is Verdict.REJECTED else {}
        return [
            ScriptedOrder(**msgspec.structs.asdict(taken[command.client_id]))
            if command.client_id in taken
            else as_asked(command, outcome, words.get(command.client_id, "neither among the orders nor among the errors"))
            for command in asked
        ]

    async def cancel_batch(self, *, order_ids: Sequence[str] = (), client_ids: Sequence[str] = ()) -> list[CancelOutcome]:
        """Cancel several orders by either id, exchange ids first; one outcome for each, `unknown` when no answer came."""
        if not order_ids and not client_ids:
            raise ConfigError("order_ids, client_ids", "none", "at least one id")
        call = script_requests.cancel_batch(order_ids, client_ids)
        judgement = await self._rest.order(RequestKind.CANCEL, lambda _signer, _now: call, urgent=True, whole=True)
        ids = len(order_ids) + len(client_ids)
        if judgement.verdict is Verdict.UNKNOWN:
            return [CancelOutcome.UNKNOWN] * ids
        if judgement.verdict is not Verdict.ACCEPTED:
            raise refusal(judgement)
        results = responses.decode("DELETE /orders/batch", script_results.CancelResults, judgement.body).results
        if len(results) != ids:
            return [CancelOutcome.UNKNOWN] * ids
        return [_CANCELLED.get(result.status, CancelOutcome.UNKNOWN) for result in results]

    # TWAP orders

    async def place_twap(
        self, symbol: str, side: Side | str, size: Amount, *, duration_s: int, every_s: int = _TWAP_STEP_S
    ) -> TwapOrder:
        """Trade `size` at market in equal slices over `duration_s`, one every `every_s` seconds (multiples of 30).

        TWAP orders have no client id: when the answer did not come (`unknown`), look for it with `get_twaps`.
        """
        _check_twap(duration_s, every_s)
        market = await self.get_market(symbol)
        chosen, amount = checked_side(side), checked_amount("size", size, market.size_step, market.base)

        def build(signer: ParadexSigner, now_ms: int) -> Call:
            signature = signer.sign_order(
                market=market.market, side=chosen, order_type=OrderType.MARKET, size=amount, price=None, timestamp_ms=now_ms
            )
            window = self._rest.settings.recv_window_ms
            return script_requests.place_twap(
                script_requests.twap_body(
                    market.market,
                    chosen,
                    amount,
                    duration_s=duration_s,
                    every_s=every_s,
                    signature=signature,
                    signed_ms=now_ms,
                    window_ms=window,
                )
            )

        judgement = await self._rest.order(RequestKind.PLACE, build, urgent=False, whole=True)
        if judgement.verdict is Verdict.ACCEPTED:
            return self._twap(responses.decode("POST /algo/orders", script_results.TwapResult, judgement.body))
        if judgement.verdict is not Verdict.UNKNOWN:
            raise refusal(judgement)
        return TwapOrder(
            symbol=market.symbol,
            id="",
            side=chosen,
            size=amount,
            remaining=amount,
            status=OrderStatus.NEW,
            unknown=True,
            message=f"{judgement.code}: {judgement.message}",
        )

    async def cancel_twap(self, twap_id: str) -> CancelOutcome:
        """Stop a TWAP order; what it filled stays."""
        call = script_requests.cancel_twap(twap_id)
        judgement = await self._rest.order(RequestKind.CANCEL, lambda _signer, _now: call, urgent=True)
        if judgement.code == "ALGO_ID_NOT_FOUND":
            return CancelOutcome.GONE
        if judgement.verdict is Verdict.UNKNOWN:
            return CancelOutcome.UNKNOWN
        if judgement.verdict is not Verdict.ACCEPTED:
            raise refusal(judgement)
        return CancelOutcome.ACCEPTED

    # keys and tokens of the account

    async def get_subkeys(self, *, with_revoked: bool = False) -> list[SubkeyResult]:
        """The subkeys of the account; `flashscalper keys` makes and revokes them."""
        return await AccountKeys(self._rest).registered(with_revoked=with_revoked)

    async def get_tokens(self, *, with_invalid: bool = False) -> list[TokenResult]:
        """The long-lived tokens of the account; revoked and expired ones too if asked for."""
        return await self._rows("GET /account/tokens", TokenResult, key_requests.tokens(with_invalid=with_invalid))

    async def create_token(
        self, name: str, life_s: int, *, kind: str = "jwt", networks: tuple[str, ...] = ()
    ) -> tuple[Secret, TokenResult]:
        """A long-lived token for `PARADEX_BEARER_TOKEN`, which only reads, and what the exchange says of it.

        `networks`: where it may be used from, any address if empty. The documents do not list the kinds (paradex.md 2.8).
        Asked once: TransportError means that there may be one more token now (`get_tokens`).
        """
        if not 60 <= life_s <= 31_536_000:
            raise ConfigError("life_s", life_s, "60 to 31536000 seconds")
        call = key_requests.create_token(name, kind, life_s, check_networks(networks))
        judgement = await self._rest.order(RequestKind.PLACE, lambda _signer, _now: call, urgent=False, whole=True)
        if judgement.verdict is not Verdict.ACCEPTED:
            raise refusal(judgement)
        made = responses.decode("POST /account/tokens", key_requests.NewTokenResult, judgement.body)
        return Secret(made.token), made.api_token

    async def revoke_token(self, lookup_id: str) -> None:
        """Take a token's rights away."""
        await self._rest.read(key_requests.revoke_token(lookup_id))


def scripted_settings(environment: str, *, rest_url: str = "", ws_url: str = "", **changes: Any) -> ParadexSettings:
    """Settings for scripts, which name markets with each call. A loopback address of one kind implies the other's."""
    if rest_url and not ws_url and rest_url.startswith("http://"):
        ws_url = rest_url.replace("http://", "ws://", 1)
    mapper = SymbolMapper()
    markets = tuple((symbol, mapper.to_market(symbol)) for symbol in DEFAULT_SYMBOLS)
    settings = ParadexSettings.for_environment(environment, markets, rest_url=rest_url, ws_url=ws_url)
    settings = msgspec.structs.replace(settings, **changes)
    settings.validate()
    return settings


def _check_twap(duration_s: int, every_s: int) -> None:
    if not _TWAP_STEP_S <= duration_s <= _TWAP_LONGEST_S or duration_s % _TWAP_STEP_S:
        raise ConfigError("duration_s", duration_s, f"a multiple of {_TWAP_STEP_S} up to {_TWAP_LONGEST_S}")
    if not _TWAP_STEP_S <= every_s <= duration_s or every_s % _TWAP_STEP_S:
        raise ConfigError("every_s", every_s, f"a multiple of {_TWAP_STEP_S} up to duration_s")
