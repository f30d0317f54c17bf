"""Who may do what: accounts with their main key, subkeys and tokens, and the addresses requests may come from.

Money lives in the exchange core; this is the part of an account that only the protocol knows (paradex.md 2.5 to 2.8).
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from ipaddress import ip_address, ip_network
from typing import Final

import msgspec

from flashscalper.model.errors import AuthError, ExchangeError

ACTIVE: Final = "active"
PENDING: Final = "pending"
REVOKED: Final = "revoked"
_MAX_CIDRS: Final = 50
_FIELD_BITS: Final = 252


class Subkey(msgspec.Struct, kw_only=True):
    """A registered key that may log in and sign orders for its account. Instants are microseconds, 0 = never."""

    id: int
    name: str
    public_key: str
    state: str
    allowed_cidrs: tuple[str, ...]
    encrypted_key: str = ""
    created_at: int
    updated_at: int
    revoked_at: int = 0


class ApiToken(msgspec.Struct, kw_only=True):
    """A long-lived read-only token. Instants are microseconds, 0 = never."""

    lookup_id: str
    name: str
    kind: str
    allowed_cidrs: tuple[str, ...]
    created_at: int
    updated_at: int
    expiry_at: int
    revoked_at: int = 0


class Member(msgspec.Struct, kw_only=True):
    """One onboarded account; `address` and keys are 0x hex without padding. `max_slippage` is by symbol, a fraction."""

    address: str
    public_key: str
    ethereum: str
    created_at: int
    subkeys: dict[str, Subkey] = {}
    api_tokens: dict[str, ApiToken] = {}
    max_slippage: dict[str, Decimal] = {}

    def signing_keys(self) -> list[str]:
        """Keys that may sign now, the main one first."""
        return [self.public_key, *(key.public_key for key in self.subkeys.values() if key.state == ACTIVE)]

    def check_origin(self, key: str, token_id: str, peer: str) -> None:
        """Refuse a request from an address that the subkey's or token's allow-list does not contain."""
        subkey, token = self.subkeys.get(key), self.api_tokens.get(token_id)
        cidrs = (subkey.allowed_cidrs if subkey else ()) + (token.allowed_cidrs if token else ())
        if cidrs and not any(ip_address(peer) in ip_network(cidr, strict=False) for cidr in cidrs):
            raise AuthError("IP_NOT_ALLOWED", f"address {peer} is not in the allow-list of this key", status=403)


class Members:
    """Every onboarded account by address."""

    def __init__(self) -> None:
        self._by_address: dict[str, Member] = {}
        self.last_id = 0

    def all(self) -> Iterable[Member]:
        """Every member, oldest first."""
        return self._by_address.values()

    def restore(self, member: Member) -> None:
        """A member of an earlier process."""
        self._by_address[member.address] = member

    def find(self, address: str) -> Member | None:
        """The member with that normalised address."""
        return self._by_address.get(address)

    def get(self, address: str) -> Member:
        """The member, or the exchange's NOT_ONBOARDED."""
        member = self._by_address.get(address)
        if member is None:
            raise ExchangeError("NOT_ONBOARDED", "User has never called /onboarding endpoint", status=400)
        return member

    def add(self, address: str, public_key: str, ethereum: str, now: int) -> bool:
        """Onboard; False when the account was there with the same key. Another key for it is refused."""
        known = self._by_address.get(address)
        if known is None:
            self._by_address[address] = Member(address=address, public_key=public_key, ethereum=ethereum, created_at=now)
            return True
        if known.public_key != public_key:
            raise ExchangeError("REQUEST_NOT_ALLOWED", "account is onboarded with another public key", status=400)
        return False

    def owner_of(self, public_key: str) -> Member | None:
        """The member whose main key this is."""
        return next((member for member in self._by_address.values() if member.public_key == public_key), None)

    def next_id(self) -> int:
        """A number for a new subkey or token, never reused."""
        self.last_id += 1
        return self.last_id


def normal_hex(text: str, code: str, what: str, *, bits: int = _FIELD_BITS) -> str:
    """`0x` hex without padding, as the exchange writes addresses and keys. Anything else is an ExchangeError(`code`)."""
    try:
        number = int(text, 16) if text[:2].lower() == "0x" else -1
    except ValueError:
        number = -1
    if not 0 < number < 1 << bits:
        raise ExchangeError(code, f"{what} {text!r} is not 0x hex of at most {bits} bits", status=400)
    return hex(number)


def checked_cidrs(cidrs: list[str] | None) -> tuple[str, ...]:
    """An allow-list of at most 50 networks. Raises ExchangeError naming the first that is none."""
    if len(cidrs or ()) > _MAX_CIDRS:
        raise ExchangeError("VALIDATION_ERROR", f"allowed_cidrs: more than {_MAX_CIDRS} entries", status=400)
    for cidr in cidrs or ():
        try:
            ip_network(cidr, strict=False)
        except ValueError:
            raise ExchangeError("VALIDATION_ERROR", f"allowed_cidrs: {cidr!r} is not a network", status=400) from None
    return tuple(cidrs or ())
