"""Routes that make an account and a session: onboarding and auth (paradex.md 2.5, 2.6)."""

from __future__ import annotations

from typing import Final

import msgspec

from flashscalper.exchanges.paradex.signing import AccountClasses, account_address, parse_signature
from flashscalper.model.errors import ConfigError, ExchangeError, ProtocolError
from flashscalper.model.instants import DAY_US, SECOND_US
from flashscalper.simulator.paradex_server.accounts import Member, normal_hex
from flashscalper.simulator.paradex_server.answers import Reply, empty, invalid, ok
from flashscalper.simulator.paradex_server.context import Context, Request
from flashscalper.simulator.paradex_server.limits import Group
from flashscalper.simulator.paradex_server.order_requests import decode
from flashscalper.simulator.paradex_server.routing import Route
from flashscalper.simulator.paradex_server.tokens import INTERACTIVE, TRADE, Claims, issue

ACCOUNT_HEADER: Final = "paradex-starknet-account"
SIGNATURE_HEADER: Final = "paradex-starknet-signature"
TIMESTAMP_HEADER: Final = "paradex-timestamp"
EXPIRATION_HEADER: Final = "paradex-signature-expiration"
ETHEREUM_HEADER: Final = "paradex-ethereum-account"
_WEEK_S: Final = 7 * DAY_US // SECOND_US
_DEFAULT_LIFETIME_S: Final = 30 * 60
_USAGES: Final = {"": TRADE, "interactive": INTERACTIVE}


class OnboardingBody(msgspec.Struct):
    """`requests.Onboarding`; referral and marketing fields are ignored."""

    public_key: str | None = None


def onboard(context: Context, request: Request) -> Reply:
    """Register an account once; a repetition with the same key is fine. Everybody gets the opening balance."""
    address = _account(request)
    body = decode(request.body or b"{}", OnboardingBody)
    key = normal_hex(body.public_key or "", "PUBLIC_KEY_INVALID", "public_key")
    ethereum = request.headers.get(ETHEREUM_HEADER, "")
    if ethereum or context.settings.require_ethereum_header:
        ethereum = normal_hex(ethereum, "INVALID_ETHEREUM_ADDRESS", ETHEREUM_HEADER, bits=160)
    signature = _signature(request)
    if not context.settings.verify_signatures.verify_onboarding(account=address, public_key=key, signature=signature):
        raise ExchangeError("STARKNET_SIGNATURE_VERIFICATION_FAILED", "onboarding signature does not match", status=400)
    if context.settings.check_address and _address_of(context, key) != address:
        raise ExchangeError("INVALID_STARKNET_ADDRESS", f"account {address} does not belong to key {key}", status=400)
    if context.members.add(address, key, ethereum, request.now):
        context.exchange.open_account(address, context.settings.balance, request.now)
    return empty()


def lookup(context: Context, request: Request) -> Reply:
    """Which address belongs to a key, and whether it is onboarded."""
    signer = request.query.get("account_signer_type", "")
    if signer != "starknet":
        raise invalid("account_signer_type", signer, "starknet (eip191 accounts are not simulated)")
    key = normal_hex(request.query.get("public_key", ""), "PUBLIC_KEY_INVALID", "public_key")
    address = _address_of(context, key)
    settings = context.settings
    return ok(
        {
            "address": address,
            "exists": context.members.find(address) is not None,
            "account_signer_type": signer,
            "derivation_info": {"class_hash": settings.account_hash, "proxy_class_hash": settings.proxy_hash},
        }
    )


