"""JSON web tokens as the simulated exchange issues and checks them: HS256 over its own secret, readable by any JWT library.

The real exchange signs with an elliptic curve (ES256/ES384, paradex.md 2.6); clients only read the claims, so the algorithm
is the one difference. Claims: `typ`, `iss`, `iat`, `exp`, `sub` (account) as documented; `usage`, `key`, `jti`, `era` are
ours.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from typing import Final

import msgspec

from flashscalper.model.errors import AuthError
from flashscalper.model.instants import SECOND_US
from flashscalper.model.secrets import Secret

ISSUER: Final = "Paradex simulator"
TRADE: Final = "trade"
INTERACTIVE: Final = "interactive"
READ_ONLY: Final = "read_only"
_HEADER: Final = {"alg": "HS256", "typ": "JWT"}


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What a token says. `exp` and `iat` are unix seconds; `key` is the public key that asked for it; `era` counts how often
    all tokens had been made to expire before it was issued."""

    typ: str = "at+JWT"
    exp: int
    iat: int
    iss: str = ISSUER
    sub: str
    usage: str = TRADE
    key: str = ""
    jti: str = ""
    era: int = 0


class ExpiredTokenError(AuthError):
    """The token was ours and its time is over; its body on the wire has no error code (paradex.md 2.6)."""

    def __init__(self, late_us: int) -> None:
        super().__init__("", f"missing or malformed jwt: token is expired by {elapsed(late_us)}", status=401)


def issue(claims: Claims, secret: Secret) -> str:
    """The token text."""
    parts = [_encode(msgspec.json.encode(_HEADER)), _encode(msgspec.json.encode(claims))]
    signed = b".".join(parts)
    return b".".join((signed, _encode(_mac(signed, secret)))).decode()


def check(token: str, secret: Secret, now: int) -> Claims:
    """The claims of a genuine token that is alive at `now` (us). Raises AuthError; ExpiredTokenError when it is over."""
    signed, _, signature = token.rpartition(".")
    try:
        genuine = hmac.compare_digest(_decode(signature), _mac(signed.encode(), secret))
        claims = msgspec.json.decode(_decode(signed.rpartition(".")[2]), type=Claims) if genuine else None
    except (Base64Error, ValueError, msgspec.DecodeError):
        claims = None
    if claims is None:
        raise AuthError("INVALID_TOKEN", "missing or malformed jwt", status=401)
    if now >= claims.exp * SECOND_US:
        raise ExpiredTokenError(now - claims.exp * SECOND_US)
    return claims


def sign_cursor(payload: bytes, secret: Secret) -> str:
    """An opaque paging cursor that only this server can make."""
    return _encode(_mac(payload, secret)[:12] + payload).decode()


def read_cursor(cursor: str, secret: Secret) -> bytes | None:
    """What `sign_cursor` packed, or None when it is not ours."""
    try:
        raw = _decode(cursor)
    except (Base64Error, ValueError):
        return None
    return raw[12:] if hmac.compare_digest(raw[:12], _mac(raw[12:], secret)[:12]) else None


def elapsed(duration_us: int) -> str:
    """A duration as the exchange's language (Go) writes it: `9.46s`, `1m9.46s`, `2h0m1s`."""
    minutes, rest = divmod(duration_us, 60 * SECOND_US)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{rest / SECOND_US:.6f}".rstrip("0").rstrip(".") + "s"
    if hours:
        return f"{hours}h{minutes}m{seconds}"
    return f"{minutes}m{seconds}" if minutes else seconds


def _mac(data: bytes, secret: Secret) -> bytes:
    return hmac.digest(secret.reveal().encode(), data, "sha256")


def _encode(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


def _decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
