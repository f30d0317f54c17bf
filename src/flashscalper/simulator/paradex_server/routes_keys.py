"""Private routes about keys: subkeys and long-lived tokens (paradex.md 2.7, 2.8)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from flashscalper.model.errors import ExchangeError
from flashscalper.model.instants import SECOND_US
from flashscalper.simulator.paradex_server.accounts import (
    ACTIVE,
    PENDING,
    REVOKED,
    ApiToken,
    Subkey,
    checked_cidrs,
    normal_hex,
)
from flashscalper.simulator.paradex_server.answers import Reply, invalid, ok, results
from flashscalper.simulator.paradex_server.context import Context, Request
from flashscalper.simulator.paradex_server.limits import Group
from flashscalper.simulator.paradex_server.order_requests import decode
from flashscalper.simulator.paradex_server.routing import Route
from flashscalper.simulator.paradex_server.tokens import READ_ONLY, Claims, issue

_NANOSECONDS: Final = 1_000
_MIN_LIFE_S: Final = 60
_MAX_LIFE_S: Final = 31_536_000
_MAX_KEYS: Final = 100
_YES: Final = ("true", "1")


class CreateSubkey(msgspec.Struct):
    """`requests.CreateSubkey`; EVM fields are ignored."""

    name: str | None = None
    public_key: str | None = None
    state: str | None = None
    signature: list[str] | None = None
    signature_timestamp: int | None = None
    signature_expiry: int | None = None
    allowed_cidrs: list[str] | None = None
    encrypted_key: str | None = None


class ActivateSubkey(msgspec.Struct):
    """`requests.ActivateSubkey`."""

    public_key: str | None = None


class RenameSubkey(msgspec.Struct):
    """`requests.UpdateSubkey`."""

    name: str | None = None


class AllowedCidrs(msgspec.Struct):
    """`PUT .../allowed-cidrs`."""

    allowed_cidrs: list[str]


class CreateToken(msgspec.Struct):
    """`requests.CreateToken`; the values of `token_type` are not listed in the documents [open]: any text is taken."""

    name: str | None = None
    token_type: str | None = None
    expiry_duration: int | None = None
    allowed_cidrs: list[str] | None = None


def _subkey_view(request: Request, key: Subkey) -> dict[str, Any]:
    return {
        "id": key.id,
        "account_id": request.account,
        "name": key.name,
        "public_key": key.public_key,
        "state": key.state,
        "allowed_cidrs": list(key.allowed_cidrs),
        "created_at": key.created_at * _NANOSECONDS,
        "updated_at": key.updated_at * _NANOSECONDS,
        "revoked_at": key.revoked_at * _NANOSECONDS,
    }


def _token_view(token: ApiToken) -> dict[str, Any]:
    return {
        "token_id": f"token_{token.lookup_id}",
        "lookup_id": token.lookup_id,
        "name": token.name,
        "kind": token.kind,
        "allowed_cidrs": list(token.allowed_cidrs),
        "created_at": token.created_at * _NANOSECONDS,
        "last_updated_at": token.updated_at * _NANOSECONDS,
        "expiry_at": token.expiry_at * _NANOSECONDS,
        "revoked_at": token.revoked_at * _NANOSECONDS,
    }


def _main_key_only(request: Request) -> None:
    """Key management needs the main key's token (2.1: a subkey does no key management)."""
    if request.asker().key != request.member.public_key:
        raise ExchangeError("REQUEST_NOT_ALLOWED", "keys are managed with the main key's token", status=403)


def _subkey(request: Request) -> Subkey:
    public_key = normal_hex(request.parameters["public_key"], "PUBLIC_KEY_INVALID", "public key")
    subkey = request.member.subkeys.get(public_key)
    if subkey is None:
        raise ExchangeError("INVALID_SUBKEY", f"subkey {public_key} not found", status=404)
    return subkey


def list_subkeys(context: Context, request: Request) -> Reply:  # noqa: ARG001 - one shape for all routes
    """Subkeys in force; revoked ones too with `with_revoked=true`."""
    everything = request.query.get("with_revoked", "").lower() in _YES
    keys = [key for key in request.member.subkeys.values() if everything or key.state != REVOKED]
    return results([_subkey_view(request, key) for key in keys])


