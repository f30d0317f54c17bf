"""StarkNet typed data, revision 0, for the messages that Paradex verifies: what is hashed, and in which order.

Scheme (paradex reference 2.4, StarkNet's typed data before SNIP-12 revision 1): struct_hash = H(type_hash, fields...),
message_hash = H("StarkNet Message", struct_hash(domain), account, struct_hash(message)), with H the Pedersen chain closed by
its length. The start of both chains is constant for an account, so `Messages` hashes it once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Context, Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from Crypto.Hash import keccak

from flashscalper.exchanges.paradex.signing.curve import FIELD_PRIME
from flashscalper.exchanges.paradex.signing.pedersen import Half, PedersenHash, checked_felt, hash_chain
from flashscalper.model.errors import ConfigError, ProtocolError
from flashscalper.model.orders import OrderType, Side

CHAIN_IDS: Final = (
    "PRIVATE_SN_PARACLEAR_MAINNET",
    "PRIVATE_SN_POTC_SEPOLIA",
    "PRIVATE_SN_POTC_MOCK_SEPOLIA",
    "PRIVATE_SN_PARACLEAR_TESTNET",
)
"""What `starknet_chain_id` of /v1/system/config may be; the official SDK knows no other."""

AMOUNT_SCALE: Final = 8
"""Sizes and prices are signed as integers of 10^-8."""

HEX_DIGITS: Final = frozenset("0123456789abcdefABCDEF")
_AMOUNT_BOUND: Final = Decimal(10) ** 30
_EXACT: Final = Context(prec=200)

DOMAIN_TYPE: Final = "StarkNetDomain(name:felt,chainId:felt,version:felt)"
AUTH_TYPE: Final = "Request(method:felt,path:felt,body:felt,timestamp:felt,expiration:felt)"
ONBOARDING_TYPE: Final = "Constant(action:felt)"
ORDER_TYPE: Final = "Order(timestamp:felt,market:felt,side:felt,orderType:felt,size:felt,price:felt)"
MODIFY_TYPE: Final = "ModifyOrder(timestamp:felt,market:felt,side:felt,orderType:felt,size:felt,price:felt,id:felt)"

_SIDES: Final = {Side.BUY: 1, Side.SELL: 2}


def check_chain_id(chain_id: str) -> str:
    """The chain id if Paradex and its SDK know it; ConfigError otherwise."""
    if chain_id not in CHAIN_IDS:
        raise ConfigError("chain id", chain_id, ", ".join(CHAIN_IDS))
    return chain_id


def keccak256(data: bytes) -> bytes:
    """Ethereum's Keccak-256 (not SHA3-256)."""
    return keccak.new(digest_bits=256, data=data).digest()


def starknet_keccak(text: str) -> int:
    """The low 250 bits of Keccak-256: StarkNet's hash of names."""
    return int.from_bytes(keccak256(text.encode("ascii")), "big") & ((1 << 250) - 1)


def short_string(text: str, field: str = "short string") -> int:
    """Up to 31 ASCII characters as a big-endian integer; ConfigError naming the field for anything else."""
    if len(text) > 31 or not text.isascii():
        raise ConfigError(field, text, "at most 31 ASCII characters")
    return int.from_bytes(text.encode("ascii"), "big")


def felt(value: str | int) -> int:
    """A typed-data value as the SDK reads it: decimal and 0x text spell numbers, other text is a short string."""
    if isinstance(value, int):
        return checked_felt(value)
    if value.isascii() and value.isdigit():
        return checked_felt(int(value))
    if value.startswith("0x"):
        return checked_felt(int(value, 16))
    return short_string(value)


def order_amount(field: str, amount: Decimal) -> int:
    """A size or price in multiples of 10^-8, for signing; more decimals, negative or non-finite: ConfigError."""
    if amount.is_finite() and 0 <= amount < _AMOUNT_BOUND:
        scaled = amount.scaleb(AMOUNT_SCALE, context=_EXACT)
        quanta = int(scaled)
        if quanta == scaled:
            return quanta
    raise ConfigError(field, str(amount), f"0 <= {field} < {_AMOUNT_BOUND} with at most {AMOUNT_SCALE} decimals")


def truncated_amount(field: str, amount: Decimal) -> int:
    """A size or price as the official SDK signs it: decimals beyond the eighth are cut off. For verifying only."""
    if amount.is_finite() and 0 <= amount < _AMOUNT_BOUND:
        return int(amount.scaleb(AMOUNT_SCALE, context=_EXACT))
    raise ProtocolError(field, f"saw {amount}; accepted: 0 <= {field} < {_AMOUNT_BOUND}")


