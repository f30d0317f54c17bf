"""Order requests of REST and WebSocket alike: lenient decoding, strict checking, signature, and the core's `NewOrder`.

Lenient as the real clients need it (paradex.md 4.4): null is absent, an empty instruction is GTC, unknown fields are
ignored, MARKET needs no price. The order of checks is shape, signature, then the rules of the core.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, TypeVar

import msgspec

from flashscalper.exchanges.paradex.signing import Verifier
from flashscalper.model.amounts import ZERO, parse_amount
from flashscalper.model.errors import ExchangeError, ProtocolError
from flashscalper.model.events import FeeClass
from flashscalper.model.instants import MILLISECOND_US
from flashscalper.model.orders import OrderType, Side, TimeInForce
from flashscalper.simulator.facts import NewOrder, SelfTrade
from flashscalper.simulator.paradex_server.accounts import Member, normal_hex
from flashscalper.simulator.paradex_server.answers import invalid
from flashscalper.simulator.paradex_server.names import MarketNames

T = TypeVar("T")

_SIDES: Final = {side.value.upper(): side for side in Side}
_TYPES: Final = {kind.value.upper(): kind for kind in OrderType}
_INSTRUCTIONS: Final = {word.value.upper(): word for word in TimeInForce}
_FLAGS: Final = frozenset(
    {"REDUCE_ONLY", "STOP_CONDITION_BELOW_TRIGGER", "STOP_CONDITION_ABOVE_TRIGGER", "INTERACTIVE", "TARGET_STRATEGY_VWAP"}
)
_MAX_CLIENT_ID: Final = 64
_MAX_DIGITS: Final = 9
_MAX_INSTANT_MS: Final = 2**53


class OrderRequest(msgspec.Struct):
    """`OrderRequest` of the OpenAPI file; everything optional here, missing fields are refused by name."""

    market: str | None = None
    side: str | None = None
    type: str | None = None
    size: str | None = None
    price: str | None = None
    instruction: str | None = None
    signature: str | None = None
    signature_timestamp: int | None = None
    client_id: str | None = None
    flags: list[str] | None = None
    stp: str | None = None
    recv_window: int | None = None
    trigger_price: str | None = None
    vwap_price: str | None = None
    on_behalf_of_account: str | None = None


class ModifyRequest(msgspec.Struct):
    """`ModifyOrderRequest`; the extra fields that the official SDK sends are ignored."""

    id: str | None = None
    market: str | None = None
    side: str | None = None
    type: str | None = None
    size: str | None = None
    price: str | None = None
    signature: str | None = None
    signature_timestamp: int | None = None
    trigger_price: str | None = None
    on_behalf_of_account: str | None = None


class Change(msgspec.Struct, frozen=True):
    """A verified modification: None keeps what is."""

    order_id: str
    size: Decimal
    price: Decimal | None
    trigger_price: Decimal | None


class Asker(msgspec.Struct, frozen=True):
    """Who asks: the member, the key of its token, and the socket ("" = REST)."""

    member: Member
    key: str
    interactive: bool
    conn: str = ""


def decode(data: bytes | msgspec.Raw, shape: type[T]) -> T:
    """A request body. Raises ExchangeError BINDING_ERROR saying what does not fit."""
    try:
        return msgspec.json.decode(data, type=shape)
    except msgspec.DecodeError as broken:
        raise ExchangeError("BINDING_ERROR", str(broken), status=400) from broken
    except (UnicodeDecodeError, RecursionError) as broken:
        raise ExchangeError("BINDING_ERROR", f"not JSON: {broken}", status=400) from broken


def new_order(request: OrderRequest, asker: Asker, names: MarketNames, verifier: Verifier, fee_class: FeeClass) -> NewOrder:
    """Check one order request and its signature. Raises ExchangeError with the exchange's code."""
    _own_account(request.on_behalf_of_account, asker.member)
    kind = _word("type", request.type, _TYPES)
    order = NewOrder(
        client_id=_client_id(request.client_id),
        symbol=names.symbol(_required("market", request.market)),
        side=_word("side", request.side, _SIDES),
        type=kind,
        size=_amount("size", _required("size", request.size)),
        price=_price(kind, request.price),
        trigger_price=_optional("trigger_price", request.trigger_price),
        time_in_force=_word("instruction", request.instruction or "GTC", _INSTRUCTIONS),
        reduce_only="REDUCE_ONLY" in _flags(request.flags),
        stp=_word("stp", request.stp or SelfTrade.EXPIRE_TAKER.value, {mode.value: mode for mode in SelfTrade}),
        signed_at=_signed_at(request.signature_timestamp),
        recv_window_us=None if request.recv_window is None else request.recv_window * MILLISECOND_US,
        vwap_price=_optional("vwap_price", request.vwap_price),
        fee_class=fee_class,
        conn=asker.conn,
    )
    _verify(request, asker, verifier, order_id="")
    return order


