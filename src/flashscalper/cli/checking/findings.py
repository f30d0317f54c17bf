"""What a check found: one finding a step, the hint that goes with an error, and how both are shown."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import msgspec

from flashscalper.cli.table import text_table
from flashscalper.model.errors import (
    ConfigError,
    DeadlineError,
    ExchangeError,
    FlashScalperError,
    ProtocolError,
    RateLimitError,
    TransportError,
)


class Outcome(StrEnum):
    """How a step ended. Only `fail` makes the exit code 1."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one step; `facts` are figures for programs."""

    step: str
    outcome: Outcome
    detail: str
    hint: str = ""
    facts: dict[str, Any] = {}


_CODES: Final = {
    "NOT_ONBOARDED": "log in once with this account's wallet at app.testnet.paradex.trade (or app.paradex.trade for prod)",
    "STARKNET_SIGNATURE_VERIFICATION_FAILED": "the key is not registered for this account, or it was revoked: "
    "`flashscalper keys list`, and look whether PARADEX_API_KEY is the account's address and PARADEX_ENVIRONMENT fits",
    "INVALID_STARKNET_ADDRESS": "PARADEX_API_KEY is the account's address on Paradex, not the Ethereum address",
    "INVALID_TIMESTAMP": "this machine's clock is far off: turn on time synchronisation (NTP)",
    "IP_NOT_ALLOWED": "the key's allow-list leaves this machine out: make a key with this machine's public address",
    "GEO_IP_BLOCK": "Paradex does not serve the country that this machine's address belongs to",
    "NO_TOKEN": "set PARADEX_API_KEY and PARADEX_SECRET_KEY, or PARADEX_KEY_NAME after `flashscalper keys new`",
    "NO_KEY": "a token only reads; orders need PARADEX_SECRET_KEY or PARADEX_KEY_NAME",
    "TOKEN_EXPIRED": "make a new token, or use a key, which renews its session by itself",
    "INSUFFICIENT_MIN_CHAIN_BALANCE": "deposit first; on testnet use the faucet of the web application",
}


def hint_for(error: FlashScalperError) -> str:
    """What a person can do about an error; empty when nothing sensible is known."""
    if isinstance(error, RateLimitError):
        return f"wait {error.retry_after_s:.0f} s; another program may share this address or key"
    if isinstance(error, ExchangeError):
        return _CODES.get(error.code, "")
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text or "certificate" in text.lower():
        return "somebody stands between this machine and the exchange, or its certificate authorities are out of date"
    if isinstance(error, DeadlineError):
        return "a firewall or proxy may swallow packets, or the exchange is down: status.paradex.trade"
    if isinstance(error, TransportError):
        return "look at the network, the proxy and PARADEX_REST_URL / PARADEX_WS_URL"
    if isinstance(error, ProtocolError):
        return "the exchange speaks another version of its protocol, or this is not Paradex"
    return "" if isinstance(error, ConfigError) else "see the line above"


def failed(step: str, error: FlashScalperError) -> Finding:
    """A step that ended in an error."""
    return Finding(step=step, outcome=Outcome.FAIL, detail=" ".join(str(error).split()), hint=hint_for(error))


def shown(findings: list[Finding]) -> str:
    """The table, the hints below it, and the last line that says how it went."""
    rows = [(finding.step, str(finding.outcome), finding.detail) for finding in findings]
    lines = [text_table(("step", "", "found"), rows)]
    hints = [f"{finding.step}: {finding.hint}" for finding in findings if finding.hint]
    if hints:
        lines += ["", *hints]
    return "\n".join([*lines, "", verdict(findings)])


def verdict(findings: list[Finding]) -> str:
    """One line."""
    wrong = [finding.step for finding in findings if finding.outcome is Outcome.FAIL]
    doubtful = [finding.step for finding in findings if finding.outcome is Outcome.WARN]
    if wrong:
        return f"FAILED: {', '.join(wrong)}"
    return f"Good, with doubts about: {', '.join(doubtful)}" if doubtful else "Everything is in order."
