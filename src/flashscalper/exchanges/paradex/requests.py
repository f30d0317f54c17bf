"""What we say to Paradex: plain functions from an operation to method, path, query and body. Nothing is sent here.

Paths are below `/v1` (paradex.md section 4, appendix B). Bodies of orders are built once and serve REST and WebSocket alike.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

import msgspec

from flashscalper.model.amounts import plain
from flashscalper.model.orders import OrderType, Side, TimeInForce

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flashscalper.exchanges.paradex.signing import ParadexSigner
    from flashscalper.model.commands import ModifyOrder, PlaceOrder

SIGNATURE_LIFE_S: Final = 1_800
MAX_KLINES: Final = 1_000
MAX_TRADES_PAGE: Final = 1_000
MAX_FILLS_PAGE: Final = 1_000
MAX_BUSTS_PAGE: Final = 1_000


class Group(StrEnum):
    """Which rate limit a call counts against (paradex.md section 7)."""

    PUBLIC = "public"
    AUTH = "auth"
    READ = "read"
    ORDER = "order"


class Call(msgspec.Struct, frozen=True):
    """One REST call before it gets a host, a token and an id. `query` is encoded and without `?`."""

    method: str
    path: str
    group: Group
    query: str = ""
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def private(self) -> bool:
        """Whether it carries our token."""
        return self.group in (Group.READ, Group.ORDER)


class OrderBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """OrderRequest of the OpenAPI file; optional fields that are not set are left out."""

    market: str
    side: str
    type: str
    size: str
    price: str
    instruction: str
    signature: str
    signature_timestamp: int
    client_id: str
    recv_window: int
    flags: tuple[str, ...] = ()
    trigger_price: str | None = None


class ModifyBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """ModifyOrderRequest; only price, size and trigger_price may differ from what rests."""

    id: str
    market: str
    side: str
    type: str
    size: str
    price: str
    signature: str
    signature_timestamp: int
    trigger_price: str | None = None


SIDE_NAMES: Final[Mapping[Side, str]] = MappingProxyType({Side.BUY: "BUY", Side.SELL: "SELL"})
TYPE_NAMES: Final[Mapping[OrderType, str]] = MappingProxyType({kind: kind.value.upper() for kind in OrderType})
INSTRUCTIONS: Final[Mapping[TimeInForce, str]] = MappingProxyType({tif: tif.value.upper() for tif in TimeInForce})
MARKET_TYPES: Final = frozenset(
    {OrderType.MARKET, OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_MARKET, OrderType.STOP_LOSS_MARKET}
)
"""Types that carry price "0" on the wire and in the signature (section 3.1)."""
SOCKET_TYPES: Final = frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.STOP_MARKET})
"""The only types that `order.create` over WebSocket lists (section 5.2); the others go by REST."""
_REDUCE_ONLY: Final = ("REDUCE_ONLY",)


# ---- public ----------------------------------------------------------------------------------------------------------


def system_config() -> Call:
    """Chain id and class hashes."""
    return Call("GET", "/system/config", Group.PUBLIC)


def system_time() -> Call:
    """The exchange's clock, milliseconds."""
    return Call("GET", "/system/time", Group.PUBLIC)


def system_state() -> Call:
    """ok, cancel_only, post_only or maintenance."""
    return Call("GET", "/system/state", Group.PUBLIC)


def markets() -> Call:
    """The rules of every market."""
    return Call("GET", "/markets", Group.PUBLIC)


