"""The judges, unmodified and in an environment of their own: the official SDK and ccxt trade here as they do on Paradex."""

from __future__ import annotations

import pytest

from tests.judges.stand import Step, judge

pytestmark = [pytest.mark.verify, pytest.mark.timeout(150)]

SHORT_LIVED_S = 33
"""Life of a token: long enough for the SDK, which renews 30 s before the end, and over after `skip 40`."""


def passed(steps: list[Step], *topics: str) -> None:
    """Every step went well, and they were exactly these."""
    failed = {step["step"]: step["error"] for step in steps if not step["ok"]}
    assert not failed, "\n\n".join(f"{name}: {error}" for name, error in failed.items())
    assert [step["step"] for step in steps] == list(topics)


def test_the_official_sdk_trades_over_rest_from_onboarding_past_an_expired_token() -> None:
    passed(
        judge("official_sdk", package="paradex_py", token_lifetime_s=SHORT_LIVED_S),
        "onboard", "auth", "system", "markets", "klines", "public_data", "account", "leverage", "limit", "market", "stop",
        "modify", "batch", "cancel_by_id", "cancel_by_client_id", "cancel_all", "positions", "fills", "history", "refusals",
        "algo", "subkey", "token", "token_renewed", "token_expired",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("encoding", "private_as_sbe"), [("json", False), ("sbe", False), ("sbe", True)], ids=["json", "sbe", "all-sbe"]
)
def test_the_official_sdk_hears_every_stream_and_enters_orders_over_the_socket(encoding: str, private_as_sbe: bool) -> None:
    steps = judge(
        "official_sdk_streams",
        encoding,
        package="paradex_py",
        token_lifetime_s=SHORT_LIVED_S,
        private_as_sbe=private_as_sbe,
        require_sbe=encoding == "sbe",
    )
    passed(
        steps, "connect", "public_streams", "book_deltas", "private_streams", "order_entry", "order_entry_batch",
        "cancel_on_disconnect", "unsubscribe", "no_complaints", "token_expired", "disconnect",
    )  # fmt: skip


def test_ccxt_trades_over_rest_from_onboarding_past_an_expired_token() -> None:
    passed(
        judge("ccxt_rest", package="ccxt", token_lifetime_s=SHORT_LIVED_S),
        "markets", "system", "tickers", "klines", "public_data", "onboard", "auth", "leverage", "limit", "market", "stop",
        "modify", "batch", "cancel_by_id", "cancel_by_client_id", "cancel_all", "positions", "fills", "history", "refusals",
        "token_expired",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("encoding", "private_as_sbe"), [("json", False), ("sbe", False), ("sbe", True)], ids=["json", "sbe", "all-sbe"]
)
def test_ccxt_pro_hears_every_stream_while_orders_come_and_go(encoding: str, private_as_sbe: bool) -> None:
    steps = judge(
        "ccxt_pro",
        encoding,
        package="ccxt",
        token_lifetime_s=SHORT_LIVED_S,
        private_as_sbe=private_as_sbe,
        require_sbe=encoding == "sbe",
    )
    passed(
        steps, "onboard", "trades", "order_book", "tickers", "funding", "private_streams", "token_expired", "disconnect",
    )  # fmt: skip
