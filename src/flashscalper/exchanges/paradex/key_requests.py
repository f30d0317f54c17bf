"""REST calls about an account's keys and tokens, and what they answer (paradex.md 2.7, 2.8).

Plain functions like those of `requests`. Registering and revoking a subkey needs a token of the main key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

import msgspec

from flashscalper.exchanges.paradex.requests import Call, Group

if TYPE_CHECKING:
    from flashscalper.exchanges.paradex.signing import ParadexSigner

REGISTRATION_LIFE_S: Final = 300
_PATH: Final = "/account/keys/subkeys"
_TOKENS: Final = "/account/tokens"


class SubkeyResult(msgspec.Struct):
    """One subkey of `GET /account/keys/subkeys`. Instants are nanoseconds, 0 = never; no networks means any address."""

    public_key: str
    name: str = ""
    state: str = ""
    allowed_cidrs: list[str] | None = None
    created_at: int = 0
    revoked_at: int = 0


class OnboardingResult(msgspec.Struct):
    """`GET /onboarding`: which account belongs to a public key, and whether the exchange knows it."""

    address: str
    exists: bool


class TokenResult(msgspec.Struct):
    """One long-lived token of `GET /account/tokens`. Instants are nanoseconds, 0 = never."""

    lookup_id: str
    name: str = ""
    kind: str = ""
    token_id: str = ""
    allowed_cidrs: list[str] | None = None
    created_at: int = 0
    expiry_at: int = 0
    revoked_at: int = 0


class NewTokenResult(msgspec.Struct):
    """`POST /account/tokens`: the only answer that holds the token itself."""

    token: str
    api_token: TokenResult


def onboarded(public_key: str) -> Call:
    """Ask for the account of a Stark public key."""
    query = {"account_signer_type": "starknet", "public_key": public_key}
    return Call("GET", "/onboarding", Group.PUBLIC, urlencode(query))


def subkeys(*, with_revoked: bool = False) -> Call:
    """Every subkey of our account."""
    return Call("GET", _PATH, Group.READ, "with_revoked=true" if with_revoked else "")


def register_subkey(signer: ParadexSigner, public_key: str, name: str, allowed_cidrs: tuple[str, ...], at_s: int) -> Call:
    """Register a key at `at_s` (unix seconds); `signer` is the main key, whose signature the exchange may insist on."""
    expiry_s = at_s + REGISTRATION_LIFE_S
    signature = signer.sign_subkey_registration(public_key=public_key, timestamp_s=at_s, expiry_s=expiry_s)
    body: dict[str, object] = {
        "name": name,
        "public_key": public_key,
        "state": "active",
        "signature": msgspec.json.decode(signature, type=list[str]),
        "signature_timestamp": at_s,
        "signature_expiry": expiry_s,
    }
    if allowed_cidrs:
        body["allowed_cidrs"] = list(allowed_cidrs)
    return Call("POST", _PATH, Group.READ, "", msgspec.json.encode(body))


def revoke_subkey(public_key: str) -> Call:
    """Take a key's rights away, for good."""
    return Call("DELETE", f"{_PATH}/{quote(public_key, safe='')}", Group.READ)


def tokens(*, with_invalid: bool = False) -> Call:
    """The long-lived tokens of our account."""
    return Call("GET", _TOKENS, Group.READ, "with_invalid=true" if with_invalid else "")


def create_token(name: str, kind: str, life_s: int, allowed_cidrs: tuple[str, ...]) -> Call:
    """Make a token that lives for `life_s`. Not to be repeated blindly: each call makes one."""
    body: dict[str, object] = {"name": name, "token_type": kind, "expiry_duration": life_s}
    if allowed_cidrs:
        body["allowed_cidrs"] = list(allowed_cidrs)
    return Call("POST", _TOKENS, Group.READ, "", msgspec.json.encode(body))


def revoke_token(lookup_id: str) -> Call:
    """Take a token's rights away, for good."""
    return Call("DELETE", f"{_TOKENS}/{quote(lookup_id, safe='')}", Group.READ)