class OrderTerms(NamedTuple):
    """What of an order is signed: everything else (client id, flags, instruction, trigger price) is not."""

    timestamp_ms: int
    market: str
    side: Side
    order_type: OrderType
    size: int
    """In multiples of 10^-8, as is the price."""
    price: int
    order_id: str = ""
    """Set when a live order is changed."""


def order_terms(
    amount: Callable[[str, Decimal], int],
    *,
    timestamp_ms: int,
    market: str,
    side: Side,
    order_type: OrderType,
    size: Decimal,
    price: Decimal | None,
    order_id: str,
) -> OrderTerms:
    """Terms from amounts in units, counted by `amount` (`order_amount` to sign, `truncated_amount` to verify).

    The price of a MARKET order is signed as 0 whatever the body says, and so is a missing one of the trigger types.
    """
    signed = 0 if price is None or order_type is OrderType.MARKET else amount("price", price)
    return OrderTerms(timestamp_ms, market, side, order_type, amount("size", size), signed, order_id)


class Messages:
    """Message hashes of one account on one chain. Everything constant is hashed when it is first needed, then kept."""

    def __init__(self, account: int, chain_id: str, engine: PedersenHash) -> None:
        check_chain_id(chain_id)
        self._engine = engine
        domain = hash_chain(engine, [starknet_keccak(DOMAIN_TYPE), short_string("Paradex"), short_string(chain_id), 1])
        prefix = 0
        for element in (short_string("StarkNet Message"), domain, checked_felt(account)):
            prefix = engine.hash(prefix, element)
        self._with_struct = engine.with_left(prefix)
        self._close_message = engine.with_right(4)
        self._begin = {text: self._begun(text) for text in (ORDER_TYPE, MODIFY_TYPE)}
        self._close_order = engine.with_right(7)
        self._close_modify = engine.with_right(8)
        self._prepared = lru_cache(512)(self._prepare)
        self._opened = lru_cache(256)(self._open)

    def order(self, terms: OrderTerms) -> int:
        """Hash of a new order, or of a change when the terms name a live order.

        Orders that share timestamp, market, side and type share half of the work: the last few such beginnings are kept.
        """
        pedersen = self._engine.hash
        type_text = MODIFY_TYPE if terms.order_id else ORDER_TYPE
        state = self._opened(type_text, terms.timestamp_ms, terms.market, terms.side, terms.order_type)
        state = pedersen(pedersen(state, terms.size), terms.price)
        if terms.order_id:
            return self._message(self._close_modify(pedersen(state, felt(terms.order_id))))
        return self._message(self._close_order(state))

    def auth(self, timestamp_s: int, expiration_s: int) -> int:
        """Hash of a token request. The signed path is /v1/auth, whatever the URL (paradex reference, fact 7)."""
        request = ("POST", "/v1/auth", "", timestamp_s, expiration_s)
        return self._message(self._struct(AUTH_TYPE, [felt(value) for value in request]))

    def onboarding(self) -> int:
        """Hash of the onboarding message."""
        return self._message(self._struct(ONBOARDING_TYPE, [short_string("Onboarding")]))

    def _struct(self, type_text: str, fields: Sequence[int]) -> int:
        return hash_chain(self._engine, [starknet_keccak(type_text), *fields])

    def _message(self, struct_hash: int) -> int:
        return int(self._close_message(self._with_struct(struct_hash)))

    def _begun(self, type_text: str) -> Half:
        return self._engine.with_left(self._engine.hash(0, starknet_keccak(type_text)))

    def _open(self, type_text: str, timestamp_ms: int, market: str, side: Side, order_type: OrderType, /) -> int:
        with_market, with_side, with_type = self._prepared(market, side, order_type)
        return with_type(with_side(with_market(self._begin[type_text](checked_felt(timestamp_ms)))))

    def _prepare(self, market: str, side: Side, order_type: OrderType) -> tuple[Half, Half, Half]:
        prepare = self._engine.with_right
        return (
            prepare(short_string(market, "market")),
            prepare(_SIDES[side]),
            prepare(short_string(order_type.value.upper())),
        )


def subkey_registration(engine: PedersenHash, account: int, public_key: int, timestamp_s: int, expiry_s: int) -> int:
    """Hash by which a main key vouches for a subkey: Pedersen array of account, public key, timestamp and expiry."""
    return hash_chain(engine, [account, public_key, timestamp_s, expiry_s])


def parse_hex(field: str, text: str) -> int:
    """A 0x number in the field's range (addresses, public keys). ConfigError naming the field otherwise."""
    digits = text[2:] if text[:2] in ("0x", "0X") else ""
    if 0 < len(digits) <= 64 and HEX_DIGITS.issuperset(digits):
        value = int(digits, 16)
        if value < FIELD_PRIME:
            return value
    raise ConfigError(field, text, "0x and up to 64 hexadecimal digits, below the field's prime")