def create_subkey(context: Context, request: Request) -> Reply:
    """Register a key. Its optional signature by the main key is verified when it is there."""
    _main_key_only(request)
    body = decode(request.body, CreateSubkey)
    if not body.name:
        raise invalid("name", body.name, "a text: it is required")
    public_key = normal_hex(body.public_key or "", "PUBLIC_KEY_INVALID", "public_key")
    state = body.state or ACTIVE
    if state not in (ACTIVE, PENDING):
        raise invalid("state", state, f"{ACTIVE}, {PENDING}")
    _check_registration(context, request, body, public_key)
    known = request.member.subkeys
    if public_key in known or public_key == request.member.public_key:
        raise ExchangeError("NOT_UNIQUE", f"key {public_key} is registered already", status=400)
    if len(known) >= _MAX_KEYS:
        raise ExchangeError("INVALID_SUBKEY", f"more than {_MAX_KEYS} subkeys", status=400)
    known[public_key] = Subkey(
        id=context.members.next_id(),
        name=body.name,
        public_key=public_key,
        state=state,
        allowed_cidrs=checked_cidrs(body.allowed_cidrs),
        encrypted_key=body.encrypted_key or "",
        created_at=request.now,
        updated_at=request.now,
    )
    return ok({}, 201)


def _check_registration(context: Context, request: Request, body: CreateSubkey, public_key: str) -> None:
    if not body.signature:
        return
    timestamp, expiry = body.signature_timestamp or 0, body.signature_expiry or 0
    now_s = request.now // SECOND_US
    genuine = context.settings.verify_signatures.verify_subkey_registration(
        account=request.account,
        public_key=request.member.public_key,
        signature=msgspec.json.encode(body.signature).decode(),
        subkey=public_key,
        timestamp_s=timestamp,
        expiry_s=expiry,
    )
    if not genuine or not timestamp - context.settings.clock_skew_s <= now_s < expiry:
        raise ExchangeError("STARKNET_SIGNATURE_VERIFICATION_FAILED", "registration signature is no good", status=400)


def get_subkey(context: Context, request: Request) -> Reply:  # noqa: ARG001 - one shape for all routes
    """One subkey."""
    return ok(_subkey_view(request, _subkey(request)))


def rename_subkey(context: Context, request: Request) -> Reply:  # noqa: ARG001 - one shape for all routes
    """A new name."""
    _main_key_only(request)
    key, name = _subkey(request), decode(request.body, RenameSubkey).name
    if not name:
        raise invalid("name", name, "a text: it is required")
    key.name, key.updated_at = name, request.now
    return ok(_subkey_view(request, key))


def revoke_subkey(context: Context, request: Request) -> Reply:  # noqa: ARG001 - one shape for all routes
    """From now on the key signs nothing, and its tokens are refused."""
    _main_key_only(request)
    key = _subkey(request)
    key.state, key.revoked_at, key.updated_at = REVOKED, key.revoked_at or request.now, request.now
    return ok({"public_key": key.public_key})


def restrict_subkey(context: Context, request: Request) -> Reply:  # noqa: ARG001 - one shape for all routes
    """A new allow-list."""
    _main_key_only(request)
    key = _subkey(request)
    key.allowed_cidrs = checked_cidrs(decode(request.body, AllowedCidrs).allowed_cidrs)
    key.updated_at = request.now
    return ok(_subkey_view(request, key))


def activate_subkey(context: Context, request: Request) -> Reply:  # noqa: ARG001 - one shape for all routes
    """A pending key becomes active; the client gets back the encrypted private key that it left here."""
    _main_key_only(request)
    public_key = normal_hex(decode(request.body, ActivateSubkey).public_key or "", "PUBLIC_KEY_INVALID", "public_key")
    key = request.member.subkeys.get(public_key)
    if key is None:
        raise ExchangeError("INVALID_SUBKEY", f"subkey {public_key} not found", status=404)
    if key.state != PENDING:
        raise ExchangeError("SUBKEY_NOT_ACTIVATABLE", f"subkey is {key.state}", status=400)
    key.state, key.updated_at = ACTIVE, request.now
    return ok({"encrypted_key": key.encrypted_key})