def change(request: ModifyRequest, path_id: str, asker: Asker, names: MarketNames, verifier: Verifier) -> Change:
    """Check one modify request and its signature; the id may stand in the path, the body or both."""
    _own_account(request.on_behalf_of_account, asker.member)
    order_id = request.id or path_id
    if path_id and order_id != path_id:
        raise invalid("id", request.id, f"the id of the path, {path_id}")
    if not order_id.isdecimal():
        raise ExchangeError("ORDER_ID_NOT_FOUND", f"order {order_id} not found", status=400)
    names.symbol(_required("market", request.market))
    _word("side", request.side, _SIDES)
    kind = _word("type", request.type, _TYPES)
    checked = Change(
        order_id,
        _amount("size", _required("size", request.size)),
        _price(kind, request.price),
        _optional("trigger_price", request.trigger_price),
    )
    _signed_at(request.signature_timestamp)
    _verify(request, asker, verifier, order_id=order_id)
    return checked


def _verify(request: OrderRequest | ModifyRequest, asker: Asker, verifier: Verifier, *, order_id: str) -> None:
    """Ask every key of the account whether it signed these very fields, the token's own key first: verifying is slow."""
    member = asker.member
    keys = sorted(member.signing_keys(), key=lambda key: key != asker.key)
    signature = _required("signature", request.signature)
    signed = any(
        verifier.verify_order(
            account=member.address,
            public_key=key,
            signature=signature,
            market=_required("market", request.market),
            side=_word("side", request.side, _SIDES),
            order_type=_word("type", request.type, _TYPES),
            size=_amount("size", _required("size", request.size)),
            price=_amount("price", request.price or "0"),
            timestamp_ms=_required("signature_timestamp", request.signature_timestamp),
            order_id=order_id,
        )
        for key in keys
    )
    if not signed:
        raise ExchangeError("INVALID_ORDER_SIGNATURE", "signature does not match the order and the account", status=400)


def _signed_at(timestamp_ms: int | None) -> int:
    timestamp = _required("signature_timestamp", timestamp_ms)
    if not 0 < timestamp < _MAX_INSTANT_MS:
        raise invalid("signature_timestamp", timestamp, "unix milliseconds")
    return timestamp * MILLISECOND_US


def _own_account(address: str | None, member: Member) -> None:
    if address and normal_hex(address, "INVALID_STARKNET_ADDRESS", "on_behalf_of_account") != member.address:
        raise ExchangeError("ISOLATED_MARKET_ACCOUNT_MISMATCH", "isolated-margin accounts are not simulated", status=400)


def _required(field: str, value: T | None) -> T:
    if value is None or value == "":
        raise invalid(field, value, "a value: it is required")
    return value


def _word(field: str, value: str | None, words: dict[str, T]) -> T:
    found = words.get(_required(field, value))
    if found is None:
        raise invalid(field, value, ", ".join(words))
    return found


def _amount(field: str, text: str) -> Decimal:
    try:
        amount = parse_amount(field, text)
    except ProtocolError as refused:
        raise ExchangeError("VALIDATION_ERROR", str(refused), status=400) from refused
    if amount < ZERO or amount.adjusted() > _MAX_DIGITS:
        raise invalid(field, text, "zero or more, below 10^10 (binary frames hold no more)")
    return amount


def _optional(field: str, text: str | None) -> Decimal | None:
    """Unset is absent, empty or "0" (the exchange itself shows an unset trigger price as "0")."""
    amount = _amount(field, text) if text else ZERO
    return amount if amount > ZERO else None


def _price(kind: OrderType, text: str | None) -> Decimal | None:
    price = _optional("price", text)
    if kind in (OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT, OrderType.STOP_LOSS_LIMIT):
        return _required("price", price)
    return None


def _flags(flags: list[str] | None) -> frozenset[str]:
    unknown = sorted(set(flags or ()) - _FLAGS)
    if unknown:
        raise invalid("flags", unknown, ", ".join(sorted(_FLAGS)))
    return frozenset(flags or ())


def _client_id(client_id: str | None) -> str:
    if client_id and len(client_id) > _MAX_CLIENT_ID:
        raise invalid("client_id", client_id, f"at most {_MAX_CLIENT_ID} characters")
    return client_id or ""
