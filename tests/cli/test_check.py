"""`flashscalper check` against the exchange in a box: what is in order, what is not, and what it says about it."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from flashscalper.cli.checking.check import STEPS, CheckOptions, exit_code, run_steps
from flashscalper.cli.checking.check_orders import far_bid
from flashscalper.cli.checking.findings import Finding, Outcome, hint_for, shown
from flashscalper.cli.main import app
from flashscalper.cli.target import Target, find_target
from flashscalper.exchanges.paradex.signing import TESTNET_CLASSES, account_address, new_private_key
from flashscalper.exchanges.paradex.signing.keys import public_key_of
from flashscalper.model.errors import ConfigError, DeadlineError, ExchangeError, RateLimitError, TransportError
from flashscalper.model.events import ExchangeStatus
from flashscalper.model.secrets import Secret
from flashscalper.runtime import sockets
from flashscalper.runtime.clients.rest_client import scripted_settings
from flashscalper.runtime.live import run_loop
from flashscalper.simulator.base import ExchangeServer, FrameOut, HttpAnswer, HttpArrived, ServerIncoming, ServerOutgoing
from flashscalper.simulator.markets import DEFAULT_MARKETS
from tests.cli.simulator import running_simulator
from tests.promises.box import PATIENCE_S, Served, refuse, served
from tests.runtime.authority import Authority

QUICK = CheckOptions(symbols=("ETHUSDT", "BTCUSDT"), seconds=0.6)
NAMES = [name for name, _, _ in STEPS]
Found = dict[str, Finding]


BUSY_SEED = 8
"""With ETHUSDT and BTCUSDT, no third of a second without a trade."""
T = TypeVar("T")


def in_box(test: Callable[[Served], Coroutine[Any, Any, T]]) -> T:
    """Run one test against a busy market of its own."""

    async def main() -> T:
        async with asyncio.timeout(PATIENCE_S), served(BUSY_SEED) as box:
            return await test(box)

    return run_loop(main())


def target_of(box: Served, **variables: str) -> Target:
    settings = scripted_settings("simulator", rest_url=box.rest_url, ws_url=box.ws_url)
    return Target(settings, {**box.variables, **variables}, by_url=False)


def check_in_box(
    prepare: Callable[[Served], None] = lambda box: None, options: CheckOptions = QUICK, **variables: str
) -> Found:
    async def script(box: Served) -> Found:
        prepare(box)
        findings = await run_steps(target_of(box, **variables), options)
        return {finding.step: finding for finding in findings}

    return in_box(script)


def bad(found: Found) -> dict[str, Outcome]:
    return {name: finding.outcome for name, finding in found.items() if finding.outcome is not Outcome.OK}


def answer(path: str, body: dict[str, Any]) -> Callable[[Served], None]:
    """The exchange says `body` to every request that ends with `path`."""

    def prepare(box: Served) -> None:
        def before(request: HttpArrived) -> HttpAnswer | None:
            if not request.path.endswith(path):
                return None
            return HttpAnswer(request.id, 200, (), msgspec.json.encode(body))

        box.interposer.before = before

    return prepare


def test_where_everything_is_in_order_every_step_says_so() -> None:
    found = check_in_box()
    assert list(found) == NAMES
    assert bad(found) == {}
    assert sum(found["trades"].facts["trades"].values()) >= 1
    assert found["fees"].facts == {"class": "pro", "tier": "", "maker": "0.00003", "taker": "0.00045"}
    assert "rested, canceled" in found["order"].detail
    assert abs(found["clock"].facts["offset_ms"]) < 50
    assert exit_code(list(found.values())) == 0


def test_the_order_is_gone_afterwards_also_when_answers_to_canceling_are_lost() -> None:
    async def script(box: Served) -> None:
        lost = iter([True, True])

        def after(request: HttpArrived, answer: HttpAnswer) -> HttpAnswer | None:
            return refuse(request, 503) if request.method == "DELETE" and next(lost, False) else answer

        box.interposer.after = after
        findings = await run_steps(target_of(box), QUICK)
        assert exit_code(findings) == 0, shown(findings)
        async with box.rest() as client:
            assert await client.get_open_orders() == []

    in_box(script)


class NoTrades:
    """The exchange without its public trades, as a broken stream or a dead market has it."""

    def __init__(self, inner: ExchangeServer) -> None:
        self._inner = inner

    def receive(self, message: ServerIncoming, now: int) -> None:
        self._inner.receive(message, now)

    def feed(self, event: object, now: int) -> None:
        self._inner.feed(event, now)

    def outgoing(self) -> Sequence[ServerOutgoing]:
        return [item for item in self._inner.outgoing() if not (isinstance(item, FrameOut) and _is_trade(item))]

    def next_deadline(self) -> int | None:
        return self._inner.next_deadline()


def _is_trade(frame: FrameOut) -> bool:
    return frame.data[2:4] == b"\x01\x00" if frame.binary else b'"subscription"' in frame.data and b'"trades.' in frame.data


def without_trades(box: Served) -> None:
    box.interposer._inner = NoTrades(box.server)


def test_no_trades_at_all_is_a_failure_and_a_stream_that_swallows_them_is_named() -> None:
    found = check_in_box(without_trades)
    assert bad(found) == {"trades": Outcome.FAIL}
    assert "the stream does not bring them" in found["trades"].hint
    assert exit_code(list(found.values())) == 1


def test_a_quiet_market_is_named_as_the_cause() -> None:
    def prepare(box: Served) -> None:
        without_trades(box)
        answer("/trades", {"results": []})(box)

    found = check_in_box(prepare)
    assert "none in the last ten minutes" in found["trades"].hint
    assert "--markets" in found["trades"].hint


def test_an_exchange_in_maintenance_is_named_as_the_cause_and_gets_no_order() -> None:
    def prepare(box: Served) -> None:
        without_trades(box)
        answer("/system/state", {"status": "maintenance"})(box)

    found = check_in_box(prepare)
    assert found["rest"].outcome is Outcome.WARN
    assert f"status is {ExchangeStatus.MAINTENANCE}" in found["trades"].hint
    assert found["order"].outcome is Outcome.SKIP


def test_a_key_that_is_not_registered_fails_the_login_and_what_needs_it_is_skipped() -> None:
    stranger = new_private_key(b"s" * 32)
    owner = account_address(public_key_of(new_private_key(b"o" * 32)), TESTNET_CLASSES)
    found = check_in_box(PARADEX_API_KEY=owner, PARADEX_SECRET_KEY=stranger.reveal())
    assert bad(found) == {
        "auth": Outcome.FAIL,
        **dict.fromkeys(("key", "account", "margin", "fees", "account stream", "order"), Outcome.SKIP),
    }
    assert found["key"].detail == "needs auth"
    assert stranger.reveal() not in shown(list(found.values()))


def test_without_a_key_only_public_steps_run() -> None:
    found = check_in_box(PARADEX_SECRET_KEY="")
    assert found["environment"].outcome is Outcome.WARN
    assert found["trades"].outcome is Outcome.OK
    assert found["order"].outcome is Outcome.SKIP
    assert exit_code(list(found.values())) == 0


def test_a_token_reads_and_gets_no_order() -> None:
    async def script(box: Served) -> Found:
        async with box.rest() as client:
            await client.get_balance()
            session = client._rest.session
            assert session is not None
            token = session.token(client._rest.now())
        target = target_of(box, PARADEX_SECRET_KEY="", PARADEX_BEARER_TOKEN=token or "")
        return {finding.step: finding for finding in await run_steps(target, QUICK)}

    found = in_box(script)
    assert bad(found) == {"key": Outcome.SKIP, "order": Outcome.SKIP}
    assert found["key"].facts == {"may": "read"}
    assert found["account"].outcome is Outcome.OK


def _margin(mode: str, method: str) -> dict[str, Any]:
    configs = [{"market": each.market, "leverage": 5, "margin_type": mode} for each in DEFAULT_MARKETS]
    return {"account": "0x1", "configs": configs, "margin_methodology": method}


@pytest.mark.parametrize(
    ("step", "path", "body", "outcome", "words"),
    [
        ("margin", "/account/margin", _margin("ISOLATED", "cross_margin"), Outcome.FAIL, "isolated margin is not supported"),
        (
            "margin",
            "/account/margin",
            _margin("CROSS", "portfolio_margin"),
            Outcome.FAIL,
            "portfolio margin is not supported",
        ),
        ("margin", "/account/margin", {"configs": []}, Outcome.FAIL, "speaks another version"),
        ("rest", "/system/config", {"starknet_chain_id": "PRIVATE_SN_PARACLEAR_MAINNET"}, Outcome.FAIL, ""),
        ("clock", "/system/time", {"server_time": "1000"}, Outcome.WARN, "NTP"),
        ("markets", "/markets", {"results": [{"symbol": "ETH-USD-PERP"}]}, Outcome.FAIL, ""),
    ],
)
def test_what_is_not_in_order_is_named(step: str, path: str, body: dict[str, Any], outcome: Outcome, words: str) -> None:
    found = check_in_box(answer(path, body), msgspec.structs.replace(QUICK, seconds=0.2))
    assert found[step].outcome is outcome
    assert words in found[step].hint


@pytest.mark.parametrize(
    ("changes", "outcome", "words"),
    [
        ({"kind": "subaccount", "parent_account": "0x77"}, Outcome.OK, "sub-account of 0x77"),
        ({"kind": "vault_operator"}, Outcome.WARN, "vault operator"),
        ({"kind": "main", "isolated_market": "ETH-USD-PERP"}, Outcome.FAIL, "isolated position in ETH-USD-PERP"),
        ({"kind": "guild"}, Outcome.FAIL, "accepted: main, subaccount"),
        ({"account": "0x99"}, Outcome.FAIL, "our account is not listed"),
    ],
)
def test_the_kind_of_account_is_told(changes: dict[str, str], outcome: Outcome, words: str) -> None:
    def prepare(box: Served) -> None:
        account = account_address(public_key_of(box.key), TESTNET_CLASSES)
        tiers = {"pro": {"tier": "VIP 1", "volume": "5"}}
        row = {"account": account, "fees": {"maker_rate": "0", "taker_rate": "0.0004"}, "volume_tiers": tiers, **changes}
        answer("/account/info", {"results": [row]})(box)

    found = check_in_box(prepare, msgspec.structs.replace(QUICK, seconds=0.2))
    assert found["account"].outcome is outcome
    assert words in found["account"].detail
    if outcome is not Outcome.FAIL:
        assert found["fees"].facts == {"class": "pro", "tier": "VIP 1", "maker": "0", "taker": "0.0004"}


def test_the_whole_check_runs_over_tls_and_a_certificate_of_nobody_stops_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = Authority(tmp_path / "ours")
    (tmp_path / "trusted.pem").write_text(ours.pem)

    def over_tls(trusted: Path) -> Found:
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
        sockets._system_authorities.cache_clear()

        async def script(box: Served) -> Found:
            tls: ssl.SSLContext = ours.server("127.0.0.1")
            await box.shell.close()
            box.shell = box._shell(0)
            box.shell._tls = tls
            await box.shell.start()
            options = QUICK
            found = {finding.step: finding for finding in await run_steps(target_of(box), options)}
            if found["tls"].outcome is Outcome.FAIL:
                assert box.interposer.requests == []
            return found

        return in_box(script)

    try:
        found = over_tls(tmp_path / "trusted.pem")
        assert bad(found).keys() == {"tls"}, shown(list(found.values()))
        assert found["tls"].outcome is Outcome.WARN, "a certificate that ends tomorrow is a warning"
        assert found["tls"].facts["version"] == "TLSv1.3"
        (tmp_path / "nobody.pem").write_text(Authority(tmp_path / "nobody").pem)
        found = over_tls(tmp_path / "nobody.pem")
        assert found["tls"].outcome is Outcome.FAIL
        assert "CERTIFICATE_VERIFY_FAILED" in found["tls"].detail
        assert {finding.outcome for finding in found.values()} == {Outcome.OK, Outcome.FAIL, Outcome.SKIP}
    finally:
        sockets._system_authorities.cache_clear()


def test_the_command_prints_a_table_or_json_and_its_exit_code_tells(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PARADEX_ENVIRONMENT", raising=False)
    with running_simulator("--markets", "ETHUSDT,BTCUSDT", "--seed", str(BUSY_SEED)) as simulator:
        arguments = ["check", "--url", simulator.url, "--markets", "ETHUSDT,BTCUSDT", "--seconds", "1"]
        assert app([*arguments, "--retail"], standalone_mode=False) == 0
        text = capsys.readouterr().out
        assert text.splitlines()[0].split() == ["step", "found"]
        assert "retail" in text
        assert text.splitlines()[-1] == "Everything is in order."
        assert app([*arguments, "--json", "--no-order"], standalone_mode=False) == 0
        report = json.loads(capsys.readouterr().out)
        assert report["good"] is True
        assert [step["step"] for step in report["steps"]] == NAMES
        assert report["steps"][-1]["outcome"] == "skip"
    assert app([*arguments, "--json"], standalone_mode=False) == 1
    steps = {step["step"]: step for step in json.loads(capsys.readouterr().out)["steps"]}
    assert steps["rest"]["outcome"] == "fail"
    assert "PARADEX_REST_URL" in steps["rest"]["hint"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--seconds", "0"], "seconds"),
        (["--environment", "prod", "--order"], "on prod no order is placed"),
        (["--environment", "mainnet"], "PARADEX_ENVIRONMENT"),
        (["--url", "http://10.0.0.1"], "url"),
        (["--url", "http://127.0.0.1:1", "--environment", "prod"], "--environment with --url"),
    ],
)
def test_bad_options_are_refused(arguments: list[str], words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=words):
        app(["check", *arguments], standalone_mode=False)


def test_a_dotenv_is_read_below_the_environment_and_must_be_private_when_it_holds_a_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("PARADEX_ENVIRONMENT", "PARADEX_SECRET_KEY", "PARADEX_REST_URL", "PARADEX_WS_URL"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / ".env"
    file.touch(mode=0o644)
    file.write_text("PARADEX_ENVIRONMENT=prod\n")
    assert find_target(folder=tmp_path).environment == "prod"
    monkeypatch.setenv("PARADEX_ENVIRONMENT", "testnet")
    assert find_target(folder=tmp_path).environment == "testnet"
    file.write_text("PARADEX_SECRET_KEY=0x1\n")
    with pytest.raises(ConfigError, match=r"\.env: saw .*chmod 600"):
        find_target(folder=tmp_path)
    file.chmod(0o600)
    monkeypatch.setenv("PARADEX_PRIVATE_KEY", "0x1")
    credentials = find_target(folder=tmp_path).credentials()
    assert isinstance(credentials.secret_key, Secret)
    assert "PARADEX_PRIVATE_KEY" not in os.environ, "children would inherit it"


def test_hints_fit_the_error() -> None:
    assert "NTP" in hint_for(ExchangeError("INVALID_TIMESTAMP", ""))
    assert "allow-list" in hint_for(ExchangeError("IP_NOT_ALLOWED", ""))
    assert "wait 3 s" in hint_for(RateLimitError("", retry_after_s=3.0))
    assert "firewall" in hint_for(DeadlineError("no answer"))
    assert "proxy" in hint_for(TransportError("cut"))
    assert hint_for(ExchangeError("SOMETHING_NEW", "")) == ""


@pytest.mark.parametrize("market", DEFAULT_MARKETS, ids=lambda market: market.symbol)
def test_the_far_bid_is_on_the_grid_and_above_the_minimum(market: Any) -> None:
    for mark in (0.5, 3.21, 2_400.0, 95_000.0):
        price, size = far_bid(market, mark)
        assert price % market.price_tick == 0
        assert size % market.size_step == 0
        assert price * size >= market.min_notional
        assert float(price) <= 0.8 * mark