def authenticate(context: Context, request: Request) -> Reply:
    """Trade a signed request for a token. The signed path is `/v1/auth` with and without the key in the URL."""
    address = _account(request)
    usage = _USAGES.get(request.query.get("token_usage", ""))
    if usage is None:
        raise invalid("token_usage", request.query.get("token_usage"), "interactive, or absent")
    signature = _signature(request)
    timestamp, expiration = _times(context, request)
    member = context.members.get(address)
    keys = _keys(member, request.parameters.get("public_key", ""))
    verify = context.settings.verify_signatures.verify_auth
    proved = (
        key
        for key in keys
        if verify(account=address, public_key=key, signature=signature, timestamp_s=timestamp, expiration_s=expiration)
    )
    key = next(proved, None)
    if key is None:
        raise ExchangeError("STARKNET_SIGNATURE_VERIFICATION_FAILED", "auth signature does not match", status=400)
    member.check_origin(key, "", request.peer)
    issued_s = request.now // SECOND_US
    expires_s = issued_s + context.settings.token_lifetime_s
    claims = Claims(exp=expires_s, iat=issued_s, sub=address, usage=usage, key=key, era=context.era)
    return ok({"jwt_token": issue(claims, context.settings.jwt_secret)})


def _keys(member: Member, path_key: str) -> list[str]:
    """The keys that may have signed: the one of the URL if it is registered, else all."""
    if not path_key:
        return member.signing_keys()
    key = normal_hex(path_key, "PUBLIC_KEY_INVALID", "public key")
    if key not in member.signing_keys():
        message = f"key {key} is not registered for account {member.address}"
        raise ExchangeError("STARKNET_SIGNATURE_VERIFICATION_FAILED", message, status=400)
    return [key]


def _account(request: Request) -> str:
    return normal_hex(request.headers.get(ACCOUNT_HEADER, ""), "INVALID_STARKNET_ADDRESS", ACCOUNT_HEADER)


def _address_of(context: Context, key: str) -> str:
    settings = context.settings
    classes = AccountClasses(settings.account_hash, settings.proxy_hash, settings.evm_account_hash)
    try:
        return account_address(key, classes)
    except ConfigError as refused:
        raise ExchangeError("PUBLIC_KEY_INVALID", str(refused), status=400) from refused


def _signature(request: Request) -> str:
    signature = request.headers.get(SIGNATURE_HEADER, "")
    try:
        parse_signature(signature)
    except ProtocolError as refused:
        raise ExchangeError("INVALID_STARKNET_SIGNATURE", str(refused), status=400) from refused
    return signature


def _times(context: Context, request: Request) -> tuple[int, int]:
    """Timestamp and expiration, checked. Which expiration the hash has when the header is absent is [open]: the documented
    default life of 30 minutes."""
    now_s = request.now // SECOND_US
    timestamp = _seconds(request, TIMESTAMP_HEADER)
    expires = EXPIRATION_HEADER in request.headers
    expiration = _seconds(request, EXPIRATION_HEADER) if expires else timestamp + _DEFAULT_LIFETIME_S
    if timestamp > now_s + context.settings.clock_skew_s:
        raise ExchangeError("INVALID_TIMESTAMP", f"{TIMESTAMP_HEADER} {timestamp} is in the future of {now_s}", status=400)
    if expiration <= now_s:
        raise ExchangeError("INVALID_TIMESTAMP", f"signature expired at {expiration}, now is {now_s}", status=400)
    if not 0 < expiration - timestamp <= _WEEK_S:
        raise ExchangeError(
            "INVALID_TIMESTAMP", f"signature life {expiration - timestamp} s; accepted: up to a week", status=400
        )
    return timestamp, expiration


def _seconds(request: Request, header: str) -> int:
    text = request.headers.get(header, "")
    if not text.isascii() or not text.isdecimal() or len(text) > 12:
        raise ExchangeError("INVALID_TIMESTAMP", f"{header}: saw {text!r}; accepted: unix seconds", status=400)
    return int(text)


ROUTES: Final = (
    Route("GET", "/onboarding", lookup, Group.PUBLIC),
    Route("POST", "/onboarding", onboard, Group.ONBOARDING),
    Route("POST", "/auth", authenticate, Group.AUTH),
    Route("POST", "/auth/{public_key}", authenticate, Group.AUTH),
)