def list_tokens(context: Context, request: Request) -> Reply:  # noqa: ARG001 - one shape for all routes
    """Long-lived tokens; revoked and expired ones too with `with_invalid=true`."""
    everything = request.query.get("with_invalid", "").lower() in _YES
    kind = request.query.get("kind", "")
    tokens = [
        token
        for token in request.member.api_tokens.values()
        if kind in ("", token.kind) and (everything or (not token.revoked_at and token.expiry_at > request.now))
    ]
    return results([_token_view(token) for token in tokens])


def create_token(context: Context, request: Request) -> Reply:
    """A token for reading only: it cannot sign, and everything that changes something refuses it."""
    asker, body = request.asker(), decode(request.body, CreateToken)
    if not body.name or not body.token_type:
        raise invalid("name, token_type", (body.name, body.token_type), "texts: they are required")
    life_s = body.expiry_duration or 0
    if not _MIN_LIFE_S <= life_s <= _MAX_LIFE_S:
        raise invalid("expiry_duration", body.expiry_duration, f"seconds in {_MIN_LIFE_S}..{_MAX_LIFE_S}")
    if len(request.member.api_tokens) >= _MAX_KEYS:
        raise ExchangeError("TOKEN_LIMIT_REACHED", f"more than {_MAX_KEYS} tokens", status=400)
    token = ApiToken(
        lookup_id=f"lookup-{context.members.next_id()}",
        name=body.name,
        kind=body.token_type,
        allowed_cidrs=checked_cidrs(body.allowed_cidrs),
        created_at=request.now,
        updated_at=request.now,
        expiry_at=request.now + life_s * SECOND_US,
    )
    request.member.api_tokens[token.lookup_id] = token
    issued_s = request.now // SECOND_US
    claims = Claims(
        exp=issued_s + life_s, iat=issued_s, sub=request.account, usage=READ_ONLY, key=asker.key, jti=token.lookup_id
    )
    return ok({"token": issue(claims, context.settings.jwt_secret), "api_token": _token_view(token)})


def _token(request: Request) -> ApiToken:
    token = request.member.api_tokens.get(request.parameters["lookup_id"])
    if token is None:
        raise ExchangeError("NOT_FOUND", f"token {request.parameters['lookup_id']} not found", status=400)
    return token


def revoke_token(context: Context, request: Request) -> Reply:  # noqa: ARG001 - one shape for all routes
    """From now on the token is refused."""
    request.asker()
    token = _token(request)
    token.revoked_at, token.updated_at = token.revoked_at or request.now, request.now
    return ok({"lookup_id": token.lookup_id})


def restrict_token(context: Context, request: Request) -> Reply:  # noqa: ARG001 - one shape for all routes
    """A new allow-list."""
    request.asker()
    token = _token(request)
    token.allowed_cidrs = checked_cidrs(decode(request.body, AllowedCidrs).allowed_cidrs)
    token.updated_at = request.now
    return ok(_token_view(token))


ROUTES: Final = tuple(
    Route(method, path, handler, Group.READS)
    for method, path, handler in (
        ("GET", "/account/keys/subkeys", list_subkeys),
        ("POST", "/account/keys/subkeys", create_subkey),
        ("POST", "/account/keys/subkeys/activate", activate_subkey),
        ("GET", "/account/keys/subkeys/{public_key}", get_subkey),
        ("PUT", "/account/keys/subkeys/{public_key}", rename_subkey),
        ("DELETE", "/account/keys/subkeys/{public_key}", revoke_subkey),
        ("PUT", "/account/keys/subkeys/{public_key}/allowed-cidrs", restrict_subkey),
        ("GET", "/account/tokens", list_tokens),
        ("POST", "/account/tokens", create_token),
        ("DELETE", "/account/tokens/{lookup_id}", revoke_token),
        ("PUT", "/account/tokens/{lookup_id}/allowed-cidrs", restrict_token),
    )
)
