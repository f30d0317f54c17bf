"""Probes judged by the simulator: whatever its switches are set to, the probes must find out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from flashscalper.cli.checking import probes_position, probes_streams
from flashscalper.cli.checking.field_report import Answer, FieldReport, read_report, redacted, write_report
from flashscalper.cli.checking.probe import PROBES, run_probes
from flashscalper.cli.main import app
from flashscalper.cli.target import Target
from flashscalper.exchanges.paradex.signing import new_private_key
from flashscalper.exchanges.paradex.signing.keys import public_key_of
from flashscalper.model.errors import ConfigError
from flashscalper.runtime.clients.rest_client import ParadexRestClient, scripted_settings
from flashscalper.runtime.clock import WallClock
from flashscalper.runtime.hosting.box import box_settings, open_box
from flashscalper.runtime.hosting.server import ServerShell
from flashscalper.runtime.live import run_loop
from flashscalper.simulator.feeds.synthetic import SyntheticFeed
from flashscalper.simulator.markets import choose_markets
from flashscalper.simulator.paradex_server.settings import ServerSettings
from flashscalper.simulator.rules import ClientIdScope, DisconnectScope, ExchangeRules
from tests.cli.simulator import running_simulator

KEY = new_private_key(b"p" * 32)
SEED = 8
DEFAULT = pytest.mark.verify
"""The other position of a switch: what a new simulator does."""


@asynccontextmanager
async def simulated(rules: ExchangeRules, **settings: Any) -> AsyncIterator[Target]:
    """An exchange with these switches, and where it is."""
    clock = WallClock()
    feed = SyntheticFeed(choose_markets(("ETHUSDT",)), Random(SEED), clock.now())
    told = box_settings(seed=SEED, base_url="http://127.0.0.1", balance=Decimal(10_000))
    box = open_box(feed, msgspec.structs.replace(told, **settings), seed=SEED, started_at=clock.now(), rules=rules)
    async with ServerShell(box.server, clock, box.pump) as shell:
        where = scripted_settings("simulator", rest_url=f"{shell.http_url}/v1", ws_url=shell.ws_url)
        variables = {"PARADEX_ENVIRONMENT": "simulator", "PARADEX_SECRET_KEY": KEY.reveal()}
        await asyncio.sleep(0.3)  # the market's first quotes
        yield Target(where, variables, by_url=False)


def asked(points: set[str], rules: ExchangeRules | None = None, **settings: Any) -> dict[str, Answer]:
    """What the probes of these points find out; afterwards nothing of theirs may be left."""

    async def main() -> dict[str, Answer]:
        async with asyncio.timeout(60), simulated(rules or ExchangeRules(), **settings) as target:
            report = await run_probes(target, "ETHUSDT", tuple(each for each in PROBES if each.point in points))
            async with ParadexRestClient(target.settings, target.credentials()) as client:
                assert await client.get_open_orders() == []
                assert await client.get_positions() == []
        return {answer.point: answer for answer in report.answers}

    return run_loop(main())


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes_streams, "_LISTEN_S", 1.5)
    monkeypatch.setattr(probes_streams, "_LOST_S", 0.3)
    monkeypatch.setattr(probes_position, "_HOLD_S", 2.2)
    monkeypatch.setattr(probes_position, "_SETTLE_S", 0.2)


@pytest.mark.parametrize(
    ("switch", "value", "found"),
    [
        pytest.param("client_id_scope", ClientIdScope.OPEN, "open", marks=DEFAULT),
        ("client_id_scope", ClientIdScope.FOREVER, "forever"),
        pytest.param("disconnect_scope", DisconnectScope.CONNECTION, "connection", marks=DEFAULT),
        ("disconnect_scope", DisconnectScope.ACCOUNT, "account"),
        pytest.param("disconnect_spares_untriggered", False, False, marks=DEFAULT),
        ("disconnect_spares_untriggered", True, True),
        pytest.param("reduce_only_counts_untriggered", False, False, marks=DEFAULT),
        ("reduce_only_counts_untriggered", True, True),
        pytest.param("leverage_raises_maintenance", False, False, marks=DEFAULT),
        ("leverage_raises_maintenance", True, True),
    ],
)
def test_the_switch_of_the_exchange_is_found_out(switch: str, value: object, found: object) -> None:
    answer = asked({switch}, ExchangeRules(**{switch: value}))[switch]  # type: ignore[arg-type]
    assert (answer.value, answer.switch) == (found, f"ExchangeRules.{switch}"), answer.evidence


@pytest.mark.parametrize(
    ("switch", "value", "found"),
    [
        pytest.param("max_batch", 10, 10, marks=DEFAULT),
        ("max_batch", 50, 50),
        pytest.param("require_sbe", False, False, marks=DEFAULT),
        ("require_sbe", True, True),
        pytest.param("private_as_sbe", False, False, marks=DEFAULT),
        ("private_as_sbe", True, True),
        ("deltas_depth", 5, 5),
        ("summary_every_us", 700_000, 700_000),
    ],
)
def test_the_switch_of_the_server_is_found_out(switch: str, value: Any, found: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if switch == "summary_every_us":
        monkeypatch.setattr(probes_streams, "_LISTEN_S", 3.2)
    answer = asked({switch}, None, **{switch: value})[switch]
    if switch == "summary_every_us":
        assert abs(answer.value - found) <= 100_000, answer.evidence
    else:
        assert answer.value == found, answer.evidence
    assert answer.switch == f"ServerSettings.{switch}"


def test_points_without_a_switch_are_found_out_too() -> None:
    points = {
        "auth_expiration_default_s", "token_types", "digits_beyond_the_eighth", "request_info_status", "cancel_reasons",
        "same_body_twice", "late_request", "funding_payment_sign",
    }  # fmt: skip
    found = {point: answer.value for point, answer in asked(points).items()}
    assert found["auth_expiration_default_s"] == 1_800
    assert found["token_types"]
    assert found["digits_beyond_the_eighth"] == "refused: VALIDATION_ERROR"
    assert found["request_info_status"][-1] == "SUCCESS"
    assert found["cancel_reasons"]["canceled by us"] == "USER_CANCELED"
    assert found["same_body_twice"] == "two orders"
    assert found["late_request"] == "INVALID_TIMESTAMP"
    assert found["funding_payment_sign"] == "received"


def test_what_cannot_be_asked_is_unanswered_with_the_reason() -> None:
    answers = asked({"deltas_depth", "deltas_contiguous", "kline_volume_unit"}, require_sbe=True)
    assert {answer.value for answer in answers.values()} == {None}
    assert "refused with 400" in answers["deltas_depth"].evidence


def test_a_position_that_is_there_is_left_alone() -> None:
    async def main() -> None:
        async with (
            asyncio.timeout(30),
            simulated(ExchangeRules()) as target,
            ParadexRestClient(target.settings, target.credentials()) as client,
        ):
            mine = await client.place_market_order("ETHUSDT", "SELL", "0.5")
            wanted = tuple(each for each in PROBES if each.point == "leverage_raises_maintenance")
            report = await run_probes(target, "ETHUSDT", wanted)
            held = await client.get_position("ETHUSDT")
        assert held is not None
        assert held.size == -mine.filled
        assert report.answers[0].value is None
        assert "left alone" in report.answers[0].evidence

    run_loop(main())


def test_every_switch_is_a_setting_of_the_simulator() -> None:
    rooms = {"ExchangeRules": ExchangeRules, "ServerSettings": ServerSettings}
    switches = [each.switch.split(".") for each in PROBES if each.switch]
    assert len(switches) >= 9
    for room, field in switches:
        assert field in rooms[room].__struct_fields__
    assert len({each.point for each in PROBES}) == len(PROBES)


def test_every_point_is_explained_beside_the_reports() -> None:
    readme = (Path(__file__).resolve().parents[2] / "docs" / "field-reports" / "README.md").read_text()
    assert [each.point for each in PROBES if f"`{each.point}`" not in readme] == []


def test_a_report_is_written_once_read_back_and_tells_nobody(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    answers = (
        Answer(point="a", section="1", question="?", switch="ExchangeRules.a", value="x", evidence="seen"),
        Answer(point="b", section="1", question="?", switch="ExchangeRules.b", value=None, evidence="not seen"),
        Answer(point="c", section="1", question="?", switch="", value=1, evidence="seen"),
    )
    report = FieldReport(made_at="2026-11-22", environment="testnet", version="0", market="m", answers=answers)
    write_report(file, report)
    assert read_report(file) == report
    assert report.switches() == {"ExchangeRules.a": "x"}
    with pytest.raises(ConfigError, match="not there yet"):
        write_report(file, report)
    file.write_text(file.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(ConfigError, match="format 1"):
        read_report(file)
    file.write_text("{}")
    with pytest.raises(ConfigError, match="a field report"):
        read_report(file)


@pytest.mark.parametrize(
    "text",
    [
        "eyJhbGciOi.eyJzdWIi.c2ln", "0x129c135ed63df9353885e292be4426b8ed6122b13c6c0e1bb787288a1f5adfa",
        "1767225600123201704028870000", "probe-1a2048673e9-12", "203.0.113.77", "mine",
    ],
)  # fmt: skip
def test_whatever_tells_who_asked_is_taken_out(text: str) -> None:
    clean = redacted(f"HTTP 400 for {text}: VALIDATION_ERROR 0.5 at 3047.5", ["mine"])
    assert text not in clean
    assert clean.startswith("HTTP 400 for <")
    assert clean.endswith(": VALIDATION_ERROR 0.5 at 3047.5")


def test_the_command_writes_a_report_without_account_or_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = tuple(each for each in PROBES if each.point in ("require_sbe", "late_request"))
    monkeypatch.setattr("flashscalper.cli.checking.probe.PROBES", quick)
    monkeypatch.chdir(tmp_path)
    with running_simulator("--markets", "ETHUSDT", "--seed", str(SEED)) as simulator:
        monkeypatch.setenv("PARADEX_ENVIRONMENT", "simulator")
        monkeypatch.setenv("PARADEX_SECRET_KEY", KEY.reveal())
        arguments = ["check", "--probe", "--url", simulator.url]
        assert app([*arguments, "--report", "one.json"], standalone_mode=False) == 0
        assert "written to one.json" in capsys.readouterr().out
        monkeypatch.setenv("PARADEX_SECRET_KEY", KEY.reveal())
        assert app([*arguments, "--json"], standalone_mode=False) == 0
    printed = json.loads(capsys.readouterr().out)
    (file,) = tmp_path.glob("field-report-simulator-*.json")
    assert json.loads(file.read_text()) == printed
    text = file.read_text() + (tmp_path / "one.json").read_text()
    assert public_key_of(KEY).removeprefix("0x") not in text
    assert KEY.reveal().removeprefix("0x") not in text


def test_prod_is_never_probed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="it places orders"):
        app(["check", "--probe", "--environment", "prod"], standalone_mode=False)
