"""What a simulated Paradex is told: identity, secret, limits, and the switches where the documents leave a choice."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from flashscalper.exchanges.paradex.signing import Verifier
from flashscalper.model.errors import ConfigError
from flashscalper.model.instants import SECOND_US
from flashscalper.model.secrets import Secret

CHAIN_IDS = (
    "PRIVATE_SN_POTC_SEPOLIA",
    "PRIVATE_SN_POTC_MOCK_SEPOLIA",
    "PRIVATE_SN_PARACLEAR_TESTNET",
    "PRIVATE_SN_PARACLEAR_MAINNET",
)
"""The only chain ids that the official SDK accepts (paradex.md 1)."""


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Section numbers are those of the protocol page (`paradex.md`); [open] marks what no source answers.

    `jwt_secret` signs tokens and paging cursors. `base_url` is what `/system/config` points to, without a trailing slash.
    """

    jwt_secret: Secret
    verify_signatures: Verifier
    """Curve verification, or the keyed hash that in-memory simulations put on both sides."""
    check_address: bool = True
    """2.3: refuse to onboard an address that does not belong to its public key; simulations may use any address."""
    base_url: str = "http://127.0.0.1:8787"
    environment: str = "testnet"
    chain_id: str = "PRIVATE_SN_POTC_SEPOLIA"
    l1_chain_id: str = "11155111"
    account_hash: str = "0x41cb0280ebadaa75f996d8d92c6f265f6d040bb3ba442e5f86a554f1765244e"
    proxy_hash: str = "0x3530cc4759d78042f1b543bf797f5f3d647cde0388c33734cf91b7f7b9314a9"
    evm_account_hash: str = "0x73414441639dcd11d1846f287650a00c60c416b9d3ba45d31c651672125b2c2"
    """Class hashes of 1: testnet values."""
    balance: Decimal = Decimal(10_000)
    """USDC that every account gets when it onboards."""
    token_lifetime_s: int = 300
    """2.6: five minutes, not extendable."""
    clock_skew_s: int = 30
    """2.6 [inferred]: how far an auth timestamp may lie in the future."""
    require_ethereum_header: bool = True
    """2.5: PARADEX-ETHEREUM-ACCOUNT is required by the specification when onboarding."""
    require_sbe: bool = False
    """5.9: refuse a socket that does not ask for SBE with 400, as is documented for 2026-09-21 and later."""
    private_as_sbe: bool = False
    """5.9 [open]: on an SBE connection, send account channels as SBE too; documented is JSON, ccxt decodes both."""
    rate_limits: bool = True
    """7: count requests and answer 429; the headers are sent in any case."""
    ping_every_us: int = 55 * SECOND_US
    """5.4: protocol-level pings."""
    pong_within_us: int = 5 * SECOND_US
    """5.4: no pong by then closes the connection."""
    slow_reader_limit: int = 2_000
    """5.4: unread messages that drop a client; 0 never does (lock-step, where the clock stands while a client reads)."""
    summary_every_us: int = 500_000
    """5.5 [open]: `markets_summary` of one market at most this often."""
    deltas_depth: int = 15
    """5.6 [open]: levels a side of the `deltas` feed; its name says 15, a prose page calls it full depth."""
    max_batch: int = 10
    """4.4, 6.12: the specification says 10, a prose page 50."""

    def __post_init__(self) -> None:
        if self.chain_id not in CHAIN_IDS:
            raise ConfigError("chain_id", self.chain_id, ", ".join(CHAIN_IDS))
        if not self.jwt_secret:
            raise ConfigError("jwt_secret", "empty", "a secret text")
        if not self.balance.is_finite() or self.balance < 0:
            raise ConfigError("balance", self.balance, "zero or more USDC")
        for field in (
            "token_lifetime_s",
            "ping_every_us",
            "pong_within_us",
            "summary_every_us",
            "deltas_depth",
            "max_batch",
        ):
            if getattr(self, field) <= 0:
                raise ConfigError(field, getattr(self, field), "above 0")
        if self.slow_reader_limit < 0:
            raise ConfigError("slow_reader_limit", self.slow_reader_limit, "0 (never) or a count")
