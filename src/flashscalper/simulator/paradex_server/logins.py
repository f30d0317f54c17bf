"""From a bearer token to whose it is: genuine, alive, not revoked, and from an address it may be used from."""

from __future__ import annotations

from typing import Final

from flashscalper.model.errors import AuthError
from flashscalper.simulator.paradex_server.context import Context, Login
from flashscalper.simulator.paradex_server.tokens import ExpiredTokenError, check

_PREFIX: Final = "bearer "


def login_with(context: Context, token: str, peer: str, now: int) -> Login:
    """The login that a token stands for. Raises AuthError (401, or 403 for a wrong address)."""
    claims = check(token, context.settings.jwt_secret, now)
    if claims.era < context.era and not claims.jti:
        raise ExpiredTokenError(now - context.era_began_at)
    member = context.members.find(claims.sub)
    if member is None:
        raise AuthError("INVALID_TOKEN", "account of the token is not known here", status=401)
    if claims.jti:
        issued = member.api_tokens.get(claims.jti)
        if issued is None or issued.revoked_at:
            raise AuthError("INVALID_TOKEN", "token was revoked", status=401)
    elif claims.key not in member.signing_keys():
        raise AuthError("INVALID_TOKEN", "the key behind the token was revoked", status=401)
    member.check_origin(claims.key, claims.jti, peer)
    return Login(member, claims)


def login_of(context: Context, headers: dict[str, str], peer: str, now: int) -> Login:
    """The login of a request's `Authorization: Bearer` header. Raises AuthError when there is none or it is no good."""
    value = headers.get("authorization", "")
    if value[: len(_PREFIX)].lower() != _PREFIX:
        raise AuthError("", "missing or malformed jwt", status=401)
    return login_with(context, value[len(_PREFIX) :].strip(), peer, now)