def klines(market: str, resolution: int, start_at: int, end_at: int, price_kind: str = "") -> Call:
    """Klines of `resolution` minutes that open in [start_at, end_at], microseconds; at most 1,000 are safe per call.

    `price_kind`: last (what the exchange takes it to be when nothing is said), mark or underlying.
    """
    query = {"symbol": market, "resolution": resolution, "start_at": start_at // 1000, "end_at": end_at // 1000}
    if price_kind:
        query["price_kind"] = price_kind
    return Call("GET", "/markets/klines", Group.PUBLIC, urlencode(query))


def trades(market: str, start_at: int, cursor: str = "") -> Call:
    """Public trades since `start_at` (microseconds), newest first, a page of 1,000."""
    query: dict[str, str | int] = {"market": market, "start_at": start_at // 1000, "page_size": MAX_TRADES_PAGE}
    return Call("GET", "/trades", Group.PUBLIC, _paged(query, cursor))


# ---- session ---------------------------------------------------------------------------------------------------------


def auth(signer: ParadexSigner, at_s: int, *, interactive: bool) -> Call:
    """Ask for a token at `at_s` (unix seconds). The key in the path says which registered key signed (section 2.6)."""
    expires_s = at_s + SIGNATURE_LIFE_S
    headers = (
        ("PARADEX-STARKNET-ACCOUNT", signer.account),
        ("PARADEX-STARKNET-SIGNATURE", signer.sign_auth(timestamp_s=at_s, expiration_s=expires_s)),
        ("PARADEX-TIMESTAMP", str(at_s)),
        ("PARADEX-SIGNATURE-EXPIRATION", str(expires_s)),
    )
    query = "token_usage=interactive" if interactive else ""
    return Call("POST", f"/auth/{signer.public_key}", Group.AUTH, query, b"", headers)


def onboarding(signer: ParadexSigner, ethereum_account: str) -> Call:
    """Register the account; the exchange takes a repetition.

    The Ethereum address is required but not checked against the key (section 2.5); without one, the last 20 bytes of the
    account's address stand in.
    """
    headers = (
        ("PARADEX-ETHEREUM-ACCOUNT", ethereum_account or "0x" + signer.account.removeprefix("0x").zfill(40)[-40:]),
        ("PARADEX-STARKNET-ACCOUNT", signer.account),
        ("PARADEX-STARKNET-SIGNATURE", signer.sign_onboarding()),
    )
    return Call("POST", "/onboarding", Group.AUTH, "", msgspec.json.encode({"public_key": signer.public_key}), headers)


# ---- account ---------------------------------------------------------------------------------------------------------


def account() -> Call:
    """The margin summary."""
    return Call("GET", "/account", Group.READ)


def account_info() -> Call:
    """Kind, fees and tiers of our accounts."""
    return Call("GET", "/account/info", Group.READ)


def positions() -> Call:
    """Every position, closed ones too."""
    return Call("GET", "/positions", Group.READ)


def margin(market: str) -> Call:
    """Leverage and margin mode of one market."""
    return Call("GET", "/account/margin", Group.READ, urlencode({"market": market}))


def set_margin(market: str, leverage: int, *, isolated: bool) -> Call:
    """Set leverage and margin mode of one market."""
    body = {"leverage": leverage, "margin_type": "ISOLATED" if isolated else "CROSS"}
    return Call("POST", f"/account/margin/{market}", Group.READ, "", msgspec.json.encode(body))


def fills(start_at: int, market: str = "", cursor: str = "") -> Call:
    """Our executions since `start_at` (microseconds), a page of 1,000."""
    query: dict[str, str | int] = {"start_at": start_at // 1000, "page_size": MAX_FILLS_PAGE}
    if market:
        query["market"] = market
    return Call("GET", "/fills", Group.READ, _paged(query, cursor))


def tradebusts(start_at: int) -> Call:
    """Fills that the exchange took back since `start_at` (microseconds), newest first, a page of 1,000."""
    return Call("GET", "/tradebusts", Group.READ, urlencode({"start_at": start_at // 1000, "page_size": MAX_BUSTS_PAGE}))


# ---- orders ----------------------------------------------------------------------------------------------------------


def open_orders() -> Call:
    """Orders that rest, wait for a trigger or for the risk check."""
    return Call("GET", "/orders", Group.READ)


def order_by_client_id(client_id: str) -> Call:
    """One open order; a closed one is an error here and lives in the history."""
    return Call("GET", f"/orders/by_client_id/{quote(client_id, safe='')}", Group.READ)


def orders_history(client_id: str, market: str) -> Call:
    """Orders of any state with that client id."""
    return Call("GET", "/orders-history", Group.READ, urlencode({"client_id": client_id, "market": market}))


def place_order(body: bytes) -> Call:
    """Send a signed order."""
    return Call("POST", "/orders", Group.ORDER, "", body)


def modify_order(order_id: str, body: bytes) -> Call:
    """Change an order in place."""
    return Call("PUT", f"/orders/{quote(order_id, safe='')}", Group.ORDER, "", body)


def cancel_order(order_id: str, client_id: str, market: str) -> Call:
    """Cancel by exchange id when known, else by client id."""
    if order_id:
        return Call("DELETE", f"/orders/{quote(order_id, safe='')}", Group.ORDER)
    path = f"/orders/by_client_id/{quote(client_id, safe='')}"
    return Call("DELETE", path, Group.ORDER, urlencode({"market": market}))


def wire_price(kind: OrderType, price: Decimal | None) -> str:
    """The `price` field: "0" for market types, otherwise fixed-point text. Raises ValueError for a missing limit price."""
    if kind in MARKET_TYPES:
        return "0"
    if price is None:
        raise ValueError(f"price: saw None; accepted: a price, because {kind} has a limit")
    return plain(price)


def wire_instruction(kind: OrderType, time_in_force: TimeInForce) -> str:
    """The `instruction` field. Market types always say GTC, as the official SDK does; they cannot rest anyway.

    Raises ValueError for a market type that must not take.
    """
    if kind not in MARKET_TYPES:
        return INSTRUCTIONS[time_in_force]
    if time_in_force in (TimeInForce.POST_ONLY, TimeInForce.RPI):
        raise ValueError(f"time_in_force: saw {time_in_force}; accepted for {kind}: gtc, ioc")
    return "GTC"


def order_body(command: PlaceOrder, market: str, signature: str, signed_ms: int, recv_window_ms: int) -> bytes:
    """A new order as JSON: the REST body and the WebSocket params."""
    return msgspec.json.encode(
        OrderBody(
            market=market,
            side=SIDE_NAMES[command.side],
            type=TYPE_NAMES[command.type],
            size=plain(command.size),
            price=wire_price(command.type, command.price),
            instruction=wire_instruction(command.type, command.time_in_force),
            signature=signature,
            signature_timestamp=signed_ms,
            client_id=command.client_id,
            recv_window=recv_window_ms,
            flags=_REDUCE_ONLY if command.reduce_only else (),
            trigger_price=None if command.trigger_price is None else plain(command.trigger_price),
        )
    )


def modify_body(command: ModifyOrder, market: str, signature: str, signed_ms: int) -> bytes:
    """A changed order as JSON."""
    return msgspec.json.encode(
        ModifyBody(
            id=command.order_id,
            market=market,
            side=SIDE_NAMES[command.side],
            type=TYPE_NAMES[command.type],
            size=plain(command.size),
            price=wire_price(command.type, command.price),
            signature=signature,
            signature_timestamp=signed_ms,
            trigger_price=None if command.trigger_price is None else plain(command.trigger_price),
        )
    )


def cancel_params(order_id: str, client_id: str, market: str) -> bytes:
    """Params of `order.cancel`: the exchange's id, or client id with its market."""
    return msgspec.json.encode({"id": order_id} if order_id else {"client_id": client_id, "market": market})


# ---- WebSocket -------------------------------------------------------------------------------------------------------


def rpc(method: str, params: bytes, request_id: int) -> bytes:
    """A JSON-RPC 2.0 request with `params` already encoded."""
    return b'{"jsonrpc":"2.0","method":"%b","params":%b,"id":%d}' % (method.encode(), params, request_id)


def channel_params(channel: str) -> bytes:
    """Params of subscribe and unsubscribe."""
    return msgspec.json.encode({"channel": channel})


def _paged(query: dict[str, str | int], cursor: str) -> str:
    return urlencode({**query, "cursor": cursor} if cursor else query)
